package lifecycle

import (
	"cmp"
	"slices"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
)

// Image is what a policy looks at.
type Image struct {
	ID     meta.ImageID // tells which of two of the same age came later
	Digest digest.Digest
	Tags   []string
	// The times are zero where a thing never happened.
	// An image is transitioned when it is archived, activated when it is
	// brought back.
	PushedAt, PulledAt, TransitionedAt, ActivatedAt time.Time
	Archived                                        bool
	Listed                                          bool          // an index of the repository refers to it
	Subject                                         digest.Digest // of a referrer; empty: none
}

// Selection is an image that is acted on, and by which rule.
type Selection struct {
	Image    int // index in the images given
	Priority int // of the rule
	Action   Action
}

// Evaluate says what the policy does to a repository's images at a moment, in
// order of images. The images must be all of the repository: what is not among
// them is not counted, and does not hold its referrers back.
func (p Policy) Evaluate(images []Image, now time.Time) []Selection {
	e := newEvaluation(images, now)
	for i := range p.Rules {
		e.apply(&p.Rules[i])
	}
	return e.selections()
}

// evaluation is what is known of the images between rules.
type evaluation struct {
	images  []Image
	now     time.Time
	subject []int32 // index of the image's subject; -1: none in the repository
	closed  []bool  // a rule's tagging requirement is met: later ones cannot act
	by      []*Rule // the rule that acts on the image
	youth   []int32 // images from the youngest to the oldest, made when asked for
}

func newEvaluation(images []Image, now time.Time) *evaluation {
	return &evaluation{
		images: images, now: now, subject: subjects(images),
		closed: make([]bool, len(images)), by: make([]*Rule, len(images)),
	}
}

// subjects finds each image's subject among the images. An image that would be
// its own is none's referrer.
func subjects(images []Image) []int32 {
	found := map[digest.Digest]int32{}
	for _, image := range images {
		if image.Subject != "" {
			found[image.Subject] = -1
		}
	}
	for i, image := range images {
		if _, ok := found[image.Digest]; ok {
			found[image.Digest] = int32(i)
		}
	}
	result := make([]int32, len(images))
	for i, image := range images {
		result[i] = -1
		if image.Subject != "" && image.Subject != image.Digest {
			result[i] = found[image.Subject]
		}
	}
	return result
}

// apply lets a rule act on the images that the rules before left to it.
func (e *evaluation) apply(r *Rule) {
	q := r.requirement()
	if r.Count == MoreThan {
		e.applyCount(r, q)
		return
	}
	for i := range e.images {
		image := &e.images[i]
		// Whose requirement was met before need not be looked at again.
		if !e.closed[i] && e.sees(r, i) && q.met(image.Tags) {
			e.act(r, i, r.Count == NoCount || r.past(image, e.now))
		}
	}
}

// applyCount is apply for imageCountMoreThan. Whatever the rules before did to
// an image, it is counted (LifecyclePolicies.html, evaluation rules).
func (e *evaluation) applyCount(r *Rule, q requirement) {
	counted := 0
	for _, i := range e.byYouth() {
		if counted >= r.Number && e.closed[i] || !e.sees(r, int(i)) || !q.met(e.images[i].Tags) {
			continue
		}
		counted++
		e.act(r, int(i), counted > r.Number)
	}
}

// act closes an image that met the requirement. A rule that retains means the
// images within its number, and leaves the others to later rules.
func (e *evaluation) act(r *Rule, i int, past bool) {
	switch {
	case e.closed[i]:
	case r.Action == Retain:
		e.closed[i] = r.Count == NoCount || !past
	default:
		e.closed[i] = true
		if past && !e.images[i].Listed {
			e.by[i] = r
		}
	}
}

// sees reports whether the rule looks at the image at all: it has the storage
// class, and goes with no subject.
func (e *evaluation) sees(r *Rule, i int) bool {
	return e.subject[i] < 0 && e.images[i].Archived == (r.Storage == Archive)
}

func (e *evaluation) byYouth() []int32 {
	if e.youth == nil {
		e.youth = make([]int32, len(e.images))
		for i := range e.youth {
			e.youth[i] = int32(i)
		}
		slices.SortFunc(e.youth, func(a, b int32) int {
			x, y := &e.images[a], &e.images[b]
			if c := y.born().Compare(x.born()); c != 0 {
				return c
			}
			return cmp.Compare(y.ID, x.ID)
		})
	}
	return e.youth
}

// past reports whether the image's age is over the rule's number of days, of 24
// hours.
func (r *Rule) past(image *Image, now time.Time) bool {
	since := image.born()
	switch r.Count {
	case SincePulled:
		since = image.used()
	case SinceTransitioned:
		since = image.TransitionedAt
	}
	return !since.IsZero() && since.Before(now.UTC().AddDate(0, 0, -r.Number))
}

// born is when the image was pushed or, if it was brought back from the archive
// since, that moment: coming back is like a push (LifecyclePolicies.html says
// so of the order; here it holds for the age too).
func (i *Image) born() time.Time {
	if i.ActivatedAt.After(i.PushedAt) {
		return i.ActivatedAt
	}
	return i.PushedAt
}

// used is the last recorded pull; of an image that was brought back since, that
// moment; of one never pulled, its push.
func (i *Image) used() time.Time {
	switch {
	case i.ActivatedAt.After(i.PulledAt):
		return i.ActivatedAt
	case i.PulledAt.IsZero():
		return i.PushedAt
	}
	return i.PulledAt
}

// selections lists what is acted on, referrers with their subjects.
func (e *evaluation) selections() []Selection {
	var result []Selection
	for i := range e.images {
		r := e.follow(i)
		if r == nil || r.Action == Transition && e.images[i].Archived {
			continue
		}
		result = append(result, Selection{Image: i, Priority: r.Priority, Action: r.Action})
	}
	return result
}

// follow returns the rule that acts on the image or, if it is a referrer, on
// what it refers to. An image on the way that an index lists stays, and what
// refers to it. What was found is kept, so that a chain costs its length once.
func (e *evaluation) follow(i int) *Rule {
	var chain []int
	for e.subject[i] >= 0 && !e.images[i].Listed {
		subject := int(e.subject[i])
		chain = append(chain, i)
		e.subject[i] = -1 // a circle, which no digests make, ends
		i = subject
	}
	for _, referrer := range chain {
		e.by[referrer] = e.by[i]
	}
	return e.by[i]
}
