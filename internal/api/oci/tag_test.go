package oci_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/registry"
)

func TestSeveralTagsInOnePush(t *testing.T) {
	w := open(t)
	w.parts("team/app", "one")
	m := manifestOf("one", nil)
	query := func(n int) string {
		q := ""
		for i := range n {
			q += fmt.Sprintf("&tag=t%02d", i)
		}
		return "?" + q[1:]
	}
	t.Run("by either digest, all or none", func(t *testing.T) {
		w := w.with(t)
		for _, d := range []digest.Digest{sha(m), sha512(m)} {
			a := w.do("PUT", "/v2/team/app/manifests/"+string(d)+"?tag=1.2.3&tag=1.2&tag=1&tag=latest", body(m)).is(201).has("Docker-Content-Digest", string(d))
			a.has("Oci-Tag", "1.2.3, 1.2, 1, latest")
			for _, tag := range []string{"1.2.3", "1.2", "1", "latest"} {
				w.do("GET", "/v2/team/app/manifests/"+tag).is(200).holds(m).has("Docker-Content-Digest", string(d))
			}
		}
		w.do("PUT", "/v2/team/app/manifests/"+string(sha(m))+"?tag=good&tag=not%20good", body(m)).refuses(400, "TAG_INVALID")
		w.do("HEAD", "/v2/team/app/manifests/good").is(404)
	})
	t.Run("a hundred, and not more", func(t *testing.T) {
		w := w.with(t)
		w.do("PUT", "/v2/team/app/manifests/"+string(sha(m))+query(100), body(m)).is(201)
		w.do("HEAD", "/v2/team/app/manifests/t99").is(200)
		w.do("PUT", "/v2/team/app/manifests/"+string(sha(m))+query(101), body(m)).refuses(400, "TAG_INVALID", "100")
		w.do("HEAD", "/v2/team/app/manifests/t100").is(404)
	})
	t.Run("a push by tag knows no others", func(t *testing.T) {
		w := w.with(t)
		w.do("PUT", "/v2/team/app/manifests/mine?tag=other", body(m)).is(201).has("Oci-Tag", "mine")
		w.do("HEAD", "/v2/team/app/manifests/other").is(404)
	})
	t.Run("none of them is set when one may not move", func(t *testing.T) {
		w := w.with(t)
		_, err := w.catalogue.SetMutability(t.Context(), key("team/app"), registry.ImmutableWithExclusion, []string{"free*"})
		w.must(err)
		other := manifestOf("one", object{"annotations": object{"a": "b"}})
		w.do("PUT", "/v2/team/app/manifests/"+string(sha(other))+"?tag=free1&tag=latest", body(other)).refuses(400, "TAG_INVALID", "latest")
		w.do("HEAD", "/v2/team/app/manifests/free1").is(404)
		w.do("HEAD", "/v2/team/app/manifests/"+string(sha(other))).is(404)
	})
}

func TestTagsMove(t *testing.T) {
	w := open(t)
	_, d := w.image("team/app", "v1", "one")
	second, _ := w.image("team/app", "v1", "two")
	w.do("GET", "/v2/team/app/manifests/v1").is(200).holds(second)
	w.do("HEAD", "/v2/team/app/manifests/"+string(d)).is(200) // untagged, and still there
	w.put("team/app", "v2", second)
	w.do("GET", "/v2/team/app/manifests/v2").is(200).holds(second)
}

func TestImmutableTags(t *testing.T) {
	usual, asECR := open(t), open(t, strict)
	for _, test := range []struct {
		name   string
		strict bool
		mode   string
		filter []string
		again  int // the identical manifest
		other  int // another one
	}{
		{"mutable", false, registry.Mutable, nil, 201, 201},
		{"immutable: the identical manifest again is a success", false, registry.Immutable, nil, 201, 400},
		{"immutable but for this tag", false, registry.ImmutableWithExclusion, []string{"v*"}, 201, 201},
		{"immutable but for others", false, registry.ImmutableWithExclusion, []string{"dev*"}, 201, 400},
		{"mutable but for this tag", false, registry.MutableWithExclusion, []string{"v*"}, 201, 400},
		{"strict and mutable: a push is repeatable, as on ECR", true, registry.Mutable, nil, 201, 201},
		{"strict and immutable: not even the identical manifest", true, registry.Immutable, nil, 400, 400},
		{"strict and immutable but for this tag", true, registry.ImmutableWithExclusion, []string{"v*"}, 201, 201},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := usual.with(t)
			if test.strict {
				w = asECR.with(t)
			}
			w.drop("team/app")
			w.create("team/app")
			_, err := w.catalogue.SetMutability(t.Context(), key("team/app"), test.mode, test.filter)
			w.must(err)
			m, d := w.image("team/app", "v1", "one")
			w.parts("team/app", "two")
			other := manifestOf("two", nil)
			want := func(a reply, status int) {
				t.Helper()
				if status == 400 {
					a.refuses(400, "TAG_INVALID", "The image tag 'v1' already exists in the 'team/app' repository and cannot be overwritten because the tag is immutable.")
				}
				a.is(status)
			}
			want(w.do("PUT", "/v2/team/app/manifests/v1", body(m)), test.again)
			if !test.strict { // where the query counts for nothing
				want(w.do("PUT", "/v2/team/app/manifests/"+string(d)+"?tag=v1", body(m)), test.again)
			}
			w.do("PUT", "/v2/team/app/manifests/"+string(d), body(m)).is(201) // no tag is touched
			want(w.do("PUT", "/v2/team/app/manifests/v1", body(other)), test.other)
			if !test.strict {
				want(w.do("PUT", "/v2/team/app/manifests/"+string(sha(other))+"?tag=v1", body(other)), test.other)
			}
			if test.other == 400 {
				w.do("GET", "/v2/team/app/manifests/v1").is(200).holds(m)
				w.do("HEAD", "/v2/team/app/manifests/"+string(sha(other))).is(404)
			} else {
				w.do("GET", "/v2/team/app/manifests/v1").is(200).holds(other)
			}
			w.do("PUT", "/v2/team/app/manifests/w2", body(other)).is(201) // a new tag
			w.do("DELETE", "/v2/team/app/manifests/v1").is(202)           // may go
			w.do("PUT", "/v2/team/app/manifests/v1", body(other)).is(201) // and come
		})
	}
}

func TestOnlyOneOfManyPushesSetsAnImmutableTag(t *testing.T) {
	w := open(t)
	w.create("team/app")
	_, err := w.catalogue.SetMutability(t.Context(), key("team/app"), registry.Immutable, nil)
	w.must(err)
	w.parts("team/app", "one")
	statuses := make([]int, 8)
	var all sync.WaitGroup
	for i := range statuses {
		all.Go(func() {
			m := manifestOf("one", object{"annotations": object{"n": fmt.Sprint(i)}})
			statuses[i] = w.do("PUT", "/v2/team/app/manifests/v1", body(m)).status
		})
	}
	all.Wait()
	count := map[int]int{}
	for _, s := range statuses {
		count[s]++
	}
	if count[201] != 1 || count[400] != len(statuses)-1 {
		t.Errorf("statuses %v", statuses)
	}
}

func TestDeletingATagLeavesTheImage(t *testing.T) {
	w := open(t)
	m, d := w.image("team/app", "v1", "one")
	w.put("team/app", "v2", m)
	w.do("DELETE", "/v2/team/app/manifests/v1").is(202)
	w.do("GET", "/v2/team/app/manifests/v1").refuses(404, "MANIFEST_UNKNOWN")
	w.do("GET", "/v2/team/app/manifests/v2").is(200).holds(m)
	w.do("DELETE", "/v2/team/app/manifests/v2").is(202) // the last: the tag alone, unlike BatchDeleteImage
	w.do("GET", "/v2/team/app/manifests/"+string(d)).is(200).holds(m)
	w.do("DELETE", "/v2/team/app/manifests/v2").refuses(404, "MANIFEST_UNKNOWN")
	w.do("DELETE", "/v2/no/such/manifests/v1").refuses(404, "NAME_UNKNOWN")
	w.do("GET", "/v2/team/app/tags/list").is(200).holds([]byte(`{"name":"team/app","tags":[]}` + "\n"))
}

func TestDeletingAnImageDeletesItsTags(t *testing.T) {
	w := open(t)
	m, d := w.image("team/app", "v1", "one")
	w.put("team/app", "v2", m)
	w.image("other", "v1", "one")
	w.do("DELETE", "/v2/team/app/manifests/"+string(d)).is(202)
	for _, ref := range []string{"v1", "v2", string(d)} {
		w.do("GET", "/v2/team/app/manifests/"+ref).refuses(404, "MANIFEST_UNKNOWN")
		w.do("HEAD", "/v2/team/app/manifests/"+ref).is(404)
	}
	w.do("DELETE", "/v2/team/app/manifests/"+string(d)).refuses(404, "MANIFEST_UNKNOWN")
	w.do("DELETE", "/v2/no/such/manifests/"+string(d)).refuses(404, "NAME_UNKNOWN")
	w.do("GET", "/v2/other/manifests/"+string(d)).is(200).holds(m) // also after one repository's copy was cached
	w.do("GET", "/v2/team/app/manifests/"+string(d)).refuses(404, "MANIFEST_UNKNOWN")
}
