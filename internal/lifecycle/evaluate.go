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
	ListedByActive                                  bool          // one that is not archived does
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
// them is not counted, and does not take its referrers along.
func (p Policy) Evaluate(images []Image, now time.Time) []Selection {
	rules := make([]counter, len(p.Rules))
	for i := range p.Rules {
		rules[i] = counter{Rule: &p.Rules[i], requirement: p.Rules[i].requirement()}
	}
	subject := subjects(images)
	by := make([]*Rule, len(images))
	for _, i := range p.order(images) {
		if subject[i] < 0 {
			by[i] = decide(rules, &images[i], now)
		}
	}
	return selections(images, subject, by, p.archivist())
}

// archivist is the rule that archives what refers to an archived image: the first
// that archives; nil if none does. Whoever archived the image, its referrers follow
// within a day (LifecyclePolicies.html).
func (p Policy) archivist() *Rule {
	for i := range p.Rules {
		if p.Rules[i].Action == Transition {
			return &p.Rules[i]
		}
	}
	return nil
}

// subjects finds each image's subject among the images; -1: there is none. An
// image that would be its own is none's referrer.
func subjects(images []Image) []int32 {
	found := map[digest.Digest]int32{}
	for i := range images {
		if images[i].Subject != "" {
			found[images[i].Subject] = -1
		}
	}
	for i := range images {
		if _, ok := found[images[i].Digest]; ok {
			found[images[i].Digest] = int32(i)
		}
	}
	subject := make([]int32, len(images))
	for i := range images {
		subject[i] = -1
		if image := &images[i]; image.Subject != "" && image.Subject != image.Digest {
			subject[i] = found[image.Subject]
		}
	}
	return subject
}

// order lists the images from the youngest to the oldest, as rules that count
// need them.
func (p Policy) order(images []Image) []int32 {
	order := make([]int32, len(images))
	for i := range order {
		order[i] = int32(i)
	}
	if !slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Count == MoreThan }) {
		return order
	}
	slices.SortFunc(order, func(a, b int32) int {
		x, y := &images[a], &images[b]
		if c := y.born().Compare(x.born()); c != 0 {
			return c
		}
		return cmp.Compare(y.ID, x.ID)
	})
	return order
}

// counter is a rule with the images that it has counted so far.
type counter struct {
	*Rule
	requirement
	counted int // up to its number; all of them are younger than what is to come
}

// decide returns the rule that acts on an image, if any does. The first whose
// tagging requirement it meets decides; later ones only count it, whatever
// became of it (LifecyclePolicies.html, evaluation rules).
func decide(rules []counter, image *Image, now time.Time) (by *Rule) {
	decided := false
	for i := range rules {
		r := &rules[i]
		counts := r.Count == MoreThan && r.counted < r.Number
		if decided && !counts || image.Archived != (r.Storage == Archive) || !r.met(image.Tags) {
			continue
		}
		if counts {
			r.counted++
		}
		if decided {
			continue
		}
		past := r.Count == MoreThan && !counts || r.past(image, now)
		// A rule that retains means what is within its number, and leaves the
		// rest to later ones.
		decided = r.Action != Retain || !past
		if decided && past && !image.kept(r.Action) {
			by = r.Rule
		}
	}
	return by
}

// kept reports whether an index keeps the image from an action: from expiring
// until the index is gone, from the archive until the index is there.
func (i *Image) kept(from Action) bool {
	if from == Transition {
		return i.ListedByActive
	}
	return i.Listed
}

// past reports whether the image's age is over the rule's number of days, of 24
// hours. No image is past a rule that has no age.
func (r *Rule) past(image *Image, now time.Time) bool {
	var since time.Time
	switch r.Count {
	case SincePushed:
		since = image.born()
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
func selections(images []Image, subject []int32, by []*Rule, archivist *Rule) []Selection {
	var result []Selection
	var way []int
	for i := range images {
		way = follow(images, subject, by, archivist, i, way[:0])
		r := by[i]
		if r == nil || r.Action == Transition && images[i].Archived {
			continue
		}
		result = append(result, Selection{Image: i, Priority: r.Priority, Action: r.Action})
	}
	return result
}

// follow gives a referrer, and what is on the way, the rule that acts on where
// the way ends: at an image that refers to none, or at one that an index lists,
// which stays. Where nothing acts on an archived image it is the archivist's. What
// has its rule is not gone through again. The way is returned for its memory.
func follow(images []Image, subject []int32, by []*Rule, archivist *Rule, i int, way []int) []int {
	const gone = -2 // through: a circle, which no digests make, ends
	for subject[i] >= 0 && !images[i].Listed {
		way = append(way, i)
		next := int(subject[i])
		subject[i] = gone
		i = next
	}
	r := by[i]
	if r == nil && subject[i] == -1 && images[i].Archived {
		r = archivist
	}
	for _, referrer := range way {
		by[referrer] = r
	}
	return way
}
