package ecr

import (
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/registry"
)

// imageFailures are the failures of single ids in BatchGetImage and
// BatchDeleteImage, as ECR words them.
var imageFailures = map[fault.Reason]struct {
	code   ecrmodel.ImageFailureCode
	reason string
}{
	fault.ImageNotFound:    {ecrmodel.ImageFailureCodeImageNotFound, "Requested image not found"},
	fault.ImageArchived:    {ecrmodel.ImageFailureCodeImageInaccessible, "Requested image is archived"},
	fault.DigestInvalid:    {ecrmodel.ImageFailureCodeInvalidImageDigest, "Invalid request parameters: image digest should satisfy the regex '" + digestPattern + "'"},
	fault.ParameterInvalid: {ecrmodel.ImageFailureCodeMissingDigestAndTag, "Invalid request parameters: both tag and digest cannot be null"},
	fault.TagMapsElsewhere: {ecrmodel.ImageFailureCodeImageTagDoesNotMatchDigest, "Invalid request parameters: given tag does not map to the given digest"},
	fault.ImageReferenced:  {ecrmodel.ImageFailureCodeImageReferencedByManifestList, "Requested image referenced by manifest list: {digests}"},
}

// imageFailure repeats the id as it was asked.
func imageFailure(m registry.Match) ecrmodel.ImageFailure {
	w := imageFailures[m.Err.Reason]
	return ecrmodel.ImageFailure{
		ImageId: idOut(m.Asked.Tag, m.Asked.Digest), FailureCode: &w.code, FailureReason: new(fill(w.reason, m.Err)),
	}
}
