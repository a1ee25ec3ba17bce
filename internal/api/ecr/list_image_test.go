package ecr_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// gallery has two images with three tags and three without.
func (w *world) gallery() (repository string, tagged, untagged []types.ImageIdentifier) {
	repository = w.repository()
	one, two := sha(w.push(repository, "one", "v1", "latest")), sha(w.push(repository, "two", "v2"))
	tagged = []types.ImageIdentifier{byBoth("latest", one), byBoth("v1", one), byBoth("v2", two)}
	for _, content := range []string{"three", "four", "five"} {
		untagged = append(untagged, byDigest(sha(w.push(repository, content))))
	}
	return repository, tagged, untagged
}

func TestListImages(t *testing.T) {
	w := newWorld(t)
	repository, tagged, untagged := w.gallery()
	all := append(tagged[:3:3], untagged...)
	for _, tt := range []struct {
		name   string
		filter *types.ListImagesFilter
		want   []types.ImageIdentifier
	}{
		{"without a filter", nil, all},
		{"of any status", &types.ListImagesFilter{TagStatus: types.TagStatusAny, ImageStatus: types.ImageStatusFilterAny}, all},
		{"with a tag", &types.ListImagesFilter{TagStatus: types.TagStatusTagged}, tagged},
		{"without a tag", &types.ListImagesFilter{TagStatus: types.TagStatusUntagged, ImageStatus: types.ImageStatusFilterActive}, untagged},
		{"archived", &types.ListImagesFilter{ImageStatus: types.ImageStatusFilterArchived}, []types.ImageIdentifier{}},
		{"activating", &types.ListImagesFilter{ImageStatus: types.ImageStatusFilterActivating}, []types.ImageIdentifier{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int32{1, 2, 3, 4, 6, 1000} {
				got := []types.ImageIdentifier{}
				pages := sdk.NewListImagesPaginator(w, &sdk.ListImagesInput{RepositoryName: &repository, Filter: tt.filter, MaxResults: &size})
				for n := 0; pages.HasMorePages(); n++ {
					if n > len(tt.want) {
						t.Fatal("pages without end")
					}
					page := must2[*sdk.ListImagesOutput](t)(pages.NextPage(w.ctx))
					if len(page.ImageIds) > int(size) {
						t.Fatalf("%d ids on a page of %d", len(page.ImageIds), size)
					}
					got = append(got, page.ImageIds...)
				}
				same(t, got, tt.want)
			}
		})
	}
}

func TestAnEmptyRepositoryHasOneEmptyPage(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	listed := must2[*sdk.ListImagesOutput](t)(w.ListImages(w.ctx, &sdk.ListImagesInput{RepositoryName: &repository}))
	same(t, listed.ImageIds, []types.ImageIdentifier{})
	described := must2[*sdk.DescribeImagesOutput](t)(w.DescribeImages(w.ctx, &sdk.DescribeImagesInput{RepositoryName: &repository}))
	same(t, described.ImageDetails, []types.ImageDetail{})
	if listed.NextToken != nil || described.NextToken != nil {
		t.Error("an empty page has a successor")
	}
}

func listing(in *sdk.ListImagesInput) func(*world) error {
	return func(w *world) error {
		in.RepositoryName = new(w.images())
		_, err := w.ListImages(w.ctx, in)
		return err
	}
}

var listImagesRefusals = []refused{
	{name: "a token that is none", code: "InvalidParameterException", text: badToken, act: listing(&sdk.ListImagesInput{NextToken: new("djE=")})},
	{name: "a page too large", code: "InvalidParameterException",
		text: "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value less than or equal to 1000'",
		act:  listing(&sdk.ListImagesInput{MaxResults: new(int32(1001))})},
	{name: "an unknown status", code: "InvalidParameterException",
		text: "Invalid parameter at 'filter.tagStatus' failed to satisfy constraint: 'Member must satisfy enum value set: [TAGGED, UNTAGGED, ANY]'",
		act:  listing(&sdk.ListImagesInput{Filter: &types.ListImagesFilter{TagStatus: "LABELLED"}})},
	{name: "an archived page of an unknown repository", code: "RepositoryNotFoundException",
		text: "The repository with name 'absent' does not exist in the registry with id '123456789012'",
		act: func(w *world) error {
			_, err := w.ListImages(w.ctx, &sdk.ListImagesInput{RepositoryName: new("absent"), Filter: &types.ListImagesFilter{ImageStatus: types.ImageStatusFilterArchived}})
			return err
		}},
}

func TestDescribeImages(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	one := w.push(repository, "one", "v1", "latest")
	signature := image("config of one", "layer of one")
	signature.Config.MediaType, signature.ArtifactType = "application/vnd.oci.empty.v1+json", "application/vnd.example.signature"
	signature.Subject = &descriptor{ociManifest, sha(one), len(one)}
	docker := image("config of one", "layer of one")
	docker.MediaType, docker.Config.MediaType = dockerManifest, dockerConfig
	list := index(one, docker.String())
	for _, m := range []document{signature, docker, list} {
		w.put(repository, m.String())
	}
	detail := func(manifest, mediaType, artifact string, tags ...string) types.ImageDetail {
		d := types.ImageDetail{
			RegistryId: new(account), RepositoryName: &repository, ImageDigest: new(sha(manifest)), ImageTags: tags,
			ImageSizeInBytes: new(int64(len("config of one") + len("layer of one"))), ImagePushedAt: new(instant),
			ImageManifestMediaType: &mediaType, ImageStatus: types.ImageStatusActive,
		}
		if artifact != "" {
			d.ArtifactMediaType = &artifact
		}
		return d
	}
	signed := detail(signature.String(), ociManifest, "application/vnd.example.signature")
	signed.SubjectManifestDigest = new(sha(one))
	want := []types.ImageDetail{
		detail(one, ociManifest, ociConfig, "latest", "v1"), signed, detail(docker.String(), dockerManifest, dockerConfig), detail(list.String(), ociIndex, ""),
	}
	for _, tt := range []struct {
		name string
		in   sdk.DescribeImagesInput
		want []types.ImageDetail
	}{
		{"all", sdk.DescribeImagesInput{}, want},
		{"with a tag", sdk.DescribeImagesInput{Filter: &types.DescribeImagesFilter{TagStatus: types.TagStatusTagged}}, want[:1]},
		{"without a tag", sdk.DescribeImagesInput{Filter: &types.DescribeImagesFilter{TagStatus: types.TagStatusUntagged}}, want[1:]},
		{"archived", sdk.DescribeImagesInput{Filter: &types.DescribeImagesFilter{ImageStatus: types.ImageStatusFilterArchived}}, []types.ImageDetail{}},
		{"by id, each once", sdk.DescribeImagesInput{ImageIds: []types.ImageIdentifier{byDigest(sha(docker.String())), byTag("v1"), byTag("latest"), byBoth("v1", sha(one))}},
			[]types.ImageDetail{want[2], want[0]}},
		{"by id and with a tag", sdk.DescribeImagesInput{ImageIds: []types.ImageIdentifier{byDigest(sha(docker.String())), byTag("v1")},
			Filter: &types.DescribeImagesFilter{TagStatus: types.TagStatusTagged}}, want[:1]},
		{"by id and without a tag", sdk.DescribeImagesInput{ImageIds: []types.ImageIdentifier{byDigest(sha(docker.String())), byTag("v1")},
			Filter: &types.DescribeImagesFilter{TagStatus: types.TagStatusUntagged}}, want[2:3]},
		{"by id and archived", sdk.DescribeImagesInput{ImageIds: []types.ImageIdentifier{byTag("v1")},
			Filter: &types.DescribeImagesFilter{ImageStatus: types.ImageStatusFilterArchived}}, []types.ImageDetail{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.in.RepositoryName = &repository
			same(t, must2[*sdk.DescribeImagesOutput](t)(w.DescribeImages(w.ctx, &tt.in)).ImageDetails, tt.want)
		})
	}
	for _, size := range []int32{1, 3, 4} {
		got := []types.ImageDetail{}
		pages := sdk.NewDescribeImagesPaginator(w, &sdk.DescribeImagesInput{RepositoryName: &repository, MaxResults: &size})
		for pages.HasMorePages() {
			got = append(got, must2[*sdk.DescribeImagesOutput](t)(pages.NextPage(w.ctx)).ImageDetails...)
			if len(got) > len(want) {
				t.Fatal("pages without end")
			}
		}
		same(t, got, want)
	}
}

func TestAPulledImageShowsWhen(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	w.push(repository, "one", "v1")
	w.push(repository, "two", "v2")
	w.must(gettingImages(repository, byTag("v1"), byTag("absent"))(w))
	w.must(w.catalogue.FlushPulls(context.Background()))
	got := must2[*sdk.DescribeImagesOutput](t)(w.DescribeImages(w.ctx, &sdk.DescribeImagesInput{RepositoryName: &repository})).ImageDetails
	if at := got[0].LastRecordedPullTime; at == nil || !at.Equal(instant) {
		t.Errorf("the image was pulled at %v, want %v", at, instant)
	}
	if at := got[1].LastRecordedPullTime; at != nil {
		t.Errorf("the other image was pulled at %v, want never", at)
	}
}

func describingImages(in *sdk.DescribeImagesInput) func(*world) error {
	return func(w *world) error {
		in.RepositoryName = new(w.images())
		_, err := w.DescribeImages(w.ctx, in)
		return err
	}
}

func describingIDs(ids ...types.ImageIdentifier) func(*world) error {
	return describingImages(&sdk.DescribeImagesInput{ImageIds: ids})
}

const notInImages = " does not exist within the repository with name 'images' in the registry with id '123456789012'"

var describeImagesRefusals = []refused{
	{name: "an unknown tag", code: "ImageNotFoundException",
		text: "The image with imageId {imageDigest:'null', imageTag:'absent'}" + notInImages, act: describingIDs(byTag("v1"), byTag("absent"))},
	{name: "an unknown digest", code: "ImageNotFoundException",
		text: "The image with imageId {imageDigest:'" + sha("absent") + "', imageTag:'null'}" + notInImages, act: describingIDs(byDigest(sha("absent")))},
	{name: "a tag of another digest", code: "ImageNotFoundException",
		text: "The image with imageId {imageDigest:'" + sha("absent") + "', imageTag:'v1'}" + notInImages, act: describingIDs(byBoth("v1", sha("absent")))},
	{name: "an id of nothing", code: "InvalidParameterException",
		text: "Invalid parameter at 'imageIds' failed to satisfy constraint: 'both tag and digest cannot be null'", act: describingIDs(types.ImageIdentifier{})},
	{name: "a digest that is none", code: "InvalidParameterException",
		text: "Invalid parameter at 'imageDigest' failed to satisfy constraint: 'must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+''", act: describingIDs(byDigest("latest"))},
	{name: "101 ids", code: "InvalidParameterException", text: tooManyIDs, act: describingIDs(imageIDs(101)...)},
	{name: "ids with a size", code: "InvalidParameterException",
		text: "Invalid parameter at 'maxResults' failed to satisfy constraint: 'must be null when imageIds is given'",
		act:  describingImages(&sdk.DescribeImagesInput{ImageIds: imageIDs(1), MaxResults: new(int32(5))})},
	{name: "ids with a token", code: "InvalidParameterException",
		text: "Invalid parameter at 'nextToken' failed to satisfy constraint: 'must be null when imageIds is given'",
		act:  describingImages(&sdk.DescribeImagesInput{ImageIds: imageIDs(1), NextToken: new("x")})},
	{name: "a token that is none", code: "InvalidParameterException", text: badToken, act: describingImages(&sdk.DescribeImagesInput{NextToken: new("x")})},
	{name: "an archived page of an unknown repository", code: "RepositoryNotFoundException",
		text: "The repository with name 'absent' does not exist in the registry with id '123456789012'",
		act: func(w *world) error {
			_, err := w.DescribeImages(w.ctx, &sdk.DescribeImagesInput{RepositoryName: new("absent"), Filter: &types.DescribeImagesFilter{ImageStatus: types.ImageStatusFilterArchived}})
			return err
		}},
}

func TestListImageReferrers(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	one := w.push(repository, "one")
	var want []types.ImageReferrer
	for _, typ := range []string{"application/vnd.example.signature", "application/vnd.example.sbom", ""} {
		m := image("config of one", "layer of one")
		m.ArtifactType, m.Subject = typ, &descriptor{ociManifest, sha(one), len(one)}
		r := types.ImageReferrer{MediaType: new(ociManifest), ArtifactType: &typ, ArtifactStatus: types.ArtifactStatusActive}
		if typ == "" {
			r.ArtifactType = new(ociConfig)
		} else {
			m.Annotations = map[string]string{"about": typ}
			r.Annotations = m.Annotations
		}
		r.Digest, r.Size = new(sha(m.String())), new(int64(len(m.String())))
		w.put(repository, m.String())
		want = append(want, r)
	}
	orphan := image("config of one", "layer of one")
	orphan.Subject = &descriptor{ociManifest, sha("absent"), 6}
	w.put(repository, orphan.String())
	refers := types.ImageReferrer{MediaType: new(ociManifest), ArtifactType: new(ociConfig), ArtifactStatus: types.ArtifactStatusActive,
		Digest: new(sha(orphan.String())), Size: new(int64(len(orphan.String())))}
	for _, tt := range []struct {
		name, subject string
		filter        *types.ListImageReferrersFilter
		want          []types.ImageReferrer
	}{
		{"all", sha(one), nil, want},
		{"of one type", sha(one), &types.ListImageReferrersFilter{ArtifactTypes: []string{"application/vnd.example.sbom"}}, want[1:2]},
		{"of two types", sha(one), &types.ListImageReferrersFilter{ArtifactTypes: []string{ociConfig, "application/vnd.example.sbom"}}, want[1:]},
		{"of no type that is there", sha(one), &types.ListImageReferrersFilter{ArtifactTypes: []string{"text/plain"}}, []types.ImageReferrer{}},
		{"of any status", sha(one), &types.ListImageReferrersFilter{ArtifactStatus: types.ArtifactStatusFilterAny}, want},
		{"archived", sha(one), &types.ListImageReferrersFilter{ArtifactStatus: types.ArtifactStatusFilterArchived}, []types.ImageReferrer{}},
		{"of an image without any", sha(orphan.String()), nil, []types.ImageReferrer{}},
		{"of an image that is not there", sha("absent"), nil, []types.ImageReferrer{refers}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []*int32{nil, new(int32(1)), new(int32(2)), new(int32(50))} {
				got, in := []types.ImageReferrer{}, &sdk.ListImageReferrersInput{
					RepositoryName: &repository, SubjectId: &types.SubjectIdentifier{ImageDigest: &tt.subject}, Filter: tt.filter, MaxResults: size,
				}
				for more := true; more; more = in.NextToken != nil {
					page := must2[*sdk.ListImageReferrersOutput](t)(w.ListImageReferrers(w.ctx, in))
					if got = append(got, page.Referrers...); len(got) > len(tt.want) {
						t.Fatal("pages without end")
					}
					in.NextToken = page.NextToken
				}
				same(t, got, tt.want)
			}
		})
	}
}

func TestListImageReferrersHasPagesOfTwenty(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	for i := range 21 {
		m := index()
		m.ArtifactType, m.Subject = "application/vnd.example.note", &descriptor{ociManifest, sha("absent"), i}
		w.put(repository, m.String())
	}
	got := must2[*sdk.ListImageReferrersOutput](t)(w.ListImageReferrers(w.ctx, &sdk.ListImageReferrersInput{
		RepositoryName: &repository, SubjectId: &types.SubjectIdentifier{ImageDigest: new(sha("absent"))},
	}))
	if len(got.Referrers) != 20 || got.NextToken == nil {
		t.Errorf("%d referrers on the first page, token %v", len(got.Referrers), got.NextToken)
	}
}

// TestPagesOfReferrersEndByTheirAnnotations asks for more than the memory of
// long answers holds at once: each page must give its own back.
func TestPagesOfReferrersEndByTheirAnnotations(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	var want []string
	for i, size := range []int{1, 3 << 20, 3 << 20, 1 << 20, 1 << 19, 1, 3 << 20, 1} {
		m := index()
		m.ArtifactType, m.Subject = "application/vnd.example.note", &descriptor{ociManifest, sha("absent"), i}
		m.Annotations = map[string]string{"note": strings.Repeat("x", size)}
		w.put(repository, m.String())
		want = append(want, m.Annotations["note"])
	}
	in := &sdk.ListImageReferrersInput{RepositoryName: &repository, SubjectId: &types.SubjectIdentifier{ImageDigest: new(sha("absent"))}}
	var got []string
	var pages []int
	for more := true; more; more = in.NextToken != nil {
		page := must2[*sdk.ListImageReferrersOutput](t)(w.ListImageReferrers(w.ctx, in))
		for _, r := range page.Referrers {
			got = append(got, r.Annotations["note"])
		}
		pages, in.NextToken = append(pages, len(page.Referrers)), page.NextToken
	}
	same(t, pages, []int{1, 1, 1, 3, 1, 1})
	if !slices.Equal(got, want) {
		t.Error("the annotations are others")
	}
}

func referring(set func(*sdk.ListImageReferrersInput)) func(*world) error {
	return func(w *world) error {
		in := &sdk.ListImageReferrersInput{RepositoryName: new(w.images()), SubjectId: &types.SubjectIdentifier{ImageDigest: new(sha(one))}}
		set(in)
		_, err := w.ListImageReferrers(w.ctx, in)
		return err
	}
}

var listImageReferrersRefusals = []refused{
	{name: "a digest that is none", code: "InvalidParameterException",
		text: "Invalid parameter at 'subjectId.imageDigest' failed to satisfy constraint: 'must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+''",
		act:  referring(func(in *sdk.ListImageReferrersInput) { in.SubjectId.ImageDigest = new("latest") })},
	{name: "a page too large", code: "InvalidParameterException",
		text: "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value less than or equal to 50'",
		act:  referring(func(in *sdk.ListImageReferrersInput) { in.MaxResults = new(int32(51)) })},
	{name: "six types", code: "InvalidParameterException",
		text: "Invalid parameter at 'filter.artifactTypes' failed to satisfy constraint: 'Member must have length less than or equal to 5'",
		act: referring(func(in *sdk.ListImageReferrersInput) {
			in.Filter = &types.ListImageReferrersFilter{ArtifactTypes: strings.Split("a b c d e f", " ")}
		})},
	{name: "a token that is none", code: "InvalidParameterException", text: badToken,
		act: referring(func(in *sdk.ListImageReferrersInput) { in.NextToken = new("x") })},
	{name: "an archived page of an unknown repository", code: "RepositoryNotFoundException",
		text: "The repository with name 'absent' does not exist in the registry with id '123456789012'",
		act: referring(func(in *sdk.ListImageReferrersInput) {
			in.RepositoryName, in.Filter = new("absent"), &types.ListImageReferrersFilter{ArtifactStatus: types.ArtifactStatusFilterActivating}
		})},
}
