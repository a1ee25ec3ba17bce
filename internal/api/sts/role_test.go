package sts_test

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/lighterage/lighterage/internal/meta"
)

func TestAssumeRole(t *testing.T) {
	w := newWorld(t)
	alice := w.user(account, "alice", everything)
	role := w.role("ci", open, "")
	for _, tt := range []struct {
		name  string
		edit  func(*sdk.AssumeRoleInput)
		lasts time.Duration
	}{
		{"for an hour, unless asked otherwise", nil, time.Hour},
		{"for a quarter of an hour", func(in *sdk.AssumeRoleInput) { in.DurationSeconds = aws.Int32(900) }, 15 * time.Minute},
		{"for as long as the role allows", func(in *sdk.AssumeRoleInput) { in.DurationSeconds = aws.Int32(7200) }, 2 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := w.assume(alice, role, tt.edit)
			if lasts := got.Credentials.Expiration.Sub(w.now()); lasts > tt.lasts || lasts < tt.lasts-time.Minute {
				t.Errorf("lasts %v, want %v", lasts, tt.lasts)
			}
			const arn, id = "arn:aws:sts::123456789012:assumed-role/ci/job-7", "AROAci:job-7"
			if *got.AssumedRoleUser.Arn != arn || *got.AssumedRoleUser.AssumedRoleId != id || got.PackedPolicySize != nil || got.SourceIdentity != nil {
				t.Errorf("got %s, %s, %v, %v", *got.AssumedRoleUser.Arn, *got.AssumedRoleUser.AssumedRoleId, got.PackedPolicySize, got.SourceIdentity)
			}
			w.is(w.with(got.Credentials), arn, id)
		})
	}
	t.Run("of another account", func(t *testing.T) {
		got := w.assume(w.user(stranger, "bob", everything), role, nil)
		w.is(w.with(got.Credentials), "arn:aws:sts::123456789012:assumed-role/ci/job-7", "AROAci:job-7")
	})
}

const notAllowed = "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: sts:AssumeRole on resource: "

func TestAssumeRoleRefusals(t *testing.T) {
	w := newWorld(t)
	alice := w.user(account, "alice", everything)
	role := w.role("ci", open, everything)
	chained := w.with(w.assume(alice, role, nil).Credentials)
	bobs := w.role("bobs", strings.Replace(open, `["123456789012","210987654321"]`, `"arn:aws:iam::123456789012:user/bob"`, 1), "")
	external := w.role("external", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"right"}}}}`, "")
	w.assume(alice, external, func(in *sdk.AssumeRoleInput) { in.ExternalId = aws.String("right") })
	sourced := w.with(w.assume(alice, role, func(in *sdk.AssumeRoleInput) { in.SourceIdentity = aws.String("carol") }).Credentials)
	passing := w.with(w.assume(alice, role, func(in *sdk.AssumeRoleInput) {
		in.Tags, in.TransitiveTagKeys = tags("team", "red"), []string{"team"}
	}).Credentials)

	noise := make([]byte, 1500)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	incompressible := strings.Replace(everything, `"2012-10-17"`, `"2012-10-17","Id":"`+base64.RawURLEncoding.EncodeToString(noise)[:1900]+`"`, 1)
	many := make([]types.Tag, 20)
	for i := range many {
		many[i] = tags(base64.RawURLEncoding.EncodeToString(noise[i*20:i*20+20]), base64.RawURLEncoding.EncodeToString(noise[i*60:i*60+180]))[0]
	}
	tests := []struct {
		name          string
		by            *sdk.Client
		role          string
		edit          func(*sdk.AssumeRoleInput)
		status        int
		code, message string
	}{
		{"by a root", w.root(), role, nil, 403, "AccessDenied", "Roles may not be assumed by root accounts."},
		{"that is not there", alice, "arn:aws:iam::123456789012:role/none", nil, 403, "AccessDenied", notAllowed + "arn:aws:iam::123456789012:role/none"},
		{"that does not trust the caller", alice, bobs, nil, 403, "AccessDenied", notAllowed + bobs},
		{"in another path than its own", alice, "arn:aws:iam::123456789012:role/path/ci", nil, 403, "AccessDenied", notAllowed},
		{"of an account that is not there", alice, "arn:aws:iam::999999999999:role/ci", nil, 403, "AccessDenied", notAllowed},
		{"whose policies do not let the caller", w.user(stranger, "dave", ""), role, nil, 403, "AccessDenied", "User: arn:aws:iam::210987654321:user/dave is not authorized to perform: sts:AssumeRole"},
		{"without the external id", alice, external, nil, 403, "AccessDenied", notAllowed + external},
		{"with a wrong external id", alice, external, func(in *sdk.AssumeRoleInput) { in.ExternalId = aws.String("wrong") }, 403, "AccessDenied", notAllowed + external},
		{"that is a user", alice, "arn:aws:iam::123456789012:user/alice", nil, 400, "ValidationError", "arn:aws:iam::123456789012:user/alice is invalid"},
		{"that is a word", alice, "administrator-of-all", nil, 400, "ValidationError", "administrator-of-all is invalid"},
		{"with a session of a bad name", alice, role, func(in *sdk.AssumeRoleInput) { in.RoleSessionName = aws.String("job 7") }, 400, "ValidationError", "1 validation error detected: Value 'job 7' at 'roleSessionName' failed to satisfy constraint"},
		{"for a moment", alice, role, func(in *sdk.AssumeRoleInput) { in.DurationSeconds = aws.Int32(60) }, 400, "ValidationError", "1 validation error detected: Value '60' at 'durationSeconds'"},
		{"for longer than the role allows", alice, role, func(in *sdk.AssumeRoleInput) { in.DurationSeconds = aws.Int32(7201) }, 400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
		{"by a role for longer than an hour", chained, role, func(in *sdk.AssumeRoleInput) { in.DurationSeconds = aws.Int32(3601) }, 400, "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."},
		{"with a device", alice, role, func(in *sdk.AssumeRoleInput) {
			in.SerialNumber, in.TokenCode = aws.String("arn:aws:iam::1:mfa/a"), aws.String("123456")
		}, 403, "AccessDenied", "MultiFactorAuthentication failed"},
		{"with contexts", alice, role, func(in *sdk.AssumeRoleInput) {
			in.ProvidedContexts = []types.ProvidedContext{{ProviderArn: aws.String("arn:aws:iam::aws:contextProvider/x"), ContextAssertion: aws.String("text")}}
		}, 400, "ValidationError", "ProvidedContexts are not offered"},
		{"with a policy that is none", alice, role, func(in *sdk.AssumeRoleInput) { in.Policy = aws.String("{}") }, 400, "MalformedPolicyDocument", ""},
		{"with a policy that has a principal", alice, role, func(in *sdk.AssumeRoleInput) { in.Policy = aws.String(open) }, 400, "MalformedPolicyDocument", ""},
		{"with a policy that is too long", alice, role, func(in *sdk.AssumeRoleInput) { in.Policy = aws.String(everything + strings.Repeat(" ", 2048)) }, 400, "ValidationError", "1 validation error detected: Value '{"},
		{"with a policy and tags that cannot be packed", alice, role, func(in *sdk.AssumeRoleInput) { in.Policy, in.Tags = aws.String(incompressible), many }, 400, "PackedPolicyTooLarge", "Packed policy consumes "},
		{"with a managed policy that is not there", alice, role, func(in *sdk.AssumeRoleInput) { in.PolicyArns = arns("arn:aws:iam::123456789012:policy/none") }, 400, "ValidationError", "The policy arn:aws:iam::123456789012:policy/none does not exist."},
		{"with a managed policy of another account", alice, role, func(in *sdk.AssumeRoleInput) { in.PolicyArns = arns("arn:aws:iam::210987654321:policy/p") }, 400, "ValidationError", "The policy arn:aws:iam::210987654321:policy/p does not exist."},
		{"with eleven managed policies", alice, role, func(in *sdk.AssumeRoleInput) {
			in.PolicyArns = arns(strings.Split(strings.Repeat("arn:aws:iam::aws:policy/ReadOnlyAccess,", 10)+"arn:aws:iam::aws:policy/ReadOnlyAccess", ",")...)
		}, 400, "ValidationError", "1 validation error detected: Value"},
		{"with a tag of AWS's", alice, role, func(in *sdk.AssumeRoleInput) { in.Tags = tags("aws:team", "red") }, 400, "ValidationError", "System tags cannot be added"},
		{"with a tag twice", alice, role, func(in *sdk.AssumeRoleInput) { in.Tags = append(tags("team", "red"), tags("Team", "blue")...) }, 400, "ValidationError", "Duplicate tag keys found."},
		{"with a tag of a bad value", alice, role, func(in *sdk.AssumeRoleInput) { in.Tags = tags("team", "<red>") }, 400, "ValidationError", "1 validation error detected: Value '<red>' at 'tags.1.member.value'"},
		{"with a transitive key that is no tag's", alice, role, func(in *sdk.AssumeRoleInput) { in.TransitiveTagKeys = []string{"team"} }, 400, "ValidationError", "The specified transitive tag key must be included in the requested tags."},
		{"with a tag that was passed on", passing, role, func(in *sdk.AssumeRoleInput) { in.Tags = tags("Team", "blue") }, 400, "ValidationError", "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session."},
		{"with another source identity than the session's", sourced, role, func(in *sdk.AssumeRoleInput) { in.SourceIdentity = aws.String("dora") }, 403, "AccessDenied", "User: arn:aws:sts::123456789012:assumed-role/ci/job-7 is not authorized to perform: sts:SetSourceIdentity"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.by.AssumeRole(t.Context(), assumption(tt.role, tt.edit))
			wantAPIError(t, err, tt.status, tt.code, tt.message)
		})
	}
}

func tags(key, value string) []types.Tag {
	return []types.Tag{{Key: aws.String(key), Value: aws.String(value)}}
}

func arns(all ...string) []types.PolicyDescriptorType {
	var list []types.PolicyDescriptorType
	for _, arn := range all {
		list = append(list, types.PolicyDescriptorType{Arn: aws.String(arn)})
	}
	return list
}

func TestTagsAndSourceIdentitiesAreAskedFor(t *testing.T) {
	w := newWorld(t)
	alice := w.user(account, "alice", everything)
	bare := w.role("bare", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}`, "")
	red := w.role("red", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"},
		{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:TagSession","Condition":{"StringEquals":{"aws:RequestTag/team":"red"},"ForAllValues:StringEquals":{"sts:TransitiveTagKeys":"team"}}},
		{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:SetSourceIdentity","Condition":{"StringLike":{"sts:SourceIdentity":"c*"}}}]}`, everything)
	team := func(value string) func(*sdk.AssumeRoleInput) {
		return func(in *sdk.AssumeRoleInput) { in.Tags = tags("team", value) }
	}
	source := func(id string) func(*sdk.AssumeRoleInput) {
		return func(in *sdk.AssumeRoleInput) { in.SourceIdentity = aws.String(id) }
	}
	w.assume(alice, bare, nil)
	w.assume(alice, red, team("red"))
	got := w.assume(alice, red, source("carol"))
	if got.SourceIdentity == nil || *got.SourceIdentity != "carol" {
		t.Errorf("the source identity is %v", got.SourceIdentity)
	}
	again := w.assume(w.with(got.Credentials), red, nil)
	if again.SourceIdentity == nil || *again.SourceIdentity != "carol" {
		t.Errorf("the source identity that is passed on is %v", again.SourceIdentity)
	}
	blue := w.role("blue", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"},
		{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:TagSession","Condition":{"StringEquals":{"aws:RequestTag/team":"blue"}}}]}`, everything)
	passing := w.assume(alice, red, func(in *sdk.AssumeRoleInput) {
		in.Tags, in.TransitiveTagKeys = tags("team", "red"), []string{"team"}
	})
	w.assume(w.with(passing.Credentials), red, nil)
	staying := w.assume(alice, red, team("red"))
	w.assume(w.with(staying.Credentials), bare, nil)
	for name, tt := range map[string]struct {
		by     *sdk.Client
		role   string
		edit   func(*sdk.AssumeRoleInput)
		action string
	}{
		"tags that nothing allows":         {alice, bare, team("red"), "sts:TagSession"},
		"another tag than the role allows": {alice, red, team("blue"), "sts:TagSession"},
		"a transitive key that the role does not allow": {alice, red, func(in *sdk.AssumeRoleInput) {
			in.Tags = append(tags("team", "red"), tags("x", "y")...)
			in.TransitiveTagKeys = []string{"x"}
		}, "sts:TagSession"},
		"a tag that is passed on to a role that allows none":             {w.with(passing.Credentials), bare, nil, "sts:TagSession"},
		"a tag that is passed on to a role that allows others":           {w.with(passing.Credentials), blue, nil, "sts:TagSession"},
		"a source identity that nothing allows":                          {alice, bare, source("carol"), "sts:SetSourceIdentity"},
		"another source identity than the role allows":                   {alice, red, source("dora"), "sts:SetSourceIdentity"},
		"a source identity that is passed on to a role that allows none": {w.with(got.Credentials), bare, nil, "sts:SetSourceIdentity"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tt.by.AssumeRole(t.Context(), assumption(tt.role, tt.edit))
			wantAPIError(t, err, 403, "AccessDenied", "User: ")
			if !strings.Contains(err.Error(), "is not authorized to perform: "+tt.action+" on resource: "+tt.role) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestASessionIsNarrowedByItsPolicies(t *testing.T) {
	w := newWorld(t)
	alice := w.user(account, "alice", everything)
	role := w.role("ci", open, everything)
	w.update(func(tx meta.Tx) error {
		_, err := tx.InsertPolicy(meta.Policy{Account: account, Name: "info", Path: "/", UniqueID: "ANPAinfo"},
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:GetAccessKeyInfo","Resource":"*"}}`)
		return err
	})
	for name, tt := range map[string]struct {
		edit func(*sdk.AssumeRoleInput)
		may  bool
	}{
		"not at all":                {nil, true},
		"by a document that allows": {func(in *sdk.AssumeRoleInput) { in.Policy = aws.String(everything) }, true},
		"by a document that does not": {func(in *sdk.AssumeRoleInput) {
			in.Policy = aws.String(strings.Replace(everything, `"Action":"*"`, `"Action":"ecr:*"`, 1))
		}, false},
		"by a managed policy that allows": {func(in *sdk.AssumeRoleInput) { in.PolicyArns = arns("arn:aws:iam::123456789012:policy/info") }, true},
		"by a managed policy that does not": {func(in *sdk.AssumeRoleInput) {
			in.PolicyArns = arns("arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.assume(alice, role, tt.edit)
			if narrowed := tt.edit != nil; narrowed != (got.PackedPolicySize != nil) || narrowed && (*got.PackedPolicySize < 1 || *got.PackedPolicySize > 100) {
				t.Errorf("packed size %v", got.PackedPolicySize)
			}
			_, err := w.with(got.Credentials).GetAccessKeyInfo(t.Context(), &sdk.GetAccessKeyInfoInput{AccessKeyId: aws.String(root.ID)})
			if tt.may {
				w.must(err)
				return
			}
			wantAPIError(t, err, 403, "AccessDenied", "User: arn:aws:sts::123456789012:assumed-role/ci/job-7 is not authorized to perform: sts:GetAccessKeyInfo on resource: * because no session policy allows the sts:GetAccessKeyInfo action")
		})
	}
}

func TestASessionEndsWithItsRole(t *testing.T) {
	for name, end := range map[string]func(w *world, tx meta.Tx, role meta.Principal) error{
		"that is deleted": func(_ *world, tx meta.Tx, role meta.Principal) error { return tx.DeletePrincipal(role.ID) },
		"that is made anew": func(_ *world, tx meta.Tx, role meta.Principal) error {
			if err := tx.DeletePrincipal(role.ID); err != nil {
				return err
			}
			role.UniqueID = "AROAother"
			_, err := tx.InsertPrincipal(role)
			return err
		},
		"whose account's tokens are revoked": func(w *world, tx meta.Tx, _ meta.Principal) error {
			return tx.SetAccount(meta.Account{ID: account, RevokedAt: w.now()})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			got := w.assume(w.user(account, "alice", everything), w.role("ci", open, ""), nil)
			w.is(w.with(got.Credentials), "arn:aws:sts::123456789012:assumed-role/ci/job-7", "AROAci:job-7")
			w.update(func(tx meta.Tx) error {
				role, err := tx.Principal(meta.PrincipalKey{Account: account, Kind: meta.Role, Name: "ci"}, meta.NoLock)
				if err != nil {
					return err
				}
				return end(w, tx, role)
			})
			_, err := w.with(got.Credentials).GetCallerIdentity(t.Context(), nil)
			wantAPIError(t, err, 403, "InvalidClientTokenId", "The security token included in the request is invalid.")
		})
	}
}
