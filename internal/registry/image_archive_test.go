package registry_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// signature is an index without images that refers to an image.
func signature(of digest.Digest) []byte {
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"artifactType":"signature/x","manifests":[],"subject":{"mediaType":%q,"digest":%q,"size":1}}`,
		ociIndex, ociManifest, of)
}

func byDigest(d digest.Digest) registry.Asked { return registry.Asked{Digest: string(d)} }

// with lists the digests of the images of a status.
func (w *world) with(k registry.RepositoryKey, status registry.ImageStatus) []digest.Digest {
	w.t.Helper()
	page, _, err := w.DescribeImages(w.ctx, k, registry.ImageFilter{Status: status}, 0, 10_000)
	w.must(err)
	var all []digest.Digest
	for _, d := range page {
		all = append(all, d.Image.Digest)
	}
	slices.Sort(all)
	return all
}

func TestAnArchivedImageIsNotGivenOut(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	i := w.put(k, w.image(k, "a"), "v1", "v2")
	w.put(k, w.image(k, "b"), "v3")
	got, err := w.ArchiveImage(w.ctx, k, registry.Asked{Tag: "v1"})
	w.must(err)
	if !got.Archived || got.ArchivedAt.IsZero() || got.ID != i.ID {
		t.Errorf("archived: %+v", got)
	}
	for _, ref := range []registry.Reference{{Tag: "v1"}, {Tag: "v2"}, {Digest: i.Digest}} {
		_, err := w.Image(w.ctx, k, ref)
		w.want(err, fault.ImageNotFound)
	}
	if got := w.tags(k); got != "v3" {
		t.Errorf("tags %q", got)
	}
	matches, err := w.FindImages(w.ctx, k, []registry.Asked{{Tag: "v1"}, byDigest(i.Digest), {Tag: "v3"}}, 10)
	w.must(err)
	if len(matches) != 3 || matches[0].Err == nil || matches[0].Err.Reason != fault.ImageArchived || matches[1].Err == nil ||
		matches[1].Err.Reason != fault.ImageArchived || matches[2].Err != nil {
		t.Errorf("found %+v", matches)
	}
	_, err = w.PutImage(w.ctx, registry.Put{By: "arn:me", Key: k, Body: index(i.Digest)})
	if f := w.want(err, fault.ChildrenNotFound); !slices.Equal(f.Digests, []string{string(i.Digest)}) {
		t.Errorf("missing are %v", f.Digests)
	}
	if _, err := w.DeleteRepository(w.ctx, k, false); !fault.Is(err, fault.RepositoryNotEmpty) {
		t.Errorf("deleted: %v", err)
	}
	back, err := w.RestoreImage(w.ctx, k, byDigest(i.Digest))
	w.must(err)
	found, err := w.Image(w.ctx, k, registry.Reference{Tag: "v2"})
	w.must(err)
	if back.Archived || back.ActivatedAt.IsZero() || found.ID != i.ID {
		t.Errorf("brought back: %+v", back)
	}
	w.must(w.DeleteImage(w.ctx, "arn:me", k, registry.Reference{Digest: i.Digest}))
	w.check(k)
}

func TestAnArchivedImageIsDeletedAsOthers(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	i, j := w.put(k, w.image(k, "a"), "v1"), w.put(k, w.image(k, "b"), "v2")
	for _, tag := range []string{"v1", "v2"} {
		_, err := w.ArchiveImage(w.ctx, k, registry.Asked{Tag: tag})
		w.must(err)
	}
	w.must(w.DeleteImage(w.ctx, "arn:me", k, registry.Reference{Digest: i.Digest}))
	deleted, failed, err := w.DeleteImages(w.ctx, "arn:me", k, []registry.Asked{{Tag: "v2"}})
	w.must(err)
	if len(failed) > 0 || !slices.Equal(deleted, []registry.Deleted{{Tag: "v2", Digest: string(j.Digest)}}) {
		t.Errorf("deleted %v, failed %v", deleted, failed)
	}
	if left := w.with(k, registry.AnyImageStatus); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

// TestMoreReferrersThanOneTransactionMoves: they follow all the same.
func TestMoreReferrersThanOneTransactionMoves(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	i := w.put(k, w.image(k, "a"), "v1")
	for n := range 1100 {
		w.put(k, fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"artifactType":"n/%d","manifests":[],"subject":{"mediaType":%q,"digest":%q,"size":1}}`,
			ociIndex, n, ociManifest, i.Digest))
	}
	put := func() error {
		_, err := w.PutImage(w.ctx, registry.Put{By: "arn:me", Key: k, Body: w.image(k, "a")})
		return err
	}
	restore := func() error {
		_, err := w.RestoreImage(w.ctx, k, registry.Asked{Tag: "v1"})
		return err
	}
	for _, back := range []func() error{put, restore} {
		_, err := w.ArchiveImage(w.ctx, k, registry.Asked{Tag: "v1"})
		w.must(err)
		if n := len(w.with(k, registry.Active)); n != 0 {
			t.Errorf("%d are active", n)
		}
		w.must(back())
		if n := len(w.with(k, registry.Archived)); n != 0 {
			t.Errorf("%d are archived", n)
		}
	}
}

// TestIndexesThatShareAllAreBroughtBackInTime: there are 2^40 ways down.
func TestIndexesThatShareAllAreBroughtBackInTime(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	below := []digest.Digest{w.put(k, w.image(k, "a")).Digest, w.put(k, w.image(k, "b")).Digest}
	levels := [][]digest.Digest{below}
	for range 40 {
		below = []digest.Digest{w.put(k, index(below[0], below[1])).Digest, w.put(k, index(below[1], below[0])).Digest}
		levels = append(levels, below)
	}
	for _, level := range slices.Backward(levels) {
		for _, d := range level {
			_, err := w.ArchiveImage(w.ctx, k, byDigest(d))
			w.must(err)
		}
	}
	_, err := w.RestoreImage(w.ctx, k, byDigest(below[0]))
	w.must(err)
	if got := w.with(k, registry.Archived); !slices.Equal(got, below[1:]) {
		t.Errorf("%d are archived", len(got))
	}
	w.check(k)
}

// shelf is the rules of archiving over a plain model.
type shelf struct {
	children map[string][]string // of an index
	subject  map[string]string   // of a referrer
	names    []string            // in order of insertion
	archived map[string]bool
}

func (s *shelf) archive(n string) bool {
	if s.archived[n] {
		s.follow(n, true)
		return true
	}
	if of, ok := s.subject[n]; ok && !s.archived[of] || s.listed(n) {
		return false
	}
	s.archived[n] = true
	s.follow(n, true)
	return true
}

func (s *shelf) listed(n string) bool {
	return slices.ContainsFunc(s.names, func(i string) bool { return !s.archived[i] && slices.Contains(s.children[i], n) })
}

// follow moves what refers to an image, but what an index lists.
func (s *shelf) follow(n string, archived bool) {
	for _, r := range s.names {
		if s.subject[r] != n || archived && !s.archived[r] && s.listed(r) {
			continue
		}
		if archived {
			s.archived[r] = true
			s.follow(r, true)
		} else {
			s.restore(r)
		}
	}
}

func (s *shelf) restore(n string) {
	was := s.archived[n]
	s.archived[n] = false
	if was {
		for _, c := range s.children[n] {
			if s.archived[c] {
				s.restore(c)
			}
		}
	}
	s.follow(n, false)
}

func TestArchivingIsWhatTheModelSays(t *testing.T) {
	t.Parallel()
	w := open(t)
	refused, moved := 0, 0
	for seed := range uint64(15) {
		random := rand.New(rand.NewPCG(seed, 3))
		k := w.create(fmt.Sprint("seed-", seed))
		s := &shelf{children: map[string][]string{}, subject: map[string]string{}, archived: map[string]bool{}}
		at, bodies := map[string]digest.Digest{}, map[string][]byte{}
		some := func() string { return s.names[random.IntN(len(s.names))] }
		for i := range 12 {
			n := fmt.Sprint("i", i)
			body := w.image(k, n)
			switch kind := random.IntN(3); {
			case i > 1 && kind == 0:
				s.children[n] = []string{some()}
				if other := some(); other != s.children[n][0] {
					s.children[n] = append(s.children[n], other)
				}
				var ds []digest.Digest
				for _, c := range s.children[n] {
					ds = append(ds, at[c])
				}
				body = append(index(ds...), strings.Repeat(" ", i)...)
			case i > 1 && kind == 1:
				s.subject[n] = some()
				body = append(signature(at[s.subject[n]]), strings.Repeat(" ", i)...)
			}
			at[n], bodies[n] = w.put(k, body, name.Tag(n)).Digest, body
			s.names = append(s.names, n)
		}
		var done []string
		for range 40 {
			n := some()
			switch random.IntN(5) {
			case 0:
				done = append(done, "restore "+n)
				s.restore(n)
				_, err := w.RestoreImage(w.ctx, k, registry.Asked{Tag: n})
				w.must(err)
			case 1:
				done = append(done, "put "+n)
				if s.archived[n] {
					s.restore(n)
				}
				_, err := w.PutImage(w.ctx, registry.Put{By: "arn:me", Key: k, Body: bodies[n], Tags: []name.Tag{name.Tag(n)}, Repeatable: true})
				w.must(err)
			default:
				done = append(done, "archive "+n)
				_, err := w.ArchiveImage(w.ctx, k, byDigest(at[n]))
				if s.archive(n) {
					moved++
					w.must(err)
				} else {
					refused++
					w.want(err, fault.ImageBound)
				}
			}
			var want []digest.Digest
			for n, is := range s.archived {
				if is {
					want = append(want, at[n])
				}
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, w.with(k, registry.Archived)); diff != "" {
				t.Fatalf("seed %d, %s: %s\nchildren %v, subjects %v", seed, strings.Join(done, ", "), diff, s.children, s.subject)
			}
		}
		w.check(k)
	}
	if refused < 20 || moved < 20 {
		t.Errorf("%d refused and %d archived: the test says little", refused, moved)
	}
}
