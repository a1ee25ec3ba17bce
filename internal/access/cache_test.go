package access_test

import (
	"sync"
	"testing"

	"github.com/lighterage/lighterage/internal/access"
)

func TestACacheIsBounded(t *testing.T) {
	c := access.NewCache(100)
	c.Put(0, 7, 1)
	for i := 1; i < 1000; i++ {
		c.Put(i, i, i%5+1)
		if v, ok := c.Get(0); !ok || v != 7 {
			t.Fatalf("what is used all the time is gone after %d others: %d, %v", i, v, ok)
		}
		if w := c.Weight(); w > 100 {
			t.Fatalf("it weighs %d after %d", w, i)
		}
	}
	if _, ok := c.Get(999); !ok {
		t.Error("the newest is gone")
	}
	if _, ok := c.Get(1); ok {
		t.Error("the oldest, which nobody used, is there")
	}
	c.Put(5000, 1, 51)
	if _, ok := c.Get(5000); ok {
		t.Error("it keeps what is too heavy")
	}
}

func TestACacheIsUsedByMany(t *testing.T) {
	c := access.NewCache(64)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 5000 {
				c.Put(i%97, i%97, 1)
				if v, ok := c.Get(i % 89); ok && v != i%89 {
					t.Errorf("%d is %d", i%89, v)
				}
			}
		})
	}
	wg.Wait()
}
