package sqlstore_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
)

func hold(t *testing.T, url string, lost func(error)) (*sqlstore.Alone, error) {
	t.Helper()
	if lost == nil {
		lost = func(err error) { t.Errorf("lost: %v", err) }
	}
	return sqlstore.HoldPostgres(context.Background(), url, slog.New(slog.NewTextHandler(t.Output(), nil)), lost)
}

func mustHold(t *testing.T, url string, lost func(error)) *sqlstore.Alone {
	t.Helper()
	a, err := hold(t, url, lost)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func TestADatabaseHasOneServer(t *testing.T) {
	server := metatest.StartPostgres(t)
	t.Run("a second is refused, until the first has let go", func(t *testing.T) {
		t.Parallel()
		url := server.NewDatabase(t)
		first := mustHold(t, url, nil)
		mustHold(t, server.NewDatabase(t), nil) // another database does not matter
		_, err := hold(t, url, nil)
		if !errors.Is(err, sqlstore.ErrNotAlone) || !strings.Contains(err.Error(), "in use by another lighterage on 127.0.0.1") || strings.Contains(err.Error(), "\n") {
			t.Errorf("the second: %v", err)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		mustHold(t, url, nil)
	})
	for _, c := range []struct {
		name string
		lose func(*proxy)
	}{
		{"a lost connection is made again, and the lock held by it", (*proxy).cut},
		{"a former connection that PostgreSQL still takes for alive is ended", (*proxy).strand},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := server.NewDatabase(t)
			p := startProxy(t, url)
			mustHold(t, p.url, nil)
			for range 3 {
				former := holder(t, url)
				c.lose(p)
				deadline := time.Now().Add(20 * time.Second)
				for now := former; now == 0 || now == former; now = holder(t, url) {
					if time.Now().After(deadline) {
						t.Fatal("the lock was not taken again")
					}
				}
				if _, err := hold(t, url, nil); !errors.Is(err, sqlstore.ErrNotAlone) {
					t.Fatalf("the second: %v", err)
				}
			}
		})
	}
	t.Run("whoever finds another in its place is told", func(t *testing.T) {
		t.Parallel()
		url := server.NewDatabase(t)
		p := startProxy(t, url)
		told := make(chan error, 10)
		mustHold(t, p.url, func(err error) { told <- err })
		p.mode.Store(away)
		p.cut()
		mustHold(t, url, nil)
		p.mode.Store(pass)
		select {
		case err := <-told:
			if !errors.Is(err, sqlstore.ErrNotAlone) || strings.Contains(err.Error(), "\n") {
				t.Errorf("told %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("nobody was told")
		}
	})
}

// holder returns the process of PostgreSQL that has an advisory lock, or 0.
func holder(t *testing.T, url string) (pid uint32) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	err = conn.QueryRow(context.Background(), `SELECT coalesce(max(pid), 0) FROM pg_locks WHERE locktype = 'advisory' AND granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&pid)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}
