package access_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/name"
)

const (
	account = name.AccountID("123456789012")
	other   = name.AccountID("210987654321")
)

func TestAuthorize(t *testing.T) {
	registry := name.RegistryID{Account: account, Region: "eu-west-1"}
	root := identity.Caller{Account: account, ARN: name.RootARN(account), UserID: string(account), KeyID: "AKIA", Region: registry.Region}
	push := root
	push.Scope = identity.LightsailPush

	own := access.Resource{Account: account, ARN: name.RepositoryARN(registry, "team/app")}
	foreign := access.Resource{Account: other, ARN: name.RepositoryARN(name.RegistryID{Account: other, Region: "eu-west-1"}, "team/app")}

	tests := []struct {
		name     string
		caller   identity.Caller
		action   string
		resource access.Resource
		detail   string // of the denial; empty: allowed
	}{
		{"a root does anything to a repository of its account", root, "ecr:PutImage", own, ""},
		{"a root does what has no resource", root, "ecr:GetAuthorizationToken", access.Resource{Account: account, ARN: "*"}, ""},
		{"a root reaches no other account", root, "ecr:PutImage", foreign, "because no resource-based policy allows the ecr:PutImage action"},
		{"a root reaches no account that is not named", root, "ecr:PutImage", access.Resource{ARN: "*"}, "because no resource-based policy allows the ecr:PutImage action"},
		{"a Lightsail login pushes", push, access.LoginAction, access.Resource{Account: account, ARN: "*"}, ""},
		{"a Lightsail login does nothing of ECR", push, "ecr:BatchGetImage", own, "because no session policy allows the ecr:BatchGetImage action"},
		{"a Lightsail login makes no service", push, "lightsail:CreateContainerService", own, "because no session policy allows the lightsail:CreateContainerService action"},
		{"a Lightsail login pushes to no other account", push, access.LoginAction, foreign, "because no resource-based policy allows the lightsail:CreateContainerServiceRegistryLogin action"},
		{"nobody does nothing", identity.Caller{}, "ecr:PutImage", own, "because no identity was established"},
		{"nobody does nothing to nobody's", identity.Caller{}, "ecr:PutImage", access.Resource{}, "because no identity was established"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := access.New().Authorize(context.Background(), tt.caller, tt.action, tt.resource)
			if tt.detail == "" {
				if err != nil {
					t.Errorf("denied: %v", err)
				}
				return
			}
			if err == nil {
				t.Fatal("allowed")
			}
			want := &fault.Error{
				Reason: fault.AccessDenied, Account: string(tt.resource.Account), Principal: tt.caller.ARN,
				Action: tt.action, Resource: tt.resource.ARN, Detail: tt.detail,
			}
			if diff := cmp.Diff(want, fault.Of(err)); diff != "" {
				t.Errorf("denial (-want +got):\n%s", diff)
			}
		})
	}
}
