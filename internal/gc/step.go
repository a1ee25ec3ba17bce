package gc

import (
	"fmt"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
)

// Verb says what a step does.
type Verb uint8

// The verbs.
const (
	Keep     Verb = iota // drop the question, keep its subject
	Postpone             // ask again at Until
	Remove
	Purge // remove in pages
)

// Step is one line of a plan.
type Step struct {
	Verb   Verb
	Object string // "layer sha256:…", "upload …", "bytes at file:…"
	Why    string
	Until  time.Time // of Postpone

	review  meta.Review
	garbage meta.Garbage
}

// String returns the step in words.
func (s Step) String() string {
	switch s.Verb {
	case Postpone:
		return fmt.Sprintf("keep %s until %s: %s", s.Object, s.Until.UTC().Format(time.RFC3339), s.Why)
	case Remove:
		return fmt.Sprintf("remove %s: %s", s.Object, s.Why)
	case Purge:
		return fmt.Sprintf("purge %s: %s", s.Object, s.Why)
	}
	return fmt.Sprintf("keep %s: %s", s.Object, s.Why)
}

// Facts is what a decision about a review's subject needs to know of it.
type Facts struct {
	Object    string
	Unknown   bool // the subject is not of this program's time
	Gone      bool
	Kept      string        // what keeps it; empty: nothing
	Space     meta.Space    // of an image
	TouchedAt time.Time     // of a layer: last promise to a client
	Grace     time.Duration // of a layer, from TouchedAt on
	Last      time.Time     // when the last review of a layer or image is due
}

// Decide is the collector's rule. It is pure: a plan is made with it, and each
// step of the plan again when it is applied.
func Decide(r meta.Review, f Facts, now time.Time) Step {
	s := Step{Object: f.Object, review: r}
	switch {
	case f.Unknown:
		s.Verb, s.Until, s.Why = Postpone, now.Add(retryAfter), "a later program asked for it"
	case f.Gone:
		s.Why = "it is gone already"
	case f.Kept != "":
		s.Why = "it is kept by " + f.Kept
	case r.Subject == meta.RepositorySubject:
		s.Verb, s.Why = Purge, "it was deleted"
	case r.Subject == meta.LayerSubject && f.TouchedAt.Add(f.Grace).After(now):
		s.Verb, s.Until, s.Why = Postpone, f.TouchedAt.Add(f.Grace), "a client was told that it exists"
	case r.Subject == meta.LayerSubject && f.Last.After(now):
		// While the image was there, clients were told so without a touch.
		s.Why = "an image that kept it went, and a later review decides"
	case r.Subject == meta.LayerSubject:
		s.Verb, s.Why = Remove, "no image refers to it"
	case f.Space != meta.Lightsail:
		// Nobody asks this; an image that its owner pushed to a repository of
		// his own is never removed by a collector.
		s.Why = "it is not a push to Lightsail"
	case f.Last.After(now):
		s.Why = "it was pushed again, and a later review decides"
	default:
		s.Verb, s.Why = Remove, "it was not registered in time"
	}
	return s
}
