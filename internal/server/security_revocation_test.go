package server_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/lighterage/lighterage/internal/testkit"
)

// access is all ways that a person has to come in, each used before.
type access struct {
	name string
	try  func() error
}

// accesses are a key, its registry login by two schemes, its own session, that
// session's login, and a role that it took on.
func accesses(t *testing.T, p person, repository string) []access {
	t.Helper()
	ctx := t.Context()
	sdk := func(p person) func() error {
		return func() error {
			_, err := p.ecr().ListImages(ctx, &ecr.ListImagesInput{RepositoryName: &repository})
			return err
		}
	}
	v2 := func(header string) func() error {
		return func() error {
			a := p.s.Do(testkit.Login{}, "GET", "/v2/"+repository+"/tags/list", nil, header)
			if a.Status != 200 {
				return fmt.Errorf("%d %s", a.Status, a.Body)
			}
			return nil
		}
	}
	session := p
	got, err := p.sts().GetSessionToken(ctx, &sts.GetSessionTokenInput{})
	must(t, err)
	session.key, session.secret, session.token = *got.Credentials.AccessKeyId, *got.Credentials.SecretAccessKey, *got.Credentials.SessionToken
	login, sessionLogin := p.login(t), session.login(t)
	all := []access{
		{"the key", sdk(p)},
		{"the key's login", v2("Authorization: " + login.Basic())},
		{"the key's login as bearer", v2("Authorization: Bearer " + login.Password)},
		{"the key's session", sdk(session)},
		{"the session's login", v2("Authorization: " + sessionLogin.Basic())},
	}
	for _, a := range all {
		if err := a.try(); err != nil {
			t.Fatalf("%s before: %v", a.name, err)
		}
	}
	return all
}

// TestWhatIsTakenBackIsGoneAtTheNextRequest takes back in every way what was
// used, and so is in caches, a moment before.
func TestWhatIsTakenBackIsGoneAtTheNextRequest(t *testing.T) {
	ctx := t.Context()
	s := testkit.Start(t, testkit.Setting("anonymous-pull", "true"))
	_, _ = push(t, root(s), "team/app", "1", []byte("layer"))
	must(t, createService(s, "web"))
	admin := root(s).iam()
	rights := statements("Allow ecr:*,sts:* *")
	group, own := aws.String("group"), aws.String("own")
	for n, c := range []struct {
		name string
		back func(p person) error
	}{
		{"the key is deactivated", func(p person) error {
			_, err := admin.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: &p.id, AccessKeyId: &p.key, Status: types.StatusTypeInactive})
			return err
		}},
		{"the key is deleted", func(p person) error {
			_, err := admin.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &p.id, AccessKeyId: &p.key})
			return err
		}},
		{"the user is deleted", func(p person) error {
			_, _ = admin.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &p.id, AccessKeyId: &p.key})
			_, _ = admin.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: &p.id, PolicyName: own})
			_, _ = admin.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{UserName: &p.id, GroupName: group})
			_, err := admin.DeleteUser(ctx, &iam.DeleteUserInput{UserName: &p.id})
			return err
		}},
		{"the policy is deleted", func(p person) error {
			_, err := admin.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: &p.id, PolicyName: own})
			return err
		}},
		{"the policy is narrowed", func(p person) error {
			_, err := admin.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &p.id, PolicyName: own, PolicyDocument: aws.String(statements("Allow sts:* *"))})
			return err
		}},
		{"another policy denies", func(p person) error {
			_, err := admin.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &p.id, PolicyName: aws.String("deny"), PolicyDocument: aws.String(statements("Deny ecr:ListImages *"))})
			return err
		}},
		{"the repository's policy denies", func(p person) error {
			_, err := s.ECR().SetRepositoryPolicy(ctx, &ecr.SetRepositoryPolicyInput{RepositoryName: aws.String("team/app"), PolicyText: aws.String(
				`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::000000000000:user/` + p.id + `"},"Action":"ecr:ListImages"}}`)})
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := root(s).hire(t, fmt.Sprintf("user%d", n), rights)
			all := accesses(t, p, "team/app")
			must(t, c.back(p))
			for _, a := range all {
				if err := a.try(); err == nil {
					t.Errorf("%s still works", a.name)
				}
			}
		})
	}

	t.Run("the boundary narrows", func(t *testing.T) {
		made, err := admin.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("bound"), PolicyDocument: aws.String(statements("Allow * *"))})
		must(t, err)
		p := person{s: s, id: "bounded", region: "us-east-1"}
		_, err = admin.CreateUser(ctx, &iam.CreateUserInput{UserName: &p.id, PermissionsBoundary: made.Policy.Arn})
		must(t, err)
		_, err = admin.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &p.id, PolicyName: own, PolicyDocument: &rights})
		must(t, err)
		key, err := admin.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &p.id})
		must(t, err)
		p.key, p.secret = *key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey
		all := accesses(t, p, "team/app")
		_, err = admin.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: made.Policy.Arn, PolicyDocument: aws.String(statements("Allow sts:* *")), SetAsDefault: true})
		must(t, err)
		for _, a := range all {
			if err := a.try(); err == nil {
				t.Errorf("%s still works", a.name)
			}
		}
	})
	t.Run("the group is left", func(t *testing.T) {
		p := root(s).hire(t, "member", statements("Allow sts:* *"))
		_, err := admin.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: group})
		must(t, err)
		_, err = admin.PutGroupPolicy(ctx, &iam.PutGroupPolicyInput{GroupName: group, PolicyName: own, PolicyDocument: aws.String(statements("Allow ecr:* *"))})
		must(t, err)
		_, err = admin.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: group, UserName: &p.id})
		must(t, err)
		all := accesses(t, p, "team/app")
		_, err = admin.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{GroupName: group, UserName: &p.id})
		must(t, err)
		for _, a := range all {
			if err := a.try(); err == nil {
				t.Errorf("%s still works", a.name)
			}
		}
	})
	t.Run("the role is deleted", func(t *testing.T) {
		p := root(s).hire(t, "actor", rights)
		role := aws.String("role")
		_, err := admin.CreateRole(ctx, &iam.CreateRoleInput{RoleName: role, AssumeRolePolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}`)})
		must(t, err)
		_, err = admin.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: role, PolicyName: own, PolicyDocument: &rights})
		must(t, err)
		got, err := p.sts().AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::000000000000:role/role"), RoleSessionName: aws.String("session")})
		must(t, err)
		p.key, p.secret, p.token = *got.Credentials.AccessKeyId, *got.Credentials.SecretAccessKey, *got.Credentials.SessionToken
		login := p.login(t)
		try := func() (v2 int, sdk error) {
			_, sdk = p.ecr().ListImages(ctx, &ecr.ListImagesInput{RepositoryName: aws.String("team/app")})
			return s.Do(login, "GET", "/v2/team/app/tags/list", nil).Status, sdk
		}
		if v2, sdk := try(); sdk != nil || v2 != 200 {
			t.Fatalf("before: %v, %d", sdk, v2)
		}
		_, err = admin.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: role, PolicyName: own})
		must(t, err)
		if v2, sdk := try(); code(sdk) != "AccessDeniedException" || v2 != 403 {
			t.Errorf("without its policy: %v, %d", sdk, v2)
		}
		_, err = admin.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: role})
		must(t, err)
		if v2, sdk := try(); sdk == nil || v2 != 401 {
			t.Errorf("without the role: %v, %d", sdk, v2)
		}
	})
	t.Run("the account's tokens are revoked", func(t *testing.T) {
		p := root(s).hire(t, "last", rights)
		all := accesses(t, p, "team/app")
		login, lightsailLogin := s.Login(), s.LightsailLogin()
		must(t, root(s).admin("RevokeTokens", struct{}{}, nil))
		for _, a := range all {
			if err := a.try(); (err == nil) != (a.name == "the key") {
				t.Errorf("%s: %v", a.name, err)
			}
		}
		checkStatus(t, "the root's login", s.Do(login, "GET", "/v2/", nil), 401)
		checkStatus(t, "the root's Lightsail login", s.Do(lightsailLogin, "GET", "/v2/", nil), 401)
		checkStatus(t, "a login of later", s.Do(s.Login(), "GET", "/v2/", nil), 200)
	})
}
