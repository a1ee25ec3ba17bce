package ecr_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// failure is what becomes of one id.
func failure(id types.ImageIdentifier, code types.ImageFailureCode, reason string) types.ImageFailure {
	return types.ImageFailure{ImageId: &id, FailureCode: code, FailureReason: &reason}
}

func notFound(id types.ImageIdentifier) types.ImageFailure {
	return failure(id, types.ImageFailureCodeImageNotFound, "Requested image not found")
}

// misnamed are ids that name nothing, and the failures of both batch
// operations for them. The image under v1 is there, v2 is another's tag.
func misnamed(digest string) ([]types.ImageIdentifier, []types.ImageFailure) {
	none := types.ImageIdentifier{}
	other := sha("other")
	failures := []types.ImageFailure{
		notFound(byTag("absent")), notFound(byDigest(other)), notFound(byBoth("absent", digest)),
		notFound(byDigest("md5:0123")), notFound(byTag(".odd")),
		failure(byDigest("sha256"), types.ImageFailureCodeInvalidImageDigest, "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"),
		failure(none, types.ImageFailureCodeMissingDigestAndTag, "Invalid request parameters: both tag and digest cannot be null"),
		failure(byBoth("v1", other), types.ImageFailureCodeImageTagDoesNotMatchDigest, "Invalid request parameters: given tag does not map to the given digest"),
		failure(byBoth("v2", digest), types.ImageFailureCodeImageTagDoesNotMatchDigest, "Invalid request parameters: given tag does not map to the given digest"),
	}
	var ids []types.ImageIdentifier
	for _, f := range failures {
		ids = append(ids, *f.ImageId)
	}
	return ids, failures
}

func TestBatchGetImage(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	one, two, three := w.push(repository, "one", "v1", "latest"), w.push(repository, "two", "v2"), w.push(repository, "three")
	found := func(manifest string, id types.ImageIdentifier) types.Image {
		return types.Image{RegistryId: new(account), RepositoryName: &repository, ImageId: &id, ImageManifest: &manifest, ImageManifestMediaType: new(ociManifest)}
	}
	ids, failures := misnamed(sha(one))
	tests := []struct {
		name     string
		ids      []types.ImageIdentifier
		images   []types.Image
		failures []types.ImageFailure
	}{
		{"by tag", []types.ImageIdentifier{byTag("v1")}, []types.Image{found(one, byBoth("v1", sha(one)))}, nil},
		{"by digest: once for each tag", []types.ImageIdentifier{byDigest(sha(one))},
			[]types.Image{found(one, byBoth("latest", sha(one))), found(one, byBoth("v1", sha(one)))}, nil},
		{"by digest without a tag", []types.ImageIdentifier{byDigest(sha(three))}, []types.Image{found(three, byDigest(sha(three)))}, nil},
		{"by both", []types.ImageIdentifier{byBoth("v2", sha(two))}, []types.Image{found(two, byBoth("v2", sha(two)))}, nil},
		{"twice", []types.ImageIdentifier{byTag("v2"), byTag("v2")}, []types.Image{found(two, byBoth("v2", sha(two)))}, nil},
		{"by ids that name nothing", ids, nil, failures},
		{"by some that do and some that do not", []types.ImageIdentifier{byTag("absent"), byTag("v2")},
			[]types.Image{found(two, byBoth("v2", sha(two)))}, []types.ImageFailure{notFound(byTag("absent"))}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, accepted := range [][]string{nil, {dockerManifest}, {"application/vnd.docker.distribution.manifest.v1+json"}} {
				got := must2[*sdk.BatchGetImageOutput](t)(w.BatchGetImage(w.ctx, &sdk.BatchGetImageInput{
					RepositoryName: &repository, ImageIds: tt.ids, AcceptedMediaTypes: accepted,
				}))
				same(t, got, &sdk.BatchGetImageOutput{Images: append([]types.Image{}, tt.images...), Failures: append([]types.ImageFailure{}, tt.failures...)})
			}
		})
	}
}

func imageIDs(n int) []types.ImageIdentifier {
	var out []types.ImageIdentifier
	for i := range n {
		out = append(out, byTag(fmt.Sprintf("v%d", i)))
	}
	return out
}

func gettingImages(repository string, ids ...types.ImageIdentifier) func(*world) error {
	return func(w *world) error {
		_, err := w.BatchGetImage(w.ctx, &sdk.BatchGetImageInput{RepositoryName: &repository, ImageIds: ids})
		return err
	}
}

const (
	tooManyIDs = "Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length less than or equal to 100'"
	noID       = "Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length greater than or equal to 1'"
)

var batchGetImageRefusals = []refused{
	{name: "101 ids", code: "InvalidParameterException", text: tooManyIDs, act: gettingImages("team/app", imageIDs(101)...)},
	{name: "no id", code: "InvalidParameterException", text: noID, act: gettingImages("team/app", []types.ImageIdentifier{}...)},
	{name: "an empty tag", code: "InvalidParameterException",
		text: "Invalid parameter at 'imageIds.1.member.imageTag' failed to satisfy constraint: 'Member must have length greater than or equal to 1'",
		act:  gettingImages("team/app", byTag(""))},
	{name: "more manifests than one answer holds", code: "LimitExceededException", text: "The quota of 33554432 bytes in one answer has been reached",
		act: func(w *world) error {
			w.must(creating("large", func(*sdk.CreateRepositoryInput) {})(w))
			large := index()
			large.Annotations = map[string]string{"note": strings.Repeat("x", 4<<20-200)}
			_, err := w.catalogue.PutImage(w.ctx, registry.Put{
				By: "test", Key: keyOf("large"), Body: []byte(large.String()), Tags: []name.Tag{"1", "2", "3", "4", "5", "6", "7", "8", "9"},
			})
			w.must(err)
			return gettingImages("large", byDigest(sha(large.String())))(w)
		}},
}

// TestLongAnswersGiveTheirMemoryBack asks for more than there is of it, one
// after the other and together.
func TestLongAnswersGiveTheirMemoryBack(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	large := index()
	large.Annotations = map[string]string{"note": strings.Repeat("x", 4<<20-200)}
	w.put(repository, large.String(), "v1")
	get := func() {
		got, err := w.BatchGetImage(w.ctx, &sdk.BatchGetImageInput{RepositoryName: &repository, ImageIds: []types.ImageIdentifier{byDigest(sha(large.String()))}})
		if err != nil || len(got.Images) != 1 || *got.Images[0].ImageManifest != large.String() {
			t.Errorf("another answer, %v", err)
		}
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 5 {
				get()
			}
		})
	}
	all.Wait()
}

func TestAnImageOfManyTagsIsGotWithAllOfThem(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	manifest := w.push(repository, "one")
	put := registry.Put{By: "test", Key: keyOf(repository), Body: []byte(manifest), Repeatable: true}
	for i := range 300 {
		put.Tags = append(put.Tags, name.Tag(fmt.Sprintf("v%03d", i)))
	}
	_, err := w.catalogue.PutImage(w.ctx, put)
	w.must(err)
	for range 2 {
		got := must2[*sdk.BatchGetImageOutput](t)(w.BatchGetImage(w.ctx, &sdk.BatchGetImageInput{RepositoryName: &repository, ImageIds: []types.ImageIdentifier{byDigest(sha(manifest))}}))
		if len(got.Images) != len(put.Tags) {
			t.Fatalf("%d images, want %d", len(got.Images), len(put.Tags))
		}
		for i, image := range got.Images {
			if *image.ImageId.ImageTag != string(put.Tags[i]) {
				t.Errorf("image %d has the tag %s, want %s", i, *image.ImageId.ImageTag, put.Tags[i])
			}
		}
	}
}

func TestBatchDeleteImage(t *testing.T) {
	w := newWorld(t)
	none := []types.ImageIdentifier{}
	tests := []struct {
		name    string
		ids     func(one, two, three string) []types.ImageIdentifier
		deleted func(one, two, three string) []types.ImageIdentifier
		left    func(one, two, three string) []types.ImageIdentifier
	}{
		{"by tag: the tag",
			func(one, two, three string) []types.ImageIdentifier { return []types.ImageIdentifier{byTag("latest")} },
			func(one, two, three string) []types.ImageIdentifier {
				return []types.ImageIdentifier{byBoth("latest", one)}
			},
			func(one, two, three string) []types.ImageIdentifier {
				return []types.ImageIdentifier{byBoth("v1", one), byBoth("v2", two), byDigest(three)}
			}},
		{"by its last tag: the image",
			func(one, two, three string) []types.ImageIdentifier { return []types.ImageIdentifier{byTag("v2")} },
			func(one, two, three string) []types.ImageIdentifier {
				return []types.ImageIdentifier{byBoth("v2", two)}
			},
			func(one, two, three string) []types.ImageIdentifier {
				return []types.ImageIdentifier{byBoth("latest", one), byBoth("v1", one), byDigest(three)}
			}},
		{"by digest: the image with its tags",
			func(one, two, three string) []types.ImageIdentifier {
				return []types.ImageIdentifier{byDigest(one), byDigest(three)}
			},
			func(one, two, three string) []types.ImageIdentifier {
				return []types.ImageIdentifier{byBoth("latest", one), byBoth("v1", one), byDigest(three)}
			},
			func(one, two, three string) []types.ImageIdentifier {
				return []types.ImageIdentifier{byBoth("v2", two)}
			}},
		{"by both: the tag",
			func(one, two, three string) []types.ImageIdentifier {
				return []types.ImageIdentifier{byBoth("v1", one)}
			},
			func(one, two, three string) []types.ImageIdentifier {
				return []types.ImageIdentifier{byBoth("v1", one)}
			},
			func(one, two, three string) []types.ImageIdentifier {
				return []types.ImageIdentifier{byBoth("latest", one), byBoth("v2", two), byDigest(three)}
			}},
		{"twice: once",
			func(one, two, three string) []types.ImageIdentifier {
				return []types.ImageIdentifier{byTag("v2"), byTag("v2")}
			},
			func(one, two, three string) []types.ImageIdentifier {
				return []types.ImageIdentifier{byBoth("v2", two)}
			},
			func(one, two, three string) []types.ImageIdentifier {
				return []types.ImageIdentifier{byBoth("latest", one), byBoth("v1", one), byDigest(three)}
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			repository := w.repository(immutable) // which keeps tags from moving, not from going
			one, two, three := sha(w.push(repository, "one", "v1", "latest")), sha(w.push(repository, "two", "v2")), sha(w.push(repository, "three"))
			got := must2[*sdk.BatchDeleteImageOutput](t)(w.BatchDeleteImage(w.ctx, &sdk.BatchDeleteImageInput{RepositoryName: &repository, ImageIds: tt.ids(one, two, three)}))
			same(t, got, &sdk.BatchDeleteImageOutput{ImageIds: append(none, tt.deleted(one, two, three)...), Failures: []types.ImageFailure{}})
			left := must2[*sdk.ListImagesOutput](t)(w.ListImages(w.ctx, &sdk.ListImagesInput{RepositoryName: &repository}))
			same(t, left.ImageIds, tt.left(one, two, three))
		})
	}
}

func TestBatchDeleteImageFailsForEachIDOnItsOwn(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	one := w.push(repository, "one", "v1")
	w.push(repository, "two", "v2")
	ids, failures := misnamed(sha(one))
	got := must2[*sdk.BatchDeleteImageOutput](t)(w.BatchDeleteImage(w.ctx, &sdk.BatchDeleteImageInput{RepositoryName: &repository, ImageIds: append(ids, byTag("v2"))}))
	if len(got.ImageIds) != 1 || *got.ImageIds[0].ImageTag != "v2" {
		t.Errorf("deleted %v, want v2", got.ImageIds)
	}
	same(t, got.Failures, failures)
}

func TestAChildOfAnIndexStays(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	child := w.push(repository, "one", "v1", "latest")
	parent := index(child).String()
	w.put(repository, parent, "all")
	remove := func(ids ...types.ImageIdentifier) *sdk.BatchDeleteImageOutput {
		t.Helper()
		return must2[*sdk.BatchDeleteImageOutput](t)(w.BatchDeleteImage(w.ctx, &sdk.BatchDeleteImageInput{RepositoryName: &repository, ImageIds: ids}))
	}
	kept := func(id types.ImageIdentifier) *sdk.BatchDeleteImageOutput {
		return &sdk.BatchDeleteImageOutput{ImageIds: []types.ImageIdentifier{}, Failures: []types.ImageFailure{
			failure(id, types.ImageFailureCodeImageReferencedByManifestList, "Requested image referenced by manifest list: ["+sha(parent)+"]"),
		}}
	}
	same(t, remove(byDigest(sha(child))), kept(byDigest(sha(child))))
	same(t, remove(byTag("v1")).ImageIds, []types.ImageIdentifier{byBoth("v1", sha(child))})
	same(t, remove(byTag("latest")), kept(byTag("latest")))
	same(t, remove(byTag("latest"), byTag("all")), &sdk.BatchDeleteImageOutput{
		ImageIds: []types.ImageIdentifier{byBoth("all", sha(parent)), byBoth("latest", sha(child))}, Failures: []types.ImageFailure{},
	})
}

var batchDeleteImageRefusals = []refused{
	{name: "101 ids", code: "InvalidParameterException", text: tooManyIDs, act: func(w *world) error {
		_, err := w.BatchDeleteImage(w.ctx, &sdk.BatchDeleteImageInput{RepositoryName: new("team/app"), ImageIds: imageIDs(101)})
		return err
	}},
}
