package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
)

func (f *front) getAccountSetting(ctx context.Context, c *awsjson.Call, in *ecrmodel.GetAccountSettingRequest) (*ecrmodel.GetAccountSettingResponse, error) {
	set, err := f.Catalogue.AccountSetting(ctx, c.Registry, *in.Name)
	if err != nil {
		return nil, err
	}
	return &ecrmodel.GetAccountSettingResponse{Name: in.Name, Value: &set}, nil
}
