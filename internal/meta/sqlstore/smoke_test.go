package sqlstore_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
)

func open(t testing.TB) *sqlstore.Store {
	s, err := sqlstore.OpenSQLite(context.Background(), filepath.Join(t.TempDir(), "a b?.db"), sqlstore.Options{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

var key = meta.RepositoryKey{Registry: name.RegistryID{Account: "000000000000", Region: "us-east-1"}, Space: meta.ECR, Name: "team/app"}

func TestSmoke(t *testing.T) {
	s := open(t)
	put(t, s, "x")
	err := s.View(t.Context(), func(tx meta.Tx) error {
		i, err := tx.FindImage(key, meta.Reference{Tag: "latest"})
		t.Logf("%+v %v", i, err)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, s *sqlstore.Store, body string) {
	err := s.Update(context.Background(), func(tx meta.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		r, err := tx.Repository(key, meta.LockShared)
		if err == meta.ErrNotFound {
			r.ID, err = tx.InsertRepository(meta.Repository{Key: key, CreatedAt: now, RepositorySettings: meta.RepositorySettings{Mutability: "MUTABLE", EncryptionType: "AES256"}})
		}
		if err != nil {
			return err
		}
		var layers []meta.LayerID
		for _, part := range []string{"config", "layer"} {
			b, err := tx.PutBlob(meta.Blob{Digest: digest.Of(digest.SHA256, []byte(part+body)), Size: int64(len(part + body)), Location: meta.Inline}, []byte(part+body))
			if err != nil {
				return err
			}
			l, err := tx.PutLayer(r.ID, b.ID, now)
			if err != nil {
				return err
			}
			layers = append(layers, l)
		}
		m := []byte("manifest" + body)
		id, err := tx.InsertImage(meta.Image{Repository: r.ID, Digest: digest.Of(digest.SHA256, m), MediaType: "application/vnd.oci.image.manifest.v1+json", ConfigMediaType: "application/vnd.oci.image.config.v1+json", ManifestSize: int64(len(m)), ImageSize: 20, PushedAt: now}, m, layers, nil)
		if err != nil {
			return err
		}
		return tx.PutTag(r.ID, "latest", id, "me")
	})
	if err != nil {
		t.Fatal(err)
	}
}
