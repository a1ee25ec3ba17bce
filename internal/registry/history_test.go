package registry_test

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// seeds are of histories that once failed, or that go where others do not.
var seeds = []uint64{1, 2, 3, 4}

// Random acts, restarts, crashes and runs of the collector, against a model in
// plain maps: what was acknowledged is there, what was deleted is not, and in
// the end nothing is left.
func TestHistories(t *testing.T) {
	for _, seed := range append(seeds, uint64(time.Now().UnixNano())) {
		t.Run(fmt.Sprint("SQLite, seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := open(t)
			newHistory(w, seed, true).run(150)
		})
	}
}

// PostgreSQL has a clock of its own, which cannot be moved: layers that no
// image keeps may go at any time, and uploads do not expire.
func TestHistoriesOnPostgreSQL(t *testing.T) {
	t.Parallel()
	server := metatest.StartPostgres(t)
	for _, seed := range append(seeds[:1:1], uint64(time.Now().UnixNano())) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := &world{t: t, ctx: t.Context(), dir: t.TempDir(), clock: &clock{now: time.Now()}, postgres: server.NewDatabase(t)}
			w.start(hasty)
			t.Cleanup(func() { w.stop(false) })
			newHistory(w, seed, false).run(80)
		})
	}
}

// repository is what the model knows of one.
type repository struct {
	layers map[digest.Digest]time.Time // promised until
	images map[digest.Digest]*image
	tags   map[name.Tag]digest.Digest
}

type image struct {
	body     []byte
	layers   []digest.Digest
	children []digest.Digest
}

// halfway is an upload that was left.
type halfway struct {
	id      name.UploadID
	k       registry.RepositoryKey
	body    []byte
	at      int
	expires time.Time
	shaky   bool // a crash may have taken it
}

type history struct {
	*world
	seed     uint64
	rand     *rand.Rand
	movable  bool // the clock of the store
	repos    map[registry.RepositoryKey]*repository
	bodies   map[digest.Digest][]byte
	halfways []*halfway
	done     []string
}

func newHistory(w *world, seed uint64, movable bool) *history {
	return &history{
		world: w, seed: seed, rand: rand.New(rand.NewPCG(seed, 7)), movable: movable,
		repos: map[registry.RepositoryKey]*repository{}, bodies: map[digest.Digest][]byte{},
	}
}

func (h *history) run(steps int) {
	h.t.Helper()
	defer func() {
		if h.t.Failed() {
			h.t.Logf("seed %d:\n%s", h.seed, strings.Join(h.done, "\n"))
		}
	}()
	for range steps {
		h.step()
		if h.t.Failed() {
			return
		}
	}
	h.compare()
	h.end()
}

func (h *history) note(format string, args ...any) {
	h.done = append(h.done, fmt.Sprintf(format, args...))
}

// one returns one of a map's keys; false: it has none.
func one[K cmp.Ordered, V any](r *rand.Rand, m map[K]V) (K, bool) {
	var none K
	if len(m) == 0 {
		return none, false
	}
	keys := slices.Sorted(maps.Keys(m))
	return keys[r.IntN(len(keys))], true
}

func (h *history) repository() (registry.RepositoryKey, *repository) {
	h.t.Helper()
	k := key(string("abc"[h.rand.IntN(3)]))
	if h.repos[k] == nil {
		h.create(string(k.Name))
		h.note("create %s", k.Name)
		h.repos[k] = &repository{map[digest.Digest]time.Time{}, map[digest.Digest]*image{}, map[name.Tag]digest.Digest{}}
	}
	return k, h.repos[k]
}

// until is how long a layer that was touched now is promised.
func (h *history) until() time.Time { return h.clock.Now().Add(h.config.LayerGrace) }

// sure reports whether a layer must be there: an image keeps it, or its grace
// is not over.
func (h *history) sure(r *repository, d digest.Digest) bool {
	if until, ok := r.layers[d]; ok && h.movable && until.After(h.clock.Now()) {
		return true
	}
	for _, i := range r.images {
		if slices.Contains(i.layers, d) {
			return true
		}
	}
	return false
}

func (h *history) step() {
	h.t.Helper()
	table := []struct {
		weight int
		act    func()
	}{
		{18, h.layer}, {8, h.leave}, {8, h.goOn}, {16, h.putImage}, {6, h.putIndex}, {6, h.deleteTag}, {8, h.deleteImages},
		{3, h.deleteLayer}, {6, h.mount}, {2, h.deleteRepository}, {5, h.park}, {8, h.pass}, {8, h.collectNow}, {4, h.restart}, {6, h.compare},
	}
	n := h.rand.IntN(112)
	for _, line := range table {
		if n -= line.weight; n < 0 {
			line.act()
			return
		}
	}
}

// content is one of few bodies, of sizes around what fits into memory.
func (h *history) content() ([]byte, digest.Digest) {
	sizes := []int{0, 1, 5000, 128<<10 - 1, 128 << 10, 128<<10 + 1, 200_000, 256 << 10, 300_000}
	n := sizes[h.rand.IntN(len(sizes))]
	body := random(n, uint64(n%250+h.rand.IntN(2)))
	d := digest.Of(digest.SHA256, body)
	h.bodies[d] = body
	return body, d
}

func (h *history) layer() {
	k, r := h.repository()
	body, d := h.content()
	id, err := h.StartUpload(h.ctx, k, digest.SHA256)
	h.must(err)
	switch way := h.rand.IntN(3); {
	case way == 0 || len(body) == 0:
		h.note("push %s %s at once, %d bytes", k.Name, d[:14], len(body))
		h.must(h.FinishUpload(h.ctx, k, id, d, registry.Anywhere, bytes.NewReader(body)))
	case way == 1:
		h.note("push %s %s in chunks, %d bytes", k.Name, d[:14], len(body))
		chunk := len(body)/(1+h.rand.IntN(4)) + 1
		for at := 0; at < len(body); at += chunk {
			_, err := h.AppendUpload(h.ctx, k, id, int64(at), bytes.NewReader(body[at:min(at+chunk, len(body))]))
			h.must(err)
		}
		h.must(h.FinishUpload(h.ctx, k, id, d, registry.Anywhere, nil))
	default:
		h.note("push %s %s in parts, %d bytes", k.Name, d[:14], len(body))
		chunk := max(len(body)/(1+h.rand.IntN(4))+1, 8)
		for at := 0; at < len(body); at += chunk {
			end := min(at+chunk, len(body))
			_, err := h.AppendPart(h.ctx, k, id, registry.Part{First: int64(at), Last: int64(end - 1), Size: int64(end - at), Body: bytes.NewReader(body[at:end])})
			h.must(err)
		}
		_, err := h.CompleteUpload(h.ctx, k, id, []digest.Digest{d})
		if fault.Is(err, fault.LayerExists) {
			if _, known := r.layers[d]; !known && !h.sure(r, d) {
				h.t.Errorf("%s existed before it was pushed", d)
			}
			err = nil
		}
		h.must(err)
	}
	r.layers[d] = h.until()
}

func (h *history) leave() {
	k, _ := h.repository()
	body, d := h.content()
	id, err := h.StartUpload(h.ctx, k, digest.SHA256)
	h.must(err)
	u := &halfway{id: id, k: k, body: body, expires: h.clock.Now().Add(h.config.UploadTTL)}
	h.halfways = append(h.halfways, u)
	h.note("leave %s %s, %d bytes", k.Name, d[:14], len(body))
	h.more(u)
}

// more adds some bytes.
func (h *history) more(u *halfway) {
	end := u.at + h.rand.IntN(len(u.body)-u.at+1)
	got, err := h.AppendUpload(h.ctx, u.k, u.id, int64(u.at), bytes.NewReader(u.body[u.at:end]))
	h.must(err)
	if got != int64(end) {
		h.t.Errorf("offset %d, want %d", got, end)
	}
	u.at = end
}

// goOn adds to an upload that was left, cancels or finishes it.
func (h *history) goOn() {
	if len(h.halfways) == 0 {
		return
	}
	n := h.rand.IntN(len(h.halfways))
	u := h.halfways[n]
	at, err := h.UploadOffset(h.ctx, u.k, u.id)
	expired := h.movable && !u.expires.After(h.clock.Now())
	h.note("go on with %s in %s at %d: %d, %v", u.id[:6], u.k.Name, u.at, at, err)
	switch {
	case err == nil && (expired || at != int64(u.at)):
		h.t.Errorf("an upload of %d bytes goes on at %d, expired: %v", u.at, at, expired)
	case err == nil:
		switch h.rand.IntN(4) {
		case 0:
			h.must(h.CancelUpload(h.ctx, u.k, u.id))
		case 1:
			h.more(u)
			return
		default:
			d := digest.Of(digest.SHA256, u.body)
			h.must(h.FinishUpload(h.ctx, u.k, u.id, d, at, bytes.NewReader(u.body[at:])))
			h.repos[u.k].layers[d] = h.until()
		}
	case fault.Is(err, fault.UploadNotFound) || fault.Is(err, fault.RepositoryNotFound):
		if !u.shaky && !expired {
			h.t.Errorf("an upload is gone: %v", err)
		}
	default:
		h.t.Errorf("go on: %v", err)
	}
	h.halfways = slices.Delete(h.halfways, n, n+1)
}

var tagNames = []name.Tag{"latest", "v1", "v2", "v3"}

func (h *history) putImage() {
	k, r := h.repository()
	var ds []digest.Digest
	for range 1 + h.rand.IntN(3) {
		if d, ok := one(h.rand, r.layers); ok && !slices.Contains(ds, d) {
			ds = append(ds, d)
		}
	}
	if len(ds) == 0 {
		return
	}
	body := manifestOf(ds[0], len(h.bodies[ds[0]]), ds[len(ds)-1], len(h.bodies[ds[len(ds)-1]]))
	h.put(k, r, &image{body: body, layers: []digest.Digest{ds[0], ds[len(ds)-1]}})
}

func (h *history) putIndex() {
	k, r := h.repository()
	a, ok := one(h.rand, r.images)
	if !ok {
		return
	}
	b, _ := one(h.rand, r.images)
	h.put(k, r, &image{body: index(a, b), children: []digest.Digest{a, b}})
}

func (h *history) put(k registry.RepositoryKey, r *repository, i *image) {
	d := digest.Of(digest.SHA256, i.body)
	var tags []name.Tag
	if h.rand.IntN(4) > 0 {
		tags = append(tags, tagNames[h.rand.IntN(len(tagNames))])
	}
	put, err := h.PutImage(h.ctx, registry.Put{By: "arn:me", Key: k, Body: i.body, Tags: tags, Repeatable: true})
	h.note("put %s %s %v: %v", k.Name, d[:14], tags, err)
	if fault.Is(err, fault.LayersNotFound) {
		for _, missing := range fault.Of(err).Digests {
			if h.sure(r, digest.Digest(missing)) {
				h.t.Errorf("%s was promised", missing)
			}
			delete(r.layers, digest.Digest(missing))
		}
		return
	}
	h.must(err)
	if put.Digest != d {
		h.t.Errorf("put %s as %s", d, put.Digest)
	}
	r.images[d] = i
	for _, t := range tags {
		r.tags[t] = d
	}
}

func (h *history) deleteTag() {
	k, r := h.repository()
	tag := tagNames[h.rand.IntN(len(tagNames))]
	err := h.DeleteTag(h.ctx, "arn:me", k, tag)
	h.note("delete tag %s:%s: %v", k.Name, tag, err)
	if _, ok := r.tags[tag]; ok {
		h.must(err)
	} else {
		h.want(err, fault.ImageNotFound)
	}
	delete(r.tags, tag)
}

// deleteImages deletes by tag, with the last tag the image, or by digest.
func (h *history) deleteImages() {
	k, r := h.repository()
	var asked registry.Asked
	d, ok := one(h.rand, r.images)
	if tag, tagged := one(h.rand, r.tags); tagged && h.rand.IntN(2) == 0 {
		asked.Tag, d = string(tag), r.tags[tag]
	} else if ok {
		asked.Digest = string(d)
	} else {
		return
	}
	gone, failed, err := h.DeleteImages(h.ctx, "arn:me", k, []registry.Asked{asked})
	h.must(err)
	h.note("delete %s %+v: %v %v", k.Name, asked, gone, failed)
	others := 0
	for t, of := range r.tags {
		if of == d && string(t) != asked.Tag {
			others++
		}
	}
	whole := asked.Digest != "" || others == 0
	kept := false
	for _, i := range r.images {
		kept = kept || slices.Contains(i.children, d)
	}
	if whole && kept {
		if len(failed) != 1 || failed[0].Err.Reason != fault.ImageReferenced {
			h.t.Errorf("an index keeps %s: deleted %v, failed %v", d, gone, failed)
		}
		return
	}
	if len(failed) != 0 {
		h.t.Errorf("deleting failed: %v", failed)
	}
	delete(r.tags, name.Tag(asked.Tag))
	if whole {
		for _, l := range r.images[d].layers { // their grace begins anew
			r.layers[l] = h.until()
		}
		delete(r.images, d)
		maps.DeleteFunc(r.tags, func(_ name.Tag, of digest.Digest) bool { return of == d })
	}
}

func (h *history) deleteLayer() {
	k, r := h.repository()
	d, ok := one(h.rand, r.layers)
	if !ok {
		return
	}
	kept := false
	for _, i := range r.images {
		kept = kept || slices.Contains(i.layers, d)
	}
	sure := h.sure(r, d)
	err := h.DeleteLayer(h.ctx, k, d)
	h.note("delete layer %s %s: %v", k.Name, d[:14], err)
	switch {
	case kept:
		h.want(err, fault.LayerReferenced)
	case err == nil || !sure && fault.Is(err, fault.LayerNotFound):
		delete(r.layers, d)
	default:
		h.t.Errorf("delete layer: %v", err)
	}
}

func (h *history) mount() {
	from, source := h.repository()
	to, target := h.repository()
	d, ok := one(h.rand, source.layers)
	if !ok {
		return
	}
	sure := h.sure(source, d)
	mounted, err := h.MountLayer(h.ctx, to, from, d)
	h.must(err)
	h.note("mount %s from %s to %s: %v", d[:14], from.Name, to.Name, mounted)
	if sure && !mounted {
		h.t.Errorf("%s was there and was not mounted", d)
	}
	if mounted {
		target.layers[d] = h.until()
	}
}

func (h *history) deleteRepository() {
	k, r := h.repository()
	if h.rand.IntN(2) == 0 && len(r.images) > 0 {
		_, err := h.DeleteRepository(h.ctx, k, false)
		h.want(err, fault.RepositoryNotEmpty)
		return
	}
	h.note("delete %s", k.Name)
	_, err := h.DeleteRepository(h.ctx, k, true)
	h.must(err)
	delete(h.repos, k)
	for _, u := range h.halfways {
		u.shaky = u.shaky || u.k == k
	}
}

func (h *history) park() {
	h.note("park")
	h.clock.Advance(time.Minute)
	h.must(h.ParkUploads(h.ctx))
	if n := h.Sessions(); n != 0 {
		h.t.Errorf("%d uploads are in memory after parking", n)
	}
}

func (h *history) pass() {
	d := []time.Duration{time.Second, 20 * time.Minute, 40 * time.Minute, time.Hour, 13 * time.Hour}[h.rand.IntN(5)]
	if !h.movable {
		return
	}
	h.note("%v pass", d)
	h.clock.Advance(d)
}

func (h *history) collectNow() {
	tally, err := h.collector().Run(h.ctx)
	h.must(err)
	h.note("collect: %+v", tally)
}

// restart ends the process, gracefully or not. Uploads that never had a row
// do not live through a crash; those parked or spilled do.
func (h *history) restart() {
	graceful := h.rand.IntN(2) == 0
	h.note("restart, gracefully: %v", graceful)
	if !graceful {
		for _, u := range h.halfways {
			if _, there := h.row(u.id); !there {
				u.shaky = true
			}
		}
	}
	h.stop(graceful)
	if h.postgres != "" {
		h.start(hasty)
	} else {
		h.start()
	}
}
