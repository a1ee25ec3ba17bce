package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/registry"
)

// batchCheckLayerAvailability answers for each digest on its own: one that
// could be a layer's is an entry, available, archived with its images or not
// there, any other is a failure.
func (f *front) batchCheckLayerAvailability(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.BatchCheckLayerAvailabilityRequest) (*ecrmodel.BatchCheckLayerAvailabilityResponse, error) {
	asked := distinct(in.LayerDigests)
	var ds []digest.Digest
	for _, s := range asked {
		if d, err := digest.Parse(s); err == nil {
			ds = append(ds, d)
		}
	}
	have, err := f.Catalogue.CheckLayers(ctx, key, ds)
	if err != nil {
		return nil, err
	}
	archived, err := f.Catalogue.ArchivedLayers(ctx, key, have)
	if err != nil {
		return nil, err
	}
	out := &ecrmodel.BatchCheckLayerAvailabilityResponse{Layers: []ecrmodel.Layer{}, Failures: []ecrmodel.LayerFailure{}}
	for _, s := range asked {
		if !looksLikeDigest(s) {
			out.Failures = append(out.Failures, layerFailure(s))
			continue
		}
		entry := ecrmodel.Layer{LayerDigest: &s, LayerAvailability: new(ecrmodel.LayerAvailabilityUnavailable)}
		if l, ok := have[digest.Digest(s)]; ok {
			entry.LayerAvailability = new(ecrmodel.LayerAvailabilityAvailable)
			entry.LayerSize = &l.Blob.Size
			if archived[l.ID] {
				entry.LayerAvailability = new(ecrmodel.LayerAvailabilityArchived)
			}
		}
		out.Layers = append(out.Layers, entry)
	}
	return out, nil
}

// layerFailure is the failure of what is no digest, worded like those of
// BatchGetImage.
func layerFailure(s string) ecrmodel.LayerFailure {
	if s == "" {
		return ecrmodel.LayerFailure{
			LayerDigest: &s, FailureCode: new(ecrmodel.LayerFailureCodeMissingLayerDigest),
			FailureReason: new("Invalid request parameters: layer digest cannot be null"),
		}
	}
	return ecrmodel.LayerFailure{
		LayerDigest: &s, FailureCode: new(ecrmodel.LayerFailureCodeInvalidLayerDigest),
		FailureReason: new("Invalid request parameters: layer digest should satisfy the regex '" + digestPattern + "'"),
	}
}
