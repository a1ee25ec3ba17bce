package access_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// TestConditionKeys: each condition is the only thing that allows.
func TestConditionKeys(t *testing.T) {
	w := newWorld(t)
	app := w.repository("team/app", "", meta.ResourceTag{Key: "Team", Value: "red"})
	alice := w.user(ours, "alice")
	alice.Origin = from("192.0.2.7")
	w.update(func(tx meta.Tx) error {
		return tx.PutResourceTags(meta.Resource{Kind: meta.UserResource, ID: int64(alice.Principal)}, []meta.ResourceTag{{Key: "dept", Value: "it"}, {Key: "level", Value: "1"}})
	})
	ci := w.role(ours, "ci", "")
	ci.Origin = identity.Origin{Client: from("2001:db8::1").Client}
	ci.Session.Tags, ci.Session.SourceIdentity = [][2]string{{"Level", "2"}}, "alice"
	w.update(func(tx meta.Tx) error {
		return tx.PutResourceTags(meta.Resource{Kind: meta.RoleResource, ID: int64(ci.Principal)}, []meta.ResourceTag{{Key: "level", Value: "1"}, {Key: "dept", Value: "ci"}})
	})
	tagging := app
	tagging.RequestTags = [][2]string{{"env", "prod"}, {"Owner", "me"}}
	untagging := app
	untagging.TagKeys = []string{"env"}
	attaching := access.Resource{Account: ours, ARN: alice.ARN, Keys: map[string][]string{"iam:policyarn": {"arn:aws:iam::aws:policy/ReadOnlyAccess"}}}
	w.update(func(tx meta.Tx) error {
		_, err := tx.InsertService(meta.Service{Registry: registryID, Name: "web", ResourceID: "11111111-2222-3333-4444-555555555555", Power: "nano", Scale: 1, CreatedAt: noon})
		if err != nil {
			return err
		}
		s, err := tx.Service(registryID, "web", meta.NoLock)
		if err != nil {
			return err
		}
		return tx.PutResourceTags(meta.Resource{Kind: meta.ServiceResource, ID: int64(s.ID)}, []meta.ResourceTag{{Key: "tier", Value: "front"}})
	})
	service := access.Resource{Account: ours, ARN: name.ServiceARN(registryID, "11111111-2222-3333-4444-555555555555")}
	noService := access.Resource{Account: ours, ARN: name.ServiceARN(registryID, "*")}
	named, gone := noService, noService
	named.Service, gone.Service = "web", "gone"

	tests := []struct {
		name      string
		caller    identity.Caller
		resource  access.Resource
		condition string
		allowed   bool
	}{
		{"the user's ARN", alice, app, `"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:user/alice"}`, true},
		{"the role's ARN, not its session's", ci, app, `"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/ci"}`, true},
		{"the account", alice, app, `"StringEquals":{"aws:PrincipalAccount":"123456789012"}`, true},
		{"another account", alice, app, `"StringEquals":{"aws:PrincipalAccount":"210987654321"}`, false},
		{"the account of the resource", alice, app, `"StringEquals":{"aws:ResourceAccount":"123456789012"}`, true},
		{"the type of a user", alice, app, `"StringEquals":{"aws:PrincipalType":"User"}`, true},
		{"the type of a role session", ci, app, `"StringEquals":{"aws:PrincipalType":"AssumedRole"}`, true},
		{"a user's name", alice, app, `"StringEquals":{"aws:username":"alice"}`, true},
		{"a role session has no user name", ci, app, `"Null":{"aws:username":"true"}`, true},
		{"a user's id", alice, app, `"StringLike":{"aws:userid":"UNIQUEalice*"}`, true},
		{"a role session's id", ci, app, `"StringLike":{"aws:userid":"*:s"}`, true},
		{"an address of a network", alice, app, `"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}`, true},
		{"an address of another network", alice, app, `"IpAddress":{"aws:SourceIp":"198.51.100.0/24"}`, false},
		{"an address of the other family", ci, app, `"IpAddress":{"aws:SourceIp":"2001:db8::/32"}`, true},
		{"over TLS", alice, app, `"Bool":{"aws:SecureTransport":"true"}`, true},
		{"not over TLS", ci, app, `"Bool":{"aws:SecureTransport":"true"}`, false},
		{"the client's program", alice, app, `"StringLike":{"aws:UserAgent":"docker/*"}`, true},
		{"before a time", alice, app, `"DateLessThan":{"aws:CurrentTime":"2026-03-04T12:00:01Z"}`, true},
		{"after a time", alice, app, `"DateGreaterThan":{"aws:CurrentTime":"2026-03-04T12:00:00Z"}`, false},
		{"seconds", alice, app, `"NumericEquals":{"aws:EpochTime":"1772625600"}`, true},
		{"the resource's region", alice, app, `"StringEquals":{"aws:RequestedRegion":"eu-west-1"}`, true},
		{"the signature's region where the resource has none", alice, access.Resource{Account: ours, ARN: "*"}, `"StringEquals":{"aws:RequestedRegion":"eu-west-1"}`, true},
		{"a tag of the user", alice, app, `"StringEquals":{"aws:PrincipalTag/dept":"it"}`, true},
		{"a tag of the session before the role's", ci, app, `"StringEquals":{"aws:PrincipalTag/level":"2"}`, true},
		{"a tag of the role where the session has none", ci, app, `"StringEquals":{"aws:PrincipalTag/dept":"ci"}`, true},
		{"a tag that the request brings", alice, tagging, `"StringEquals":{"aws:RequestTag/env":"prod"}`, true},
		{"all tags that the request brings", alice, tagging, `"ForAllValues:StringEquals":{"aws:TagKeys":["env","Owner"]}`, true},
		{"one tag too many", alice, tagging, `"ForAllValues:StringEquals":{"aws:TagKeys":["env"]}`, false},
		{"a tag that the request takes away", alice, untagging, `"ForAnyValue:StringEquals":{"aws:TagKeys":["env"]}`, true},
		{"a tag of the repository", alice, app, `"StringEquals":{"aws:ResourceTag/Team":"red"}`, true},
		{"a tag of the repository, in ECR's word", alice, app, `"StringEquals":{"ecr:ResourceTag/team":"red"}`, true},
		{"another value", alice, app, `"StringEquals":{"ecr:ResourceTag/Team":"blue"}`, false},
		{"a repository that is not there has no tags", alice, onRepository("gone"), `"Null":{"ecr:ResourceTag/Team":"true"}`, true},
		{"a tag of a container service", alice, service, `"StringEquals":{"aws:ResourceTag/tier":"front"}`, true},
		{"a tag of the service that is named", alice, named, `"StringEquals":{"aws:ResourceTag/tier":"front"}`, true},
		{"a service that is not there has no tags", alice, gone, `"Null":{"aws:ResourceTag/tier":"true"}`, true},
		{"no service in particular", alice, noService, `"StringEquals":{"aws:ResourceTag/tier":"front"}`, false},
		{"a tag of a user", alice, access.Resource{Account: ours, ARN: alice.ARN}, `"StringEquals":{"iam:ResourceTag/dept":"it"}`, true},
		{"a tag of a role", alice, access.Resource{Account: ours, ARN: ci.Session.RoleARN}, `"StringEquals":{"iam:ResourceTag/dept":"ci"}`, true},
		{"a tag of a user of another path", alice, access.Resource{Account: ours, ARN: name.UserARN(ours, "/x/", "alice")}, `"StringEquals":{"iam:ResourceTag/dept":"it"}`, false},
		{"the policy that is attached", alice, attaching, `"ArnLike":{"iam:PolicyARN":"arn:aws:iam::aws:policy/Read*"}`, true},
		{"another policy", alice, attaching, `"ArnLike":{"iam:PolicyARN":"arn:aws:iam::aws:policy/Admin*"}`, false},
		{"when the session began", ci, app, `"DateLessThan":{"aws:TokenIssueTime":"2026-03-04T11:30:00Z"}`, true},
		{"a key began no session", alice, app, `"Null":{"aws:TokenIssueTime":"true"}`, true},
		{"who is behind the session", ci, app, `"StringEquals":{"aws:SourceIdentity":"alice"}`, true},
		{"a session without a second factor", ci, app, `"Bool":{"aws:MultiFactorAuthPresent":"true"}`, false},
		{"a key knows of no second factor", alice, app, `"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}`, true},
		{"not by a service", alice, app, `"Bool":{"aws:ViaAWSService":"false"}`, true},
		{"a key that nobody knows", alice, app, `"StringEquals":{"aws:PrincipalOrgID":"o-1"}`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := &world{t: t, store: w.store, Decider: w.Decider}
			w.update(func(tx meta.Tx) error {
				return tx.PutInlinePolicy(tt.caller.Principal, meta.InlinePolicy{Name: "only", Document: statement("Allow", "*", anyResource+`,"Condition":{`+tt.condition+`}`)})
			})
			if tt.allowed {
				w.allows(tt.caller, get, tt.resource)
			} else {
				w.refuses(tt.caller, get, tt.resource, noIdentity(get))
			}
		})
	}
}

func TestADecisionThatDependsOnTheRequestIsNotRemembered(t *testing.T) {
	w := newWorld(t)
	app := w.repository("team/app", statement("Deny", "ecr:*", everybody+`,"Condition":{"Bool":{"aws:SecureTransport":"false"}}`))
	alice := w.user(ours, "alice", statement("Allow", "ecr:*", anyResource+`,"Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`))
	for range 2 {
		alice.Origin = from("192.0.2.7")
		w.allows(alice, get, app)
		alice.Origin = from("198.51.100.7")
		w.refuses(alice, get, app, noIdentity(get))
		alice.Origin = from("192.0.2.7")
		alice.Origin.Secure = false
		w.refuses(alice, get, app, "with an explicit deny in a resource-based policy")
	}
}

// TestPoliciesSeeTheBeginningOfAUserAgent, which can be made to fit patterns
// that cost much.
func TestPoliciesSeeTheBeginningOfAUserAgent(t *testing.T) {
	w := newWorld(t)
	app := w.repository("team/app", "")
	alice := w.user(ours, "alice", statement("Allow", "ecr:*", anyResource+`,"Condition":{"StringEquals":{"aws:UserAgent":"`+strings.Repeat("a", 512)+`"}}`))
	alice.Origin.UserAgent = strings.Repeat("a", 60<<10)
	w.allows(alice, get, app)
	alice.Origin.UserAgent = strings.Repeat("a", 511)
	w.refuses(alice, get, app, noIdentity(get))
}

// TestADecisionThatCostsTooMuchIsADenial, and says so.
func TestADecisionThatCostsTooMuchIsADenial(t *testing.T) {
	w := newWorld(t)
	app := w.repository("team/app", "")
	app.RequestTags = [][2]string{{"env", strings.Repeat("a", 16<<10)}}
	bad := `"*` + strings.Repeat("a", 1800) + `?b",`
	alice := w.user(ours, "alice",
		statement("Allow", "ecr:*", anyResource),
		statement("Deny", "ecr:*", anyResource+`,"Condition":{"StringLike":{"aws:RequestTag/env":[`+strings.TrimSuffix(strings.Repeat(bad, 3), ",")+`]}}`))
	w.refuses(alice, get, app, "because matching the policies with the request takes too long")
	ctx, cancel := context.WithCancel(t.Context())
	app.RequestTags = nil
	w.allows(alice, get, app)
	cancel()
	if err := w.Authorize(ctx, alice, get, app); err == nil || fault.Is(err, fault.AccessDenied) {
		t.Errorf("whose request has ended: %v", err)
	}
}

// TestTagsThatDifferOnlyInCaseAllowNothing: a condition about one of them could
// be met by the other.
func TestTagsThatDifferOnlyInCaseAllowNothing(t *testing.T) {
	w := newWorld(t)
	app := w.repository("team/app", "", meta.ResourceTag{Key: "ENV", Value: "prod"}, meta.ResourceTag{Key: "env", Value: "dev"}, meta.ResourceTag{Key: "team", Value: "red"})
	both := onRepository("team/other")
	both.RequestTags = [][2]string{{"env", "dev"}, {"ENV", "prod"}}
	session := w.role(ours, "ci", "", statement("Allow", "ecr:*", anyResource+`,"Condition":{"StringEquals":{"aws:PrincipalTag/env":"dev"}}`))
	session.Session.Tags = [][2]string{{"env", "dev"}, {"Env", "prod"}}
	w.refuses(session, get, app, noIdentity(get))
	for i, tt := range []struct {
		conditions string
		resource   access.Resource
	}{
		{`"StringEquals":{"aws:ResourceTag/env":"dev"}`, app},
		{`"StringEquals":{"aws:ResourceTag/env":"prod"}`, app},
		{`"StringNotEquals":{"ecr:ResourceTag/Env":"dev"}`, app},
		{`"StringEquals":{"aws:RequestTag/env":"dev"}`, both},
		{`"StringEquals":{"aws:RequestTag/env":"prod"}`, both},
	} {
		alice := w.user(ours, fmt.Sprint("alice", i), statement("Allow", "ecr:*", anyResource+`,"Condition":{`+tt.conditions+`}`))
		w.refuses(alice, get, tt.resource, noIdentity(get))
		denied := w.user(ours, fmt.Sprint("denied", i), statement("Allow", "ecr:*", anyResource), statement("Deny", "ecr:*", anyResource+`,"Condition":{`+tt.conditions+`}`))
		if err := w.Authorize(t.Context(), denied, get, tt.resource); !fault.Is(err, fault.AccessDenied) {
			t.Errorf("a Deny by %s: %v", tt.conditions, err)
		}
	}
	w.allows(w.user(ours, "bob", statement("Allow", "ecr:*", anyResource+`,"Condition":{"StringEquals":{"aws:ResourceTag/team":"red"}}`)), get, app)
	abroad := w.user(theirs, "dave", statement("Allow", "ecr:*", anyResource+`,"Condition":{"StringEquals":{"aws:ResourceTag/env":"dev"}}`))
	w.refuses(abroad, get, app, noResource(get))
}

func TestTimeIsTheDeciders(t *testing.T) {
	w := newWorld(t)
	now := noon
	w.Decider = access.New(access.Config{Store: w.store, Clock: func() time.Time { return now }})
	alice := w.user(ours, "alice", statement("Allow", "ecr:*", anyResource+`,"Condition":{"DateLessThan":{"aws:CurrentTime":"2026-03-05T00:00:00Z"}}`))
	w.allows(alice, get, onRepository("team/app"))
	now = now.Add(24 * time.Hour)
	w.refuses(alice, get, onRepository("team/app"), noIdentity(get))
}

// TestVariables: a value in the place of a variable is the caller's own.
func TestVariables(t *testing.T) {
	w := newWorld(t)
	alice := w.user(ours, "alice", statement("Allow", "ecr:*", `,"Resource":"arn:aws:ecr:*:*:repository/home/${aws:username}/*"`))
	w.allows(alice, put, onRepository("home/alice/app"))
	w.refuses(alice, put, onRepository("home/bob/app"), noIdentity(put))
}

// TestTheTagsOfAProvider: also of one whose host ends in a slash, as its issuer
// does.
func TestTheTagsOfAProvider(t *testing.T) {
	const action = "iam:DeleteOpenIDConnectProvider"
	w := newWorld(t)
	alice := w.user(ours, "alice", statement("Allow", "iam:*", anyResource+`,"Condition":{"StringEquals":{"aws:ResourceTag/tier":"front"}}`))
	for host, tags := range map[string][]meta.ResourceTag{
		"tenant.example.com": nil, "tenant.example.com/": {{Key: "tier", Value: "front"}},
		"idp.example.com/a": {{Key: "tier", Value: "front"}}, "idp.example.com/a/": {{Key: "tier", Value: "back"}},
	} {
		w.update(func(tx meta.Tx) error {
			id, err := tx.InsertOIDCProvider(meta.OIDCProvider{Account: ours, Host: host, CreatedAt: noon})
			if err != nil {
				return err
			}
			return tx.PutResourceTags(meta.Resource{Kind: meta.ProviderResource, ID: int64(id)}, tags)
		})
	}
	for host, allowed := range map[string]bool{
		"tenant.example.com": false, "tenant.example.com/": true, "idp.example.com/a": true, "idp.example.com/a/": false, "other.example.com/": false,
	} {
		if err := w.Authorize(ctx, alice, action, access.Resource{Account: ours, ARN: name.ProviderARN(ours, host)}); (err == nil) != allowed {
			t.Errorf("%s: %v, want allowed %v", host, err, allowed)
		}
	}
}

// TestAServiceIsMeantByItsName: a policy about one container service holds,
// though its id is not in the request.
func TestAServiceIsMeantByItsName(t *testing.T) {
	const id, del = "11111111-2222-3333-4444-555555555555", "lightsail:DeleteContainerService"
	w := newWorld(t)
	only := w.user(ours, "only", statement("Allow", "lightsail:*", `,"Resource":"`+name.ServiceARN(registryID, id)+`"`))
	all := w.user(ours, "all", statement("Allow", "lightsail:*", anyResource), statement("Deny", del, `,"Resource":"`+name.ServiceARN(registryID, id)+`"`))
	service := func(called name.ServiceName) access.Resource {
		return access.Resource{Account: ours, ARN: name.ServiceARN(registryID, "*"), Service: called}
	}
	w.refuses(only, del, service("web"), noIdentity(del)) // it is not there yet
	w.allows(all, del, service("web"))
	w.update(func(tx meta.Tx) error {
		_, err := tx.InsertService(meta.Service{Registry: registryID, Name: "web", ResourceID: id, Power: "nano", Scale: 1, CreatedAt: noon})
		return err
	})
	w.allows(only, del, service("web"))
	w.refuses(only, del, service("other"), noIdentity(del))
	w.refuses(all, del, service("web"), "with an explicit deny in an identity-based policy")
	w.allows(all, "lightsail:GetContainerImages", service("web"))
	e, err := w.Explain(ctx, all, del, service("web"))
	if err != nil || e.Allowed || !e.Explicit {
		t.Errorf("%+v, %v", e.Decision, err)
	}
}
