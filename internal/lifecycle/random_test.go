package lifecycle_test

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/lifecycle"
	"github.com/lighterage/lighterage/internal/meta"
)

// The evaluator below asks of each image alone, as the User Guide says it, and
// looks at all others as often as it needs to.

func slowEvaluate(p lifecycle.Policy, images []lifecycle.Image) []lifecycle.Selection {
	var result []lifecycle.Selection
	for i := range images {
		r := slowRule(p, images, i, nil)
		if r != nil && (r.Action != lifecycle.Transition || !images[i].Archived) {
			result = append(result, lifecycle.Selection{Image: i, Priority: r.Priority, Action: r.Action})
		}
	}
	return result
}

// slowRule returns the rule that acts on an image; way are the referrers that
// led to it.
func slowRule(p lifecycle.Policy, images []lifecycle.Image, i int, way []int) *lifecycle.Rule {
	if slices.Contains(way, i) {
		return nil
	}
	if s := slowSubject(images, i); s >= 0 {
		if images[i].Listed {
			return nil
		}
		return slowRule(p, images, s, append(way, i))
	}
	rule := slowOwnRule(p, images, i)
	if archives := func(r lifecycle.Rule) bool { return r.Action == lifecycle.Transition }; rule == nil && len(way) > 0 && images[i].Archived && slices.ContainsFunc(p.Rules, archives) {
		return &p.Rules[slices.IndexFunc(p.Rules, archives)]
	}
	return rule
}

// slowOwnRule returns the rule that acts on an image that refers to no other.
func slowOwnRule(p lifecycle.Policy, images []lifecycle.Image, i int) *lifecycle.Rule {
	for r := range p.Rules {
		rule := &p.Rules[r]
		if !slowMeets(rule, images, i) {
			continue
		}
		past := rule.Count != lifecycle.NoCount && slowPast(rule, images, i)
		switch {
		case rule.Action == lifecycle.Retain && past:
			continue
		case rule.Action == lifecycle.Retain || !past:
			return nil
		case rule.Action == lifecycle.Transition && images[i].ListedByActive, rule.Action == lifecycle.Expire && images[i].Listed:
			return nil
		}
		return rule
	}
	return nil
}

func slowSubject(images []lifecycle.Image, i int) int {
	if images[i].Subject == "" || images[i].Subject == images[i].Digest {
		return -1
	}
	return slices.IndexFunc(images, func(o lifecycle.Image) bool { return o.Digest == images[i].Subject })
}

func slowMeets(r *lifecycle.Rule, images []lifecycle.Image, i int) bool {
	image := images[i]
	if image.Archived != (r.Storage == lifecycle.Archive) || slowSubject(images, i) >= 0 {
		return false
	}
	switch r.Status {
	case lifecycle.Untagged:
		return len(image.Tags) == 0
	case lifecycle.AnyTag:
		return true
	}
	for _, pattern := range r.Patterns {
		e := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$")
		if !slices.ContainsFunc(image.Tags, e.MatchString) {
			return false
		}
	}
	for _, prefix := range r.Prefixes {
		if !slices.ContainsFunc(image.Tags, func(tag string) bool { return strings.HasPrefix(tag, prefix) }) {
			return false
		}
	}
	return true
}

func slowPast(r *lifecycle.Rule, images []lifecycle.Image, i int) bool {
	image := images[i]
	born := slowLater(image.PushedAt, image.ActivatedAt)
	since := born
	switch r.Count {
	case lifecycle.MoreThan:
		younger := 0
		for j, o := range images {
			later := slowLater(o.PushedAt, o.ActivatedAt)
			if slowMeets(r, images, j) && (later.After(born) || later.Equal(born) && o.ID > image.ID) {
				younger++
			}
		}
		return younger >= r.Number
	case lifecycle.SincePulled:
		since = slowLater(image.PulledAt, image.ActivatedAt)
		if since.IsZero() {
			since = image.PushedAt
		}
	case lifecycle.SinceTransitioned:
		since = image.TransitionedAt
	}
	return !since.IsZero() && now.Sub(since) > time.Duration(r.Number)*24*time.Hour
}

func slowLater(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func TestEvaluateIsWhatTheSlowEvaluatorSays(t *testing.T) {
	selected := 0
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 1))
		p := randomPolicy(t, random)
		images := randomImages(random, random.IntN(25))
		got := p.Evaluate(images, now)
		if diff := cmp.Diff(slowEvaluate(p, images), got); diff != "" {
			t.Fatalf("seed %d:\n%s%s", seed, short(p), diff)
		}
		selected += len(got)
	}
	if selected < 2500 {
		t.Errorf("%d images were selected in all: the test tests little", selected)
	}
}

// TestEvaluateDoesNotDependOnTheOrderOfImages is promise 2.
func TestEvaluateDoesNotDependOnTheOrderOfImages(t *testing.T) {
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 2))
		p := randomPolicy(t, random)
		images := randomImages(random, 20)
		want := byID(p, images)
		random.Shuffle(len(images), func(i, j int) { images[i], images[j] = images[j], images[i] })
		if diff := cmp.Diff(want, byID(p, images)); diff != "" {
			t.Fatalf("seed %d:\n%s%s", seed, short(p), diff)
		}
	}
}

// TestEvaluateDoesNotDependOnLaterRules is the other half of promise 2.
func TestEvaluateDoesNotDependOnLaterRules(t *testing.T) {
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 3))
		p := randomPolicy(t, random)
		images := randomImages(random, 20)
		whole := byID(p, images)
		for id, s := range byID(lifecycle.Policy{Rules: p.Rules[:len(p.Rules)-1]}, images) {
			if whole[id] != s {
				t.Fatalf("seed %d: image %d: %v, with the last rule %v\n%s", seed, id, s, whole[id], short(p))
			}
		}
	}
}

func byID(p lifecycle.Policy, images []lifecycle.Image) map[meta.ImageID]lifecycle.Selection {
	result := map[meta.ImageID]lifecycle.Selection{}
	for _, s := range p.Evaluate(images, now) {
		id := images[s.Image].ID
		s.Image = 0
		result[id] = s
	}
	return result
}

var tagsOfImages = []string{"v1", "v2", "v1-rc", "latest", "prod-1", "prod", "x"}

func randomImages(random *rand.Rand, n int) []lifecycle.Image {
	images := make([]lifecycle.Image, n)
	for i := range images {
		image := lifecycle.Image{ID: meta.ImageID(i + 1), Digest: digestOf(string(rune('a' + i))), PushedAt: randomTime(random)}
		for range random.IntN(4) {
			image.Tags = append(image.Tags, tagsOfImages[random.IntN(len(tagsOfImages))])
		}
		if random.IntN(3) == 0 {
			image.PulledAt = randomTime(random)
		}
		if random.IntN(4) == 0 {
			image.Archived, image.TransitionedAt = true, randomTime(random)
		}
		if random.IntN(6) == 0 {
			image.ActivatedAt = randomTime(random)
		}
		image.Listed = random.IntN(8) == 0
		image.ListedByActive = image.Listed && random.IntN(2) == 0
		if random.IntN(4) == 0 {
			image.Subject = digestOf(string(rune('a' + random.IntN(n+2))))
		}
		images[i] = image
	}
	return images
}

// randomTime is often a whole number of days ago, and often the same.
func randomTime(random *rand.Rand) time.Time {
	return now.Add(-time.Duration(random.IntN(12))*24*time.Hour + time.Duration(random.IntN(3)-1)*time.Second)
}

// randomPolicy makes policies until Parse takes one.
func randomPolicy(t *testing.T, random *rand.Rand) lifecycle.Policy {
	for range 1000 {
		var p lifecycle.Policy
		for range 1 + random.IntN(5) {
			p.Rules = append(p.Rules, randomRule(random))
		}
		if parsed, err := lifecycle.Parse(long(p), lifecycle.Options{}); err == nil {
			return parsed
		}
	}
	t.Fatal("no policy")
	return lifecycle.Policy{}
}

func randomRule(random *rand.Rand) lifecycle.Rule {
	patterns := []string{"v*", "*1", "*-*", "latest", "*", "p*d*", "x"}
	r := lifecycle.Rule{
		Priority: 1 + random.IntN(20),
		Status:   lifecycle.TagStatus(1 + random.IntN(3)),
		Storage:  lifecycle.Standard,
		Count:    lifecycle.CountType(1 + random.IntN(3)),
		Number:   1 + random.IntN(8),
		Action:   lifecycle.Action(1 + random.IntN(3)),
	}
	if r.Status == lifecycle.Tagged {
		for range 1 + random.IntN(2) {
			if pattern := patterns[random.IntN(len(patterns))]; random.IntN(2) == 0 && r.Prefixes == nil {
				r.Patterns = append(r.Patterns, pattern)
			} else if r.Patterns == nil {
				r.Prefixes = append(r.Prefixes, pattern[:1])
			}
		}
	}
	if r.Action == lifecycle.Retain && random.IntN(2) == 0 {
		r.Count, r.Number = lifecycle.NoCount, 0
	}
	if r.Action == lifecycle.Retain && random.IntN(4) == 0 {
		r.Storage = lifecycle.Archive
		if r.Count != lifecycle.NoCount {
			r.Count = lifecycle.SinceTransitioned
		}
	}
	return r
}
