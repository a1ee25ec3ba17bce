package gc_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/containers"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// Pushes that expire at once are registered while two collectors run. A
// collector may be quicker than a push's index or registration, which then
// says so; what was registered stays, with its child.
func TestCollectorsRaceWithRegistrations(t *testing.T) {
	options := sqlstore.Options{Clock: func() time.Time { return time.Now() }, Logger: quiet}
	for _, c := range []struct {
		name string
		open func(t *testing.T) (*sqlstore.Store, error)
	}{
		{"SQLite", func(t *testing.T) (*sqlstore.Store, error) {
			return sqlstore.OpenSQLite(context.Background(), filepath.Join(t.TempDir(), "catalogue.db"), options)
		}},
		{"PostgreSQL", func(t *testing.T) (*sqlstore.Store, error) {
			return sqlstore.OpenPostgres(context.Background(), metatest.StartPostgres(t).NewDatabase(t), options)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			store, err := c.open(t)
			if err != nil {
				t.Fatal(err)
			}
			w := over(t, store, &clock{now: time.Now()}, time.Millisecond)
			service := w.service()
			registered := make([]digest.Digest, 30)
			var working, collecting sync.WaitGroup
			done := make(chan struct{})
			for range 2 {
				collecting.Go(func() {
					for {
						if _, err := w.gc.Run(w.ctx); err != nil {
							t.Error(err)
						}
						select {
						case <-done:
							return
						default:
						}
					}
				})
			}
			for i := range registered {
				working.Go(func() {
					for range 10 {
						d, err := w.pushAndRegister(service, i)
						if err == nil {
							registered[i] = d
							return
						}
						if !fault.Is(err, fault.ChildrenNotFound) && !fault.Is(err, fault.ImageUnregistered) {
							t.Error(err)
							return
						}
					}
				})
			}
			working.Wait()
			close(done)
			collecting.Wait()
			w.run(0)
			n := 0
			for _, d := range registered {
				if d != "" {
					n++
					w.whole(hidden, d)
				}
			}
			if n == 0 {
				t.Error("no registration was quick enough")
			}
		})
	}
}

// pushAndRegister pushes a child and an index of it, and registers the index.
func (w *world) pushAndRegister(service containers.Key, n int) (digest.Digest, error) {
	put := registry.Put{By: "arn:me", Key: hidden, Repeatable: true}
	put.Body = fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{"n":"%d"}}`, n)
	child, err := w.PutImage(w.ctx, put)
	if err != nil {
		return "", err
	}
	put.Tags = []name.Tag{name.Tag(fmt.Sprintf("t%d", n))}
	put.Body = fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":%q,"digest":%q,"size":%d}]}`,
		child.MediaType, child.Digest, child.ManifestSize)
	index, err := w.PutImage(w.ctx, put)
	if err != nil {
		return "", err
	}
	_, err = w.services.RegisterImage(w.ctx, service, name.Label(fmt.Sprintf("l%d", n)), string(index.Digest))
	return index.Digest, err
}
