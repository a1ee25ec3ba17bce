package check

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
)

// Pace says how fast a scrub goes.
type Pace struct {
	Period time.Duration // from the begin of a pass to that of the next, at least
	Rate   int64         // bytes a second, at most
	For    time.Duration // of one run
}

// Scrub does a run's worth of an endless check: so much that a pass, which goes
// by the age of blobs, is through at the end of its period, and no more than the
// rate allows. It marks blobs, quarantines nothing, and tells the log what it
// finds. Where it goes on is in the metadata store. Of several processes one does
// it at a time.
func (c *Checker) Scrub(ctx context.Context, p Pace) error {
	var s meta.Scrub
	var now time.Time
	var last meta.BlobID
	err := c.Meta.View(ctx, func(tx meta.Tx) (err error) {
		if s, err = tx.Scrub(); err != nil {
			return err
		}
		if last, err = tx.LastBlob(); err != nil {
			return err
		}
		now, err = tx.Now()
		return err
	})
	if err != nil {
		return err
	}
	c.remember(s)
	if s.Cursor == "" {
		if !s.BeganAt.IsZero() && now.Before(s.BeganAt.Add(p.Period)) {
			return nil
		}
		s = meta.Scrub{Cursor: cursor{phase: Blobs}.String(), BeganAt: now, EndedAt: s.EndedAt}
	}
	o := Options{Mark: true, Note: true, Rate: p.Rate, For: p.For, Until: share(last, now.Sub(s.BeganAt), p.Period)}
	report, failed := c.Piece(ctx, s.Cursor, o)
	if errors.Is(failed, ErrCursor) { // of another version, or another layer store
		s, failed = meta.Scrub{EndedAt: s.EndedAt}, nil
	}
	for _, f := range report.Findings {
		c.Logger.Warn("the scrub found something", "kind", string(f.Kind), "digest", string(f.Digest), "location", string(f.Location),
			"detail", f.Detail, "remedy", string(f.Remedy), "repositories", where(f.Where))
	}
	if s.Cursor = report.Next; s.Cursor == "" && !s.BeganAt.IsZero() {
		s.EndedAt = now
	}
	s.Checked, s.Bytes, s.Found = s.Checked+report.Blobs, s.Bytes+report.Bytes, s.Found+int64(len(report.Findings))
	err = c.Meta.Update(context.WithoutCancel(ctx), func(tx meta.Tx) error { return tx.PutScrub(s) })
	if err != nil {
		return err
	}
	c.remember(s)
	if s.Cursor == "" && !s.BeganAt.IsZero() {
		c.Logger.Info("the scrub is through", "blobs", s.Checked, "bytes", s.Bytes, "found", s.Found, "began", s.BeganAt)
	}
	return failed
}

// share is the blob that a pass should have come to.
func share(last meta.BlobID, gone, period time.Duration) meta.BlobID {
	if gone >= period {
		return 0
	}
	return max(meta.BlobID(float64(last)*float64(gone)/float64(period)), 1)
}

func (c *Checker) remember(s meta.Scrub) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.totals.Scrub = s
}

// where is the names of repositories, for the log.
func where(keys []meta.RepositoryKey) slog.Value {
	var names []string
	for _, k := range keys {
		names = append(names, string(k.Registry.Account)+"/"+string(k.Registry.Region)+"/"+string(k.Name))
	}
	return slog.AnyValue(names)
}
