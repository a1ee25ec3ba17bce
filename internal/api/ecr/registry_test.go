package ecr_test

import (
	"encoding/base64"
	"net/netip"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lighterage/lighterage/internal/identity"
)

func TestDescribeRegistry(t *testing.T) {
	w := newWorld(t)
	got := must2[*sdk.DescribeRegistryOutput](t)(w.DescribeRegistry(w.ctx, nil))
	same(t, got, &sdk.DescribeRegistryOutput{
		RegistryId: new(account), ReplicationConfiguration: &types.ReplicationConfiguration{Rules: []types.ReplicationRule{}},
	})
}

func TestGetAuthorizationToken(t *testing.T) {
	w := newWorld(t)
	for name, ids := range map[string][]string{"for the caller's registry": nil, "for the registries named": {account, account}} {
		t.Run(name, func(t *testing.T) {
			got := must2[*sdk.GetAuthorizationTokenOutput](t)(w.GetAuthorizationToken(w.ctx, &sdk.GetAuthorizationTokenInput{RegistryIds: ids}))
			if want := max(1, len(ids)); len(got.AuthorizationData) != want {
				t.Fatalf("%d tokens, want %d", len(got.AuthorizationData), want)
			}
			for _, data := range got.AuthorizationData {
				checkToken(t, w, data)
			}
		})
	}
}

func checkToken(t *testing.T, w *world, data types.AuthorizationData) {
	t.Helper()
	if want := "http://" + w.host; *data.ProxyEndpoint != want {
		t.Errorf("the endpoint is %s, want %s", *data.ProxyEndpoint, want)
	}
	if left := time.Until(*data.ExpiresAt); left < 12*time.Hour-time.Minute || left > 12*time.Hour {
		t.Errorf("the token expires in %v, want 12 hours", left)
	}
	plain := must2[[]byte](t)(base64.StdEncoding.DecodeString(*data.AuthorizationToken))
	parts := strings.Split(string(plain), ":")
	if len(parts) != 2 {
		t.Fatalf("the token has %d parts, want a user and a password", len(parts))
	}
	caller := must2[identity.Caller](t)(w.authority.VerifyToken(w.ctx, parts[0], parts[1]))
	want := identity.Caller{Account: account, ARN: "arn:aws:iam::123456789012:root", UserID: account, KeyID: keyID, Region: region, Kind: identity.Root}
	if diff := cmp.Diff(want, caller, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("the token speaks for another (-want +got):\n%s", diff)
	}
}

func gettingToken(ids ...string) func(*world) error {
	return func(w *world) error {
		_, err := w.GetAuthorizationToken(w.ctx, &sdk.GetAuthorizationTokenInput{RegistryIds: ids})
		return err
	}
}

var getAuthorizationTokenRefusals = []refused{
	{name: "an id of eleven digits", code: "InvalidParameterException",
		text: "Invalid parameter at 'registryIds.2.member' failed to satisfy constraint: 'Member must satisfy regular expression '[0-9]{12}''",
		act:  gettingToken(account, "12345678901")},
	{name: "eleven ids", code: "InvalidParameterException",
		text: "Invalid parameter at 'registryIds' failed to satisfy constraint: 'Member must have length less than or equal to 10'",
		act:  gettingToken(strings.Split(strings.Repeat(account+" ", 11)[:11*13-1], " ")...)},
}
