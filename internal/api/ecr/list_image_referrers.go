package ecr

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/registry"
)

// A page ends before the referrer whose annotations bring those of the page
// above annotationsMax bytes, if it has one. annotationsHeld is how much memory
// a byte of them may take: the shortest become a map many times their size.
const (
	annotationsMax  = 2 << 20
	annotationsHeld = 16
)

// listImageReferrers lists the images whose subject is the digest, which need
// not be an image itself: oldest first.
func (f *front) listImageReferrers(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.ListImageReferrersRequest) (*ecrmodel.ListImageReferrersResponse, error) {
	subject, err := digestIn("subjectId.imageDigest", *in.SubjectId.ImageDigest)
	if err != nil {
		return nil, err
	}
	filter := value(in.Filter)
	status := value(filter.ArtifactStatus)
	types := slices.Sorted(slices.Values(filter.ArtifactTypes))
	list := ofRepository("ListImageReferrers", key, string(subject), string(status), strings.Join(types, "\n"))
	after, err := list.Number(in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ecrmodel.ListImageReferrersResponse{Referrers: []ecrmodel.ImageReferrer{}}
	wanted, some := artifactStatuses[status]
	if !some {
		_, err := f.Catalogue.Repository(ctx, key)
		return out, err
	}
	size := pageSize(in.MaxResults, referrersPageDefault)
	found, more, err := f.Catalogue.Referrers(ctx, key, subject, registry.ReferrerFilter{ArtifactTypes: types, Status: wanted}, registry.ImageID(after), size, annotationsMax)
	if err != nil {
		return nil, err
	}
	if more {
		out.NextToken = list.TokenAt(int64(found[len(found)-1].ID))
	}
	if err := f.hold(ctx, annotationsHeld*registry.AnnotationsSize(found)); err != nil {
		return nil, err
	}
	if err := f.Catalogue.ReadAnnotations(ctx, key, found); err != nil {
		return nil, err
	}
	for _, i := range found {
		r, err := referrerOut(i)
		if err != nil {
			return nil, err
		}
		out.Referrers = append(out.Referrers, r)
	}
	return out, nil
}

func referrerOut(i registry.Referrer) (ecrmodel.ImageReferrer, error) {
	out := ecrmodel.ImageReferrer{
		Digest:         new(string(i.Digest)),
		MediaType:      &i.MediaType,
		ArtifactType:   present(i.EffectiveArtifactType()),
		Size:           &i.ManifestSize,
		ArtifactStatus: new(ecrmodel.ArtifactStatusActive),
	}
	if i.Archived {
		out.ArtifactStatus = new(ecrmodel.ArtifactStatusArchived)
	}
	if i.Annotations == "" {
		return out, nil
	}
	return out, json.Unmarshal([]byte(i.Annotations), &out.Annotations)
}
