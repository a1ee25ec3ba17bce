package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/audit"
	"github.com/lighterage/lighterage/internal/testkit"
)

// TestALoginThatHasEndedIsKnownInTheTrail ends logins in every way, and asks for
// a repository with them: the trail tells whose each was, and has a line for
// each time.
func TestALoginThatHasEndedIsKnownInTheTrail(t *testing.T) {
	ctx := t.Context()
	clock := &still{at: time.Now()}
	s := testkit.Start(t, testkit.Clock(clock.now), testkit.Setting("anonymous-pull", "true"))
	l := newTrail(t, s)
	admin := root(s).iam()
	rights := statements("Allow ecr:*,sts:*,lightsail:* *")
	session := func(p person) person {
		got, err := p.sts().GetSessionToken(ctx, &sts.GetSessionTokenInput{})
		must(t, err)
		p.key, p.secret, p.token = *got.Credentials.AccessKeyId, *got.Credentials.SecretAccessKey, *got.Credentials.SessionToken
		return p
	}
	_, err := admin.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("ci"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}`)})
	must(t, err)
	_, err = admin.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String("ci"), PolicyName: aws.String("own"), PolicyDocument: &rights})
	must(t, err)
	for n, c := range []struct {
		name string
		as   func(p person) person // whose login it is
		end  func(p person)
		want string // type, user's name and ARN; NAME is the user
		code string
	}{
		{"the key is deactivated", nil, func(p person) {
			_, err := admin.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: &p.id, AccessKeyId: &p.key, Status: types.StatusTypeInactive})
			must(t, err)
		}, "IAMUser NAME arn:aws:iam::000000000000:user/NAME", "UNAUTHORIZED"},
		{"the key is deleted", nil, func(p person) {
			_, err := admin.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &p.id, AccessKeyId: &p.key})
			must(t, err)
		}, "IAMUser NAME arn:aws:iam::000000000000:user/NAME", "UNAUTHORIZED"},
		{"the user is deleted", nil, func(p person) { remove(t, p) }, "IAMUser NAME arn:aws:iam::000000000000:user/NAME", "UNAUTHORIZED"},
		{"the user of a session is deleted", session, func(p person) { remove(t, p) }, "IAMUser NAME arn:aws:iam::000000000000:user/NAME", "UNAUTHORIZED"},
		{"the role of a session is deleted", func(p person) person {
			got, err := p.sts().AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::000000000000:role/ci"), RoleSessionName: aws.String("job-7")})
			must(t, err)
			p.key, p.secret, p.token = *got.Credentials.AccessKeyId, *got.Credentials.SecretAccessKey, *got.Credentials.SessionToken
			return p
		}, func(person) {
			_, err := admin.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: aws.String("ci"), PolicyName: aws.String("own")})
			must(t, err)
			_, err = admin.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: aws.String("ci")})
			must(t, err)
		}, "AssumedRole ci arn:aws:sts::000000000000:assumed-role/ci/job-7", "UNAUTHORIZED"},
		{"the account's tokens are revoked", nil, func(person) { must(t, root(s).admin("RevokeTokens", struct{}{}, nil)) },
			"IAMUser NAME arn:aws:iam::000000000000:user/NAME", "UNAUTHORIZED"},
		{"the root's tokens are revoked", func(person) person { return root(s) }, func(person) { must(t, root(s).admin("RevokeTokens", struct{}{}, nil)) },
			"Root  arn:aws:iam::000000000000:root", "UNAUTHORIZED"},
		{"it has expired", nil, func(person) { clock.add(13 * time.Hour) }, "IAMUser NAME arn:aws:iam::000000000000:user/NAME", "DENIED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock.add(time.Millisecond) // what is issued in the moment of a revocation is revoked
			user := root(s).hire(t, fmt.Sprintf("user%d", n), rights)
			p := user
			if c.as != nil {
				p = c.as(user)
			}
			login := p.login(t)
			checkStatus(t, "before", s.Do(login, "GET", "/v2/", nil), 200)
			c.end(user)
			l.next()
			const times = 15 // of each; more than a stranger has lines for
			for range times {
				s.Do(login, "GET", "/v2/team/app/manifests/1", nil)
				s.Do(testkit.Login{}, "HEAD", "/v2/team/app/blobs/"+testkit.Digest(nil), nil, "Authorization: Bearer "+login.Password)
				s.Do(login, "GET", "/v2/token", nil)
			}
			events := l.next()
			if len(events) != 3*times {
				t.Fatalf("%d of %d are in the trail: %q", len(events), 3*times, summary(events))
			}
			for i, want := range []string{"BatchGetImage " + on("team/app"), "BatchCheckLayerAvailability " + on("team/app"), "RegistryLogin "} {
				e := events[i]
				want = fmt.Sprintf("%s %s 000000000000 %s %s", strings.ReplaceAll(c.want, "NAME", user.id), p.key, want, c.code)
				if diff := cmp.Diff(want, describe(e)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// describe is who had a login, and what it was refused.
func describe(e audit.Event) string {
	who, name := e.Identity, e.Identity.UserName
	if s := who.SessionContext; s != nil && s.Issuer != nil {
		name = s.Issuer.UserName
	}
	resource := ""
	for _, r := range e.Resources {
		resource = r.ARN
	}
	return fmt.Sprintf("%s %s %s %s %s %s %s %s", who.Type, name, who.ARN, who.AccessKeyID, who.AccountID, e.Name, resource, e.ErrorCode)
}

// remove deletes a user that was hired.
func remove(t *testing.T, p person) {
	t.Helper()
	admin := root(p.s).iam()
	_, err := admin.DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{UserName: &p.id, AccessKeyId: &p.key})
	must(t, err)
	_, err = admin.DeleteUserPolicy(t.Context(), &iam.DeleteUserPolicyInput{UserName: &p.id, PolicyName: aws.String("own")})
	must(t, err)
	_, err = admin.DeleteUser(t.Context(), &iam.DeleteUserInput{UserName: &p.id})
	must(t, err)
}

// TestWhatIsForgedIsNobodysInTheTrail: what a token says counts for nothing if we
// did not sign it.
func TestWhatIsForgedIsNobodysInTheTrail(t *testing.T) {
	s := testkit.Start(t, behindProxy)
	l := newTrail(t, s)
	login := root(s).hire(t, "bob", statements("Allow ecr:* *")).login(t)
	var from addresses
	for name, forged := range forgeries(t, login.Password) {
		l.next()
		checkStatus(t, name, s.Do(testkit.Login{User: "AWS", Password: forged}, "GET", "/v2/team/app/manifests/1", nil, from.next()), 401)
		if events := l.next(); len(events) != 1 || describe(events[0]) != "Unknown     BatchGetImage  UNAUTHORIZED" {
			t.Errorf("%s: in the trail is %+v", name, events)
		}
	}
}

// TestALoginForAnotherRegionIsKnownInTheTrail: it is refused, and has not ended.
func TestALoginForAnotherRegionIsKnownInTheTrail(t *testing.T) {
	s := testkit.Start(t, testkit.Setting("regions", "us-east-1,eu-west-1"), testkit.Setting("registry-host", "{account}.dkr.ecr.{region}.localhost"))
	l := newTrail(t, s)
	bob := root(s).hire(t, "bob", statements("Allow ecr:* *"))
	login := bob.login(t)
	l.next()
	checkStatus(t, "elsewhere", at(t, s, "000000000000.dkr.ecr.eu-west-1.localhost", login, "GET", "/v2/team/app/manifests/1", nil), 401)
	events := l.next()
	want := "IAMUser bob arn:aws:iam::000000000000:user/bob " + bob.key + " 000000000000 BatchGetImage arn:aws:ecr:eu-west-1:000000000000:repository/team/app UNAUTHORIZED"
	if len(events) != 1 || describe(events[0]) != want {
		t.Errorf("in the trail is %+v, want %s", events, want)
	}
}
