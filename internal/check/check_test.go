package check_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/blob/blobtest"
	"github.com/lighterage/lighterage/internal/check"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/registry"
)

// both runs a test on both databases.
func both(t *testing.T, run func(t *testing.T, w *world)) {
	bothAnew(t, func(t *testing.T, fresh func(t *testing.T) *world) { run(t, fresh(t)) })
}

// bothAnew runs a test on both databases that needs several worlds.
func bothAnew(t *testing.T, run func(t *testing.T, fresh func(t *testing.T) *world)) {
	t.Run("SQLite", func(t *testing.T) { run(t, open) })
	t.Run("PostgreSQL", func(t *testing.T) {
		server := metatest.StartPostgres(t)
		run(t, func(t *testing.T) *world { return openPostgres(t, server) })
	})
}

func TestWhatIsWholeIsFoundClean(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.finds(check.Options{})
		one := w.image(w.key, "one", "v1", "v2")
		w.index(w.key, one, "list")
		w.image(w.create("other"), "one", "v1")
		w.layer(w.key, large("lone"))
		id, err := w.StartUpload(w.ctx, w.key, digest.SHA256)
		w.must(err)
		_, err = w.AppendUpload(w.ctx, w.key, id, 0, bytes.NewReader(large("half")))
		w.must(err)
		w.finds(check.Options{})
		_, n := w.all(check.Options{For: hours})
		// The second push of a layer left a file that is garbage.
		if n.Blobs != 3 || n.Images != 3 || n.Tags != 4 || n.Locations != 4 || n.Bytes < 2*(149<<10) {
			t.Errorf("looked at %+v", n)
		}
	})
}

func TestEveryDamageIsFoundAndTold(t *testing.T) {
	flip := func(body []byte) []byte {
		body[len(body)/2] ^= 1
		return body
	}
	bothAnew(t, func(t *testing.T, fresh func(t *testing.T) *world) {
		for _, c := range []struct {
			name   string
			damage func(w *world, d digest.Digest)
			want   string
			marks  bool // the blob is not given out any more after a repair
		}{
			{"a bit of a file", func(w *world, d digest.Digest) { w.rewrite(w.file(d), flip) }, "wrong-bytes in app, marked", true},
			{"a file that was cut", func(w *world, d digest.Digest) {
				w.rewrite(w.file(d), func(b []byte) []byte { return b[:100] })
			}, "wrong-size in app, marked", true},
			{"a file that has grown", func(w *world, d digest.Digest) {
				w.rewrite(w.file(d), func(b []byte) []byte { return append(b, 'x') })
			}, "wrong-size in app, marked", true},
			{"a file that is gone", func(w *world, d digest.Digest) { w.must(os.Remove(w.file(d))) }, "missing-bytes in app, marked", true},
			{"a bit in the catalogue", func(w *world, d digest.Digest) {
				w.sql(fmt.Sprintf(`UPDATE blob_bytes SET bytes = %s WHERE blob_id = %d`, w.literal([]byte("smalL a bit in the catalogue")), w.inlineBlob()))
			}, "wrong-bytes in app, marked", true},
			{"bytes that were cut in the catalogue", func(w *world, d digest.Digest) {
				w.sql(fmt.Sprintf(`UPDATE blob_bytes SET bytes = %s WHERE blob_id = %d`, w.literal([]byte("s")), w.inlineBlob()))
			}, "wrong-size in app, marked", true},
			{"a row in the catalogue without bytes", func(w *world, d digest.Digest) {
				w.sql(fmt.Sprintf(`DELETE FROM blob_bytes WHERE blob_id = %d`, w.inlineBlob()))
			}, "missing-bytes in app, marked", true},
			{"an image that keeps a layer less", func(w *world, _ digest.Digest) {
				w.sql(fmt.Sprintf(`DELETE FROM image_layer WHERE layer_id IN (SELECT id FROM layer WHERE blob_id = %d)`, w.inlineBlob()))
			}, "missing-layer in app", false},
			{"a manifest that is changed", func(w *world, _ digest.Digest) {
				w.sql(fmt.Sprintf(`UPDATE manifest SET bytes = %s WHERE image_id = (SELECT MAX(id) FROM image)`, w.literal([]byte("{}"))))
			}, "wrong-manifest in app", false},
			{"a manifest that is gone", func(w *world, _ digest.Digest) {
				w.sql(`DELETE FROM manifest WHERE image_id = (SELECT MAX(id) FROM image)`)
			}, "wrong-manifest in app", false},
		} {
			if strings.Contains(c.name, "file") && strings.HasSuffix(t.Name(), "PostgreSQL") {
				continue // files are the same there
			}
			t.Run(c.name, func(t *testing.T) {
				w := fresh(t)
				w.image(w.key, c.name)
				w.finds(check.Options{})
				c.damage(w, digest.Of(digest.SHA256, large(c.name)))
				w.finds(check.Options{}, strings.TrimSuffix(c.want, ", marked"))
				w.finds(check.Options{Repair: true}, c.want)
				if c.marks {
					w.healed(c.name)
				}
			})
		}
	})
}

// literal is bytes in SQL.
func (w *world) literal(b []byte) string {
	if w.driver == "pgx" {
		return fmt.Sprintf(`'\x%x'`, b)
	}
	return fmt.Sprintf(`x'%x'`, b)
}

// inlineBlob is the newest blob whose bytes are in the catalogue.
func (w *world) inlineBlob() (id meta.BlobID) {
	w.t.Helper()
	w.must(w.db.View(w.ctx, func(tx meta.Tx) error {
		all, err := tx.Blobs(meta.Page[meta.BlobID]{Limit: 1000})
		for _, b := range all {
			if b.Location == meta.Inline {
				id = b.ID
			}
		}
		return err
	}))
	return id
}

// healed checks that one of an image's two layers is answered as absent, by HEAD
// and in lists, that no image can be made of it, and that a push of it heals it.
func (w *world) healed(seed string) {
	w.t.Helper()
	ds := []digest.Digest{digest.Of(digest.SHA256, []byte("small "+seed)), digest.Of(digest.SHA256, large(seed))}
	have, err := w.CheckLayers(w.ctx, w.key, ds)
	w.must(err)
	if len(have) != 1 {
		w.t.Errorf("%d layers of two are said to be there", len(have))
	}
	absent := 0
	for _, d := range ds {
		_, head := w.Layer(w.ctx, w.key, d)
		content, get := w.OpenLayer(w.ctx, w.key, d)
		if fault.Is(head, fault.LayerNotFound) && fault.Is(get, fault.LayerNotFound) {
			absent++
			continue
		}
		w.must(errors.Join(head, get))
		content.Close()
	}
	if absent != 1 {
		w.t.Errorf("%d layers are absent", absent)
	}
	body := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"c","digest":%q,"size":1},"layers":[{"mediaType":"l","digest":%q,"size":1}],"annotations":{"new":""}}`, ds[0], ds[1])
	if _, err := w.PutImage(w.ctx, registry.Put{By: "arn:me", Key: w.key, Body: body}); !fault.Is(err, fault.LayersNotFound) {
		w.t.Errorf("an image of it: %v", err)
	}
	w.layer(w.key, []byte("small "+seed))
	w.layer(w.key, large(seed))
	w.finds(check.Options{})
	for _, d := range ds {
		content, err := w.OpenLayer(w.ctx, w.key, d)
		w.must(err)
		content.Close()
	}
}

func TestATagWithoutItsImageIsFound(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		child := w.image(w.key, "child", "v1")
		w.index(w.key, child, "list")
		w.sql(`DELETE FROM image_child`, `DELETE FROM image WHERE id = (SELECT MIN(id) FROM image)`)
		w.finds(check.Options{}, "missing-child in app", "stray-tag in app")
	})
}

func TestWhatNothingNamesIsQuarantinedAndGoesLater(t *testing.T) {
	w := open(t)
	w.image(w.key, "kept", "v1")
	before := len(w.files())
	stray := w.blobs.NewLocation()
	u, err := w.blobs.Create(w.ctx, stray)
	w.must(err)
	_, err = u.Write([]byte("stray"))
	w.must(err)
	w.must(u.Seal(w.ctx))
	unfinished, err := w.blobs.Create(w.ctx, w.blobs.NewLocation())
	w.must(err)
	defer unfinished.Close()
	w.must(os.WriteFile(w.dir+"/00/notes.txt", []byte("somebody's"), 0o600))

	w.finds(check.Options{}, "stray-bytes", "stray-bytes")
	w.finds(check.Options{Repair: true}, "stray-bytes, quarantined", "stray-bytes, quarantined")
	w.finds(check.Options{Repair: true})
	collect := func() int {
		_, err := w.gc.Run(w.ctx)
		w.must(err)
		return len(w.files())
	}
	if n := collect(); n != before+3 {
		t.Errorf("%d files right after, want %d", n, before+3)
	}
	w.clock.now = w.clock.now.Add(7*hours - time.Minute)
	if n := collect(); n != before+3 {
		t.Errorf("%d files before a week is over, want %d", n, before+3)
	}
	w.clock.now = w.clock.now.Add(2 * time.Minute)
	if n := collect(); n != before+1 {
		t.Errorf("%d files after it, want %d and the one that is not of the store", n, before)
	}
}

func TestABlobThatNothingKeepsIsQuarantined(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.layer(w.key, large("loose"))
		w.layer(w.key, []byte("loose"))
		w.sql(`DELETE FROM layer`)
		w.finds(check.Options{}, "unkept-blob", "unkept-blob")
		w.finds(check.Options{Mark: true}, "unkept-blob", "unkept-blob")
		w.finds(check.Options{Repair: true}, "unkept-blob, quarantined", "unkept-blob, quarantined")
		w.finds(check.Options{})
		if n := len(w.files()); n != 1 {
			t.Errorf("%d files, want the one that is garbage now", n)
		}
	})
}

func TestABlobThatIsRightAgainIsGivenOut(t *testing.T) {
	w := open(t)
	w.image(w.key, "x")
	d := digest.Of(digest.SHA256, large("x"))
	path := w.file(d)
	w.must(os.Rename(path, path+".away"))
	if _, err := w.OpenLayer(w.ctx, w.key, d); !fault.Is(err, fault.LayerNotFound) { // which marks it
		t.Fatalf("open: %v", err)
	}
	w.finds(check.Options{}, "missing-bytes in app")
	w.must(os.Rename(path+".away", path))
	w.finds(check.Options{}, "marked in app")
	w.finds(check.Options{Repair: true}, "marked in app, cleared")
	w.finds(check.Options{})
	content, err := w.OpenLayer(w.ctx, w.key, d)
	w.must(err)
	content.Close()
}

func TestWhenTheStoreIsNotThereNothingIsMarked(t *testing.T) {
	w := open(t)
	for i := range 25 {
		w.layer(w.key, large(fmt.Sprint(i)))
	}
	w.layer(w.key, []byte("small"))
	for _, at := range w.files() {
		w.must(os.Rename(w.path(at), w.path(at)+".away"))
	}
	r, err := w.check.Piece(w.ctx, "", check.Options{Repair: true, For: hours})
	if !errors.Is(err, check.ErrStoreGone) || len(r.Findings) != 0 || r.Next != "blobs/0" {
		t.Errorf("it went to %s and found %d: %v", r.Next, len(r.Findings), err)
	}
	w.must(w.db.View(w.ctx, func(tx meta.Tx) error {
		all, err := tx.Blobs(meta.Page[meta.BlobID]{Limit: 100})
		for _, b := range all {
			if b.State != meta.BlobOK {
				t.Errorf("%s is marked", b.Digest)
			}
		}
		return err
	}))
}

// A large blob is not begun anew with each piece, unless its bytes have moved.
func TestAPieceGoesOnInTheMiddleOfABlob(t *testing.T) {
	w := open(t)
	body := bytes.Repeat([]byte("0123456789"), 200<<10)
	d := w.layer(w.key, body)
	ticks := 0
	w.check = check.New(check.Config{Meta: w.db, Blobs: w.blobs, Logger: quiet, Clock: func() time.Time {
		ticks++
		return time.Unix(int64(ticks), 0)
	}})
	pieces, read := 0, int64(0)
	cursor := ""
	for {
		r, err := w.check.Piece(w.ctx, cursor, check.Options{For: 3 * time.Second})
		w.must(err)
		pieces++
		read += r.Bytes
		if len(r.Findings) > 0 {
			t.Errorf("found %v", r.Findings)
		}
		if cursor = r.Next; !strings.HasPrefix(cursor, "blobs/") {
			break
		}
	}
	if pieces < 3 || read != int64(len(body)) {
		t.Errorf("%d bytes were read in %d pieces, want %d", read, pieces, len(body))
	}

	r, err := w.check.Piece(w.ctx, "", check.Options{For: 3 * time.Second})
	w.must(err)
	b := w.blobOf(d)
	moved := strings.Replace(r.Next, string(b.Location), "file:00/00000000000000000000000000000000", 1)
	for _, cursor := range []string{moved, strings.Replace(r.Next, "/A", "/B", 1)} {
		all, _ := w.from(cursor)
		if len(all) > 0 {
			t.Errorf("from %s on: %v", cursor, all)
		}
	}
	w.rewrite(w.file(d), func(body []byte) []byte { body[len(body)-1] = 'x'; return body })
	if all, _ := w.from(r.Next); len(all) != 1 || all[0].Kind != check.WrongBytes {
		t.Errorf("the damage behind the cursor: %v", all)
	}
}

// from checks from a cursor to the end.
func (w *world) from(cursor string) (found []check.Finding, err error) {
	w.t.Helper()
	for cursor != "" {
		r, err := w.check.Piece(w.ctx, cursor, check.Options{For: hours})
		w.must(err)
		found, cursor = append(found, r.Findings...), r.Next
	}
	return found, nil
}

func TestACursorThatNoPieceGaveIsRefused(t *testing.T) {
	w := open(t)
	for _, cursor := range []string{"x", "blobs", "blobs/", "blobs/x", "blobs/-1", "blobs/1/2", "blobs/1/0/AA/file:x", "blobs/1/1/!/file:x",
		"images/1/2", "tags/1", "locations", "locations/elsewhere", "locations/file:../x", "/1"} {
		if _, err := w.check.Piece(w.ctx, cursor, check.Options{}); !errors.Is(err, check.ErrCursor) {
			t.Errorf("%q: %v", cursor, err)
		}
	}
}

func TestFaultsEndAPieceAndCostNothing(t *testing.T) {
	w := open(t)
	w.image(w.key, "kept", "v1")
	w.image(w.key, "damaged", "v2")
	w.rewrite(w.file(digest.Of(digest.SHA256, large("damaged"))), func(b []byte) []byte { b[0] ^= 1; return b })
	loose := w.blobs.NewLocation()
	u, err := w.blobs.Create(w.ctx, loose)
	w.must(err)
	w.must(u.Seal(w.ctx))

	faults, faulty := metatest.NewFaults(w.db), blobtest.Wrap(w.blobs)
	w.through(faults, faulty)
	faults.SetDown(meta.ErrUnavailable)
	if _, err := w.check.Piece(w.ctx, "", check.Options{For: hours}); !errors.Is(err, meta.ErrUnavailable) {
		t.Errorf("without the catalogue: %v", err)
	}
	faults.Heal()
	ended, end := context.WithCancel(w.ctx)
	end()
	if _, err := w.check.Piece(ended, "", check.Options{For: hours}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the request: %v", err)
	}
	for n := 1; n <= 2; n++ { // the mark, and the quarantine
		for mode, cause := range map[metatest.Mode]error{metatest.NotApplied: meta.ErrUnavailable, metatest.Applied: meta.ErrInDoubt} {
			t.Run(fmt.Sprintf("update %d, mode %d", n, mode), func(t *testing.T) {
				w.must(w.db.Update(w.ctx, func(tx meta.Tx) error {
					b := w.blobOf(digest.Of(digest.SHA256, large("damaged")))
					due, err := tx.AllGarbage(meta.Page[meta.Turn]{Limit: 10})
					if err != nil {
						return err
					}
					for _, g := range due {
						if err := tx.ForgetGarbage([]int64{g.ID}); err != nil {
							return err
						}
					}
					return tx.SetBlobState(b.ID, meta.BlobOK)
				}))
				faults.FailUpdate(n, mode)
				r, err := w.check.Piece(w.ctx, "", check.Options{Repair: true, For: hours})
				if !errors.Is(err, cause) {
					t.Fatalf("%v, want %v", err, cause)
				}
				found := r.Findings
				for cursor := r.Next; cursor != ""; cursor = r.Next {
					r, err = w.check.Piece(w.ctx, cursor, check.Options{Repair: true, For: hours})
					w.must(err)
					found = append(found, r.Findings...)
				}
				w.finds(check.Options{}, "wrong-bytes in app")
				if len(found) == 0 {
					t.Error("nothing was told")
				}
			})
		}
	}
	broken := errors.New("broken")
	w.through(w.db, faulty)
	faulty.FailAt(0, blobtest.NotApplied, broken) // of a read
	found, _ := w.all(check.Options{For: hours})
	kinds := words(found)
	if len(kinds) != 2 || kinds[1] != "wrong-bytes in app" || kinds[0] != "unreadable in app" {
		t.Errorf("a file that cannot be read: %v", kinds)
	}
}
