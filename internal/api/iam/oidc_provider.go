package iam

import (
	"context"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
)

// onProvider names the provider that an input names. InputRefused.
func onProvider[In any](arn func(*In) *string) func(context.Context, *awsquery.Call, *In) (access.Resource, error) {
	return func(_ context.Context, _ *awsquery.Call, in *In) (access.Resource, error) {
		account, _, ok := name.ParseProviderARN(*arn(in))
		if !ok {
			return access.Resource{}, &fault.Error{Reason: fault.InputRefused, Detail: "ARN " + *arn(in) + " is not valid."}
		}
		return access.Resource{Account: account, ARN: *arn(in)}, nil
	}
}

// newProvider is what the creation of a provider is decided on.
func newProvider(_ context.Context, c *awsquery.Call, in *iammodel.CreateOpenIDConnectProviderRequest) (access.Resource, error) {
	host, err := directory.ProviderHost(*in.Url)
	return access.Resource{Account: c.Caller.Account, ARN: name.ProviderARN(c.Caller.Account, host), RequestTags: requestTags(in.Tags)}, err
}

func (f *front) createProvider(ctx context.Context, c *awsquery.Call, in *iammodel.CreateOpenIDConnectProviderRequest) (*iammodel.CreateOpenIDConnectProviderResponse, error) {
	p, err := f.Directory.CreateProvider(ctx, c.Caller.Account, directory.NewProvider{
		URL: *in.Url, ClientIDs: in.ClientIDList, Thumbprints: in.ThumbprintList, Tags: tagsIn(in.Tags),
	})
	if err != nil {
		return nil, err
	}
	out := &iammodel.CreateOpenIDConnectProviderResponse{OpenIDConnectProviderArn: new(p.ARN)}
	if len(p.Tags) > 0 {
		out.Tags = tagsOut(p.Tags)
	}
	return out, nil
}

// getProvider answers with the URL without its scheme, as IAM does.
func (f *front) getProvider(ctx context.Context, c *awsquery.Call, in *iammodel.GetOpenIDConnectProviderRequest) (*iammodel.GetOpenIDConnectProviderResponse, error) {
	p, err := f.Directory.GetProvider(ctx, c.Caller.Account, *in.OpenIDConnectProviderArn)
	if err != nil {
		return nil, err
	}
	return &iammodel.GetOpenIDConnectProviderResponse{
		Url: new(p.Host), ClientIDList: append([]string{}, p.ClientIDs...), ThumbprintList: append([]string{}, p.Thumbprints...),
		CreateDate: new(p.CreatedAt), Tags: tagsOut(p.Tags),
	}, nil
}

func (f *front) listProviders(ctx context.Context, c *awsquery.Call, _ *iammodel.ListOpenIDConnectProvidersRequest) (*iammodel.ListOpenIDConnectProvidersResponse, error) {
	all, err := f.Directory.ListProviders(ctx, c.Caller.Account)
	out := &iammodel.ListOpenIDConnectProvidersResponse{OpenIDConnectProviderList: make([]iammodel.OpenIDConnectProviderListEntry, len(all))}
	for i, p := range all {
		out.OpenIDConnectProviderList[i] = iammodel.OpenIDConnectProviderListEntry{Arn: new(p.ARN)}
	}
	return out, err
}

func (f *front) deleteProvider(ctx context.Context, c *awsquery.Call, in *iammodel.DeleteOpenIDConnectProviderRequest) (*iammodel.DeleteOpenIDConnectProviderResponse, error) {
	return &iammodel.DeleteOpenIDConnectProviderResponse{}, f.Directory.DeleteProvider(ctx, c.Caller.Account, *in.OpenIDConnectProviderArn)
}

func (f *front) addClientID(ctx context.Context, c *awsquery.Call, in *iammodel.AddClientIDToOpenIDConnectProviderRequest) (*iammodel.AddClientIDToOpenIDConnectProviderResponse, error) {
	return &iammodel.AddClientIDToOpenIDConnectProviderResponse{}, f.Directory.AddClientID(ctx, c.Caller.Account, *in.OpenIDConnectProviderArn, *in.ClientID)
}

func (f *front) removeClientID(ctx context.Context, c *awsquery.Call, in *iammodel.RemoveClientIDFromOpenIDConnectProviderRequest) (*iammodel.RemoveClientIDFromOpenIDConnectProviderResponse, error) {
	return &iammodel.RemoveClientIDFromOpenIDConnectProviderResponse{}, f.Directory.RemoveClientID(ctx, c.Caller.Account, *in.OpenIDConnectProviderArn, *in.ClientID)
}

func (f *front) updateThumbprints(ctx context.Context, c *awsquery.Call, in *iammodel.UpdateOpenIDConnectProviderThumbprintRequest) (*iammodel.UpdateOpenIDConnectProviderThumbprintResponse, error) {
	return &iammodel.UpdateOpenIDConnectProviderThumbprintResponse{}, f.Directory.SetThumbprints(ctx, c.Caller.Account, *in.OpenIDConnectProviderArn, in.ThumbprintList)
}
