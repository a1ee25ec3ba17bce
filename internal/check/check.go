// Package check compares what the metadata store says with the bytes that
// there are: every blob's bytes are read and hashed, every image's layers and
// children looked for, every location that a store has is asked for its name.
//
//  1. A piece of a check is bounded in time, in bytes a second and in what it
//     finds, and says where the next piece goes on, also in the middle of a blob.
//  2. A piece changes nothing unless it is told to.
//  3. What is found wrong is looked up again before it is told: what came, went
//     or moved meanwhile is not wrong.
//  4. Nothing is deleted. Blobs whose bytes are wrong or gone are marked, so that
//     nobody is told that they are there and the next push of them heals them;
//     what nothing names becomes garbage with a grace of days.
//  5. When next to everything seems to be gone it is the store that is not there:
//     nothing is marked, the check fails.
//
// It takes the store's word for what it never wrote down: that a layer was
// pushed at all, or what a tag pointed to.
package check

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// Config is what a Checker is made of. Every field but Plain must be set.
type Config struct {
	Meta   meta.Store
	Blobs  blob.Store // a blob.Lister
	Clock  func() time.Time
	Logger *slog.Logger

	// Plain gives the bytes of a blob that is kept in the metadata store, of what
	// is stored there; nil: that is them.
	Plain func(ctx context.Context, b meta.Blob, stored []byte) ([]byte, error)
}

// Checker checks in pieces. Its methods are safe for concurrent use.
type Checker struct {
	Config

	mu     sync.Mutex
	totals Totals
}

// New returns a checker.
func New(c Config) *Checker { return &Checker{Config: c, totals: Totals{Found: map[Kind]int64{}}} }

// Totals is what a checker did since it was made.
type Totals struct {
	Tally
	Found map[Kind]int64
	Scrub meta.Scrub // as the scrub of this process last knew
}

// Totals returns what was done so far.
func (c *Checker) Totals() Totals {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.totals
	t.Found = map[Kind]int64{}
	for kind, n := range c.totals.Found {
		t.Found[kind] = n
	}
	return t
}

// Kind is what is wrong.
type Kind string

// What can be wrong.
const (
	MissingBytes Kind = "missing-bytes" // of a blob
	WrongBytes   Kind = "wrong-bytes"   // they hash to something else
	WrongSize    Kind = "wrong-size"    // there are more or fewer than the row says
	Unreadable   Kind = "unreadable"    // the store fails to give them
	Marked       Kind = "marked"        // a blob was marked before, and its bytes are right
	Unkept       Kind = "unkept-blob"   // no layer, and nothing in the trash, keeps a blob

	WrongManifest Kind = "wrong-manifest" // it is not there, hashes to something else, or is none
	MissingLayer  Kind = "missing-layer"  // an image does not keep a layer that its manifest names
	MissingChild  Kind = "missing-child"  // an index's image is not there
	StrayTag      Kind = "stray-tag"      // a tag points to no image of its repository

	StrayBytes Kind = "stray-bytes" // a location that nothing names
)

// Kinds are all, for who lists them.
var Kinds = []Kind{MissingBytes, WrongBytes, WrongSize, Unreadable, Marked, Unkept, WrongManifest, MissingLayer, MissingChild, StrayTag, StrayBytes}

// Remedy is what was done about it.
type Remedy string

// The remedies.
const (
	Left        Remedy = ""            // nothing, or there is nothing to do
	Suspected   Remedy = "marked"      // the blob is not given out until it is pushed again
	Cleared     Remedy = "cleared"     // the blob is given out again
	Quarantined Remedy = "quarantined" // it will be removed when its grace is over
)

// Mends reports whether nothing is wrong any more after the remedy.
func (r Remedy) Mends() bool { return r == Cleared || r == Quarantined }

// Finding is something that is wrong.
type Finding struct {
	Kind     Kind
	Digest   digest.Digest // of the blob or image; empty: it is neither
	Location name.Location // of the bytes
	Size     int64         // of the bytes as they should be, or of what is stray
	Detail   string        // in words
	// Where is who is concerned: repositories with a layer of the blob (ten at
	// most), or that of the image or tag.
	Where  []meta.RepositoryKey
	Remedy Remedy
}

// String is the finding in a line.
func (f Finding) String() string {
	s := string(f.Kind)
	if f.Digest != "" {
		s += " " + string(f.Digest)
	}
	if f.Location != "" {
		s += " at " + string(f.Location)
	}
	return s + ": " + f.Detail
}

// Tally is what was looked at.
type Tally struct {
	Blobs, Bytes, Images, Tags, Locations int64
}

// Add adds another's numbers.
func (t *Tally) Add(o Tally) {
	t.Blobs += o.Blobs
	t.Bytes += o.Bytes
	t.Images += o.Images
	t.Tags += o.Tags
	t.Locations += o.Locations
}

// Options say how a piece is done.
type Options struct {
	Mark       bool          // mark blobs, and clear those that are right again
	Repair     bool          // Mark, and quarantine what nothing names
	Note       bool          // note when blobs were found right
	Rate       int64         // bytes a second; 0: as fast as it goes
	For        time.Duration // after which the piece ends
	Until      meta.BlobID   // the last blob of the piece; 0: all
	Quarantine time.Duration // what is repaired stays so long; 0: a week
}

// The bounds of a piece.
const (
	atOnce      = 100  // rows of one transaction
	listed      = 1000 // locations of one page of a store
	findingsMax = 500
	holdersMax  = 10

	week = 7 * 24 * time.Hour
)

// Report is what came of a piece.
type Report struct {
	Findings []Finding
	Tally
	Next  string // the cursor to go on with; empty: the check is complete
	Phase Phase  // of Next, or the last
	// Done of All rows of the phase are behind it, about. All is 0 where nobody
	// knows.
	Done, All int64
}

// Piece does a piece of a check from a cursor on; empty: from the start.
// ErrCursor, or what keeps it from going on; ErrStoreGone.
func (c *Checker) Piece(ctx context.Context, cursor string, o Options) (Report, error) {
	at, err := parseCursor(cursor)
	if err != nil {
		return Report{}, err
	}
	if o.Quarantine == 0 {
		o.Quarantine = week
	}
	o.Mark = o.Mark || o.Repair
	p := &piece{Checker: c, Options: o, at: at, pace: newPace(c.Clock, o.Rate), ends: c.Clock().Add(o.For)}
	err = p.run(ctx)
	p.report.Next, p.report.Phase = p.at.String(), p.at.phase
	if p.at.phase == end {
		p.report.Phase = Locations
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.totals.Add(p.report.Tally)
	for _, f := range p.report.Findings {
		c.totals.Found[f.Kind]++
	}
	return p.report, err
}

// piece is a piece at work.
type piece struct {
	*Checker
	Options
	at     cursor
	pace   *pace
	ends   time.Time
	report Report
}

// over reports whether the piece has had its time, or found enough.
func (p *piece) over() bool {
	return !p.Clock().Before(p.ends) || len(p.report.Findings) >= findingsMax
}

func (p *piece) run(ctx context.Context) error {
	for p.at.phase != end {
		if err := ctx.Err(); err != nil {
			return err
		}
		from := p.at
		var err error
		switch p.at.phase {
		case Blobs:
			err = p.blobs(ctx)
		case Images:
			err = p.images(ctx)
		case Tags:
			err = p.tags(ctx)
		case Locations:
			err = p.locations(ctx)
		}
		if err != nil {
			return fmt.Errorf("check %s: %w", from.phase, err)
		}
		if p.over() || p.Until != 0 && p.at == from {
			return nil
		}
	}
	return nil
}

func (p *piece) found(f Finding) { p.report.Findings = append(p.report.Findings, f) }

// namesOf are the names of repositories, of those that have one.
func namesOf(tx meta.Tx, ids ...meta.RepositoryID) ([]meta.RepositoryKey, error) {
	var keys []meta.RepositoryKey
	for _, id := range ids {
		r, err := tx.RepositoryOf(id, meta.NoLock)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, r.Key)
	}
	return keys, nil
}
