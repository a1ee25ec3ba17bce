package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/registry"
)

// putImageScanningConfiguration stores the setting; nothing is scanned.
func (f *front) putImageScanningConfiguration(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.PutImageScanningConfigurationRequest) (*ecrmodel.PutImageScanningConfigurationResponse, error) {
	r, err := f.Catalogue.SetScanOnPush(ctx, key, value(in.ImageScanningConfiguration.ScanOnPush))
	if err != nil {
		return nil, err
	}
	return &ecrmodel.PutImageScanningConfigurationResponse{
		RegistryId:                 accountOf(key),
		RepositoryName:             nameOf(key),
		ImageScanningConfiguration: &ecrmodel.ImageScanningConfiguration{ScanOnPush: &r.ScanOnPush},
	}, nil
}
