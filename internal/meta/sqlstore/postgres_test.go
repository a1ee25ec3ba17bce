package sqlstore_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
)

func TestPostgres(t *testing.T) {
	server := metatest.StartPostgres(t)
	var texts sync.Map
	t.Run("suite", func(t *testing.T) {
		metatest.Run(t, func(t testing.TB) func(testing.TB) meta.Store {
			url := server.NewDatabase(t)
			return func(t testing.TB) meta.Store { return noted{openPostgres(t, url), &texts} }
		})
	})
	t.Run("plans", func(t *testing.T) { testPostgresPlans(t, server, &texts) })
	t.Run("settings", func(t *testing.T) { testSettings(t, server) })
	t.Run("the first schema is brought up", func(t *testing.T) { testPostgresSchema1(t, server) })
	t.Run("lost connections", func(t *testing.T) { testLostConnections(t, server) })
	t.Run("the access version that another process raised", func(t *testing.T) { testRaisedElsewhere(t, server) })
	t.Run("opened by many at once", func(t *testing.T) { testOpenedByMany(t, server) })
}

func openPostgres(t testing.TB, url string) *sqlstore.Store {
	s, err := sqlstore.OpenPostgres(context.Background(), url, sqlstore.Options{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func testRaisedElsewhere(t *testing.T, server *metatest.Postgres) {
	url := server.NewDatabase(t)
	here, there := openPostgres(t, url), openPostgres(t, url)
	defer here.Close()
	defer there.Close()
	version := func() int64 {
		t.Helper()
		v, err := here.RecentAccessVersion(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	before := version()
	err := there.Update(t.Context(), func(tx meta.Tx) error { return tx.InsertAccount(meta.Account{ID: "123456789012"}) })
	if err != nil {
		t.Fatal(err)
	}
	raised := time.Now()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for version() == before {
		if time.Since(raised) > time.Second {
			t.Fatal("not seen in a second")
		}
		<-tick.C
	}
	if err := there.Update(t.Context(), func(tx meta.Tx) error { return tx.InsertAccount(meta.Account{ID: "210987654321"}) }); err != nil {
		t.Fatal(err)
	}
	var own int64
	err = here.Update(t.Context(), func(tx meta.Tx) error { return tx.InsertAccount(meta.Account{ID: "210987654322"}) })
	if own = version(); err != nil || own != before+3 {
		t.Errorf("after an update of each: %d, %v; want %d at once", own, err, before+3)
	}
}
