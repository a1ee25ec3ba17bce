package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
)

func (f *front) putAccountSetting(ctx context.Context, c *awsjson.Call, in *ecrmodel.PutAccountSettingRequest) (*ecrmodel.PutAccountSettingResponse, error) {
	if err := f.Catalogue.PutAccountSetting(ctx, c.Registry, *in.Name, *in.Value); err != nil {
		return nil, err
	}
	return &ecrmodel.PutAccountSettingResponse{Name: in.Name, Value: in.Value}, nil
}
