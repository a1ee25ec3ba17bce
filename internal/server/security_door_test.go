package server_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/lighterage/lighterage/internal/testkit"
)

// TestADeletedLayerIsNotReadAgain is deleted in one repository, and read in
// another before it is asked for again.
func TestADeletedLayerIsNotReadAgain(t *testing.T) {
	s := testkit.Start(t)
	layer := large("shared")
	p := root(s)
	_, a := push(t, p, "team/a", "1", layer)
	_, _ = push(t, p, "team/b", "1", layer)
	l, d := p.login(t), testkit.Digest(layer)
	read := func(repository string) testkit.Answer { return s.Do(l, "GET", "/v2/"+repository+"/blobs/"+d, nil) }
	checkStatus(t, "before", read("team/a"), 200)
	checkStatus(t, "the manifest goes", s.Do(l, "DELETE", "/v2/team/a/manifests/"+a, nil), 202)
	checkStatus(t, "the layer goes", s.Do(l, "DELETE", "/v2/team/a/blobs/"+d, nil), 202)
	for range 2 {
		checkStatus(t, "where it was deleted", read("team/a"), 404)
		if got := read("team/b"); got.Status != 200 || !bytes.Equal(got.Body, layer) {
			t.Errorf("where it was not deleted: %d, %d bytes", got.Status, len(got.Body))
		}
	}
	checkStatus(t, "the deleted manifest", s.Do(l, "GET", "/v2/team/a/manifests/"+a, nil), 404)
}

// TestNobodyReadsByKnowingADigest has a developer with all rights on one
// repository, who knows the digests of another.
func TestNobodyReadsByKnowingADigest(t *testing.T) {
	ctx := t.Context()
	s := testkit.Start(t)
	secret := large("secret")
	manifest, image := push(t, root(s), "vault/app", "1", secret)
	_, _ = push(t, root(s), "team/app", "1", []byte("other"))
	dev := root(s).hire(t, "dev", statements("Allow ecr:GetAuthorizationToken *", "Allow ecr:* "+on("team/*")))
	l, d := dev.login(t), testkit.Digest(secret)
	for _, c := range []struct {
		name, method, path string
		status             int
	}{
		{"the layer in the own repository", "GET", "/v2/team/app/blobs/" + d, 404},
		{"its presence in the own repository", "HEAD", "/v2/team/app/blobs/" + d, 404},
		{"the manifest in the own repository", "GET", "/v2/team/app/manifests/" + image, 404},
		{"the layer where it is", "GET", "/v2/vault/app/blobs/" + d, 403},
		{"its presence where it is", "HEAD", "/v2/vault/app/blobs/" + d, 403},
		{"the manifest where it is", "GET", "/v2/vault/app/manifests/" + image, 403},
		{"referrers where it is", "GET", "/v2/vault/app/referrers/" + image, 403},
		{"a mount from where it is", "POST", "/v2/team/app/blobs/uploads/?mount=" + d + "&from=vault/app", 202},
		{"a mount from anywhere", "POST", "/v2/team/app/blobs/uploads/?mount=" + d, 202},
		{"a whole layer without its bytes", "POST", "/v2/team/app/blobs/uploads/?digest=" + d, 202},
	} {
		checkStatus(t, c.name, s.Do(l, c.method, c.path, nil), c.status)
	}
	begun := s.Do(l, "POST", "/v2/team/app/blobs/uploads/", nil)
	checkStatus(t, "an upload that ends without bytes", s.Do(l, "PUT", begun.Header.Get("Location")+"?digest="+d, nil), 400)
	checkStatus(t, "a manifest of layers from elsewhere", s.Do(l, "PUT", "/v2/team/app/manifests/stolen", manifest, "Content-Type: "+testkit.ManifestType), 404)
	team := aws.String("team/app")
	available, err := dev.ecr().BatchCheckLayerAvailability(ctx, &ecr.BatchCheckLayerAvailabilityInput{RepositoryName: team, LayerDigests: []string{d}})
	must(t, err)
	if len(available.Layers) != 1 || available.Layers[0].LayerAvailability != ecrtypes.LayerAvailabilityUnavailable || aws.ToInt64(available.Layers[0].LayerSize) != 0 {
		t.Errorf("the layer of another repository is said to be %+v, %+v", available.Layers, available.Failures)
	}
	_, err = dev.ecr().GetDownloadUrlForLayer(ctx, &ecr.GetDownloadUrlForLayerInput{RepositoryName: team, LayerDigest: &d})
	checkCode(t, "a download URL", err, "LayersNotFoundException")
	_, err = dev.ecr().PutImage(ctx, &ecr.PutImageInput{RepositoryName: team, ImageManifest: aws.String(string(manifest)), ImageTag: aws.String("stolen")})
	checkCode(t, "PutImage", err, "LayersNotFoundException")
	got, err := dev.ecr().BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: team, ImageIds: []ecrtypes.ImageIdentifier{{ImageDigest: &image}}})
	must(t, err)
	if len(got.Images) != 0 || len(got.Failures) != 1 {
		t.Errorf("BatchGetImage gives %d images, %d failures", len(got.Images), len(got.Failures))
	}
	checkStatus(t, "the layer after all of this", s.Do(l, "HEAD", "/v2/team/app/blobs/"+d, nil), 404)

	_, err = root(s).iam().PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: aws.String("dev"), PolicyName: aws.String("more"),
		PolicyDocument: aws.String(statements("Allow ecr:BatchCheckLayerAvailability,ecr:GetDownloadUrlForLayer " + on("vault/app")))})
	must(t, err)
	checkStatus(t, "a mount with the right to pull there", s.Do(l, "POST", "/v2/team/app/blobs/uploads/?mount="+d+"&from=vault/app", nil), 201)
	checkStatus(t, "and the layer is here", s.Do(l, "GET", "/v2/team/app/blobs/"+d, nil), 200)
}

// TestEveryDoorThatDeletesAsksForTheSameRight denies it, and then allows it.
func TestEveryDoorThatDeletesAsksForTheSameRight(t *testing.T) {
	ctx := t.Context()
	s := testkit.Start(t)
	layer := large("kept")
	keeper := root(s).hire(t, "keeper", statements("Allow * *", "Deny ecr:BatchDeleteImage *"))
	deleter := root(s).hire(t, "deleter", statements("Allow ecr:GetAuthorizationToken,ecr:BatchDeleteImage *"))
	app := aws.String("team/app")
	_, image := push(t, root(s), "team/app", "1", layer)
	v2 := func(p person, path string) error {
		if a := s.Do(p.login(t), "DELETE", "/v2/team/app/"+path, nil); a.Status == 403 {
			return fmt.Errorf("%s", a.Body)
		} else if a.Status != 202 {
			t.Errorf("DELETE %s: %d %s", path, a.Status, a.Body)
		}
		return nil
	}
	batch := func(p person, id ecrtypes.ImageIdentifier) error {
		_, err := p.ecr().BatchDeleteImage(ctx, &ecr.BatchDeleteImageInput{RepositoryName: app, ImageIds: []ecrtypes.ImageIdentifier{id}})
		return err
	}
	doors := []struct {
		name string
		do   func(p person) error
	}{
		{"/v2/ by tag", func(p person) error { return v2(p, "manifests/1") }},
		{"BatchDeleteImage by tag", func(p person) error { return batch(p, ecrtypes.ImageIdentifier{ImageTag: aws.String("2")}) }},
		{"/v2/ by digest", func(p person) error { return v2(p, "manifests/"+image) }},
		{"BatchDeleteImage by digest", func(p person) error { return batch(p, ecrtypes.ImageIdentifier{ImageDigest: &image}) }},
		{"/v2/ a layer", func(p person) error { return v2(p, "blobs/"+testkit.Digest(layer)) }},
	}
	for _, d := range doors {
		if err := d.do(keeper); err == nil || !strings.Contains(err.Error(), "ecr:BatchDeleteImage") {
			t.Errorf("%s without the right: %v", d.name, err)
		}
	}
	_, err := deleter.ecr().DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: app, Force: true})
	checkCode(t, "the whole repository, with the right to delete images alone", err, "AccessDeniedException")
	s.Pass("collect garbage")
	l := s.Login()
	for _, path := range []string{"manifests/1", "manifests/" + image, "blobs/" + testkit.Digest(layer)} {
		checkStatus(t, path+" after all refusals", s.Do(l, "GET", "/v2/team/app/"+path, nil), 200)
	}
	for _, d := range doors {
		push(t, root(s), "team/app", "1", layer)
		push(t, root(s), "team/app", "2", layer)
		if strings.HasSuffix(d.name, "layer") {
			must(t, v2(deleter, "manifests/"+image))
		}
		if err := d.do(deleter); err != nil {
			t.Errorf("%s with the right: %v", d.name, err)
		}
	}
}

// TestEveryDoorThatTagsKeepsTheRules tries all ways of putting a tag on an
// image, whatever the tag is called and in every mode.
func TestEveryDoorThatTagsKeepsTheRules(t *testing.T) {
	ctx := t.Context()
	s := testkit.Start(t)
	pusher := root(s).hire(t, "pusher", statements("Allow * *", "Deny ecr:PutImage "+on("denied/*")))
	pl := pusher.login(t)
	putV2 := func(path string) func(repository, tag, digest string, m []byte) bool {
		return func(repository, tag, digest string, m []byte) bool {
			p := strings.NewReplacer("TAG", tag, "DIGEST", digest).Replace(path)
			a := s.Do(pl, "PUT", "/v2/"+repository+"/manifests/"+p, m, "Content-Type: "+testkit.ManifestType)
			if a.Status != 201 && a.Status != 400 && a.Status != 403 {
				t.Errorf("PUT %s: %d %s", p, a.Status, a.Body)
			}
			return a.Status == 201
		}
	}
	putImage := func(withDigest bool) func(repository, tag, digest string, m []byte) bool {
		return func(repository, tag, digest string, m []byte) bool {
			in := &ecr.PutImageInput{RepositoryName: &repository, ImageTag: &tag, ImageManifest: aws.String(string(m)), ImageManifestMediaType: aws.String(testkit.ManifestType)}
			if withDigest {
				in.ImageDigest = &digest
			}
			_, err := pusher.ecr().PutImage(ctx, in)
			if c := code(err); c != "" && c != "AccessDeniedException" && c != "ImageTagAlreadyExistsException" {
				t.Errorf("PutImage: %v", err)
			}
			return err == nil
		}
	}
	doors := []struct {
		name string
		put  func(repository, tag, digest string, m []byte) bool
	}{
		{"PUT by tag", putV2("TAG")},
		{"PUT by digest with a tag", putV2("DIGEST?tag=TAG")},
		{"PUT by digest with several tags", putV2("DIGEST?tag=fresh&tag=TAG")},
		{"PutImage", putImage(false)},
		{"PutImage with the digest", putImage(true)},
	}
	for _, mode := range []struct {
		name, repository string
		mutability       ecrtypes.ImageTagMutability
		exclude          string
		moves            bool
	}{
		{"immutable", "fixed/app", ecrtypes.ImageTagMutabilityImmutable, "", false},
		{"mutable but for these tags", "mostly/app", ecrtypes.ImageTagMutabilityMutableWithExclusion, "*", false},
		{"mutable without the right", "denied/app", ecrtypes.ImageTagMutabilityMutable, "", false},
		{"immutable but for these tags", "partly/app", ecrtypes.ImageTagMutabilityImmutableWithExclusion, "*", true},
		{"mutable", "free/app", ecrtypes.ImageTagMutabilityMutable, "", true},
	} {
		create := &ecr.CreateRepositoryInput{RepositoryName: &mode.repository, ImageTagMutability: mode.mutability}
		if mode.exclude != "" {
			create.ImageTagMutabilityExclusionFilters = []ecrtypes.ImageTagMutabilityExclusionFilter{{Filter: &mode.exclude, FilterType: ecrtypes.ImageTagMutabilityExclusionFilterTypeWildcard}}
		}
		_, err := s.ECR().CreateRepository(ctx, create)
		must(t, err)
		rl := s.Login()
		for n, door := range doors {
			for _, tag := range []string{"latest", "v1"} {
				if n > 0 && tag != "latest" || n > 0 && !mode.moves {
					tag += fmt.Sprint(n) // one that no other door has moved
				}
				before, _ := s.PushImage(rl, mode.repository, tag, []byte("{}"), []byte("before "+tag))
				s.PushLayer(rl, mode.repository, []byte("after "+tag))
				after := testkit.Manifest([]byte("{}"), []byte("after "+tag))
				moved := door.put(mode.repository, tag, testkit.Digest(after), after)
				if moved != mode.moves {
					t.Errorf("%s, %s, %s: accepted is %t", mode.name, door.name, tag, moved)
				}
				want := before
				if mode.moves {
					want = after
				}
				if a := s.Do(rl, "GET", "/v2/"+mode.repository+"/manifests/"+tag, nil); !bytes.Equal(a.Body, want) {
					t.Errorf("%s, %s: %s is %s", mode.name, door.name, tag, a.Body)
				}
				if !mode.moves {
					checkStatus(t, mode.name+", "+door.name+": the refused image", s.Do(rl, "HEAD", "/v2/"+mode.repository+"/manifests/"+testkit.Digest(after), nil), 404)
				}
			}
		}
	}
	checkStatus(t, "a tag beside one that was refused", s.Do(s.Login(), "HEAD", "/v2/fixed/app/manifests/fresh", nil), 404)
}
