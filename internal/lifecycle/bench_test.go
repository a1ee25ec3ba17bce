package lifecycle_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/lifecycle"
	"github.com/lighterage/lighterage/internal/meta"
)

// manyImages are those of a busy repository: two of three have tags, of which
// the rules know one in fifty.
func manyImages(n int) []lifecycle.Image {
	random := rand.New(rand.NewPCG(1, 1))
	images := make([]lifecycle.Image, n)
	for i := range images {
		images[i] = lifecycle.Image{
			ID:       meta.ImageID(i + 1),
			Digest:   digestOf(fmt.Sprintf("%064x", i)),
			PushedAt: now.Add(-time.Duration(random.IntN(1_000_000)) * time.Minute),
			Listed:   i%7 == 0,
		}
		if i%3 > 0 {
			images[i].Tags = []string{fmt.Sprintf("branch-%d-%d", random.IntN(200), i), fmt.Sprintf("sha-%x", i)}
		}
		if i%10 == 0 {
			images[i].Subject = digestOf(fmt.Sprintf("%064x", random.IntN(n)))
		}
	}
	return images
}

// manyRules are as many as a policy may have.
func manyRules(b testing.TB) lifecycle.Policy {
	text := ""
	for i := range 48 {
		count := "imageCountMoreThan 10"
		if i%2 == 0 {
			count = "sinceImagePushed 30"
		}
		text += fmt.Sprintf("%d tagged branch-%d-* %s expire\n", i+1, i, count)
	}
	text += "49 untagged sinceImagePushed 7 expire\n50 any imageCountMoreThan 1000 expire\n"
	p, err := lifecycle.Parse(expand(b, text), lifecycle.Options{Strict: true})
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func BenchmarkEvaluate(b *testing.B) {
	p := manyRules(b)
	for _, n := range []int{1000, 10_000, 100_000} {
		images := manyImages(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Evaluate(images, now)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	text := long(manyRules(b))
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := lifecycle.Parse(text, lifecycle.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestEvaluateAllocatesPerRunAndNotPerImage is promise 6: lists as long as the
// images, the lists of selections and subjects as they grow, and a few for
// each rule.
func TestEvaluateAllocatesPerRunAndNotPerImage(t *testing.T) {
	p := manyRules(t)
	images := manyImages(20_000)
	selected := len(p.Evaluate(images, now))
	allocations := testing.AllocsPerRun(1, func() { p.Evaluate(images, now) })
	if allocations > 400 || selected < 10_000 {
		t.Errorf("%.0f allocations for %d rules and %d images, of which %d are selected", allocations, len(p.Rules), len(images), selected)
	}
}
