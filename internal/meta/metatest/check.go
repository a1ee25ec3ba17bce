package metatest

import (
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// walk reads a list in pages of the given size.
func walk[K, R any](f *fixture, size int, list func(meta.Tx, meta.Page[K]) ([]R, error), key func(R) K) (all []R) {
	f.Helper()
	for page := (meta.Page[K]{Limit: size}); ; {
		var rows []R
		f.view(func(t meta.Tx) (err error) {
			rows, err = list(t, page)
			return err
		})
		if all = append(all, rows...); len(rows) < size {
			return all
		}
		page.After = key(rows[len(rows)-1])
	}
}

func testCheck(f *fixture) {
	id := f.repository(key("check"))
	other := f.repository(key("check/other"))
	f.on("reviews are listed before they are due", func(f *fixture) {
		f.drain()
		for i := range 7 {
			f.update(func(t meta.Tx) error {
				return t.EnqueueReview(meta.ImageSubject, int64(i), nextDay.Add(time.Duration(i%3)*time.Second))
			})
		}
		all := walk(f, 2, func(t meta.Tx, p meta.Page[meta.Turn]) ([]meta.Review, error) { return t.Reviews(p) },
			func(r meta.Review) meta.Turn { return meta.Turn{Due: r.Due, ID: r.ID} })
		if diff := cmp.Diff([]int64{0, 3, 6, 1, 4, 2, 5}, each(all, func(r meta.Review) int64 { return r.Of })); diff != "" {
			f.Error(diff)
		}
		for _, r := range all {
			f.update(func(t meta.Tx) error { return t.DropReview(r.ID) })
		}
	})
	f.on("uploads are listed before they expire", func(f *fixture) {
		for i := range 5 {
			u := upload(fmt.Sprintf("check-%d", i), id)
			u.ExpiresAt, u.Location = nextDay.Add(-time.Duration(i/2)*time.Second), name.Location(fmt.Sprint("file:upload-", i))
			f.update(func(t meta.Tx) error { return t.InsertUpload(u) })
		}
		all := walk(f, 2, func(t meta.Tx, p meta.Page[meta.UploadTurn]) ([]meta.Upload, error) { return t.Uploads(p) },
			func(u meta.Upload) meta.UploadTurn { return meta.UploadTurn{Expires: u.ExpiresAt, ID: u.ID} })
		want := []name.UploadID{"check-4", "check-2", "check-3", "check-0", "check-1"}
		if diff := cmp.Diff(want, each(all, func(u meta.Upload) name.UploadID { return u.ID })); diff != "" {
			f.Error(diff)
		}
	})
	f.on("blobs are walked, and marked where they are", func(f *fixture) {
		var last meta.BlobID
		layer := f.layer(id, "check inline")
		f.update(func(t meta.Tx) error {
			b, err := t.PutBlob(filed("check filed", "check"), nil)
			if err != nil {
				return err
			}
			last = b.ID
			for _, r := range []meta.RepositoryID{other, id} {
				if _, err := t.PutLayer(r, b.ID, nextDay); err != nil {
					return err
				}
			}
			return nil
		})
		blobs := func() []meta.CheckedBlob {
			return walk(f, 3, func(t meta.Tx, p meta.Page[meta.BlobID]) ([]meta.CheckedBlob, error) { return t.Blobs(p) },
				func(b meta.CheckedBlob) meta.BlobID { return b.ID })
		}
		all := blobs()
		f.view(func(t meta.Tx) error {
			l, err := t.LayerOf(layer)
			if err != nil {
				return err
			}
			greatest, err := t.LastBlob()
			if len(all) < 2 || all[len(all)-2].Blob != l.Blob || all[len(all)-1].Digest != sha("check filed") || greatest != last {
				f.Errorf("the last is %d, the walk ends with %+v", greatest, all[max(len(all)-2, 0):])
			}
			if err != nil {
				return err
			}
			layers, err := t.LayersOf(last, 10)
			if len(layers) != 2 || layers[0].Repository != other || layers[1].Repository != id || layers[0].Blob.ID != last {
				f.Errorf("layers of the blob: %+v", layers)
			}
			if one, err := t.LayersOf(last, 1); err != nil || len(one) != 1 {
				f.Errorf("%d layers of at most one, %v", len(one), err)
			}
			return err
		})
		mark := func(at name.Location, state meta.BlobState) (done bool) {
			f.update(func(t meta.Tx) (err error) {
				done, err = t.MarkBlob(last, at, state)
				return err
			})
			return done
		}
		if mark("file:elsewhere", meta.BlobMissing) || !mark("file:check", meta.BlobSuspect) {
			f.Error("a blob is marked where it is not, or not where it is")
		}
		f.update(func(t meta.Tx) error { return t.SetVerified([]meta.BlobID{last, all[len(all)-2].ID, 1 << 40}, day) })
		again := blobs()
		if b := again[len(again)-1]; b.State != meta.BlobSuspect || b.VerifiedAt.Equal(day) {
			f.Errorf("a suspect was noted as right: %+v", b)
		}
		if b := again[len(again)-2]; b.State != meta.BlobOK || !b.VerifiedAt.Equal(day) {
			f.Errorf("noted as right: %+v", b)
		}
	})
	f.on("images are walked over all repositories, with what they keep", func(f *fixture) {
		layer := f.layer(other, "check image's")
		one, two := f.image(id, "check image 1", nil), f.image(other, "check image 2", []meta.LayerID{layer})
		all := walk(f, 2, func(t meta.Tx, p meta.Page[meta.ImageID]) ([]meta.Image, error) { return t.AllImages(p) },
			func(i meta.Image) meta.ImageID { return i.ID })
		if n := len(all); n < 2 || all[n-2].ID != one || all[n-1].ID != two || all[n-1].Repository != other {
			f.Errorf("the walk ends with %+v", all[max(n-2, 0):])
		}
		f.view(func(t meta.Tx) error {
			greatest, err := t.LastImage()
			if err != nil || greatest != two {
				return fmt.Errorf("the last is %d, %w", greatest, err)
			}
			kept, err := t.KeptLayers(two)
			if b := kept[sha("check image's")]; len(kept) != 1 || b.Location != meta.Inline || b.Digest != sha("check image's") {
				f.Errorf("it keeps %+v", kept)
			}
			return err
		})
	})
	f.on("tags are walked, and none is astray", func(f *fixture) {
		image := f.image(other, "check tagged", nil)
		for i := range 5 {
			f.update(func(t meta.Tx) error { return t.PutTag(other, name.Tag(fmt.Sprint("v", i)), image, "me") })
		}
		looked := 0
		for page := (meta.Page[meta.TagTurn]{Limit: 2}); ; {
			n := 0
			f.view(func(t meta.Tx) error {
				astray, last, looked, err := t.StrayTags(page)
				if len(astray) != 0 {
					f.Errorf("astray: %+v", astray)
				}
				n, page.After = looked, last
				return err
			})
			if looked += n; n < page.Limit {
				break
			}
		}
		if looked < 5 {
			f.Errorf("%d tags were looked at", looked)
		}
	})
	f.on("who names a location is known", func(f *fixture) {
		u := upload("check-named", id)
		u.Location = "file:named-upload"
		f.update(func(t meta.Tx) error {
			if err := t.InsertUpload(u); err != nil {
				return err
			}
			if _, err := t.PutBlob(filed("named", "named-blob"), nil); err != nil {
				return err
			}
			return t.AddGarbage("file:named-garbage", 1, nextDay)
		})
		f.view(func(t meta.Tx) error {
			named, err := t.NamedLocations([]name.Location{"file:named-upload", "file:named-blob", "file:named-garbage", "file:named-nowhere", meta.Inline})
			want := map[name.Location]bool{"file:named-upload": true, "file:named-blob": true, "file:named-garbage": true}
			if diff := cmp.Diff(want, named); diff != "" {
				f.Error(diff)
			}
			return err
		})
		f.garbage(far)
	})
	f.on("how far the scrub has come is kept", func(f *fixture) {
		read := func() (s meta.Scrub) {
			f.view(func(t meta.Tx) (err error) {
				s, err = t.Scrub()
				return err
			})
			return s
		}
		if got := read(); got != (meta.Scrub{}) {
			f.Errorf("at first: %+v", got)
		}
		for _, s := range []meta.Scrub{{Cursor: "a", BeganAt: day, Checked: 1, Bytes: 2, Found: 3}, {BeganAt: day, EndedAt: nextDay, Checked: 4, Bytes: 5, Found: 6}} {
			f.update(func(t meta.Tx) error { return t.PutScrub(s) })
			if diff := cmp.Diff(s, read()); diff != "" {
				f.Error(diff)
			}
		}
	})
}
