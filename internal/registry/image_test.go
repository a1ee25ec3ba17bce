package registry_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

func TestAnImageIsServedByteForByte(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	body := append([]byte("  \n"), w.image(k, "a")...)
	i := w.put(k, body, "v1", "v2")
	if want := digest.Of(digest.SHA256, body); i.Digest != want {
		t.Fatalf("digest %s, want %s", i.Digest, want)
	}
	for _, ref := range []registry.Reference{{Tag: "v1"}, {Tag: "v2"}, {Digest: i.Digest}} {
		found, err := w.Image(w.ctx, k, ref)
		w.must(err)
		got, err := w.Manifest(w.ctx, k, found)
		w.must(err)
		if !bytes.Equal(got, body) {
			t.Errorf("%v: got %q", ref, got)
		}
	}
}

func TestPutImageRefusesWhatIsNotWhole(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	good := w.image(k, "a")
	absent := digest.Of(digest.SHA256, []byte("absent"))
	for _, c := range []struct {
		name string
		put  registry.Put
		want fault.Reason
	}{
		{"a layer is missing", registry.Put{Body: manifestOf(w.push(k, []byte("{}")), 2, absent, 6)}, fault.LayersNotFound},
		{"a child is missing", registry.Put{Body: index(absent)}, fault.ChildrenNotFound},
		{"the digest lies", registry.Put{Body: good, Digest: absent}, fault.DigestMismatch},
		{"no JSON", registry.Put{Body: []byte("{")}, fault.ManifestInvalid},
		{"another media type is said", registry.Put{Body: good, MediaType: ociIndex}, fault.ManifestInvalid},
		{"too large", registry.Put{Body: append(good, bytes.Repeat([]byte(" "), 4<<20)...)}, fault.ManifestTooLarge},
		{"no repository", registry.Put{Body: good, Key: key("other")}, fault.RepositoryNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.put.Key.Name == "" {
				c.put.Key = k
			}
			c.put.Tags = []name.Tag{"t"}
			_, err := w.PutImage(w.ctx, c.put)
			w.want(err, c.want)
			if got := w.tags(k); got != "" {
				t.Errorf("tags %q after a refused put", got)
			}
		})
	}
}

// letter makes a test's name a repository's.
func letter(r rune) rune {
	if r >= 'a' && r <= 'z' {
		return r
	}
	return -1
}

func TestPuttingAgain(t *testing.T) {
	t.Parallel()
	w := open(t)
	for _, c := range []struct {
		name       string
		mutability string
		repeatable bool
		same       bool // the same bytes, else others
		tag        name.Tag
		want       fault.Reason // Unexpected: success
	}{
		{"same image, same tag, AWS", registry.Mutable, false, true, "v1", fault.ImageExists},
		{"same image, same tag, OCI", registry.Mutable, true, true, "v1", fault.Unexpected},
		{"same image, new tag", registry.Mutable, false, true, "v2", fault.Unexpected},
		{"same image, no tag, AWS", registry.Mutable, false, true, "", fault.ImageExists},
		{"same image, no tag, OCI", registry.Mutable, true, true, "", fault.Unexpected},
		{"other image, same tag", registry.Mutable, false, false, "v1", fault.Unexpected},
		{"immutable: same image, same tag, AWS", registry.Immutable, false, true, "v1", fault.ImageExists},
		{"immutable: same image, same tag, OCI", registry.Immutable, true, true, "v1", fault.Unexpected},
		{"immutable: same image, new tag", registry.Immutable, false, true, "v2", fault.Unexpected},
		{"immutable: other image, same tag, AWS", registry.Immutable, false, false, "v1", fault.TagImmutable},
		{"immutable: other image, same tag, OCI", registry.Immutable, true, false, "v1", fault.TagImmutable},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := w.create(strings.Map(letter, strings.ToLower(c.name)))
			first := w.image(k, "a")
			w.put(k, first, "v1")
			_, err := w.SetMutability(w.ctx, k, c.mutability, nil)
			w.must(err)
			p := registry.Put{By: "arn:me", Key: k, Body: first, Repeatable: c.repeatable}
			if !c.same {
				p.Body = w.image(k, "b")
			}
			if c.tag != "" {
				p.Tags = []name.Tag{c.tag}
			}
			_, err = w.PutImage(w.ctx, p)
			if c.want != fault.Unexpected {
				w.want(err, c.want)
				return
			}
			w.must(err)
			if c.tag != "" {
				i, err := w.Image(w.ctx, k, registry.Reference{Tag: c.tag})
				w.must(err)
				if want := digest.Of(digest.SHA256, p.Body); i.Digest != want {
					t.Errorf("tag points to %s, want %s", i.Digest, want)
				}
			}
		})
	}
}

func TestExclusionFiltersTurnTheModeAround(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	a, b := w.image(k, "a"), w.image(k, "b")
	for _, c := range []struct {
		mode, filter, tag string
		moves             bool
	}{
		{registry.ImmutableWithExclusion, "latest", "latest", true},
		{registry.ImmutableWithExclusion, "dev-*", "dev-1", true},
		{registry.ImmutableWithExclusion, "dev-*", "1-dev-1", false},
		{registry.ImmutableWithExclusion, "*-rc*", "v1-rc2", true},
		{registry.ImmutableWithExclusion, "a*a", "a", false},
		{registry.MutableWithExclusion, "v*", "v2", false},
		{registry.MutableWithExclusion, "v*", "latest2", true},
	} {
		_, err := w.SetMutability(w.ctx, k, registry.Mutable, nil)
		w.must(err)
		w.PutImage(w.ctx, registry.Put{Key: k, Body: a, Tags: []name.Tag{name.Tag(c.tag)}})
		_, err = w.SetMutability(w.ctx, k, c.mode, []string{c.filter})
		w.must(err)
		_, err = w.PutImage(w.ctx, registry.Put{Key: k, Body: b, Tags: []name.Tag{name.Tag(c.tag)}, Repeatable: true})
		if c.moves {
			w.must(err)
		} else {
			w.want(err, fault.TagImmutable)
		}
	}
	_, err := w.SetMutability(w.ctx, k, registry.ImmutableWithExclusion, nil)
	w.want(err, fault.ParameterInvalid)
	_, err = w.SetMutability(w.ctx, k, registry.Mutable, []string{"x"})
	w.want(err, fault.ParameterInvalid)
	_, err = w.SetMutability(w.ctx, k, registry.MutableWithExclusion, []string{"*a*b*"})
	w.want(err, fault.ParameterInvalid)
}

func TestDeleting(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	child := w.put(k, w.image(k, "a"), "a1", "a2")
	top := w.put(k, index(child.Digest), "multi")
	del := func(ids ...registry.Asked) (string, []registry.Match) {
		t.Helper()
		gone, failed, err := w.DeleteImages(w.ctx, "arn:me", k, ids)
		w.must(err)
		var s []string
		for _, d := range gone {
			short := map[string]string{string(child.Digest): "child", string(top.Digest): "top"}[d.Digest]
			s = append(s, string(d.Tag)+"="+short)
		}
		return strings.Join(s, " "), failed
	}
	// A tag that is not the last goes alone.
	if gone, failed := del(registry.Asked{Tag: "a1"}); gone != "a1=child" || len(failed) != 0 {
		t.Fatalf("removed %q, failed %v", gone, failed)
	}
	// The last tag of a child, and the child itself, stay while the index does.
	for _, id := range []registry.Asked{{Tag: "a2"}, {Digest: string(child.Digest)}} {
		gone, failed := del(id)
		if gone != "" || len(failed) != 1 || failed[0].Err.Reason != fault.ImageReferenced || failed[0].Err.Digests[0] != string(top.Digest) {
			t.Fatalf("%v: removed %q, failed %v", id, gone, failed)
		}
	}
	w.want(w.DeleteImage(w.ctx, "arn:me", k, registry.Reference{Digest: child.Digest}), fault.ImageReferenced)
	for _, c := range []struct {
		id   registry.Asked
		want fault.Reason
	}{
		{registry.Asked{Tag: "nope"}, fault.ImageNotFound},
		{registry.Asked{Tag: "not a tag"}, fault.ImageNotFound},
		{registry.Asked{Digest: "sha256:zz"}, fault.DigestInvalid},
		{registry.Asked{Digest: "md5:00"}, fault.ImageNotFound},
		{registry.Asked{}, fault.ParameterInvalid},
		{registry.Asked{Tag: "a2", Digest: string(top.Digest)}, fault.TagMapsElsewhere},
	} {
		if _, failed := del(c.id); len(failed) != 1 || failed[0].Err.Reason != c.want {
			t.Errorf("%v: failed %v, want %v", c.id, failed, c.want)
		}
	}
	// Child and index in one call work in either order.
	if gone, failed := del(registry.Asked{Digest: string(child.Digest)}, registry.Asked{Digest: string(top.Digest)}); gone != "multi=top a2=child" || len(failed) != 0 {
		t.Fatalf("removed %q, failed %v", gone, failed)
	}
	if got := w.tags(k); got != "" {
		t.Errorf("tags left: %q", got)
	}
}

func TestTheOCIDoorDeletesATagAlone(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	i := w.put(k, w.image(k, "a"), "only")
	w.must(w.DeleteTag(w.ctx, "arn:me", k, "only"))
	_, err := w.Image(w.ctx, k, registry.Reference{Digest: i.Digest})
	w.must(err)
	w.want(w.DeleteTag(w.ctx, "arn:me", k, "only"), fault.ImageNotFound)
}

func TestListingPagesFromFirstToLast(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	w.put(k, w.image(k, "tagged"), "a", "a.b", "a-b", "b")
	for _, s := range []string{"u1", "u2", "u3"} {
		w.put(k, w.image(k, s))
	}
	for _, limit := range []int{1, 2, 3, 4, 5, 100} {
		var got []string
		at := registry.ListCursor{}
		for {
			page, next, err := w.ListImages(w.ctx, k, registry.ImageFilter{}, at, limit)
			w.must(err)
			if len(page) > limit || len(page) == 0 {
				t.Fatalf("limit %d: page of %d", limit, len(page))
			}
			for _, l := range page {
				got = append(got, string(l.Tag))
			}
			if next == nil {
				break
			}
			at = *next
		}
		if s := strings.Join(got, ","); s != "a,a-b,a.b,b,,," {
			t.Errorf("limit %d: %q", limit, s)
		}
	}
}

func TestQuotasOfImagesAndTags(t *testing.T) {
	t.Parallel()
	w := open(t, func(c *registry.Config) {
		c.Limits.ImagesPerRepo, c.Limits.TagsPerImage, c.Limits.Repositories = 2, 2, 1
	})
	k := w.create("app")
	_, err := w.CreateRepository(w.ctx, key("two"), registry.Defaults(), nil)
	w.want(err, fault.LimitExceeded)
	a := w.image(k, "a")
	w.put(k, a, "1", "2")
	_, err = w.PutImage(w.ctx, registry.Put{Key: k, Body: a, Tags: []name.Tag{"3"}})
	w.want(err, fault.LimitExceeded)
	w.put(k, w.image(k, "b"))
	_, err = w.PutImage(w.ctx, registry.Put{Key: k, Body: w.image(k, "c")})
	w.want(err, fault.LimitExceeded)
}

func TestAnUnusableKeyStopsWrites(t *testing.T) {
	t.Parallel()
	w := open(t)
	settings := registry.Defaults()
	settings.EncryptionType, settings.KMSKey = "KMS", "arn:aws:kms:us-east-1:000000000000:key/off"
	_, err := w.CreateRepository(w.ctx, key("off"), settings, nil)
	if f := w.want(err, fault.KeyUnusable); f.KMSError != "DisabledException" {
		t.Errorf("code %s", f.KMSError)
	}
	settings.KMSKey = "arn:aws:kms:us-east-1:000000000000:key/on"
	_, err = w.CreateRepository(w.ctx, key("on"), settings, nil)
	w.must(err)
	k := key("on")
	body := w.image(k, "a")
	id, err := w.StartUpload(w.ctx, k, digest.SHA256)
	w.must(err)
	w.config.Keys[settings.KMSKey] = registry.KeyPendingDeletion
	_, err = w.PutImage(w.ctx, registry.Put{Key: k, Body: body})
	w.want(err, fault.KeyUnusable)
	_, err = w.StartUpload(w.ctx, k, digest.SHA256)
	w.want(err, fault.KeyUnusable)
	_, err = w.AppendPart(w.ctx, k, id, registry.Part{Last: 0, Size: 1, Body: strings.NewReader("x")})
	w.want(err, fault.KeyUnusable)
	w.want(w.FinishUpload(w.ctx, k, id, digest.Of(digest.SHA256, []byte("x")), registry.Anywhere, strings.NewReader("x")), fault.KeyUnusable)
}
