package sqlstore_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
)

var key = meta.RepositoryKey{Registry: name.RegistryID{Account: "000000000000", Region: "us-east-1"}, Space: meta.ECR, Name: "team/app"}

func open(b *testing.B) *sqlstore.Store {
	s := openSQLite(b, filepath.Join(b.TempDir(), "meta.db"))
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// put pushes an image of two inline blobs in one update.
func put(b *testing.B, s *sqlstore.Store, body string) {
	err := s.Update(context.Background(), func(t meta.Tx) error {
		now, err := t.Now()
		if err != nil {
			return err
		}
		r, err := t.Repository(key, meta.LockShared)
		if err == meta.ErrNotFound {
			r.ID, err = t.InsertRepository(meta.Repository{Key: key, CreatedAt: now})
		}
		if err != nil {
			return err
		}
		var layers []meta.LayerID
		for _, part := range []string{"config " + body, "layer " + body} {
			b, err := t.PutBlob(meta.Blob{Digest: digest.Of(digest.SHA256, []byte(part)), Size: int64(len(part)), Location: meta.Inline}, []byte(part))
			if err != nil {
				return err
			}
			l, err := t.PutLayer(r.ID, b.ID, now)
			if err != nil {
				return err
			}
			layers = append(layers, l)
		}
		m := []byte("manifest" + body)
		id, err := t.InsertImage(meta.Image{Repository: r.ID, Digest: digest.Of(digest.SHA256, m), MediaType: "application/vnd.oci.image.manifest.v1+json",
			ManifestSize: int64(len(m)), ImageSize: 20, PushedAt: now}, m, layers, nil)
		if err != nil {
			return err
		}
		return t.PutTag(r.ID, "latest", id, "me")
	})
	if err != nil {
		b.Error(err)
	}
}

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
