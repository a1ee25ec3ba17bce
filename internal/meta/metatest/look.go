package metatest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/lighterage/lighterage/internal/meta"
)

func testLook(f *fixture) {
	ctx := context.Background()
	f.update(func(t meta.Tx) error {
		return errors.Join(t.PutSecret("one", []byte("0")), t.PutSecret("two", []byte("0")))
	})
	f.on("one thing is found, or not", func(f *fixture) {
		var got []byte
		err := f.store.Look(ctx, func(t meta.Tx) (err error) { got, err = t.Secret("one"); return err })
		if err != nil || string(got) != "0" {
			f.Errorf("got %q, %v", got, err)
		}
		err = f.store.Look(ctx, func(t meta.Tx) (err error) { _, err = t.Secret("none"); return err })
		if !errors.Is(err, meta.ErrNotFound) {
			f.Errorf("got %v", err)
		}
		if err := f.store.Look(ctx, func(meta.Tx) error { return errOwn }); !errors.Is(err, errOwn) {
			f.Errorf("got %v", err)
		}
	})
	f.on("who asks for two things sees one moment", func(f *fixture) {
		both := func(t meta.Tx) (a, b []byte, err error) {
			a, err = t.Secret("one")
			if err != nil {
				return nil, nil, err
			}
			b, err = t.Secret("two")
			return a, b, err
		}
		var writer sync.WaitGroup
		end := make(chan struct{})
		writer.Go(func() {
			for i := byte('1'); ; i = '1' + (i-'0')%9 {
				select {
				case <-end:
					return
				default:
				}
				err := f.store.Update(ctx, func(t meta.Tx) error {
					return errors.Join(t.SetSecret("one", []byte{i}), t.SetSecret("two", []byte{i}))
				})
				if err != nil {
					f.Errorf("update: %v", err)
					return
				}
			}
		})
		for range 200 {
			var a, b []byte
			err := f.store.Look(ctx, func(t meta.Tx) (err error) { a, b, err = both(t); return err })
			if err != nil || !slices.Equal(a, b) {
				f.Errorf("got %q and %q, %v", a, b, err)
			}
		}
		close(end)
		writer.Wait()
	})
}
