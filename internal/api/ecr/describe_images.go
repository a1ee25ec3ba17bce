package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/registry"
)

// describeImages describes the images that are named, at once, or all of the
// repository in pages, oldest first.
func (f *front) describeImages(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.DescribeImagesRequest) (*ecrmodel.DescribeImagesResponse, error) {
	if in.ImageIds == nil {
		return f.pageOfImages(ctx, key, in)
	}
	if err := refusePaging("imageIds", in.NextToken, in.MaxResults); err != nil {
		return nil, err
	}
	asked := idsIn(in.ImageIds)
	for _, id := range asked {
		if id == (registry.Asked{}) {
			return nil, &fault.Error{Reason: fault.ParameterInvalid, Member: "imageIds", Constraint: "both tag and digest cannot be null"}
		}
	}
	found, err := f.describe(ctx, key, asked)
	if err != nil {
		return nil, err
	}
	asks := value(in.Filter)
	filter, some := filterIn(value(asks.TagStatus), value(asks.ImageStatus))
	out := &ecrmodel.DescribeImagesResponse{ImageDetails: []ecrmodel.ImageDetail{}}
	for _, d := range found {
		if some && matches(filter, d) {
			out.ImageDetails = append(out.ImageDetails, detailOut(key, d))
		}
	}
	return out, nil
}

// The tags in one answer about named images: with more than tagsFree it is a
// long one, and with more than tagsMax it is refused.
const (
	tagsFree = 10_000
	tagsMax  = 200_000
	tagHeld  = 320 // bytes of memory that a tag takes, with what it leaves behind
)

func (f *front) describe(ctx context.Context, key registry.RepositoryKey, asked []registry.Asked) ([]registry.Described, error) {
	found, all, err := f.Catalogue.DescribeImagesByID(ctx, key, asked, tagsFree)
	if all || err != nil {
		return found, err
	}
	if err := f.hold(ctx, tagHeld*tagsMax); err != nil {
		return nil, err
	}
	found, all, err = f.Catalogue.DescribeImagesByID(ctx, key, asked, tagsMax)
	if !all && err == nil {
		err = &fault.Error{Reason: fault.LimitExceeded, Quota: "tags in one answer", Limit: tagsMax}
	}
	return found, err
}

func (f *front) pageOfImages(ctx context.Context, key registry.RepositoryKey, in *ecrmodel.DescribeImagesRequest) (*ecrmodel.DescribeImagesResponse, error) {
	asks := value(in.Filter)
	list := ofRepository("DescribeImages", key, string(value(asks.TagStatus)), string(value(asks.ImageStatus)))
	after, err := list.Number(in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ecrmodel.DescribeImagesResponse{ImageDetails: []ecrmodel.ImageDetail{}}
	filter, some := filterIn(value(asks.TagStatus), value(asks.ImageStatus))
	if !some {
		_, err := f.Catalogue.Repository(ctx, key)
		return out, err
	}
	found, more, err := f.Catalogue.DescribeImages(ctx, key, filter, registry.ImageID(after), pageSize(in.MaxResults, pageDefault))
	if err != nil {
		return nil, err
	}
	if more {
		out.NextToken = list.TokenAt(int64(found[len(found)-1].Image.ID))
	}
	for _, d := range found {
		out.ImageDetails = append(out.ImageDetails, detailOut(key, d))
	}
	return out, nil
}

func matches(f registry.ImageFilter, d registry.Described) bool {
	return (f.Tags == registry.AnyTagStatus || (f.Tags == registry.Tagged) == (len(d.Tags) > 0)) &&
		(f.Status == registry.AnyImageStatus || (f.Status == registry.Archived) == d.Image.Archived)
}

func detailOut(key registry.RepositoryKey, d registry.Described) ecrmodel.ImageDetail {
	i := d.Image
	out := ecrmodel.ImageDetail{
		RegistryId:             accountOf(key),
		RepositoryName:         nameOf(key),
		ImageDigest:            new(string(i.Digest)),
		ImageSizeInBytes:       &i.ImageSize,
		ImagePushedAt:          &i.PushedAt,
		ImageManifestMediaType: &i.MediaType,
		ArtifactMediaType:      present(artifactMediaType(i)),
		SubjectManifestDigest:  present(string(i.Subject)),
		ImageStatus:            statusOut(i),
	}
	for _, t := range d.Tags {
		out.ImageTags = append(out.ImageTags, string(t))
	}
	if !i.PulledAt.IsZero() {
		out.LastRecordedPullTime = &i.PulledAt
	}
	if !i.ArchivedAt.IsZero() {
		out.LastArchivedAt = &i.ArchivedAt
	}
	if !i.ActivatedAt.IsZero() {
		out.LastActivatedAt = &i.ActivatedAt
	}
	return out
}

// emptyConfig is the config of artifacts that have none; their artifactType
// says what they are (OCI image specification, guidance for an empty
// descriptor).
const emptyConfig = "application/vnd.oci.empty.v1+json"

// artifactMediaType is the media type of an image's config, else the artifact
// type.
func artifactMediaType(i registry.Image) string {
	if i.ConfigMediaType == "" || i.ConfigMediaType == emptyConfig && i.ArtifactType != "" {
		return i.ArtifactType
	}
	return i.ConfigMediaType
}
