package ecr

import (
	"context"
	"encoding/base64"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/name"
)

// getAuthorizationToken issues a token for each registry that is named, and
// for the caller's own when none is. Clients split the decoded token at its
// only colon.
func (f *front) getAuthorizationToken(ctx context.Context, c *awsjson.Call, in *ecrmodel.GetAuthorizationTokenRequest) (*ecrmodel.GetAuthorizationTokenResponse, error) {
	accounts := in.RegistryIds
	if accounts == nil {
		accounts = []string{string(c.Registry.Account)}
	}
	out := &ecrmodel.GetAuthorizationTokenResponse{}
	for _, account := range accounts {
		token, err := f.Issuer.IssueToken(ctx, c.Caller, identity.FullScope, c.Registry.Region)
		if err != nil {
			return nil, err
		}
		id := name.RegistryID{Account: name.AccountID(account), Region: c.Registry.Region}
		out.AuthorizationData = append(out.AuthorizationData, ecrmodel.AuthorizationData{
			AuthorizationToken: new(base64.StdEncoding.EncodeToString([]byte(identity.TokenUser + ":" + token.Password))),
			ExpiresAt:          &token.ExpiresAt,
			ProxyEndpoint:      new(f.Addresses.RegistryURL(edge.From(ctx), id)),
		})
	}
	return out, nil
}
