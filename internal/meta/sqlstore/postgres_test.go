package sqlstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
)

func TestPostgres(t *testing.T) {
	server := metatest.StartPostgres(t)
	metatest.Run(t, func(t testing.TB) func(testing.TB) meta.Store {
		url := server.NewDatabase(t)
		return func(t testing.TB) meta.Store { return openPostgres(t, url) }
	})
	t.Run("settings", func(t *testing.T) { testSettings(t, server) })
	t.Run("the first schema is brought up", func(t *testing.T) { testPostgresSchema1(t, server) })
	t.Run("lost connections", func(t *testing.T) { testLostConnections(t, server) })
	t.Run("opened by many at once", func(t *testing.T) { testOpenedByMany(t, server) })
}

func openPostgres(t testing.TB, url string) *sqlstore.Store {
	s, err := sqlstore.OpenPostgres(context.Background(), url, sqlstore.Options{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
