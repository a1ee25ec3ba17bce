package registry_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

func TestLongAnswersShareOneMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := registry.New(registry.Config{})
		hold := func(ctx context.Context, n int64) func() {
			t.Helper()
			release, err := c.HoldAnswer(ctx, n)
			if err != nil {
				t.Fatal(err)
			}
			return release
		}
		all := hold(t.Context(), 1<<40) // more than there is: all of it
		started := time.Now()
		hold(t.Context(), 200<<10)() // short answers do not wait
		if waited := time.Since(started); waited != 0 {
			t.Errorf("a short answer waited %v", waited)
		}
		_, err := c.HoldAnswer(t.Context(), 1<<20)
		if waited := time.Since(started); !fault.Is(err, fault.Overloaded) || waited != 10*time.Second {
			t.Errorf("%v after %v", err, waited)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if _, err := c.HoldAnswer(gone, 1<<20); !fault.Is(err, fault.Overloaded) {
			t.Errorf("for a client that left: %v", err)
		}
		next := make(chan func())
		go func() {
			release, err := c.HoldAnswer(t.Context(), 1<<20)
			if err != nil {
				t.Error(err)
			}
			next <- release
		}()
		synctest.Wait()
		select {
		case <-next:
			t.Error("two answers hold more than there is")
		default:
		}
		all()
		(<-next)()
		hold(t.Context(), 1<<40)() // everything came back
	})
}

func TestPagesOfReferrersEndByTheirAnnotations(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	subject := digest.Of(digest.SHA256, []byte("subject"))
	var want []string
	for i, size := range []int{600, 300, 0, 200, 5000, 0, 1, 1000, 1, 1} {
		annotations := ""
		if size > 0 {
			annotations = `{"<&>":"` + strings.Repeat("é", size/2) + strings.Repeat("x", size%2) + `"}`
		}
		said := strings.Replace(`,"annotations":A`, "A", annotations, 1)
		if size == 0 {
			said = ""
		}
		w.put(k, fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"artifactType":"a/%d","manifests":[],"subject":{"mediaType":%q,"digest":%q,"size":1}%s}`,
			ociIndex, i, ociManifest, subject, said))
		want = append(want, annotations)
	}
	for _, test := range []struct {
		limit int
		size  int64
		pages []int
	}{
		{100, 1000, []int{3, 1, 1, 2, 1, 2}}, // the page that holds the largest holds nothing else
		{100, 1 << 20, []int{10}},
		{100, 1, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
		{4, 1 << 20, []int{4, 4, 2}},
		{1, 1 << 20, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
	} {
		var got []string
		var pages []int
		after := registry.ImageID(0)
		for more := true; more; {
			var page []registry.Referrer
			var err error
			page, more, err = w.Referrers(w.ctx, k, subject, registry.ReferrerFilter{}, after, test.limit, test.size)
			w.must(err)
			if len(page) == 0 || len(page) > test.limit {
				t.Fatalf("limit %d: a page of %d", test.limit, len(page))
			}
			for _, r := range page {
				if r.Annotations != "" {
					t.Errorf("annotations are read before they are asked for: %q", r.Annotations)
				}
			}
			size := registry.AnnotationsSize(page)
			if size > test.size && size != page[0].AnnotationsSize {
				t.Errorf("size %d: a page of %d images and %d bytes", test.size, len(page), size)
			}
			w.must(w.ReadAnnotations(w.ctx, k, page))
			read := 0
			for _, r := range page {
				got, read = append(got, r.Annotations), read+len(r.Annotations)
			}
			if int64(read) != size {
				t.Errorf("%d bytes were read, %d were told", read, size)
			}
			pages, after = append(pages, len(page)), page[len(page)-1].ID
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("limit %d, size %d: %s", test.limit, test.size, diff)
		}
		if diff := cmp.Diff(test.pages, pages); diff != "" {
			t.Errorf("limit %d, size %d: %s", test.limit, test.size, diff)
		}
	}
}

func TestAnswersAboutImagesEndByTheirTags(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	tag := func(prefix string, n int) (tags []name.Tag) {
		for i := range n {
			tags = append(tags, name.Tag(fmt.Sprintf("%s%05d", prefix, i)))
		}
		return tags
	}
	var ids []registry.Asked
	for _, body := range [][]byte{w.image(k, "a"), w.image(k, "b"), w.image(k, "c"), w.image(k, "d")} {
		ids = append(ids, registry.Asked{Digest: string(digest.Of(digest.SHA256, body))})
		w.put(k, body, tag(fmt.Sprint("i", len(ids), "."), []int{6_000, 4_000, 1, 0}[len(ids)-1])...)
	}
	t.Run("pages", func(t *testing.T) {
		var pages []int
		after := registry.ImageID(0)
		for more := true; more; {
			var page []registry.Described
			var err error
			page, more, err = w.DescribeImages(w.ctx, k, meta.ImageFilter{}, after, 100)
			w.must(err)
			pages, after = append(pages, len(page)), page[len(page)-1].Image.ID
		}
		if diff := cmp.Diff([]int{2, 2}, pages); diff != "" {
			t.Error(diff)
		}
	})
	for _, test := range []struct {
		limit, images int
		all           bool
	}{{10_001, 4, true}, {10_000, 3, false}, {6_000, 2, false}, {5_999, 1, false}, {0, 1, false}} {
		got, all, err := w.DescribeImagesByID(w.ctx, k, ids, test.limit)
		if len(got) != test.images || all != test.all || err != nil {
			t.Errorf("by id, limit %d: %d images, all %t, %v", test.limit, len(got), all, err)
		}
	}
	for _, test := range []struct{ limit, want int }{{1, 1}, {6_000, 6_000}, {6_001, 6_001}, {10_001, 10_001}, {10_002, 10_002}, {20_000, 10_002}} {
		got, err := w.FindImages(w.ctx, k, ids, test.limit)
		if len(got) != test.want || err != nil {
			t.Errorf("limit %d: %d matches, %v", test.limit, len(got), err)
		}
	}
}
