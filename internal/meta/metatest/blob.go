package metatest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
)

// far is after every time that a garbage line can have.
var far = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

func testBlob(f *fixture) {
	id := f.repository(key("blobs"))
	put := func(b meta.Blob, body string) (got meta.Blob) {
		f.Helper()
		f.update(func(t meta.Tx) (err error) {
			got, err = t.PutBlob(b, []byte(body))
			if err != nil {
				return err
			}
			_, err = t.PutLayer(id, got.ID, nextDay)
			return err
		})
		return got
	}
	bytes := func(b meta.Blob) (got string) {
		f.Helper()
		f.view(func(t meta.Tx) error {
			body, err := t.InlineBytes(b.ID)
			got = string(body)
			return err
		})
		return got
	}
	f.on("bytes are kept exactly", func(f *fixture) {
		for _, body := range []string{"", "x", "\x00\xff\x00", strings.Repeat("long ", 30_000)} {
			b := put(inline(body), body)
			if want := inline(body); b.ID == 0 || b.Digest != want.Digest || b.Size != want.Size || b.Location != meta.Inline || b.State != meta.BlobOK {
				f.Errorf("put %d bytes: %+v", len(body), b)
			}
			if got := bytes(b); got != body {
				f.Errorf("%d bytes came back as %d", len(body), len(got))
			}
		}
	})
	f.on("a sha512 digest is another blob", func(f *fixture) {
		b := inline("both")
		b.Digest = digest.Of(digest.SHA512, []byte("both"))
		if one, two := put(inline("both"), "both"), put(b, "both"); one.ID == two.ID || two.Digest != b.Digest {
			f.Errorf("%+v and %+v", one, two)
		}
	})
	f.on("a newcomer of a known digest loses its location", func(f *fixture) {
		first := put(filed("known", "first"), "")
		again := put(filed("known", "second"), "")
		if diff := cmp.Diff(first, again); diff != "" {
			f.Error(diff)
		}
		if diff := cmp.Diff([]string{"file:second"}, f.garbage(far)); diff != "" {
			f.Error(diff)
		}
		if got := put(inline("known"), "known"); got != first {
			f.Errorf("inline newcomer: %+v", got)
		}
		if got := f.garbage(far); len(got) != 0 {
			f.Errorf("garbage of an inline newcomer: %v", got)
		}
		same := put(filed("known", "first"), "")
		if got := f.garbage(far); len(got) != 0 || same != first {
			f.Errorf("put again at its own location: %+v, garbage %v", same, got)
		}
	})
	f.on("a newcomer of a known inline digest loses its location", func(f *fixture) {
		first := put(inline("known inline"), "known inline")
		if again := put(inline("known inline"), "known inline"); again != first {
			f.Errorf("%+v, want %+v", again, first)
		}
		if again := put(filed("known inline", "late"), ""); again != first {
			f.Errorf("%+v, want %+v", again, first)
		}
		if diff := cmp.Diff([]string{"file:late"}, f.garbage(far)); diff != "" {
			f.Error(diff)
		}
		if got := bytes(first); got != "known inline" {
			f.Errorf("bytes %q", got)
		}
	})
	f.on("domains do not share", func(f *fixture) {
		one, two := inline("domain"), inline("domain")
		two.Domain = 7
		a := put(one, "domain")
		var b meta.Blob
		other := f.repository(key("blobs/domain"))
		f.update(func(t meta.Tx) (err error) {
			if b, err = t.PutBlob(two, []byte("domain")); err != nil {
				return err
			}
			_, err = t.PutLayer(other, b.ID, nextDay)
			return err
		})
		if a.ID == b.ID || b.Domain != 7 {
			f.Errorf("%+v and %+v", a, b)
		}
	})
	f.on("a re-push heals what is suspect, missing or of another size", func(f *fixture) {
		type step struct {
			name    string
			old     meta.Blob
			state   meta.BlobState
			new     meta.Blob
			garbage []string
		}
		short := filed("heal size", "short")
		short.Size = 1
		for i, c := range []step{
			{"suspect file by file", filed("heal 0", "old0"), meta.BlobSuspect, filed("heal 0", "new0"), []string{"file:old0"}},
			{"missing file by inline", filed("heal 1", "old1"), meta.BlobMissing, inline("heal 1"), []string{"file:old1"}},
			{"suspect inline by file", inline("heal 2"), meta.BlobSuspect, filed("heal 2", "new2"), nil},
			{"suspect inline by inline", inline("heal 3"), meta.BlobSuspect, inline("heal 3"), nil},
			{"another size", short, meta.BlobOK, filed("heal size", "long"), []string{"file:short"}},
		} {
			body := strings.TrimSuffix(fmt.Sprint("heal ", i), "4")
			if i == 4 {
				body = "heal size"
			}
			old := put(c.old, "damaged")
			f.update(func(t meta.Tx) error { return t.SetBlobState(old.ID, c.state) })
			healed := put(c.new, body)
			want := c.new
			want.ID = old.ID
			if diff := cmp.Diff(want, healed); diff != "" {
				f.Errorf("%s: %s", c.name, diff)
			}
			f.view(func(t meta.Tx) error {
				l, err := t.FindLayer(key("blobs"), c.new.Digest)
				if diff := cmp.Diff(want, l.Blob); diff != "" {
					return fmt.Errorf("%s: stored: %s, %w", c.name, diff, err)
				}
				return nil
			})
			if c.new.Location == meta.Inline {
				if got := bytes(healed); got != body {
					f.Errorf("%s: bytes %q", c.name, got)
				}
			} else {
				f.misses(meta.ErrNotFound, func(t meta.Tx) error {
					_, err := t.InlineBytes(healed.ID)
					return err
				})
			}
			if diff := cmp.Diff(c.garbage, f.garbage(far)); diff != "" {
				f.Errorf("%s: garbage: %s", c.name, diff)
			}
		}
	})
	f.on("of many who put one digest at once all get one blob", func(f *fixture) {
		for round := range 5 {
			body := fmt.Sprint("at once ", round)
			var got [12]meta.Blob
			errs := f.together(len(got), func(i int, t meta.Tx) (err error) {
				b := filed(body, fmt.Sprintf("once%d.%02d", round, i))
				if i%3 == 0 {
					b = inline(body)
				}
				if got[i], err = t.PutBlob(b, []byte(body)); err != nil {
					return err
				}
				_, err = t.PutLayer(id, got[i].ID, nextDay)
				return err
			})
			if err := errors.Join(errs...); err != nil {
				f.Fatal(err)
			}
			var want []string
			for i := range got {
				if got[i] != got[0] {
					f.Errorf("round %d: %+v and %+v", round, got[i], got[0])
				}
				if at := fmt.Sprintf("file:once%d.%02d", round, i); i%3 != 0 && at != string(got[0].Location) {
					want = append(want, at)
				}
			}
			garbage := f.garbage(far)
			slices.Sort(garbage)
			if diff := cmp.Diff(want, garbage); diff != "" {
				f.Errorf("round %d: garbage: %s", round, diff)
			}
		}
	})
	f.on("what is missing is not found", func(f *fixture) {
		f.misses(meta.ErrNotFound, func(t meta.Tx) error {
			_, err := t.InlineBytes(1 << 40)
			return err
		})
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.SetBlobState(1<<40, meta.BlobSuspect) })
	})
}

func testGarbage(f *fixture) {
	f.update(func(t meta.Tx) error {
		for i := range 100 {
			if err := t.AddGarbage(filed("", fmt.Sprintf("%03d", i)).Location, day.Add(time.Duration(i)*time.Second)); err != nil {
				return err
			}
		}
		return nil
	})
	due := func(at time.Time, limit int) (got []meta.Garbage) {
		f.view(func(t meta.Tx) (err error) {
			got, err = t.DueGarbage(at, limit)
			return err
		})
		return got
	}
	if got := due(day.Add(-1), 1000); len(got) != 0 {
		f.Errorf("before its time: %v", got)
	}
	got := due(day.Add(2*time.Second), 1000)
	if diff := cmp.Diff([]string{"file:000", "file:001", "file:002"}, each(got, func(g meta.Garbage) string { return string(g.Location) })); diff != "" {
		f.Error(diff)
	}
	if got := due(nextDay, 5); len(got) != 5 {
		f.Errorf("%d of at most 5", len(got))
	}
	f.update(func(t meta.Tx) error { return t.ForgetGarbage([]int64{got[0].ID, got[2].ID, 1 << 40}) })
	left := due(nextDay, 1000)
	if len(left) != 98 || left[0] != got[1] {
		f.Errorf("%d left, first %v", len(left), left[0])
	}
	f.update(func(t meta.Tx) error { return t.ForgetGarbage(each(left, func(g meta.Garbage) int64 { return g.ID })) })
	f.update(func(t meta.Tx) error { return t.ForgetGarbage(nil) })
	if got := due(nextDay, 1000); len(got) != 0 {
		f.Errorf("left at last: %v", got)
	}
}

// garbage lists the locations that are due and forgets them.
func (f *fixture) garbage(now time.Time) []string {
	f.Helper()
	var found []meta.Garbage
	f.update(func(t meta.Tx) (err error) {
		if found, err = t.DueGarbage(now, 1000); err != nil {
			return err
		}
		return t.ForgetGarbage(each(found, func(g meta.Garbage) int64 { return g.ID }))
	})
	var at []string
	for _, g := range found {
		at = append(at, string(g.Location))
	}
	slices.Sort(at)
	return at
}
