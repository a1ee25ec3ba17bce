package sqlstore_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
)

// BenchmarkFindImage is a manifest HEAD.
func BenchmarkFindImage(b *testing.B) {
	s := open(b)
	put(b, s, "x")
	for b.Loop() {
		err := s.View(b.Context(), func(t meta.Tx) error {
			_, err := t.FindImage(key, meta.Reference{Tag: "latest"})
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFindImageParallel is the same from several goroutines.
func BenchmarkFindImageParallel(b *testing.B) {
	s := open(b)
	put(b, s, "x")
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			err := s.View(context.Background(), func(t meta.Tx) error {
				_, err := t.FindImage(key, meta.Reference{Tag: "latest"})
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPutImage pushes an image of two inline blobs from each of 1, 8 and
// 64 goroutines; commits are shared.
func BenchmarkPutImage(b *testing.B) {
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			s := open(b)
			b.SetParallelism(writers / 2)
			if writers == 1 {
				for b.Loop() {
					put(b, s, rand.Text())
				}
				return
			}
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					put(b, s, rand.Text())
				}
			})
		})
	}
}

// BenchmarkInlineBytes reads a small blob's bytes.
func BenchmarkInlineBytes(b *testing.B) {
	s := open(b)
	body := make([]byte, 64<<10)
	var id meta.BlobID
	for range 200 {
		err := s.Update(b.Context(), func(t meta.Tx) error {
			rand.Read(body)
			blob, err := t.PutBlob(meta.Blob{Digest: digest.Of(digest.SHA256, body), Size: int64(len(body)), Location: meta.Inline}, body)
			id = blob.ID
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(body)))
	n := int64(0)
	for b.Loop() {
		n++
		err := s.View(b.Context(), func(t meta.Tx) error {
			_, err := t.InlineBytes(id - meta.BlobID(n%200))
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
