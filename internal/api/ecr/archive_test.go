package ecr_test

import (
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// move archives an image or brings it back.
func (w *world) move(repository string, id types.ImageIdentifier, to types.TargetStorageClass) (*sdk.UpdateImageStorageClassOutput, error) {
	return w.UpdateImageStorageClass(w.ctx, &sdk.UpdateImageStorageClassInput{RepositoryName: &repository, ImageId: &id, TargetStorageClass: to})
}

func (w *world) archive(repository string, ids ...types.ImageIdentifier) {
	w.t.Helper()
	for _, id := range ids {
		_, err := w.move(repository, id, types.TargetStorageClassArchive)
		w.must(err)
	}
}

// signed puts a signature of an image, and returns it.
func (w *world) signed(repository, manifest string) string {
	w.t.Helper()
	m := image("config of one", "layer of one")
	m.ArtifactType, m.Subject = "application/vnd.example.signature", &descriptor{ociManifest, sha(manifest), len(manifest)}
	w.put(repository, m.String())
	return m.String()
}

func TestUpdateImageStorageClass(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	one := sha(w.push(repository, "one", "v1", "latest"))
	for _, step := range []struct {
		name string
		id   types.ImageIdentifier
		to   types.TargetStorageClass
		want types.ImageIdentifier
		is   types.ImageStatus
	}{
		{"to where it is", byTag("v1"), types.TargetStorageClassStandard, byBoth("v1", one), types.ImageStatusActive},
		{"to the archive by tag", byTag("v1"), types.TargetStorageClassArchive, byBoth("v1", one), types.ImageStatusArchived},
		{"to the archive again by digest", byDigest(one), types.TargetStorageClassArchive, byDigest(one), types.ImageStatusArchived},
		{"back by both", byBoth("latest", one), types.TargetStorageClassStandard, byBoth("latest", one), types.ImageStatusActive},
	} {
		t.Run(step.name, func(t *testing.T) {
			got := must2[*sdk.UpdateImageStorageClassOutput](t)(w.move(repository, step.id, step.to))
			same(t, got, &sdk.UpdateImageStorageClassOutput{RegistryId: new(account), RepositoryName: &repository, ImageId: &step.want, ImageStatus: step.is})
		})
	}
}

func TestAnArchivedImageIsListedAsOneAndNotGivenOut(t *testing.T) {
	w := newWorld(t)
	repository, tagged, untagged := w.gallery()
	active := []types.ImageIdentifier{tagged[2], untagged[0], untagged[2]}
	archived := []types.ImageIdentifier{tagged[0], tagged[1], untagged[1]}
	w.archive(repository, tagged[0], untagged[1])
	w.archive(repository, untagged[2])
	_, err := w.move(repository, untagged[2], types.TargetStorageClassStandard)
	w.must(err)
	for status, want := range map[types.ImageStatusFilter][]types.ImageIdentifier{
		"": active, types.ImageStatusFilterActive: active, types.ImageStatusFilterArchived: archived,
		types.ImageStatusFilterAny: append(tagged[:3:3], untagged...), types.ImageStatusFilterActivating: {},
	} {
		for _, size := range []int32{1, 2, 100} {
			got := []types.ImageIdentifier{}
			pages := sdk.NewListImagesPaginator(w, &sdk.ListImagesInput{RepositoryName: &repository, MaxResults: &size, Filter: &types.ListImagesFilter{ImageStatus: status}})
			for pages.HasMorePages() {
				got = append(got, must2[*sdk.ListImagesOutput](t)(pages.NextPage(w.ctx)).ImageIds...)
			}
			same(t, got, want)
		}
		digests := map[string]bool{}
		for _, id := range want {
			digests[*id.ImageDigest] = true
		}
		filter := &types.DescribeImagesFilter{ImageStatus: status}
		described := must2[*sdk.DescribeImagesOutput](t)(w.DescribeImages(w.ctx, &sdk.DescribeImagesInput{RepositoryName: &repository, Filter: filter}))
		named := must2[*sdk.DescribeImagesOutput](t)(w.DescribeImages(w.ctx, &sdk.DescribeImagesInput{
			RepositoryName: &repository, Filter: filter, ImageIds: append(tagged[:3:3], untagged...),
		}))
		if len(described.ImageDetails) != len(digests) || len(named.ImageDetails) != len(digests) {
			t.Errorf("%q describes %d images, and %d of those named, want %d", status, len(described.ImageDetails), len(named.ImageDetails), len(digests))
		}
		for _, d := range append(described.ImageDetails, named.ImageDetails...) {
			is, at, back := types.ImageStatusActive, (*time.Time)(nil), (*time.Time)(nil)
			switch *d.ImageDigest {
			case *tagged[0].ImageDigest, *untagged[1].ImageDigest:
				is, at = types.ImageStatusArchived, new(instant)
			case *untagged[2].ImageDigest:
				at, back = new(instant), new(instant)
			}
			if !digests[*d.ImageDigest] || d.ImageStatus != is {
				t.Errorf("%q describes %s as %s", status, *d.ImageDigest, d.ImageStatus)
			}
			same(t, []*time.Time{d.LastArchivedAt, d.LastActivatedAt}, []*time.Time{at, back})
		}
	}
	got := must2[*sdk.BatchGetImageOutput](t)(w.BatchGetImage(w.ctx, &sdk.BatchGetImageInput{
		RepositoryName: &repository, ImageIds: []types.ImageIdentifier{byTag("v1"), byDigest(*tagged[0].ImageDigest), byTag("v2"), untagged[1]},
	}))
	inaccessible := func(id types.ImageIdentifier) types.ImageFailure {
		return failure(id, types.ImageFailureCodeImageInaccessible, "Requested image is archived")
	}
	same(t, got.Failures, []types.ImageFailure{inaccessible(byTag("v1")), inaccessible(byDigest(*tagged[0].ImageDigest)), inaccessible(untagged[1])})
	if len(got.Images) != 1 || *got.Images[0].ImageId.ImageTag != "v2" {
		t.Errorf("got %d images", len(got.Images))
	}
}

func TestReferrersOfAnArchivedImage(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	one := w.push(repository, "one", "v1")
	first := sha(w.signed(repository, one))
	w.archive(repository, byTag("v1"))
	list := index(w.push(repository, "two"))
	list.Subject = &descriptor{ociManifest, sha(one), len(one)}
	w.put(repository, list.String())
	second := sha(list.String())
	for status, want := range map[types.ArtifactStatusFilter]map[string]types.ArtifactStatus{
		"":                                   {second: types.ArtifactStatusActive},
		types.ArtifactStatusFilterActive:     {second: types.ArtifactStatusActive},
		types.ArtifactStatusFilterArchived:   {first: types.ArtifactStatusArchived},
		types.ArtifactStatusFilterAny:        {first: types.ArtifactStatusArchived, second: types.ArtifactStatusActive},
		types.ArtifactStatusFilterActivating: {},
	} {
		out := must2[*sdk.ListImageReferrersOutput](t)(w.ListImageReferrers(w.ctx, &sdk.ListImageReferrersInput{
			RepositoryName: &repository, SubjectId: &types.SubjectIdentifier{ImageDigest: new(sha(one))},
			Filter: &types.ListImageReferrersFilter{ArtifactStatus: status},
		}))
		got := map[string]types.ArtifactStatus{}
		for _, r := range out.Referrers {
			got[*r.Digest] = r.ArtifactStatus
		}
		same(t, got, want)
	}
}

func TestLayersOfArchivedImagesAloneAreArchived(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	w.push(repository, "one", "v1")
	w.archive(repository, byTag("v1"))
	check := func(want types.LayerAvailability) {
		t.Helper()
		got := must2[*sdk.BatchCheckLayerAvailabilityOutput](t)(w.BatchCheckLayerAvailability(w.ctx, &sdk.BatchCheckLayerAvailabilityInput{
			RepositoryName: &repository, LayerDigests: []string{sha("layer of one")},
		}))
		same(t, got.Layers, []types.Layer{{LayerDigest: new(sha("layer of one")), LayerAvailability: want, LayerSize: new(int64(len("layer of one")))}})
	}
	check(types.LayerAvailabilityArchived)
	other := image("config of one", "layer of one")
	other.ArtifactType = "application/vnd.example.other"
	w.put(repository, other.String())
	check(types.LayerAvailabilityAvailable)
}

func TestPuttingAnArchivedImageBringsItBack(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	one := w.push(repository, "one", "v1")
	w.signed(repository, one)
	_, err := w.PutImageTagMutability(w.ctx, &sdk.PutImageTagMutabilityInput{RepositoryName: &repository, ImageTagMutability: types.ImageTagMutabilityImmutable})
	w.must(err)
	for name, tag := range map[string]*string{"without a tag": nil, "with its tag": new("v1"), "with another": new("v2")} {
		t.Run(name, func(t *testing.T) {
			w.archive(repository, byTag("v1"))
			if n := len(w.listed(repository)); n != 0 {
				t.Fatalf("%d images are active", n)
			}
			_, err := w.PutImage(w.ctx, &sdk.PutImageInput{RepositoryName: &repository, ImageManifest: &one, ImageTag: tag})
			w.must(err)
			if n := len(w.listed(repository)); n != 2 {
				t.Errorf("%d images are active", n)
			}
			_, err = w.PutImage(w.ctx, &sdk.PutImageInput{RepositoryName: &repository, ImageManifest: &one, ImageTag: tag})
			wantAs[*types.ImageAlreadyExistsException](t, err)
		})
	}
}

// listed is the images that DescribeImages lists without a filter.
func (w *world) listed(repository string) []types.ImageDetail {
	w.t.Helper()
	return must2[*sdk.DescribeImagesOutput](w.t)(w.DescribeImages(w.ctx, &sdk.DescribeImagesInput{RepositoryName: &repository})).ImageDetails
}

// bound is a repository with an index of an image, and a signature of the index.
func (w *world) bound() string {
	if _, err := w.CreateRepository(w.ctx, &sdk.CreateRepositoryInput{RepositoryName: new("bound")}); err == nil {
		w.push("bound", "one", "v1")
		w.put("bound", boundIndex.String())
		w.put("bound", boundSignature.String())
	}
	return "bound"
}

var (
	boundIndex     = index(one)
	boundSignature = signatureOf(boundIndex)
)

func signatureOf(d document) document {
	m := image("config of one", "layer of one")
	m.ArtifactType, m.Subject = "application/vnd.example.signature", &descriptor{d.MediaType, sha(d.String()), len(d.String())}
	return m
}

func moving(id types.ImageIdentifier, to types.TargetStorageClass) func(*world) error {
	return func(w *world) error {
		_, err := w.move(w.bound(), id, to)
		return err
	}
}

const (
	inBound   = "' in the repository with name 'bound' in the registry with id '123456789012' cannot be updated, because it goes with ["
	notThere  = "} does not exist within the repository with name 'bound' in the registry with id '123456789012'"
	toArchive = types.TargetStorageClassArchive
)

var updateImageStorageClassRefusals = []refused{
	{name: "an image that an index lists", code: "ImageStorageClassUpdateNotSupportedException",
		text: "The storage class of the image with digest '" + sha(one) + inBound + sha(boundIndex.String()) + "]", act: moving(byTag("v1"), toArchive)},
	{name: "a signature", code: "ImageStorageClassUpdateNotSupportedException",
		text: "The storage class of the image with digest '" + sha(boundSignature.String()) + inBound + sha(boundIndex.String()) + "]",
		act:  moving(byDigest(sha(boundSignature.String())), toArchive)},
	{name: "an unknown tag", code: "ImageNotFoundException",
		text: "The image with imageId {imageDigest:'null', imageTag:'absent'" + notThere, act: moving(byTag("absent"), toArchive)},
	{name: "an unknown digest", code: "ImageNotFoundException",
		text: "The image with imageId {imageDigest:'" + sha("absent") + "', imageTag:'null'" + notThere,
		act:  moving(byDigest(sha("absent")), types.TargetStorageClassStandard)},
	{name: "a tag of another image", code: "ImageNotFoundException",
		text: "The image with imageId {imageDigest:'" + sha("absent") + "', imageTag:'v1'" + notThere, act: moving(byBoth("v1", sha("absent")), toArchive)},
	{name: "neither tag nor digest", code: "InvalidParameterException",
		text: "Invalid parameter at 'imageId' failed to satisfy constraint: 'both tag and digest cannot be null'", act: moving(types.ImageIdentifier{}, toArchive)},
	{name: "a digest that is none", code: "InvalidParameterException",
		text: "Invalid parameter at 'imageDigest' failed to satisfy constraint: 'must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+''",
		act:  moving(byDigest("latest"), toArchive)},
	{name: "an unknown class", code: "InvalidParameterException",
		text: "Invalid parameter at 'targetStorageClass' failed to satisfy constraint: 'Member must satisfy enum value set: [ARCHIVE, STANDARD]'",
		act:  moving(byTag("v1"), "GLACIER")},
}
