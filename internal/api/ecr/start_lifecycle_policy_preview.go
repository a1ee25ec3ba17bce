package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/registry"
)

// startLifecyclePolicyPreview answers when the preview is there, and still with
// IN_PROGRESS, which is all that ECR's clients know: they ask, or wait, for it.
func (f *front) startLifecyclePolicyPreview(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.StartLifecyclePolicyPreviewRequest) (*ecrmodel.StartLifecyclePolicyPreviewResponse, error) {
	text, err := f.Lifecycle.StartPreview(ctx, key, value(in.LifecyclePolicyText))
	if err != nil {
		return nil, err
	}
	return &ecrmodel.StartLifecyclePolicyPreviewResponse{
		RegistryId: accountOf(key), RepositoryName: nameOf(key), LifecyclePolicyText: &text,
		Status: new(ecrmodel.LifecyclePolicyPreviewStatusInProgress),
	}, nil
}
