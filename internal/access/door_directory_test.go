package access_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/api/admin"
	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/api/iam"
	"github.com/lighterage/lighterage/internal/api/sts"
	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
	"github.com/lighterage/lighterage/internal/seal"
	"github.com/lighterage/lighterage/internal/webidentity"
)

// directoryRequests are the operations of the APIs of identities, a line each:
// door, operation, the resource that it is decided on, and the input, a form or
// JSON. {A} is the caller's account, {N} the name of what is meant, {P} the path
// at which it is found, {D} and {T} are policies. A resource that is no ARN is
// one of the caller's account; behind a + stands what is asked too.
const directoryRequests = `
iam CreateUser user/team/{N} UserName={N}&Path=/team/
iam CreateUser user/team/{N}+iam:TagUser=user/team/{N} UserName={N}&Path=/team/&Tags.member.1.Key=k&Tags.member.1.Value=v
iam GetUser user{P}{N} UserName={N}
iam ListUsers user/
iam UpdateUser user{P}{N} UserName={N}
iam UpdateUser user{P}{N}+iam:UpdateUser=user{P}renamed UserName={N}&NewUserName=renamed
iam DeleteUser user{P}{N} UserName={N}
iam TagUser user{P}{N} UserName={N}&Tags.member.1.Key=k&Tags.member.1.Value=v
iam UntagUser user{P}{N} UserName={N}&TagKeys.member.1=k
iam ListUserTags user{P}{N} UserName={N}
iam CreateGroup group/team/{N} GroupName={N}&Path=/team/
iam GetGroup group{P}{N} GroupName={N}
iam ListGroups group/
iam ListGroupsForUser user{P}{N} UserName={N}
iam UpdateGroup group{P}{N}+iam:UpdateGroup=group/{N} GroupName={N}&NewPath=/
iam DeleteGroup group{P}{N} GroupName={N}
iam AddUserToGroup group{P}{N} GroupName={N}&UserName=target
iam RemoveUserFromGroup group{P}{N} GroupName={N}&UserName=target
iam CreateAccessKey user{P}{N} UserName={N}
iam ListAccessKeys user{P}{N} UserName={N}
iam UpdateAccessKey user{P}{N} UserName={N}&AccessKeyId=AKIAKEYOF{A}&Status=Inactive
iam DeleteAccessKey user{P}{N} UserName={N}&AccessKeyId=AKIAKEYOF{A}
iam GetAccessKeyLastUsed user/team/target AccessKeyId=AKIAKEYOF{A}
iam CreateAccountAlias * AccountAlias=alias
iam ListAccountAliases *
iam DeleteAccountAlias * AccountAlias=alias
iam GetAccountSummary *
iam GetAccountAuthorizationDetails *
iam CreateRole role/team/{N} RoleName={N}&Path=/team/&AssumeRolePolicyDocument={T}
iam CreateRole role/team/{N}+iam:TagRole=role/team/{N} RoleName={N}&Path=/team/&AssumeRolePolicyDocument={T}&Tags.member.1.Key=k&Tags.member.1.Value=v
iam GetRole role{P}{N} RoleName={N}
iam ListRoles role/team/ PathPrefix=/team/
iam UpdateRole role{P}{N} RoleName={N}
iam UpdateRoleDescription role{P}{N} RoleName={N}&Description=d
iam UpdateAssumeRolePolicy role{P}{N} RoleName={N}&PolicyDocument={T}
iam DeleteRole role{P}{N} RoleName={N}
iam TagRole role{P}{N} RoleName={N}&Tags.member.1.Key=k&Tags.member.1.Value=v
iam UntagRole role{P}{N} RoleName={N}&TagKeys.member.1=k
iam ListRoleTags role{P}{N} RoleName={N}
iam ListInstanceProfilesForRole role{P}{N} RoleName={N}
iam CreatePolicy policy/team/{N} PolicyName={N}&Path=/team/&PolicyDocument={D}
iam CreatePolicy policy/team/{N}+iam:TagPolicy=policy/team/{N} PolicyName={N}&Path=/team/&PolicyDocument={D}&Tags.member.1.Key=k&Tags.member.1.Value=v
iam GetPolicy arn:aws:iam::123456789012:policy/team/{N} PolicyArn=arn:aws:iam::123456789012:policy/team/{N}
iam GetPolicy arn:aws:iam::aws:policy/ReadOnlyAccess PolicyArn=arn:aws:iam::aws:policy/ReadOnlyAccess
iam ListPolicies policy/
iam DeletePolicy arn:aws:iam::123456789012:policy/team/{N} PolicyArn=arn:aws:iam::123456789012:policy/team/{N}
iam DeletePolicy arn:aws:iam::aws:policy/ReadOnlyAccess PolicyArn=arn:aws:iam::aws:policy/ReadOnlyAccess
iam CreatePolicyVersion arn:aws:iam::123456789012:policy/team/{N} PolicyArn=arn:aws:iam::123456789012:policy/team/{N}&PolicyDocument={D}
iam GetPolicyVersion arn:aws:iam::123456789012:policy/team/{N} PolicyArn=arn:aws:iam::123456789012:policy/team/{N}&VersionId=v1
iam ListPolicyVersions arn:aws:iam::123456789012:policy/team/{N} PolicyArn=arn:aws:iam::123456789012:policy/team/{N}
iam SetDefaultPolicyVersion arn:aws:iam::123456789012:policy/team/{N} PolicyArn=arn:aws:iam::123456789012:policy/team/{N}&VersionId=v1
iam DeletePolicyVersion arn:aws:iam::123456789012:policy/team/{N} PolicyArn=arn:aws:iam::123456789012:policy/team/{N}&VersionId=v2
iam TagPolicy arn:aws:iam::123456789012:policy/team/{N} PolicyArn=arn:aws:iam::123456789012:policy/team/{N}&Tags.member.1.Key=k&Tags.member.1.Value=v
iam UntagPolicy arn:aws:iam::123456789012:policy/team/{N} PolicyArn=arn:aws:iam::123456789012:policy/team/{N}&TagKeys.member.1=k
iam ListPolicyTags arn:aws:iam::123456789012:policy/team/{N} PolicyArn=arn:aws:iam::123456789012:policy/team/{N}
iam ListEntitiesForPolicy arn:aws:iam::123456789012:policy/team/{N} PolicyArn=arn:aws:iam::123456789012:policy/team/{N}
iam SimulateCustomPolicy * PolicyInputList.member.1={D}&ActionNames.member.1=ecr:PutImage
iam SimulatePrincipalPolicy arn:aws:iam::123456789012:user/team/{N} PolicySourceArn=arn:aws:iam::123456789012:user/team/{N}&ActionNames.member.1=ecr:PutImage
iam AttachUserPolicy user{P}{N} UserName={N}&PolicyArn=arn:aws:iam::aws:policy/ReadOnlyAccess
iam AttachGroupPolicy group{P}{N} GroupName={N}&PolicyArn=arn:aws:iam::aws:policy/ReadOnlyAccess
iam AttachRolePolicy role{P}{N} RoleName={N}&PolicyArn=arn:aws:iam::aws:policy/ReadOnlyAccess
iam DetachUserPolicy user{P}{N} UserName={N}&PolicyArn=arn:aws:iam::aws:policy/ReadOnlyAccess
iam DetachGroupPolicy group{P}{N} GroupName={N}&PolicyArn=arn:aws:iam::aws:policy/ReadOnlyAccess
iam DetachRolePolicy role{P}{N} RoleName={N}&PolicyArn=arn:aws:iam::aws:policy/ReadOnlyAccess
iam ListAttachedUserPolicies user{P}{N} UserName={N}
iam ListAttachedGroupPolicies group{P}{N} GroupName={N}
iam ListAttachedRolePolicies role{P}{N} RoleName={N}
iam PutUserPolicy user{P}{N} UserName={N}&PolicyName=p&PolicyDocument={D}
iam PutGroupPolicy group{P}{N} GroupName={N}&PolicyName=p&PolicyDocument={D}
iam PutRolePolicy role{P}{N} RoleName={N}&PolicyName=p&PolicyDocument={D}
iam GetUserPolicy user{P}{N} UserName={N}&PolicyName=p
iam GetGroupPolicy group{P}{N} GroupName={N}&PolicyName=p
iam GetRolePolicy role{P}{N} RoleName={N}&PolicyName=p
iam ListUserPolicies user{P}{N} UserName={N}
iam ListGroupPolicies group{P}{N} GroupName={N}
iam ListRolePolicies role{P}{N} RoleName={N}
iam DeleteUserPolicy user{P}{N} UserName={N}&PolicyName=p
iam DeleteGroupPolicy group{P}{N} GroupName={N}&PolicyName=p
iam DeleteRolePolicy role{P}{N} RoleName={N}&PolicyName=p
iam CreateOpenIDConnectProvider oidc-provider/{N}.example.com/ Url=https://{N}.example.com/
iam CreateOpenIDConnectProvider oidc-provider/{N}.example.com/+iam:TagOpenIDConnectProvider=oidc-provider/{N}.example.com/ Url=https://{N}.example.com/&Tags.member.1.Key=k&Tags.member.1.Value=v
iam GetOpenIDConnectProvider arn:aws:iam::123456789012:oidc-provider/{N}.example.com/ OpenIDConnectProviderArn=arn:aws:iam::123456789012:oidc-provider/{N}.example.com/
iam ListOpenIDConnectProviders *
iam DeleteOpenIDConnectProvider arn:aws:iam::123456789012:oidc-provider/{N}.example.com/ OpenIDConnectProviderArn=arn:aws:iam::123456789012:oidc-provider/{N}.example.com/
iam AddClientIDToOpenIDConnectProvider arn:aws:iam::123456789012:oidc-provider/{N}.example.com/ OpenIDConnectProviderArn=arn:aws:iam::123456789012:oidc-provider/{N}.example.com/&ClientID=c
iam RemoveClientIDFromOpenIDConnectProvider arn:aws:iam::123456789012:oidc-provider/{N}.example.com/ OpenIDConnectProviderArn=arn:aws:iam::123456789012:oidc-provider/{N}.example.com/&ClientID=c
iam UpdateOpenIDConnectProviderThumbprint arn:aws:iam::123456789012:oidc-provider/{N}.example.com/ OpenIDConnectProviderArn=arn:aws:iam::123456789012:oidc-provider/{N}.example.com/&ThumbprintList.member.1=6938fd4d98bab03faadb97b34396831e3780aea1
sts AssumeRole arn:aws:iam::123456789012:role/team/{N} RoleArn=arn:aws:iam::123456789012:role/team/{N}&RoleSessionName=session
sts AssumeRole arn:aws:iam::123456789012:role/team/{N}+sts:TagSession=arn:aws:iam::123456789012:role/team/{N} RoleArn=arn:aws:iam::123456789012:role/team/{N}&RoleSessionName=session&Tags.member.1.Key=k&Tags.member.1.Value=v
sts AssumeRole arn:aws:iam::123456789012:role/team/{N}+sts:SetSourceIdentity=arn:aws:iam::123456789012:role/team/{N} RoleArn=arn:aws:iam::123456789012:role/team/{N}&RoleSessionName=session&SourceIdentity=me
sts GetAccessKeyInfo * AccessKeyId=AKIAKEYOF123456789012
sts GetCallerIdentity *
sts GetSessionToken *
lighterage CreateAccount arn:of:ours {"accountName":"x"}
lighterage ListAccounts arn:of:ours {}
lighterage RevokeTokens arn:of:ours {}
lighterage ListLifecyclePolicies arn:of:ours {}
lighterage RunLifecyclePolicy arn:of:ours {"repositoryName":"team/app"}
lighterage SimulateDecision arn:of:ours {"principalArn":"arn:aws:iam::123456789012:root","action":"ecr:PutImage","resourceArn":"*"}
`

const (
	anyDocument = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}`
	anyTrust    = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}}`
	targetTrust = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::123456789012:user/named","arn:aws:iam::123456789012:role/ci","210987654321"]},"Action":"sts:AssumeRole"},
		{"Effect":"Allow","Principal":{"AWS":["123456789012","210987654321"]},"Action":"sts:SetSourceIdentity"},
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/ci"},"Action":"sts:TagSession"},
		{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/target.example.com/"},"Action":"sts:AssumeRoleWithWebIdentity",
			"Condition":{"StringLike":{"target.example.com/:sub":"repo:team/*"}}},
		{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::123456789012:user/operator"},"Action":"sts:SetSourceIdentity"}]}`
)

// directoryPeople ask.
func (d *doors) directoryPeople() []person {
	const (
		reads    = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:Get*","iam:List*","iam:Simulate*","lighterage:List*"],"Resource":"*"}}`
		operates = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:*","sts:*","lighterage:*"],"Resource":["arn:aws:iam::*:user/team/*","arn:aws:iam::*:role/team/*","arn:aws:iam::*:policy/team/*","arn:aws:iam::123456789012:user/t*","arn:aws:iam::*:oidc-provider/target*"]},
			{"Effect":"Deny","Action":["iam:Delete*","iam:*Key"],"Resource":"*"}]}`
		all    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"iam:UpdateUser","Resource":"arn:aws:iam::*:user/*renamed"}]}`
		narrow = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":["iam:*Role*","iam:Tag*","sts:Tag*","lighterage:Create*"],"Resource":"*"}}`
		own    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":"iam:Create*","NotResource":"arn:aws:iam::123456789012:*"}]}`
	)
	return []person{
		rootPerson(ours), rootPerson(theirs), d.userPerson("nobody", ours), d.userPerson("reader", ours, reads), d.userPerson("operator", ours, operates),
		d.userPerson("named", ours, own), d.userPerson("admin", ours, all), d.userPerson("guest", theirs, all), d.userPerson("passer-by", theirs, own),
		d.rolePerson("ci", nil, all), d.rolePerson("narrowed", []string{narrow}, all),
	}
}

// undone keeps nothing: an update is made, and then taken back.
type undone struct{ meta.Store }

func (u undone) Update(ctx context.Context, fn func(meta.Tx) error) error {
	return u.Store.Update(ctx, func(tx meta.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return meta.ErrUnavailable
	})
}

// issuer gives credentials to whoever comes that far.
type issuer struct{}

func (issuer) IssueRoleSession(_ context.Context, c identity.Caller, _ identity.RoleSessionSpec) (identity.SessionCredentials, error) {
	c.Session = &identity.Session{}
	return identity.SessionCredentials{Caller: c, Expires: noon}, nil
}
func (issuer) IssueOwnSession(_ context.Context, c identity.Caller, _ time.Duration) (identity.SessionCredentials, error) {
	return identity.SessionCredentials{Caller: c, Expires: noon}, nil
}
func (issuer) KeyAccount(context.Context, string) (name.AccountID, error) { return ours, nil }

// subjects takes a token for the subject that it is of.
type subjects struct{}

func (subjects) Verify(_ context.Context, _ name.AccountID, token string) (webidentity.Identity, error) {
	host, subject, _ := strings.Cut(token, "|")
	return webidentity.Identity{Provider: host, Subject: subject, Audience: "sts.amazonaws.com"}, nil
}

type ourRoot struct{}

func (ourRoot) CallerOf(context.Context, string) (identity.Caller, error) { return root(ours), nil }

// identityDoors are the fronts over the directory.
type identityDoors struct {
	*doors
	query    http.Handler
	json     http.Handler
	services map[string][]string // operations by door
	versions map[string]string
	prefix   string
}

func openIdentityDoors(t *testing.T) *identityDoors {
	t.Helper()
	d := &identityDoors{doors: &doors{world: newWorld(t)}, services: map[string][]string{}, versions: map[string]string{}}
	key, err := seal.Parse(seal.Generate())
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.New(key)
	if err != nil {
		t.Fatal(err)
	}
	rules := directory.New(directory.Config{Meta: undone{d.store}, Seal: sealer, Limits: directory.Quotas})
	services := []awsquery.Service{
		iam.New(iam.Config{Directory: rules, Authorizer: d.Decider}),
		sts.New(sts.Config{Issuer: issuer{}, Access: d.Decider, WebIdentities: subjects{}}),
	}
	for _, s := range services {
		d.versions[s.Model.SigningName] = s.Model.Version
		for _, o := range s.Operations {
			d.services[s.Model.SigningName] = append(d.services[s.Model.SigningName], o.Name)
		}
	}
	query, err := awsquery.New(awsquery.Config{Services: services, Authenticator: d, Authorizer: d.Decider})
	if err != nil {
		t.Fatal(err)
	}
	own := admin.New(admin.Config{Account: ours, Directory: rules, Lifecycle: expiryOf(d.store, slog.New(slog.DiscardHandler)), Principals: ourRoot{}, Explainer: d.Decider})
	d.prefix = own.Model.TargetPrefix
	for _, o := range own.Operations {
		d.services["lighterage"] = append(d.services["lighterage"], o.Name)
	}
	json, err := awsjson.New(awsjson.Config{Services: []awsjson.Service{own}, Authenticator: d, Authorizer: d.Decider, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	options := edge.Options{Logger: slog.New(slog.DiscardHandler), Clock: time.Now}
	d.query, d.json = edge.Handler(query, options), edge.Handler(json, options)
	for _, account := range []name.AccountID{ours, theirs} {
		d.populate(account)
	}
	return d
}

// populate gives an account one of each that is called target.
func (d *identityDoors) populate(account name.AccountID) {
	d.update(func(tx meta.Tx) error {
		for _, p := range []meta.Principal{{Key: meta.PrincipalKey{Kind: meta.User}}, {Key: meta.PrincipalKey{Kind: meta.Group}}, {Key: meta.PrincipalKey{Kind: meta.Role}, Trust: targetTrust, MaxSession: time.Hour}} {
			p.Key.Account, p.Key.Name, p.Path, p.CreatedAt = account, "target", "/team/", noon
			p.UniqueID = "TARGET" + strconv.Itoa(int(p.Key.Kind)) + string(account)
			id, err := tx.InsertPrincipal(p)
			if err != nil {
				return err
			}
			if p.Key.Kind == meta.User {
				if err := tx.InsertAccessKey(meta.AccessKey{ID: "AKIAKEYOF" + string(account), Account: account, User: id, Sealed: []byte("x"), Active: true, CreatedAt: noon}); err != nil {
					return err
				}
			}
		}
		if _, err := tx.InsertPolicy(meta.Policy{Account: account, Name: "target", Path: "/team/", UniqueID: "ANPATARGET" + string(account), CreatedAt: noon, UpdatedAt: noon}, anyDocument); err != nil {
			return err
		}
		_, err := tx.InsertOIDCProvider(meta.OIDCProvider{Account: account, Host: "target.example.com/", CreatedAt: noon})
		return err
	})
}

// errorCode finds the code in an answer of the query protocol.
var errorCode = regexp.MustCompile(`<Code>([^<]*)</Code>|"__type":"(?:[^"#]*#)?([^"]*)"`)

// misunderstood are the codes of inputs that are wrong, so that the test is.
var misunderstood = []string{
	"ValidationError", "InvalidInput", "MalformedPolicyDocument", "MalformedInput", "MissingParameter", "InvalidAction", "SerializationException",
	"ValidationException", "MissingAction", "UnknownOperationException", "InvalidParameterValue", "InvalidParameterCombination", "InternalFailure",
}

// denied sends the request and reports whether the answer is no for who the
// caller is; header is empty for nobody.
func (d *identityDoors) denied(t *testing.T, door, operation, input, header string) bool {
	t.Helper()
	handler, in := d.query, httptest.NewRequest("POST", "/", strings.NewReader(input))
	if door == "lighterage" {
		handler = d.json
		in.Header.Set("X-Amz-Target", d.prefix+"."+operation)
		in.Header.Set("Content-Type", "application/x-amz-json-1.1")
	} else {
		form := url.Values{"Action": {operation}, "Version": {d.versions[door]}}
		for _, pair := range strings.FieldsFunc(input, func(r rune) bool { return r == '&' }) {
			key, value, _ := strings.Cut(pair, "=")
			form.Set(key, value)
		}
		in = httptest.NewRequest("POST", "/", strings.NewReader(form.Encode()))
		in.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if header != "" {
		in.Header.Set("Authorization", header)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, in)
	code := ""
	if m := errorCode.FindStringSubmatch(w.Body.String()); m != nil {
		code = m[1] + m[2]
	}
	if (w.Code == http.StatusOK) != (code == "") || slices.Contains(misunderstood, code) {
		t.Fatalf("%s was not understood: %d %s", operation, w.Code, w.Body)
	}
	return code == "AccessDenied" || code == "AccessDeniedException"
}

// parsed are documents for the policy engine; none of nothing.
func parsed(t *testing.T, kind policy.Kind, texts ...string) (all []policy.Named) {
	t.Helper()
	for i, text := range texts {
		d, err := policy.Parse(kind, text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, policy.Named{Name: strconv.Itoa(i), Document: d})
	}
	return all
}

// trustOf is the trust policy of a role of ours: of what is not there, one that
// trusts nobody.
func trustOf(t *testing.T, arn string) []policy.Named {
	switch {
	case !strings.Contains(arn, ":role/"):
		return nil
	case arn == "arn:aws:iam::123456789012:role/team/target":
		return parsed(t, policy.Trust, targetTrust)
	}
	return []policy.Named{{Name: "nobody's"}}
}

// says is the policy engine's own answer, with the rules that are beside it.
func says(t *testing.T, p person, action, resource string) bool {
	t.Helper()
	in := policy.Request{Principal: p.principal, Action: action, Resource: resource, Account: p.caller.Account}
	switch part := strings.SplitN(resource, ":", 6); {
	case resource == "arn:of:ours": // the server's own API
		in.Resource, in.Account = "*", ours
	case len(part) == 6 && part[4] == "aws":
		// AWS's own policies are everybody's to read and nobody's to change.
		if !strings.HasPrefix(action, "iam:Get") {
			in.Account = "aws"
		}
	case len(part) == 6:
		in.Account = name.AccountID(part[4])
	}
	side := policy.Policies{Identity: parsed(t, policy.Identity, p.policies...), Session: parsed(t, policy.Identity, p.session...)}
	if strings.HasPrefix(action, "sts:") {
		side.Trust = trustOf(t, resource)
	}
	if action == "sts:GetCallerIdentity" || action == "sts:GetSessionToken" {
		return true
	}
	return policy.Evaluate(in, side).Allowed
}

// TestTheDoorsOfIdentitiesDecideAsThePoliciesDo asks for every operation of IAM,
// STS and the server's own API, as everybody, on what is there and what is not,
// and compares with what package policy says.
func TestTheDoorsOfIdentitiesDecideAsThePoliciesDo(t *testing.T) {
	d := openIdentityDoors(t)
	people := d.directoryPeople()
	for _, p := range people {
		d.callers = append(d.callers, p.caller)
	}
	counts, asked := map[bool]int{}, map[string][]string{}
	for line := range strings.Lines(strings.TrimSpace(directoryRequests)) {
		word := append(strings.Fields(line), "")
		door, operation := word[0], word[1]
		asked[door] = append(asked[door], operation)
		for _, target := range []string{"target", "missing"} {
			for i, p := range people {
				path := map[bool]string{true: "/team/", false: "/"}[target == "target"]
				fill := strings.NewReplacer("{A}", string(p.caller.Account), "{N}", target, "{P}", path, "{D}", anyDocument, "{T}", anyTrust).Replace
				want := true
				for n, question := range strings.Split(fill(word[2]), "+") {
					action, resource := door+":"+operation, question
					if n > 0 {
						action, resource, _ = strings.Cut(question, "=")
					}
					if resource != "*" && !strings.HasPrefix(resource, "arn:") {
						resource = "arn:aws:iam::" + string(p.caller.Account) + ":" + resource
					}
					want = want && says(t, p, action, resource)
				}
				counts[want]++
				if denied := d.denied(t, door, operation, fill(word[3]), strconv.Itoa(i)); denied == want {
					t.Errorf("%s of %s for %s on %s: denied %v, the policies say %v", operation, door, p.what, fill(word[2]), denied, !want)
				}
			}
		}
	}
	if counts[true] < 500 || counts[false] < 500 {
		t.Errorf("%d allowed and %d denied: the test says little", counts[true], counts[false])
	}
	asked["sts"] = append(asked["sts"], "AssumeRoleWithWebIdentity") // in the test below
	for door, operations := range d.services {
		for _, o := range operations {
			if !slices.Contains(asked[door], o) {
				t.Errorf("%s of %s is not asked for", o, door)
			}
		}
	}
	if n := len(d.services["iam"]); n != 80 {
		t.Errorf("%d operations of IAM", n)
	}
}

// TestWebIdentitiesAreDecidedAsTrustPoliciesSay: the one operation that is asked
// for without a signature.
func TestWebIdentitiesAreDecidedAsTrustPoliciesSay(t *testing.T) {
	d := openIdentityDoors(t)
	counts := map[bool]int{}
	for _, host := range []string{"target.example.com/", "target.example.com", "other.example.com"} {
		for _, subject := range []string{"repo:team/app", "repo:other/app", ""} {
			for _, role := range []string{name.RoleARN(ours, "/team/", "target"), name.RoleARN(ours, "/team/", "missing"), name.RoleARN(ours, "/", "target"), name.RoleARN(theirs, "/team/", "target")} {
				account := name.AccountID(strings.Split(role, ":")[4])
				trust := trustOf(t, role)
				if account == theirs {
					trust = parsed(t, policy.Trust, targetTrust) // which names a provider of another account
				}
				want := policy.Evaluate(policy.Request{
					Principal: policy.Principal{Kind: policy.WebIdentity, ARN: name.ProviderARN(account, host)},
					Action:    "sts:AssumeRoleWithWebIdentity", Resource: role, Account: account,
					Keys: func(key string) []string {
						if key == host+":sub" && subject != "" {
							return []string{subject}
						}
						return nil
					},
				}, policy.Policies{Trust: trust}).Allowed
				counts[want]++
				input := "RoleArn=" + role + "&RoleSessionName=session&WebIdentityToken=" + host + "|" + subject
				if denied := d.denied(t, "sts", "AssumeRoleWithWebIdentity", input, ""); denied == want {
					t.Errorf("%q of %s for %s: denied %v, the policies say %v", subject, host, role, denied, !want)
				}
			}
		}
	}
	if counts[true] != 1 {
		t.Errorf("%d are allowed", counts[true])
	}
}
