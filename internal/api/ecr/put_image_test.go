package ecr_test

import (
	"crypto/sha512"
	"encoding/hex"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/registry"
)

func TestPutImage(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	w.layer(repository, "config")
	w.layer(repository, "layer")
	plain := image("config", "layer")
	untyped, docker, odd := plain, plain, plain
	untyped.MediaType = ""
	docker.MediaType, docker.Config = dockerManifest, &descriptor{dockerConfig, sha("config"), 6}
	odd.Annotations = map[string]string{"note": "<é😀 \u2028>\n\"\\"}
	sum := sha512.Sum512([]byte(odd.String()))
	oddDigest := "sha512:" + hex.EncodeToString(sum[:])
	tests := []struct {
		name     string
		manifest string
		set      func(*sdk.PutImageInput)
		digest   string
		typ      string
	}{
		{"untagged", plain.String(), func(*sdk.PutImageInput) {}, "", ociManifest},
		{"of a body without a type, the type beside it", untyped.String(), func(in *sdk.PutImageInput) { in.ImageManifestMediaType = new(dockerManifest) }, "", dockerManifest},
		{"with the type of its body beside it", docker.String() + "\n\n", func(in *sdk.PutImageInput) { in.ImageManifestMediaType = new(dockerManifest) }, "", dockerManifest},
		{"with a tag and its digest", docker.String(), func(in *sdk.PutImageInput) {
			in.ImageTag, in.ImageDigest = new("V_1.0-rc"), new(sha(docker.String()))
		}, "", dockerManifest},
		{"named by its sha512", odd.String(), func(in *sdk.PutImageInput) { in.ImageDigest = &oddDigest }, oddDigest, ociManifest},
		{"as an index of images", index(plain.String(), docker.String()).String(), func(in *sdk.PutImageInput) { in.ImageTag = new("all") }, "", ociIndex},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := &sdk.PutImageInput{RepositoryName: &repository, ImageManifest: &tt.manifest}
			tt.set(in)
			if tt.digest == "" {
				tt.digest = sha(tt.manifest)
			}
			put := must2[*sdk.PutImageOutput](t)(w.PutImage(w.ctx, in))
			want := types.Image{
				RegistryId: new(account), RepositoryName: &repository, ImageManifest: &tt.manifest, ImageManifestMediaType: &tt.typ,
				ImageId: &types.ImageIdentifier{ImageDigest: &tt.digest, ImageTag: in.ImageTag},
			}
			same(t, put.Image, &want)
			found := must2[*sdk.BatchGetImageOutput](t)(w.BatchGetImage(w.ctx, &sdk.BatchGetImageInput{
				RepositoryName: &repository, ImageIds: []types.ImageIdentifier{byDigest(tt.digest)},
			}))
			same(t, found.Images, []types.Image{want})
		})
	}
}

func TestPutImageAddsAndMovesTags(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	one, two := w.push(repository, "one", "v1", "latest"), w.push(repository, "two", "v2")
	w.put(repository, two, "latest")
	got := must2[*sdk.ListImagesOutput](t)(w.ListImages(w.ctx, &sdk.ListImagesInput{RepositoryName: &repository}))
	same(t, got.ImageIds, []types.ImageIdentifier{byBoth("latest", sha(two)), byBoth("v1", sha(one)), byBoth("v2", sha(two))})
}

func TestTagsMoveAsTheModeAllows(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		mode    types.ImageTagMutability
		filters []types.ImageTagMutabilityExclusionFilter
		moves   map[string]bool
	}{
		{types.ImageTagMutabilityMutable, nil, map[string]bool{"dev-1": true, "v1": true}},
		{types.ImageTagMutabilityImmutable, nil, map[string]bool{"dev-1": false, "v1": false}},
		{types.ImageTagMutabilityImmutableWithExclusion, filters("dev-*"), map[string]bool{"dev-1": true, "dev": false, "v1": false}},
		{types.ImageTagMutabilityMutableWithExclusion, filters("v*"), map[string]bool{"dev-1": true, "v1": false}},
	} {
		t.Run(string(tt.mode), func(t *testing.T) {
			repository := w.repository(func(in *sdk.CreateRepositoryInput) {
				in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters = tt.mode, tt.filters
			})
			w.push(repository, "one")
			two := w.push(repository, "two")
			for tag, moves := range tt.moves {
				w.put(repository, image("config of one", "layer of one").String(), tag)
				err := putting(func(in *sdk.PutImageInput) { in.ImageManifest, in.ImageTag = &two, &tag })(w, repository)
				if moves {
					w.must(err)
					continue
				}
				wantRefusal(t, err, refusal{"ImageTagAlreadyExistsException",
					"The image tag '" + tag + "' already exists in the '" + repository + "' repository and cannot be overwritten because the tag is immutable."})
			}
		})
	}
}

func TestAnImmutableRepositoryTakesNewTagsOfOldImages(t *testing.T) {
	w := newWorld(t)
	repository := w.repository(immutable)
	one := w.push(repository, "one", "v1", "v2")
	wantRefusal(t, putting(func(in *sdk.PutImageInput) { in.ImageManifest, in.ImageTag = &one, new("v1") })(w, repository), refusal{"ImageAlreadyExistsException",
		"Image with digest '" + sha(one) + "' and tag 'v1' already exists in the repository with name '" + repository + "' in registry with id '123456789012'"})
}

func putting(set func(*sdk.PutImageInput)) func(*world, string) error {
	return func(w *world, repository string) error {
		in := &sdk.PutImageInput{RepositoryName: &repository, ImageManifest: new(index().String())}
		set(in)
		_, err := w.PutImage(w.ctx, in)
		return err
	}
}

// images makes sure of a repository that is called so and has an image.
func (w *world) images() string {
	if _, err := w.CreateRepository(w.ctx, &sdk.CreateRepositoryInput{RepositoryName: new("images")}); err == nil {
		w.push("images", "one", "v1")
	}
	return "images"
}

// puttingManifest puts a manifest into the repository images.
func puttingManifest(manifest string, set func(*sdk.PutImageInput)) func(*world) error {
	return func(w *world) error {
		return putting(func(in *sdk.PutImageInput) {
			in.ImageManifest = &manifest
			set(in)
		})(w, w.images())
	}
}

func asItIs(*sdk.PutImageInput) {}

func tagged(tag string) func(*sdk.PutImageInput) {
	return func(in *sdk.PutImageInput) { in.ImageTag = &tag }
}

func digested(digest string) func(*sdk.PutImageInput) {
	return func(in *sdk.PutImageInput) { in.ImageDigest = &digest }
}

func typed(mediaType string) func(*sdk.PutImageInput) {
	return func(in *sdk.PutImageInput) { in.ImageManifestMediaType = &mediaType }
}

const (
	manifestAt = "Invalid parameter at 'ImageManifest' failed to satisfy constraint: "
	badSyntax  = manifestAt + "'Invalid JSON syntax'"
	badTag     = "Invalid parameter at 'imageTag' failed to satisfy constraint: 'must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}''"
	inImages   = " in the repository with name 'images' in registry with id '123456789012'"
	toImages   = "' required for pushing image into repository with name 'images' in the registry with id '123456789012' do not exist"
)

// strange is an image of content that is nowhere.
var strange = image("strange config", "strange layer")

var putImageRefusals = []refused{
	{name: "no JSON", code: "InvalidParameterException", text: badSyntax, act: puttingManifest("{", asItIs)},
	{name: "two documents", code: "InvalidParameterException", text: badSyntax, act: puttingManifest(strange.String()+"{}", asItIs)},
	{name: "no type in the body and none beside it", code: "InvalidParameterException", text: badSyntax, act: puttingManifest(`{"schemaVersion":2,"manifests":[]}`, asItIs)},
	{name: "an unknown type", code: "InvalidParameterException", text: badSyntax, act: puttingManifest(`{"schemaVersion":2,"mediaType":"text/plain"}`, asItIs)},
	{name: "an unknown type beside the body", code: "InvalidParameterException", text: badSyntax, act: puttingManifest(`{"schemaVersion":2}`, typed("text/plain"))},
	{name: "two types that differ", code: "InvalidParameterException", text: manifestAt + "'The given media type must be the mediaType of the manifest'",
		act: puttingManifest(strange.String(), typed(dockerManifest))},
	{name: "no config", code: "InvalidParameterException", text: manifestAt + "'An image manifest must have a config'",
		act: puttingManifest(`{"schemaVersion":2,"mediaType":"`+ociManifest+`"}`, asItIs)},
	{name: "schema 1", code: "InvalidParameterException",
		text: manifestAt + "'Docker image manifest version 2, schema 1 is not supported, push the image as schema 2 or OCI'",
		act:  puttingManifest(`{"schemaVersion":1,"fsLayers":[]}`, asItIs)},
	{name: "too many layers", code: "InvalidParameterException", text: manifestAt + "'Limit on number of layers per image exceeded'",
		act: puttingManifest(manyLayers(), asItIs)},
	{name: "more than 4 MiB of characters", code: "InvalidParameterException",
		text: "Invalid parameter at 'imageManifest' failed to satisfy constraint: 'Member must have length less than or equal to 4194304'",
		act:  puttingManifest(strings.Repeat(" ", 4<<20+1), asItIs)},
	{name: "more than 4 MiB in fewer characters", code: "InvalidParameterException", text: manifestAt + "'must have length less than or equal to 4194304'",
		act: puttingManifest(strings.Repeat("é", 3<<20), asItIs)},
	{name: "an empty body", code: "InvalidParameterException",
		text: "Invalid parameter at 'imageManifest' failed to satisfy constraint: 'Member must have length greater than or equal to 1'",
		act:  puttingManifest("", asItIs)},
	{name: "a tag that docker could not pull", code: "InvalidParameterException", text: badTag, act: puttingManifest(strange.String(), tagged(".v1"))},
	{name: "a tag of 129 characters", code: "InvalidParameterException", text: badTag, act: puttingManifest(strange.String(), tagged(strings.Repeat("v", 129)))},
	{name: "a tag of 301 characters", code: "InvalidParameterException",
		text: "Invalid parameter at 'imageTag' failed to satisfy constraint: 'must have length less than or equal to 300'",
		act:  puttingManifest(strange.String(), tagged(strings.Repeat("v", 301)))},
	{name: "a digest that is none", code: "InvalidParameterException",
		text: "Invalid parameter at 'imageDigest' failed to satisfy constraint: 'must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+''",
		act:  puttingManifest(strange.String(), digested("latest"))},
	{name: "a digest of an unknown algorithm", code: "InvalidParameterException",
		text: "Invalid parameter at 'imageDigest' failed to satisfy constraint: 'must be a sha256 or sha512 digest'",
		act:  puttingManifest(strange.String(), digested("md5:0123"))},
	{name: "a digest in capitals", code: "InvalidParameterException",
		text: "Invalid parameter at 'imageDigest' failed to satisfy constraint: 'must be a sha256 or sha512 digest'",
		act:  puttingManifest(strange.String(), digested("sha256:"+strings.ToUpper(sha("")[7:])))},
	{name: "the digest of something else", code: "ImageDigestDoesNotMatchException",
		text: "The image with digest '" + sha("else") + "' in repository 'images' and registry ID '123456789012' does not match the image digest that Amazon ECR has calculated.",
		act:  puttingManifest(strange.String(), digested(sha("else")))},
	{name: "the same image and tag again", code: "ImageAlreadyExistsException",
		text: "Image with digest '" + sha(one) + "' and tag 'v1' already exists" + inImages, act: puttingManifest(one, tagged("v1"))},
	{name: "the same image again without a tag", code: "ImageAlreadyExistsException",
		text: "Image with digest '" + sha(one) + "' and tag 'null' already exists" + inImages, act: puttingManifest(one, asItIs)},
	{name: "another image under an immutable tag", code: "ImageTagAlreadyExistsException",
		text: "The image tag 'v1' already exists in the 'frozen' repository and cannot be overwritten because the tag is immutable.",
		act: func(w *world) error {
			w.must(creating("frozen", immutable)(w))
			w.push("frozen", "one", "v1")
			w.push("frozen", "two")
			return putting(func(in *sdk.PutImageInput) {
				in.ImageManifest, in.ImageTag = new(image("config of two", "layer of one").String()), new("v1")
			})(w, "frozen")
		}},
	{name: "layers that are not there", code: "LayersNotFoundException",
		text: "Layers with digests '[" + sha("strange config") + ", " + sha("strange layer") + "]" + toImages, act: puttingManifest(strange.String(), asItIs)},
	{name: "one layer that is not there", code: "LayersNotFoundException",
		text: "Layers with digests '[" + sha("strange layer") + "]" + toImages, act: puttingManifest(image("config of one", "strange layer").String(), asItIs)},
	{name: "an index of images that are not there", code: "ReferencedImagesNotFoundException",
		text: "Images with digests '[" + sha("a") + ", " + sha("b") + "]" + toImages, act: puttingManifest(index("a", one, "b").String(), asItIs)},
	{name: "an image more than the quota", code: "LimitExceededException", text: "The quota of 1 images per repository has been reached",
		with: func(w *world) { w.config.Limits.ImagesPerRepo = 1 }, act: puttingManifest(index().String(), asItIs)},
	{name: "a tag more than the quota", code: "LimitExceededException", text: "The quota of 1 tags per image has been reached",
		with: func(w *world) { w.config.Limits.TagsPerImage = 1 }, act: puttingManifest(one, tagged("v2"))},
	{name: "a key that works no more", code: "KmsException", text: keyNowOff, with: func(*world) {}, act: func(w *world) error {
		return putting(asItIs)(w, w.spoilKey())
	}},
}

// one is the image of the repository images.
var one = image("config of one", "layer of one").String()

func manyLayers() string {
	d := image("config", "layer")
	for range 10_000 {
		d.Layers = append(d.Layers, d.Layers[0])
	}
	return d.String()
}

// The checks come in one order: of several faults, one is told.
func TestPutImageChecksInOrder(t *testing.T) {
	w := newWorld(t)
	put := func(repository string, manifest string, set ...func(*sdk.PutImageInput)) string {
		err := putting(func(in *sdk.PutImageInput) {
			in.ImageManifest = &manifest
			for _, s := range set {
				s(in)
			}
		})(w, repository)
		api := wantAs[interface {
			error
			ErrorCode() string
		}](t, err)
		return api.ErrorCode()
	}
	w.must(creating("frozen", immutable)(w))
	w.push("frozen", "one", "v1")
	for _, tt := range []struct{ got, want string }{
		{put("absent", "{", tagged(".bad")), "InvalidParameterException"},
		{put("absent", "{"), "RepositoryNotFoundException"},
		{put("frozen", "{", tagged("v1"), digested(sha("else"))), "InvalidParameterException"},
		{put("frozen", strange.String(), tagged("v1"), digested(sha("else"))), "ImageDigestDoesNotMatchException"},
		{put("frozen", strange.String(), tagged("v1")), "ImageTagAlreadyExistsException"},
		{put("frozen", strange.String(), tagged("v2")), "LayersNotFoundException"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
}

func TestAFailedPutImageLeavesNothing(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	w.push(repository, "one", "v1")
	before := must2[*sdk.ListImagesOutput](t)(w.ListImages(w.ctx, &sdk.ListImagesInput{RepositoryName: &repository}))
	w.layer(repository, "more")
	w.meta.FailUpdate(1, metatest.NotApplied)
	err := putting(func(in *sdk.PutImageInput) {
		in.ImageManifest, in.ImageTag = new(image("more", "more").String()), new("v1")
	})(w, repository)
	wantRefusal(t, err, serverFailed)
	after := must2[*sdk.ListImagesOutput](t)(w.ListImages(w.ctx, &sdk.ListImagesInput{RepositoryName: &repository}))
	same(t, after.ImageIds, before.ImageIds)
}

func TestTheKeyOfTheRepositoryTellsItsError(t *testing.T) {
	w := newWorld(t)
	repository := w.repository(withKey("alias/on"))
	id := w.upload(repository, "a layer")
	for state, want := range map[registry.KeyState]string{registry.KeyDisabled: "DisabledException", registry.KeyPendingDeletion: "KMSInvalidStateException"} {
		w.config.Keys["alias/on"] = state
		wantKMSError(t, putting(asItIs)(w, repository), want)
		wantKMSError(t, uploading(part(repository, id, 7, "more"))(w), want)
		wantKMSError(t, completingUpload(repository, id, sha("a layer"))(w), want)
	}
	w.config.Keys["alias/on"] = registry.KeyEnabled
	w.must(completingUpload(repository, id, sha("a layer"))(w))
}
