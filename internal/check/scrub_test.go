package check_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/check"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
)

const month = 30 * hours

// scrub runs once after some time.
func (w *world) scrub(after time.Duration) meta.Scrub {
	w.t.Helper()
	w.clock.now = w.clock.now.Add(after)
	w.must(w.check.Scrub(w.ctx, check.Pace{Period: month, For: hours}))
	var s meta.Scrub
	w.must(w.db.View(w.ctx, func(tx meta.Tx) (err error) {
		s, err = tx.Scrub()
		return err
	}))
	if w.check.Totals().Scrub != s {
		w.t.Errorf("remembered is %+v", w.check.Totals().Scrub)
	}
	return s
}

func TestAScrubGoesThroughAllBlobsInItsPeriod(t *testing.T) {
	w := open(t)
	for i := range 50 {
		w.image(w.key, fmt.Sprint("image ", i))
	}
	const blobs = 100
	began := w.clock.now
	verified := func() (n int64) {
		w.must(w.db.View(w.ctx, func(tx meta.Tx) error {
			n = 0
			all, err := tx.Blobs(meta.Page[meta.BlobID]{Limit: 1000})
			for _, b := range all {
				if b.VerifiedAt.After(began) {
					n++
				}
			}
			return err
		}))
		return n
	}
	if s := w.scrub(0); !s.BeganAt.Equal(began) || s.Checked > 1 {
		t.Errorf("at first: %+v", s)
	}
	// Ids begin at 100: that half of the time is half of them tells their share.
	last := int64(100 + blobs - 1)
	for day := int64(1); day < 30; day++ {
		s := w.scrub(hours)
		if want := max(last*day/30-99, 0); s.Checked != want || s.Found != 0 || !s.EndedAt.IsZero() {
			t.Fatalf("after %d days: %+v, want %d", day, s, want)
		}
	}
	w.through(w.db, w.blobs) // a process after it goes on
	s := w.scrub(hours)
	if s.Checked != blobs || s.Bytes < 50*(149<<10) || s.Cursor != "" || !s.EndedAt.Equal(w.clock.now) || verified() != blobs {
		t.Fatalf("after a month: %+v, %d were noted", s, verified())
	}
	again := w.scrub(time.Minute)
	if !again.BeganAt.Equal(w.clock.now) || again.Checked > 1 || !again.EndedAt.Equal(s.EndedAt) {
		t.Errorf("after a month and a minute: %+v", again)
	}
}

func TestAPassThatIsThroughEarlyWaitsForItsPeriod(t *testing.T) {
	w := open(t)
	w.scrub(0)
	s := w.scrub(time.Minute)
	if s.EndedAt.IsZero() || w.scrub(month/2) != s {
		t.Errorf("an empty store: %+v", s)
	}
	if again := w.scrub(month / 2); again == s {
		t.Error("no pass began after a month")
	}
}

func TestAScrubMarksAndTellsWhatItFinds(t *testing.T) {
	w := open(t)
	w.image(w.key, "damaged")
	d := digest.Of(digest.SHA256, large("damaged"))
	w.rewrite(w.file(d), func(b []byte) []byte { b[9] ^= 1; return b })
	u, err := w.blobs.Create(w.ctx, w.blobs.NewLocation())
	w.must(err)
	w.must(u.Seal(w.ctx))
	var log bytes.Buffer
	w.check = check.New(check.Config{Meta: w.db, Blobs: w.blobs, Clock: w.clock.Now, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	w.scrub(0)
	s := w.scrub(month)
	if s.Found != 2 || s.Cursor != "" {
		t.Errorf("a month: %+v", s)
	}
	for _, want := range []string{"kind=wrong-bytes", string(d), "remedy=marked", "000000000000/us-east-1/app", "kind=stray-bytes", "the scrub is through"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, &log)
		}
	}
	if _, err := w.Layer(w.ctx, w.key, d); !fault.Is(err, fault.LayerNotFound) {
		t.Errorf("the layer: %v", err)
	}
	found := w.check.Totals().Found
	if found[check.WrongBytes] != 1 || found[check.StrayBytes] != 1 || w.check.Totals().Blobs != 2 {
		t.Errorf("totals %+v", w.check.Totals())
	}
	if before := len(w.files()); before != 2 {
		t.Errorf("%d files", before)
	}
	w.must(w.collect())
	if n := len(w.files()); n != 2 {
		t.Errorf("%d files: a scrub removes nothing", n)
	}
}

func (w *world) collect() error {
	_, err := w.gc.Run(w.ctx)
	return err
}

// A cursor that is no good any more, as after a change of the store, is begun
// anew.
func TestAScrubThatLostItsPlaceBeginsAnew(t *testing.T) {
	w := open(t)
	w.layer(w.key, large("x"))
	w.must(w.db.Update(w.ctx, func(tx meta.Tx) error {
		return tx.PutScrub(meta.Scrub{Cursor: "locations/elsewhere:1", BeganAt: w.clock.now})
	}))
	w.scrub(time.Hour)
	if s := w.scrub(time.Minute); !s.BeganAt.Equal(w.clock.now) || !strings.HasPrefix(s.Cursor, "blobs/") {
		t.Errorf("after it: %+v", s)
	}
}
