package metatest

import (
	"fmt"

	"github.com/lighterage/lighterage/internal/meta"
)

func testUsage(f *fixture) {
	id, other := f.repository(key("usage")), f.repository(key("usage/other"))
	usage := func(id meta.RepositoryID) (got [2]int64) {
		f.view(func(t meta.Tx) (err error) {
			got[0], got[1], err = t.ImageUsage(id)
			return err
		})
		return got
	}
	check := func(when string, images, bytes int64) {
		f.Helper()
		if got := usage(id); got != [2]int64{images, bytes} {
			f.Errorf("%s: %d images of %d bytes, want %d of %d", when, got[0], got[1], images, bytes)
		}
	}
	fold := func(limit int) (n int) {
		f.update(func(t meta.Tx) (err error) {
			n, err = t.FoldUsage(limit)
			return err
		})
		return n
	}
	check("at first", 0, 0)
	a, b := f.image(id, "aaaa", nil), f.image(id, "bbbbb", nil)
	f.image(other, "other", nil)
	check("after two pushes", 2, 2009)
	f.update(func(t meta.Tx) error {
		_, err := t.InsertImage(manifest(id, "cc"), []byte("cc"), nil, nil)
		if err != nil {
			return err
		}
		images, bytes, err := t.ImageUsage(id)
		if images != 3 || bytes != 3011 {
			return fmt.Errorf("within the push: %d, %d, %w", images, bytes, err)
		}
		return nil
	})
	if n := fold(1); n > 1 {
		f.Errorf("folded %d, want 1 at most", n)
	}
	check("partly folded", 3, 3011)
	fold(100)
	if n := fold(100); n != 0 {
		f.Errorf("folded %d of nothing", n)
	}
	check("folded", 3, 3011)
	index := f.index(id, "idx", nil, []meta.ImageID{a, b})
	check("an index counts its own bytes", 4, 3014)
	f.update(func(t meta.Tx) error {
		if err := t.DeleteImage(index, "x", day); err != nil {
			return err
		}
		return t.DeleteImage(a, "x", day)
	})
	check("after deletes", 2, 2007)
	f.together(20, func(i int, t meta.Tx) error {
		if i%2 == 0 {
			_, err := t.FoldUsage(3)
			return err
		}
		body := fmt.Sprintf("u%02d", i)
		_, err := t.InsertImage(manifest(id, body), []byte(body), nil, nil)
		return err
	})
	check("after pushes and folds at once", 12, 2007+10*1003)
	for fold(5) > 0 {
	}
	check("all folded", 12, 2007+10*1003)
	if got := usage(other); got != [2]int64{1, 1005} {
		f.Errorf("the other repository: %v", got)
	}
}
