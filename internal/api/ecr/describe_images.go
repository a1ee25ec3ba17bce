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
	filter := value(in.Filter)
	out := &ecrmodel.DescribeImagesResponse{ImageDetails: []ecrmodel.ImageDetail{}}
	for _, d := range found {
		if active(filter.ImageStatus) && matches(tagStatuses[value(filter.TagStatus)], d) {
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
	filter := value(in.Filter)
	list := ofRepository("DescribeImages", key, string(value(filter.TagStatus)), string(value(filter.ImageStatus)))
	after, err := list.Number(in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ecrmodel.DescribeImagesResponse{ImageDetails: []ecrmodel.ImageDetail{}}
	if !active(filter.ImageStatus) {
		_, err := f.Catalogue.Repository(ctx, key)
		return out, err
	}
	found, more, err := f.Catalogue.DescribeImages(ctx, key, tagStatuses[value(filter.TagStatus)], registry.ImageID(after), pageSize(in.MaxResults, pageDefault))
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

func matches(status registry.TagStatus, d registry.Described) bool {
	return status == registry.AnyTagStatus || (status == registry.Tagged) == (len(d.Tags) > 0)
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
		ImageStatus:            new(ecrmodel.ImageStatusActive),
	}
	for _, t := range d.Tags {
		out.ImageTags = append(out.ImageTags, string(t))
	}
	if !i.PulledAt.IsZero() {
		out.LastRecordedPullTime = &i.PulledAt
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
