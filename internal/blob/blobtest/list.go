package blobtest

import (
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/name"
)

// list walks the store in pages, and checks their order.
func (b *bench) list(limit int) map[name.Location]blob.Item {
	b.t.Helper()
	lister, ok := b.Store.(blob.Lister)
	if !ok {
		b.t.Fatal("the store is no blob.Lister")
	}
	all := map[name.Location]blob.Item{}
	for after := name.Location(""); ; {
		items, next, err := lister.List(b.t.Context(), after, limit)
		if err != nil {
			b.t.Fatalf("list after %q: %v", after, err)
		}
		if len(items) > limit {
			b.t.Errorf("%d items after %q, want at most %d", len(items), after, limit)
		}
		for i, item := range items {
			if item.Location <= after || i > 0 && item.Location <= items[i-1].Location {
				b.t.Errorf("%s is not in order after %q", item.Location, after)
			}
			all[item.Location] = item
		}
		if next == "" {
			return all
		}
		if next <= after {
			b.t.Fatalf("the list goes on after %q and then after %q", after, next)
		}
		after = next
	}
}

func listsWhatThereIs(t *testing.T, b *bench) {
	if found := b.list(10); len(found) != 0 {
		t.Errorf("a new store lists %v", found)
	}
	if _, err := b.Claim(t.Context(), "owner"); err != nil {
		t.Fatal(err)
	}
	sizes := map[name.Location]int64{}
	for i := range 20 {
		sizes[b.put(make([]byte, i*100))] = int64(i * 100)
	}
	gone := b.put([]byte("gone"))
	if err := b.Remove(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	unfinished := b.NewLocation()
	u := b.create(unfinished)
	defer u.Close()
	b.write(u, []byte("part"))
	b.checkpoint(u)
	for _, limit := range []int{1, 3, 1000} {
		found := b.list(limit)
		for at, size := range sizes {
			if found[at].Size != size || time.Since(found[at].At).Abs() > time.Hour {
				t.Errorf("pages of %d: %s has %d bytes of %s, want %d", limit, at, found[at].Size, found[at].At, size)
			}
		}
		delete(found, unfinished) // listed by stores that have a name for it before its end
		if len(found) != len(sizes) || found[gone].Location != "" {
			t.Errorf("pages of %d list %d locations, want %d", limit, len(found), len(sizes))
		}
	}
}
