package ecr

import (
	"context"
	"strconv"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/lifecycle"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// getLifecyclePolicyPreview answers with the results about the images that are
// named, at once, or with all of the preview in pages, oldest first. The summary
// is of the whole preview.
func (f *front) getLifecyclePolicyPreview(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.GetLifecyclePolicyPreviewRequest) (*ecrmodel.GetLifecyclePolicyPreviewResponse, error) {
	asked, err := previewIDs(in)
	if err != nil {
		return nil, err
	}
	v, err := f.Lifecycle.Preview(ctx, key)
	if err != nil {
		return nil, err
	}
	out := previewOut(key, v)
	filter := value(value(in.Filter).TagStatus)
	status := tagStatuses[filter]
	var found []lifecycle.PreviewResult
	if asked != nil {
		found, err = f.Lifecycle.PreviewResultsOf(ctx, v, asked)
	} else {
		// A token is good for the preview that it was given for.
		list := ofRepository("GetLifecyclePolicyPreview", key, string(filter), strconv.FormatInt(v.Attempt, 10))
		var after int64
		if after, err = list.Number(in.NextToken); err != nil {
			return nil, err
		}
		var more bool
		found, more, err = f.Lifecycle.PreviewResults(ctx, v, status, int(after), pageSize(in.MaxResults, pageDefault))
		if more {
			out.NextToken = list.TokenAt(int64(found[len(found)-1].Position))
		}
	}
	if err != nil {
		return nil, err
	}
	for _, r := range found {
		if status == registry.AnyTagStatus || (status == registry.Tagged) == (len(r.Tags) > 0) {
			out.PreviewResults = append(out.PreviewResults, previewResultOut(r))
		}
	}
	return out, nil
}

// previewIDs are the images that are named; nil if the request names none.
func previewIDs(in *ecrmodel.GetLifecyclePolicyPreviewRequest) ([]lifecycle.Asked, error) {
	if in.ImageIds == nil {
		return nil, nil
	}
	if err := refusePaging("imageIds", in.NextToken, in.MaxResults); err != nil {
		return nil, err
	}
	asked := []lifecycle.Asked{}
	for _, id := range idsIn(in.ImageIds) {
		if id == (registry.Asked{}) {
			return nil, &fault.Error{Reason: fault.ParameterInvalid, Member: "imageIds", Constraint: "both tag and digest cannot be null"}
		}
		a := lifecycle.Asked{}
		if id.Digest != "" {
			d, err := digestIn("imageDigest", id.Digest)
			if err != nil {
				return nil, err
			}
			a.Digest = d
		}
		if id.Tag != "" {
			t, err := name.ParseTag(id.Tag)
			if err != nil { // no image has it
				continue
			}
			a.Tag = t
		}
		asked = append(asked, a)
	}
	return asked, nil
}

var previewStatuses = map[lifecycle.PreviewStatus]ecrmodel.LifecyclePolicyPreviewStatus{
	lifecycle.PreviewRunning:  ecrmodel.LifecyclePolicyPreviewStatusInProgress,
	lifecycle.PreviewComplete: ecrmodel.LifecyclePolicyPreviewStatusComplete,
	lifecycle.PreviewFailed:   ecrmodel.LifecyclePolicyPreviewStatusFailed,
	lifecycle.PreviewExpired:  ecrmodel.LifecyclePolicyPreviewStatusExpired,
}

func previewOut(key registry.RepositoryKey, v lifecycle.PreviewState) *ecrmodel.GetLifecyclePolicyPreviewResponse {
	out := &ecrmodel.GetLifecyclePolicyPreviewResponse{
		RegistryId: accountOf(key), RepositoryName: nameOf(key), LifecyclePolicyText: &v.Text, Status: new(previewStatuses[v.Status]),
	}
	if v.Status != lifecycle.PreviewComplete {
		return out
	}
	out.PreviewResults = []ecrmodel.LifecyclePolicyPreviewResult{}
	out.Summary = &ecrmodel.LifecyclePolicyPreviewSummary{
		ExpiringImageTotalCount:       new(int32(v.Expiring)),
		TransitioningImageTotalCounts: []ecrmodel.TransitioningImageTotalCount{},
	}
	if v.Transitioned > 0 {
		out.Summary.TransitioningImageTotalCounts = append(out.Summary.TransitioningImageTotalCounts, ecrmodel.TransitioningImageTotalCount{
			TargetStorageClass: new(ecrmodel.LifecyclePolicyTargetStorageClassArchive), ImageTotalCount: new(int32(v.Transitioned)),
		})
	}
	return out
}

func previewResultOut(r lifecycle.PreviewResult) ecrmodel.LifecyclePolicyPreviewResult {
	out := ecrmodel.LifecyclePolicyPreviewResult{
		ImageTags: r.Tags, ImageDigest: new(string(r.Digest)), ImagePushedAt: &r.PushedAt,
		Action:              &ecrmodel.LifecyclePolicyRuleAction{Type: new(ecrmodel.ImageActionTypeExpire)},
		AppliedRulePriority: new(int32(r.Priority)),
		StorageClass:        new(ecrmodel.LifecyclePolicyStorageClassStandard),
	}
	if r.Transition {
		out.Action.Type = new(ecrmodel.ImageActionTypeTransition)
		out.Action.TargetStorageClass = new(ecrmodel.LifecyclePolicyTargetStorageClassArchive)
	}
	if r.Archived {
		out.StorageClass = new(ecrmodel.LifecyclePolicyStorageClassArchive)
	}
	return out
}
