package iam

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
)

func (f *front) createAccountAlias(ctx context.Context, c *awsquery.Call, in *iammodel.CreateAccountAliasRequest) (*iammodel.CreateAccountAliasResponse, error) {
	return &iammodel.CreateAccountAliasResponse{}, f.Directory.SetAlias(ctx, c.Caller.Account, *in.AccountAlias)
}

func (f *front) deleteAccountAlias(ctx context.Context, c *awsquery.Call, in *iammodel.DeleteAccountAliasRequest) (*iammodel.DeleteAccountAliasResponse, error) {
	return &iammodel.DeleteAccountAliasResponse{}, f.Directory.DeleteAlias(ctx, c.Caller.Account, *in.AccountAlias)
}

// listAccountAliases answers with the one that there can be, so that no Marker
// is ever given.
func (f *front) listAccountAliases(ctx context.Context, c *awsquery.Call, in *iammodel.ListAccountAliasesRequest) (*iammodel.ListAccountAliasesResponse, error) {
	if _, err := listingOf(c, "ListAccountAliases").Position(in.Marker); err != nil {
		return nil, err
	}
	a, err := f.Directory.GetAccount(ctx, c.Caller.Account)
	if err != nil {
		return nil, err
	}
	aliases := []string{}
	if a.Alias != "" {
		aliases = append(aliases, a.Alias)
	}
	return &iammodel.ListAccountAliasesResponse{AccountAliases: aliases, IsTruncated: new(false)}, nil
}
