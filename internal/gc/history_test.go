package gc_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/containers"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// model is what must be there.
type model struct {
	images     map[registry.RepositoryKey]map[digest.Digest]bool
	pushed     map[digest.Digest]time.Time // to Lightsail, the last time
	parents    map[digest.Digest][]digest.Digest
	registered map[string]digest.Digest // by name
}

// kept reports whether a push to Lightsail must be there still.
func (m *model) kept(d digest.Digest, now time.Time) bool {
	if now.Before(m.pushed[d].Add(pushTTL)) {
		return true
	}
	for _, r := range m.registered {
		if r == d {
			return true
		}
	}
	for _, p := range m.parents[d] {
		if m.kept(p, now) {
			return true
		}
	}
	return false
}

// Random pushes, registrations and deletions, with the collector run at random
// times between them: what must be there is there, to the last byte, and in
// the end nothing else is.
func TestHistoriesLoseNothing(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := open(t)
			h := history{
				world: w, service: w.service(), rand: rand.New(rand.NewPCG(seed, 1)),
				model: model{map[registry.RepositoryKey]map[digest.Digest]bool{}, map[digest.Digest]time.Time{}, map[digest.Digest][]digest.Digest{}, map[string]digest.Digest{}},
			}
			for range 40 {
				h.step()
			}
			h.end()
		})
	}
}

type history struct {
	*world
	model
	service containers.Key
	rand    *rand.Rand
}

func (h *history) step() {
	h.t.Helper()
	switch n := h.rand.IntN(12); {
	case n < 3:
		k := h.repository()
		h.images[k][h.image(k, h.seed())] = true
	case n < 5:
		h.push()
	case n < 6:
		if d, ok := pick(h, h.pushed); ok && h.has(hidden, d) {
			i, err := h.services.RegisterImage(h.ctx, h.service, "app", string(d))
			h.must(err)
			h.registered[containers.ImageName{Service: h.service.Name, Label: i.Label, Version: i.Version}.String()] = d
		}
	case n < 7:
		if image, ok := pick(h, h.registered); ok {
			h.must(h.services.DeleteRegisteredImage(h.ctx, h.service, image))
			delete(h.registered, image)
		}
	case n < 8:
		k := h.repository()
		if d, ok := pick(h, h.images[k]); ok {
			h.delete(k, d)
			delete(h.images[k], d)
		}
	case n < 9:
		h.layer(h.repository(), large(h.seed()))
	case n < 10:
		if k, ok := pick(h, h.images); ok && h.rand.IntN(2) == 0 {
			_, err := h.DeleteRepository(h.ctx, k, true)
			h.must(err)
			delete(h.images, k)
		}
	default:
		h.run([]time.Duration{0, time.Minute, grace, urlTTL, pushTTL / 2, pushTTL}[h.rand.IntN(6)])
		h.check()
	}
}

func (h *history) seed() string { return fmt.Sprintf("s%d", h.rand.IntN(5)) }

// repository returns one of three, created if it is not there.
func (h *history) repository() registry.RepositoryKey {
	h.t.Helper()
	k := registry.RepositoryKey{Registry: home, Space: registry.ECR, Name: name.RepositoryName(fmt.Sprintf("app-%d", h.rand.IntN(3)))}
	if h.images[k] == nil {
		h.create(string(k.Name))
		h.images[k] = map[digest.Digest]bool{}
	}
	return k
}

// push pushes an image to Lightsail, or an index of two.
func (h *history) push() {
	h.t.Helper()
	a := h.image(hidden, h.seed())
	h.pushed[a] = h.clock.Now()
	if h.rand.IntN(2) == 0 {
		return
	}
	b := h.image(hidden, h.seed())
	i := h.index(hidden, a, b)
	h.pushed[b], h.pushed[i] = h.clock.Now(), h.clock.Now()
	h.parents[a], h.parents[b] = append(h.parents[a], i), append(h.parents[b], i)
}

// pick returns one of the map's keys; false: it has none.
func pick[K comparable, V any](h *history, m map[K]V) (K, bool) {
	var none K
	if len(m) == 0 {
		return none, false
	}
	keys := slices.SortedFunc(maps.Keys(m), func(a, b K) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return keys[h.rand.IntN(len(keys))], true
}

func (h *history) check() {
	h.t.Helper()
	for k, images := range h.images {
		for d := range images {
			h.whole(k, d)
		}
	}
	for d := range h.pushed {
		if h.kept(d, h.clock.Now()) {
			h.whole(hidden, d)
		}
	}
}

// end deletes everything, and checks that nothing is left of it.
func (h *history) end() {
	h.t.Helper()
	h.check()
	for k := range h.images {
		_, err := h.DeleteRepository(h.ctx, k, true)
		h.must(err)
	}
	h.must(h.services.DeleteService(h.ctx, h.service))
	for range 6 {
		h.run(pushTTL)
	}
	for d := range h.pushed {
		if h.has(hidden, d) {
			h.t.Errorf("%s is there", d)
		}
	}
	if n := h.files(); n != 0 {
		h.t.Errorf("%d files are left", n)
	}
}
