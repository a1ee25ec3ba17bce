package lightsail

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lightsailmodel"
)

// lightsailctlVersion is the version that the AWS CLI's helper compares itself
// with: an older one tells its user to update.
const lightsailctlVersion = "v1.0.8"

func (f *front) getContainerAPIMetadata(context.Context, *awsjson.Call, *lightsailmodel.GetContainerAPIMetadataRequest) (*lightsailmodel.GetContainerAPIMetadataResult, error) {
	return &lightsailmodel.GetContainerAPIMetadataResult{
		Metadata: []map[string]string{{"name": "lightsailctlVersion", "value": lightsailctlVersion}},
	}, nil
}
