package awsjson

import (
	"github.com/lighterage/lighterage/internal/api/awsmodel"
	"github.com/lighterage/lighterage/internal/api/awsplan"
)

// plan is what the decoder and the encoder walk.
type plan = awsplan.Plan

// The room for a body: what nothing in the model asks more for, and what is
// added to the values that do.
const (
	defaultLimit = 1 << 20
	envelope     = 64 << 10
)

// bodyLimit returns the size of the largest body that an input can need: its
// blobs in base64, its bounded strings with every character escaped.
func bodyLimit(input *awsmodel.Shape) int64 {
	limit := int64(envelope)
	for _, m := range input.Members {
		switch s := m.Shape; {
		case s.Max == nil:
		case s.Kind == awsmodel.Bytes:
			limit += (*s.Max + 2) / 3 * 4
		case s.Kind == awsmodel.String:
			limit += *s.Max * int64(len(`\u0000`))
		}
	}
	return max(limit, defaultLimit)
}
