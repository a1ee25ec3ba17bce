package gc

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// Kind is what a line of a plan is about.
type Kind string

// The kinds, in the order of a plan.
const (
	Layer      Kind = "layer"      // no image refers to it
	Push       Kind = "push"       // to Lightsail, and not registered
	Repository Kind = "repository" // deleted, with content
	Blob       Kind = "blob"       // the trash kept it
	Upload     Kind = "upload"     // given up, or still going on
	Location   Kind = "location"   // bytes that nothing names any more
)

// kinds says what a review is about.
var kinds = map[meta.Subject]Kind{meta.LayerSubject: Layer, meta.ImageSubject: Push, meta.RepositorySubject: Repository, meta.BlobSubject: Blob}

// Line is something that will go.
type Line struct {
	Kind   Kind
	Object string
	Why    string
	Bytes  int64     // that are gained when it goes, about. A layer's become a location's first.
	Due    time.Time // when it goes, as things stand
}

// Plan is a page of what will go, in the order of the kinds and of the queues.
type Plan struct {
	At    time.Time // the store's time
	Lines []Line
	Next  string // the page after it; empty: this is the last
}

// ErrPage is the error of Plan for a page that it has not named.
var ErrPage = errors.New("gc: no such page")

// Plan says what runs would remove, now and later, if nobody did anything any
// more, and changes nothing. A page looks at no more than limit rows; it may
// have fewer lines, or none, and not be the last.
func (c *Collector) Plan(ctx context.Context, page string, limit int) (Plan, error) {
	at, err := parsePlace(page)
	if err != nil {
		return Plan{}, err
	}
	var p Plan
	err = c.Meta.View(ctx, func(tx meta.Tx) error {
		p = Plan{}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		p.At = now
		var next place
		switch at.queue {
		case reviewQueue:
			next, err = c.planned(tx, &p, at, limit)
		case uploadQueue:
			next, err = plannedUploads(tx, &p, at, limit)
		default:
			next, err = plannedLocations(tx, &p, at, limit)
		}
		p.Next = next.String()
		return err
	})
	return p, err
}

// place is where a page of a plan begins.
type place struct {
	queue string
	due   time.Time
	id    string // of a row in the queue
}

const (
	reviewQueue   = "r"
	uploadQueue   = "u"
	locationQueue = "l"
)

func (p place) String() string {
	if p.queue == "" {
		return ""
	}
	return fmt.Sprintf("%s.%d.%s", p.queue, p.due.UnixMilli(), p.id)
}

func parsePlace(s string) (place, error) {
	if s == "" {
		return place{queue: reviewQueue, id: "0"}, nil
	}
	part := strings.SplitN(s, ".", 3)
	if len(part) != 3 || part[0] != reviewQueue && part[0] != uploadQueue && part[0] != locationQueue {
		return place{}, ErrPage
	}
	ms, err := strconv.ParseInt(part[1], 10, 64)
	if err != nil {
		return place{}, ErrPage
	}
	return place{part[0], time.UnixMilli(ms), part[2]}, nil
}

// turn is the place in a queue of rows with numbers.
func (p place) turn(limit int) (meta.Page[meta.Turn], error) {
	id, err := strconv.ParseInt(p.id, 10, 64)
	if err != nil {
		return meta.Page[meta.Turn]{}, ErrPage
	}
	return meta.Page[meta.Turn]{After: meta.Turn{Due: p.due, ID: id}, Limit: limit}, nil
}

func (c *Collector) planned(tx meta.Tx, p *Plan, at place, limit int) (place, error) {
	page, err := at.turn(limit)
	if err != nil {
		return place{}, err
	}
	rows, err := tx.Reviews(page)
	if err != nil {
		return place{}, err
	}
	for _, r := range rows {
		f, err := c.facts(tx, r)
		if err != nil {
			return place{}, err
		}
		due, goes := Goes(r, f, p.At)
		if !goes {
			continue
		}
		bytes, err := weight(tx, r)
		if err != nil {
			return place{}, err
		}
		p.Lines = append(p.Lines, Line{Kind: kinds[r.Subject], Object: f.Object, Why: Decide(r, f, due).Why, Bytes: bytes, Due: due})
	}
	if len(rows) < limit {
		return place{queue: uploadQueue, due: time.UnixMilli(0)}, nil
	}
	last := rows[len(rows)-1]
	return place{reviewQueue, last.Due, strconv.FormatInt(last.ID, 10)}, nil
}

// Goes says when the subject of a review goes, if nothing happens to it before;
// false: it stays, or a later review decides.
func Goes(r meta.Review, f Facts, now time.Time) (time.Time, bool) {
	if f.Unknown {
		return time.Time{}, false
	}
	at := now
	if r.Due.After(at) {
		at = r.Due
	}
	s := Decide(r, f, at)
	if s.Verb == Postpone {
		at = s.Until
		s = Decide(r, f, at)
	}
	return at, s.Verb == Remove || s.Verb == Purge
}

// weight is the bytes that go with a review's subject. Those of a layer go with
// the last layer of its blob.
func weight(tx meta.Tx, r meta.Review) (int64, error) {
	bytes := int64(0)
	var err error
	switch r.Subject {
	case meta.LayerSubject:
		var l meta.Layer
		if l, err = tx.LayerOf(meta.LayerID(r.Of)); err == nil {
			var all []meta.Layer
			if all, err = tx.LayersOf(l.Blob.ID, 2); len(all) == 1 {
				bytes = l.Blob.Size
			}
		}
	case meta.ImageSubject:
		var i meta.Image
		i, err = tx.ImageOf(meta.ImageID(r.Of))
		bytes = i.ManifestSize
	case meta.RepositorySubject:
		_, bytes, err = tx.ImageUsage(meta.RepositoryID(r.Of))
	}
	if errors.Is(err, meta.ErrNotFound) {
		err = nil
	}
	return bytes, err
}

func plannedUploads(tx meta.Tx, p *Plan, at place, limit int) (place, error) {
	rows, err := tx.Uploads(meta.Page[meta.UploadTurn]{After: meta.UploadTurn{Expires: at.due, ID: name.UploadID(at.id)}, Limit: limit})
	if err != nil {
		return place{}, err
	}
	for _, u := range rows {
		p.Lines = append(p.Lines, Line{
			Kind: Upload, Object: "upload " + string(u.ID), Why: "it was not finished in its time", Bytes: u.Offset, Due: latest(u.ExpiresAt, p.At),
		})
	}
	if len(rows) < limit {
		return place{queue: locationQueue, due: time.UnixMilli(0), id: "0"}, nil
	}
	last := rows[len(rows)-1]
	return place{uploadQueue, last.ExpiresAt, string(last.ID)}, nil
}

func plannedLocations(tx meta.Tx, p *Plan, at place, limit int) (place, error) {
	page, err := at.turn(limit)
	if err != nil {
		return place{}, err
	}
	held, err := heldUntil(tx)
	if err != nil {
		return place{}, err
	}
	rows, err := tx.AllGarbage(page)
	if err != nil {
		return place{}, err
	}
	for _, g := range rows {
		p.Lines = append(p.Lines, Line{
			Kind: Location, Object: string(g.Location), Why: "nothing names it", Bytes: g.Size, Due: latest(g.Due, held, p.At),
		})
	}
	if len(rows) < limit {
		return place{}, nil
	}
	last := rows[len(rows)-1]
	return place{locationQueue, last.Due, strconv.FormatInt(last.ID, 10)}, nil
}

// latest is the latest of times.
func latest(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}
