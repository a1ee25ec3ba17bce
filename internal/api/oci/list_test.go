package oci_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/oci"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// page is what a list answers.
type page struct {
	Name         string   `json:"name"`
	Tags         []string `json:"tags"`
	Repositories []string `json:"repositories"`
}

// list reads one page and where the next one is.
func (w *world) list(target string, options ...option) (page, string) {
	w.t.Helper()
	a := w.do("GET", target, options...).is(200).has("Content-Type", "application/json; charset=utf-8")
	var p page
	if err := json.Unmarshal(a.body, &p); err != nil || p.Tags == nil && p.Repositories == nil {
		w.t.Fatalf("%s: %q, %v", a.what, a.body, err)
	}
	return p, a.next()
}

// next is where the Link header points, if there is one.
func (a reply) next() string {
	a.t.Helper()
	link := a.header.Get("Link")
	if link == "" {
		return ""
	}
	target, ok := strings.CutSuffix(link, `>; rel="next"`)
	if !ok || !strings.HasPrefix(target, "</v2/") {
		a.t.Fatalf("%s: Link %q", a.what, link)
	}
	return target[1:]
}

// walk follows the links from page to page, each of which must be full.
func (w *world) walk(target string, n int) []string {
	w.t.Helper()
	all := []string{}
	for target != "" {
		p, next := w.list(target)
		got := append(p.Tags, p.Repositories...)
		if len(got) > n || next != "" && len(got) < n {
			w.t.Fatalf("%s: %d entries of %d", target, len(got), n)
		}
		all, target = append(all, got...), next
	}
	return all
}

// tag points tags to an empty index.
func (w *world) tag(repository string, tags []string) {
	w.t.Helper()
	m := indexOf(nil)
	for some := range slices.Chunk(tags, 100) {
		w.do("PUT", "/v2/"+repository+"/manifests/"+string(sha(m))+"?"+url.Values{"tag": some}.Encode(), body(m)).is(201)
	}
}

func TestListingTags(t *testing.T) {
	w := open(t)
	tags := []string{"v1", "v", "v1.0", "v10", "V1", "_x", "0", "latest", "v1-a", "v1_a", strings.Repeat("z", 128), "a.b", "10", "9"}
	w.tag("team/app", tags)
	w.tag("team/app2", []string{"elsewhere"})
	slices.Sort(tags)
	for _, test := range []struct {
		name, query string
		want        []string
		more        bool
	}{
		{"all", "", tags, false},
		{"an empty n is none", "?n=", tags, false},
		{"as many as there are", "?n=14", tags, false},
		{"the first", "?n=3", tags[:3], true},
		{"after one", "?n=3&last=" + tags[2], tags[3:6], true},
		{"the last page", "?n=3&last=" + tags[10], tags[11:], false},
		{"after one, without n", "?last=" + tags[7], tags[8:], false},
		{"after one that is not there", "?last=v1.", tags[slices.Index(tags, "v1.0"):], false},
		{"after a prefix of others", "?n=1&last=v", tags[slices.Index(tags, "v1") : slices.Index(tags, "v1")+1], true},
		{"after the last one", "?last=" + tags[13], []string{}, false},
		{"far beyond the end", "?n=5&last=" + strings.Repeat("~", 1000), []string{}, false},
		{"after nothing", "?last=", tags, false},
		{"none", "?n=0", []string{}, false},
		{"none after one", "?n=0&last=v1", []string{}, false},
		{"more than anybody has", "?n=2147483648", tags, false},
		{"more than a number can be", "?n=99999999999999999999999", tags, false},
		{"others are ignored", "?x=1&n=3&ns=docker.io", tags[:3], true},
		{"injection is a name like any other", "?last=" + url.QueryEscape("' OR 1=1 --"), tags, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := w.with(t)
			p, next := w.list("/v2/team/app/tags/list" + test.query)
			if diff := cmp.Diff(page{Name: "team/app", Tags: test.want}, p); diff != "" {
				t.Error(diff)
			}
			if (next != "") != test.more {
				t.Errorf("next page %q", next)
			}
		})
	}
	for _, n := range []string{"-1", "x", "1.5", "-99999999999999999999", "0x10", "%00", "1%201", "''"} {
		t.Run("n that is no number: "+n, func(t *testing.T) {
			w := w.with(t)
			w.do("GET", "/v2/team/app/tags/list?n="+n).refuses(400, "UNSUPPORTED", "maxResults")
			w.do("GET", "/v2/_catalog?n="+n).refuses(400, "UNSUPPORTED", "maxResults")
		})
	}
	w.create("empty")
	w.do("GET", "/v2/empty/tags/list").is(200).holds([]byte(`{"name":"empty","tags":[]}` + "\n"))
	w.do("GET", "/v2/no/such/tags/list").refuses(404, "NAME_UNKNOWN", "no/such")
}

// TestPagesMakeTheWhole: whatever the names and the size of the pages, the
// pages together are the sorted whole.
func TestPagesMakeTheWhole(t *testing.T) {
	w := open(t)
	r := rand.New(rand.NewPCG(1, 2))
	const letters = "aAbB01_.-"
	seen := map[string]bool{}
	for len(seen) < 120 {
		b := []byte{letters[r.IntN(7)]}
		for range r.IntN(4) {
			b = append(b, letters[r.IntN(len(letters))])
		}
		seen[string(b)] = true
	}
	var tags, names []string
	for s := range seen {
		tags = append(tags, s)
	}
	slices.Sort(tags)
	w.tag("team/app", tags)
	for i := range 40 {
		n := []string{"a", "a/b", "a-b", "a.b", "ab", "a0", "b/a/c", "a/b-c"}[i%8] + fmt.Sprint(i/8)
		names = append(names, n)
		w.create(name.RepositoryName(n))
	}
	names = append(names, "team/app")
	slices.Sort(names)
	for _, n := range []int{1, 2, 7, 40, 119, 120, 121, 10_000, 1_000_000} {
		if diff := cmp.Diff(tags, w.walk(fmt.Sprintf("/v2/team/app/tags/list?n=%d", n), n)); diff != "" {
			t.Errorf("tags by %d: %s", n, diff)
		}
		if diff := cmp.Diff(names, w.walk(fmt.Sprintf("/v2/_catalog?n=%d", n), n)); diff != "" {
			t.Errorf("repositories by %d: %s", n, diff)
		}
	}
}

func TestThePageHasAnEnd(t *testing.T) {
	w := open(t)
	var tags []string
	for i := range 10_050 {
		tags = append(tags, fmt.Sprintf("t%05d", i))
	}
	w.tag("team/app", tags)
	for _, query := range []string{"", "?n=10001", "?n=1000000000"} {
		p, next := w.list("/v2/team/app/tags/list" + query)
		if len(p.Tags) != 10_000 || next == "" {
			t.Fatalf("%q: %d tags, next page %q", query, len(p.Tags), next)
		}
		rest, next := w.list(next)
		if diff := cmp.Diff(tags, append(p.Tags, rest.Tags...)); diff != "" || next != "" {
			t.Errorf("%q: next page %q, %s", query, next, diff)
		}
	}
}

func TestTheCatalogue(t *testing.T) {
	w := open(t)
	w.do("GET", "/v2/_catalog").is(200).holds([]byte(`{"repositories":[]}` + "\n"))
	w.do("GET", "/v2/_catalog?n=0").is(200).holds([]byte(`{"repositories":[]}`+"\n")).has("Link", "")
	w.create("a", "a/b", "ab", "b")
	w.do("GET", "/v2/_catalog?n=0").is(200).holds([]byte(`{"repositories":[]}`+"\n")).has("Link", "")
	w.do("GET", "/v2/_catalog?n=2").is(200).holds([]byte(`{"repositories":["a","a/b"]}`+"\n")).has("Link", `</v2/_catalog?last=a%2Fb&n=2>; rel="next"`)
	w.do("GET", "/v2/_catalog?n=2&last=a%2Fb").is(200).holds([]byte(`{"repositories":["ab","b"]}`+"\n")).has("Link", "")
	w.do("GET", "/v2/_catalog?last=zz").is(200).holds([]byte(`{"repositories":[]}` + "\n"))
	t.Run("shows a repository to those who may see it", func(t *testing.T) {
		w := w.with(t)
		w.decider.forbid("ecr:DescribeRepositories a/b", "ecr:DescribeRepositories b")
		defer w.decider.forbid()
		w.do("GET", "/v2/_catalog").is(200).holds([]byte(`{"repositories":["a","ab"]}` + "\n"))
		w.do("GET", "/v2/_catalog?n=2").is(200).holds([]byte(`{"repositories":["a","ab"]}`+"\n")).has("Link", "")
		w.do("GET", "/v2/_catalog?n=1").is(200).holds([]byte(`{"repositories":["a"]}`+"\n")).has("Link", `</v2/_catalog?last=a&n=1>; rel="next"`)
		w.do("GET", "/v2/_catalog?n=1&last=a").is(200).holds([]byte(`{"repositories":["ab"]}`+"\n")).has("Link", "")
		w.decider.forbid("ecr:DescribeRepositories *")
		w.do("GET", "/v2/_catalog?n=1").refuses(403, "DENIED", "ecr:DescribeRepositories", "repository/* because").has("Link", "")
	})
	t.Run("reads on until a page is full", func(t *testing.T) {
		w := w.with(t)
		var rules []string
		for i := range 250 {
			n := name.RepositoryName(fmt.Sprintf("hidden/%03d", i))
			w.create(n)
			rules = append(rules, "ecr:DescribeRepositories "+string(n))
		}
		w.create("seen")
		w.decider.forbid(rules...)
		defer w.decider.forbid()
		w.do("GET", "/v2/_catalog?n=5").is(200).holds([]byte(`{"repositories":["a","a/b","ab","b","seen"]}`+"\n")).has("Link", "")
		w.do("GET", "/v2/_catalog?n=4").is(200).holds([]byte(`{"repositories":["a","a/b","ab","b"]}`+"\n")).has("Link", `</v2/_catalog?last=b&n=4>; rel="next"`)
		w.drop("seen")
		for i := range 250 {
			w.drop(name.RepositoryName(fmt.Sprintf("hidden/%03d", i)))
		}
	})
	t.Run("is the caller's own", func(t *testing.T) {
		w := w.with(t)
		w.do("GET", "/v2/_catalog", as(w.foreign)).is(200).holds([]byte(`{"repositories":[]}` + "\n"))
	})
	t.Run("has no deleted ones", func(t *testing.T) {
		w := w.with(t)
		_, err := w.catalogue.DeleteRepository(t.Context(), key("ab"), true)
		w.must(err)
		w.do("GET", "/v2/_catalog").is(200).holds([]byte(`{"repositories":["a","a/b","b"]}` + "\n"))
	})
}

// spent cannot tell about some repositories: what is given to a request is spent.
type spent struct {
	oci.Authorizer
	from name.RepositoryName // the first of them
	at   *[]context.Context  // of the decisions
}

func (s spent) Authorize(ctx context.Context, c identity.Caller, action string, r access.Resource) error {
	*s.at = append(*s.at, ctx)
	if _, repository, _ := strings.Cut(r.ARN, ":repository/"); repository >= string(s.from) && repository != "*" {
		return &fault.Error{Reason: fault.AccessDenied, Principal: c.ARN, Action: action, Resource: r.ARN, Detail: "because it takes too long", Err: access.ErrTooCostly}
	}
	return s.Authorizer.Authorize(ctx, c, action, r)
}

// TestACatalogueThatTakesTooMuchIsAnError: a shorter list would be a wrong one,
// and so would one that says nothing of what it could not decide.
func TestACatalogueThatTakesTooMuchIsAnError(t *testing.T) {
	var at []context.Context
	w := open(t, func(_ *registry.Config, c *oci.Config) { c.Access = spent{c.Access, "c", &at} })
	w.create("a", "b", "c", "d")
	w.do("GET", "/v2/_catalog?n=1").is(200).holds([]byte(`{"repositories":["a"]}` + "\n"))
	at = nil
	w.do("GET", "/v2/_catalog").refuses(403, "DENIED", "takes too long").has("Link", "")
	if len(at) != 3 { // it ends at the first
		t.Errorf("%d decisions", len(at))
	}
	for _, ctx := range at {
		if ctx != at[0] {
			t.Error("the decisions do not share their bound")
		}
	}
	w.do("GET", "/v2/_catalog?last=c").refuses(403, "DENIED", "takes too long")
	w.do("GET", "/v2/_catalog?last=d").is(200).holds([]byte(`{"repositories":[]}` + "\n"))
}

// TestAMountThatTakesTooMuchIsAnUpload: nothing is in the way of sending the
// layer.
func TestAMountThatTakesTooMuchIsAnUpload(t *testing.T) {
	var at []context.Context
	w := open(t, func(_ *registry.Config, c *oci.Config) { c.Access = spent{c.Access, "c", &at} })
	w.create("app", "charts", "docs")
	layer := layerOf("x")
	for _, n := range []name.RepositoryName{"charts", "docs"} {
		id, err := w.catalogue.StartUpload(t.Context(), key(n), digest.SHA256)
		w.must(err)
		w.must(w.catalogue.FinishUpload(t.Context(), key(n), id, sha(layer), registry.Anywhere, bytes.NewReader(layer)))
	}
	at = nil
	w.do("POST", "/v2/app/blobs/uploads/?mount="+string(sha(layer))).is(202)
	if len(at) != 4 { // one about beginning, two about completing, one about a source
		t.Errorf("%d decisions", len(at))
	}
}

// entry is a descriptor in a list of referrers.
type entry struct {
	MediaType    string            `json:"mediaType"`
	Digest       digest.Digest     `json:"digest"`
	Size         int               `json:"size"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// referrers reads one page of them and where the next one is.
func (w *world) referrers(target string) ([]entry, string) {
	w.t.Helper()
	a := w.do("GET", target).is(200).has("Content-Type", ociIndex)
	var index struct {
		SchemaVersion int     `json:"schemaVersion"`
		MediaType     string  `json:"mediaType"`
		Manifests     []entry `json:"manifests"`
	}
	if err := json.Unmarshal(a.body, &index); err != nil || index.SchemaVersion != 2 || index.MediaType != ociIndex || index.Manifests == nil {
		w.t.Fatalf("%s: %q, %v", a.what, a.body, err)
	}
	return index.Manifests, a.next()
}

func TestReferrers(t *testing.T) {
	const sbom, signature = "application/vnd.example.sbom.v1", "application/vnd.example.signature+json; version=1"
	w := open(t)
	w.parts("team/app", "one")
	w.blob("team/app", []byte("{}"))
	image := manifestOf("one", nil)
	subject := descriptor(ociManifest, image)
	empty := descriptor("application/vnd.oci.empty.v1+json", []byte("{}"))
	notes := object{"org.example.note": "é <&> \u2028 \"quoted\"", "b": ""}
	var want []entry
	push := func(manifest []byte, mediaType, artifactType string, annotations map[string]string, tag string) {
		t.Helper()
		ref := string(sha(manifest))
		if tag != "" {
			ref = tag
		}
		w.do("PUT", "/v2/team/app/manifests/"+ref, body(manifest)).is(201).has("Oci-Subject", string(sha(image)))
		want = append(want, entry{mediaType, sha(manifest), len(manifest), artifactType, annotations})
	}
	at := "/v2/team/app/referrers/" + string(sha(image))
	if got, _ := w.referrers(at); len(got) != 0 {
		t.Errorf("an empty repository has %v", got)
	}
	// They come before their subject.
	push(manifestOf("one", object{"subject": subject, "artifactType": sbom, "config": empty, "annotations": notes}), ociManifest, sbom, map[string]string{"org.example.note": "é <&> \u2028 \"quoted\"", "b": ""}, "")
	push(manifestOf("one", object{"subject": subject}), ociManifest, ociConfig, nil, "tagged")
	push(manifestOf("one", object{"subject": subject, "artifactType": signature}), ociManifest, signature, nil, "")
	push(indexOf(object{"subject": subject, "artifactType": sbom, "annotations": object{"k": "v"}}), ociIndex, sbom, map[string]string{"k": "v"}, "")
	push(indexOf(object{"subject": subject}), ociIndex, "", nil, "")
	check := func(t *testing.T, want []entry) {
		t.Helper()
		w := w.with(t)
		got, next := w.referrers(at)
		if diff := cmp.Diff(want, got); diff != "" || next != "" {
			t.Errorf("next page %q, %s", next, diff)
		}
	}
	check(t, want)
	w.put("team/app", "image", image)
	check(t, want)
	t.Run("again is once", func(t *testing.T) {
		w := w.with(t)
		w.do("PUT", "/v2/team/app/manifests/again", body(indexOf(object{"subject": subject}))).is(201).has("Oci-Subject", string(sha(image)))
		check(t, want)
	})
	t.Run("of another digest there are none", func(t *testing.T) {
		w := w.with(t)
		for _, d := range []digest.Digest{sha512(image), sha(configOf("one")), want[0].Digest, someDigest} {
			if got, _ := w.referrers("/v2/team/app/referrers/" + string(d)); len(got) != 0 {
				t.Errorf("%s has %v", d, got)
			}
		}
	})
	t.Run("of another repository, or of one that is not there, there are none", func(t *testing.T) {
		w := w.with(t)
		w.create("other")
		for _, repository := range []string{"other", "no/such"} {
			if got, _ := w.referrers("/v2/" + repository + "/referrers/" + string(sha(image))); len(got) != 0 {
				t.Errorf("%s has %v", repository, got)
			}
		}
	})
	for name, test := range map[string]struct {
		types   []string
		want    []entry
		applied string
	}{
		"one type":              {[]string{sbom}, []entry{want[0], want[3]}, "artifactType"},
		"a type of parameters":  {[]string{signature}, []entry{want[2]}, "artifactType"},
		"the config's type":     {[]string{ociConfig}, []entry{want[1]}, "artifactType"},
		"a type nobody has":     {[]string{"application/x"}, []entry{}, "artifactType"},
		"two types":             {[]string{signature, ociConfig}, []entry{want[1], want[2]}, "artifactType"},
		"an empty type is none": {[]string{""}, want, ""},
		"injection":             {[]string{"' OR '1'='1"}, []entry{}, "artifactType"},
		"a wildcard":            {[]string{"%"}, []entry{}, "artifactType"},
	} {
		t.Run("filtered by "+name, func(t *testing.T) {
			w := w.with(t)
			target := at + "?" + url.Values{"artifactType": test.types}.Encode()
			w.do("GET", target).is(200).has("Oci-Filters-Applied", test.applied)
			got, _ := w.referrers(target)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("by too many types", func(t *testing.T) {
		w := w.with(t)
		w.do("GET", at+"?"+strings.Repeat("&artifactType=x", 21)).refuses(400, "UNSUPPORTED", "artifactType")
		w.do("GET", at+"?"+strings.Repeat("&artifactType=x", 20)).is(200)
	})
	t.Run("they outlive their subject", func(t *testing.T) {
		w := w.with(t)
		w.do("DELETE", "/v2/team/app/manifests/"+string(sha(image))).is(202)
		check(t, want)
	})
	t.Run("and go one by one", func(t *testing.T) {
		w := w.with(t)
		w.do("DELETE", "/v2/team/app/manifests/"+string(want[1].Digest)).is(202)
		check(t, slices.Delete(slices.Clone(want), 1, 2))
		w.do("DELETE", "/v2/team/app/manifests/tagged").is(404)
	})
}

// TestManyReferrersComeInPages: by number, and by size.
func TestManyReferrersComeInPages(t *testing.T) {
	w := open(t)
	w.create("team/app")
	pages := func(t *testing.T, target string) (sizes []int) {
		t.Helper()
		w := w.with(t)
		seen := map[digest.Digest]bool{}
		for target != "" {
			a := w.do("GET", target).is(200)
			if strings.Contains(target, "artifactType") {
				a.has("Oci-Filters-Applied", "artifactType")
			}
			if len(a.body) > 5<<20 {
				t.Errorf("a page of %d bytes", len(a.body))
			}
			got, next := w.referrers(target)
			for _, e := range got {
				if seen[e.Digest] {
					t.Errorf("%s comes twice", e.Digest)
				}
				seen[e.Digest] = true
			}
			sizes, target = append(sizes, len(got)), next
		}
		return sizes
	}
	put := func(subject string, annotations object) {
		t.Helper()
		m := indexOf(object{"artifactType": "application/x", "annotations": annotations, "subject": object{"mediaType": ociManifest, "digest": subject, "size": 1}})
		if _, err := w.catalogue.PutImage(t.Context(), registry.Put{By: "arn:me", Key: key("team/app"), Body: m}); err != nil {
			t.Error(err)
		}
	}
	many, large := string(sha([]byte("many"))), string(sha([]byte("large")))
	var all sync.WaitGroup
	for first := range 59 { // together: one sync is for all that wait
		all.Go(func() {
			for i := range 17 {
				put(many, object{"n": fmt.Sprint(first*17 + i)})
			}
		})
	}
	all.Wait()
	for i := range 4 {
		put(large, object{"n": fmt.Sprint(i), "padding": strings.Repeat("x", 4<<20-1000)})
	}
	for _, query := range []string{"", "?artifactType=application/x", "?artifactType=application/x&artifactType=application/y"} {
		if diff := cmp.Diff([]int{1000, 3}, pages(t, "/v2/team/app/referrers/"+many+query)); diff != "" {
			t.Errorf("many%s: %s", query, diff)
		}
		if diff := cmp.Diff([]int{1, 1, 1, 1}, pages(t, "/v2/team/app/referrers/"+large+query)); diff != "" {
			t.Errorf("large%s: %s", query, diff)
		}
	}
	w.do("GET", "/v2/team/app/referrers/"+many+"?last=x").is(200)
	w.do("GET", "/v2/team/app/referrers/"+many+"?last=-5").is(200)
	if got, _ := w.referrers("/v2/team/app/referrers/" + many + "?last=9223372036854775807"); len(got) != 0 {
		t.Errorf("%d beyond the end", len(got))
	}
}
