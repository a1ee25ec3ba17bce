package access_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

const (
	get = "ecr:BatchGetImage"
	put = "ecr:PutImage"
)

func TestRoot(t *testing.T) {
	w := newWorld(t)
	app := w.repository("team/app", statement("Deny", "ecr:*", everybody))
	free := w.repository("team/free", "")
	foreign := access.Resource{Account: theirs, ARN: name.RepositoryARN(name.RegistryID{Account: theirs, Region: region}, "team/app")}

	w.allows(root(ours), put, free)
	w.allows(root(ours), put, onRepository("not/there"))
	w.allows(root(ours), "iam:CreateUser", access.Resource{Account: ours, ARN: name.UserARN(ours, "/", "x")})
	w.refuses(root(ours), put, app, "with an explicit deny in a resource-based policy")
	for _, a := range []string{"SetRepositoryPolicy", "GetRepositoryPolicy", "DeleteRepositoryPolicy"} {
		w.allows(root(ours), "ecr:"+a, app)
		w.refuses(root(theirs), "ecr:"+a, app, noResource("ecr:"+a))
	}
	w.refuses(root(ours), put, foreign, noResource(put))
	w.refuses(root(ours), put, access.Resource{ARN: "*"}, noResource(put))
}

func TestARegistryPolicyAndItsScopes(t *testing.T) {
	w := newWorld(t)
	app := w.repository("team/app", "")
	guest := w.user(theirs, "guest", statement("Allow", "ecr:*", anyResource))
	w.refuses(guest, get, app, noResource(get))
	w.update(func(tx meta.Tx) error {
		return tx.PutRegistryPolicy(registryID, statement("Allow", "ecr:*", principal(string(theirs))+anyResource))
	})
	w.allows(guest, get, app)
	w.allows(guest, "ecr:CreateRepository", onRepository("new"))
	w.allows(guest, "ecr:DescribeRegistry", access.Resource{Account: ours, ARN: "*"})
	elsewhere := access.Resource{Account: ours, ARN: name.RepositoryARN(name.RegistryID{Account: ours, Region: "us-east-1"}, "team/app")}
	w.refuses(guest, get, elsewhere, noResource(get))

	w.update(func(tx meta.Tx) error { return tx.PutAccountSetting(registryID, meta.PolicyScopeSetting, "V1") })
	w.refuses(guest, get, app, noResource(get))
	for _, a := range []string{"ecr:ReplicateImage", "ecr:BatchImportUpstreamImage", "ecr:CreateRepository"} {
		w.allows(guest, a, onRepository("new"))
	}
	w.update(func(tx meta.Tx) error { return tx.PutAccountSetting(registryID, meta.PolicyScopeSetting, "V2") })
	w.allows(guest, get, app)

	w.update(func(tx meta.Tx) error {
		return tx.PutRegistryPolicy(registryID, statement("Deny", "ecr:*", everybody+anyResource))
	})
	w.refuses(root(ours), get, app, "with an explicit deny in a registry policy")
	w.allows(root(ours), "ecr:DeleteRegistryPolicy", access.Resource{Account: ours, ARN: "*"})
	w.refuses(guest, get, app, noResource(get)) // an outsider does not learn which policy it was
}

func TestAUserHasItsOwnAndItsGroupsPolicies(t *testing.T) {
	w := newWorld(t)
	app := w.repository("team/app", "")
	alice := w.user(ours, "alice")
	w.refuses(alice, get, app, noIdentity(get))

	w.update(func(tx meta.Tx) error {
		return tx.PutInlinePolicy(alice.Principal, meta.InlinePolicy{Name: "a", Document: statement("Allow", get, anyResource)})
	})
	w.allows(alice, get, app)
	w.refuses(alice, put, app, noIdentity(put))

	w.attach(alice, w.managed(ours, "Push", statement("Allow", put, anyResource)))
	w.allows(alice, put, app)

	devs := w.principal(ours, meta.Group, "devs", "", statement("Allow", "ecr:ListImages", anyResource))
	w.refuses(alice, "ecr:ListImages", app, noIdentity("ecr:ListImages"))
	w.update(func(tx meta.Tx) error { return tx.PutMember(devs.ID, alice.Principal) })
	w.allows(alice, "ecr:ListImages", app)

	w.attach(alice, meta.PolicyRef{ARN: "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"})
	w.allows(alice, "ecr:DescribeImages", app)
	w.update(func(tx meta.Tx) error {
		return tx.PutInlinePolicy(devs.ID, meta.InlinePolicy{Name: "b", Document: statement("Deny", "ecr:Describe*", anyResource)})
	})
	w.refuses(alice, "ecr:DescribeImages", app, "with an explicit deny in an identity-based policy")
}

func TestABoundaryAndASessionNarrow(t *testing.T) {
	w := newWorld(t)
	app := w.repository("team/app", "")
	alice := w.user(ours, "alice", statement("Allow", "ecr:*", anyResource))
	w.bound(alice, w.managed(ours, "Bound", statement("Allow", get, anyResource)))
	w.allows(alice, get, app)
	w.refuses(alice, put, app, "because no permissions boundary allows the "+put+" action")

	ci := w.role(ours, "ci", "", statement("Allow", "ecr:*", anyResource))
	w.allows(ci, put, app)
	narrow := func(key string, s identity.Session) identity.Caller {
		c := ci
		s.RoleARN, c.KeyID, c.Session = ci.Session.RoleARN, key, &s
		return c
	}
	byText := narrow("ASIA1", identity.Session{Policies: []string{statement("Allow", get, anyResource)}})
	byARN := narrow("ASIA2", identity.Session{PolicyARNs: []string{name.PolicyARN(ours, "/", "Bound")}})
	byAWS := narrow("ASIA3", identity.Session{PolicyARNs: []string{"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"}})
	for _, c := range []identity.Caller{byText, byARN, byAWS} {
		w.allows(c, get, app)
		w.refuses(c, put, app, noSession(put))
	}
	for key, arn := range map[string]string{
		"ASIA4": name.PolicyARN(ours, "/", "Gone"), "ASIA5": name.PolicyARN(theirs, "/", "Bound"), "ASIA6": "arn:aws:iam::aws:policy/Gone",
		"ASIA7": "nonsense", "ASIA8": name.PolicyARN(ours, "/elsewhere/", "Bound"),
	} {
		w.refuses(narrow(key, identity.Session{PolicyARNs: []string{arn}}), get, app, noSession(get))
	}
	// Sessions without a key are told apart all the same.
	w.refuses(narrow("", *byText.Session), put, app, noSession(put))
	w.allows(narrow("", identity.Session{}), put, app)
	w.refuses(narrow("", *byText.Session), put, app, noSession(put))
}

func TestSameAccountEitherSideIsEnough(t *testing.T) {
	w := newWorld(t)
	alice, ci := w.user(ours, "alice"), w.role(ours, "ci", "")
	byUser := w.repository("by/user", statement("Allow", get, principal(alice.ARN)))
	w.allows(alice, get, byUser)
	w.refuses(alice, put, byUser, noIdentity(put))
	w.refuses(ci, get, byUser, noIdentity(get))
	byRole := w.repository("by/role", statement("Allow", get, principal(ci.Session.RoleARN)))
	w.allows(ci, get, byRole)
	byAccount := w.repository("by/account", statement("Allow", get, principal(string(ours))))
	w.refuses(alice, get, byAccount, noIdentity(get))
	w.allows(root(ours), get, byAccount)
}

func TestAnotherAccountNeedsBothSides(t *testing.T) {
	w := newWorld(t)
	able := w.user(theirs, "able", statement("Allow", "ecr:*", anyResource))
	unable := w.user(theirs, "unable")
	open := w.repository("open", statement("Allow", get, principal(string(theirs))))
	w.allows(able, get, open)
	w.allows(root(theirs), get, open)
	w.refuses(unable, get, open, noIdentity(get))
	w.refuses(able, put, open, noResource(put))
	w.refuses(w.user(ours, "neighbour"), get, open, noIdentity(get))
}

// TestAForeignDenialTellsNothing: whatever the caller's own policies ask about
// the resource, and whatever its policy says, the sentence is the same as for
// one that is not there.
func TestAForeignDenialTellsNothing(t *testing.T) {
	w := newWorld(t)
	tag := meta.ResourceTag{Key: "team", Value: "red"}
	there := []access.Resource{
		w.repository("without/policy", ""),
		w.repository("with/tag", "", tag),
		w.repository("that/denies", statement("Deny", "ecr:*", everybody), tag),
		w.repository("that/allows/others", statement("Allow", "ecr:*", principal(string(ours)))),
		onRepository("not/there"),
	}
	for i, document := range []string{
		statement("Allow", "ecr:*", anyResource),
		statement("Allow", "ecr:*", anyResource+`,"Condition":{"StringEquals":{"ecr:ResourceTag/team":"red"}}`),
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"red"}}}]}`,
		statement("Deny", "ecr:*", anyResource),
	} {
		c := w.user(theirs, fmt.Sprintf("u%d", i), document)
		for _, r := range there {
			w.refuses(c, get, r, noResource(get))
		}
	}
}

func TestLightsailLogins(t *testing.T) {
	w := newWorld(t)
	everything := access.Resource{Account: ours, ARN: "*"}
	login := func(c identity.Caller) identity.Caller {
		c.Scope = identity.LightsailPush
		return c
	}
	w.allows(login(root(ours)), access.LoginAction, everything)
	w.refuses(login(root(ours)), get, onRepository("team/app"), noSession(get))
	w.refuses(login(root(ours)), "sts:GetCallerIdentity", everything, noSession("sts:GetCallerIdentity"))
	w.refuses(login(root(ours)), "ecr:SetRepositoryPolicy", onRepository("team/app"), noSession("ecr:SetRepositoryPolicy"))
	w.refuses(login(root(theirs)), access.LoginAction, everything, noResource(access.LoginAction))

	alice := w.user(ours, "alice", statement("Allow", "lightsail:*", anyResource))
	w.allows(login(alice), access.LoginAction, everything)
	w.refuses(login(alice), "lightsail:CreateContainerService", everything, noSession("lightsail:CreateContainerService"))
	w.update(func(tx meta.Tx) error { return tx.DeleteInlinePolicy(alice.Principal, "a") })
	w.refuses(login(alice), access.LoginAction, everything, noIdentity(access.LoginAction))
}

func TestAnybodyPullsWhatARepositoryGivesToEverybody(t *testing.T) {
	w := newWorld(t)
	anybody := identity.Caller{Kind: identity.Anonymous, Scope: identity.AnonymousPull, Region: region}
	public := w.repository("public", statement("Allow", "ecr:*", everybody))
	private := w.repository("private", "")
	w.allows(anybody, get, public)
	w.allows(anybody, "ecr:GetDownloadUrlForLayer", public)
	w.refuses(anybody, put, public, noResource(put))
	w.refuses(anybody, "ecr:DescribeRepositories", public, noResource("ecr:DescribeRepositories"))
	w.refuses(anybody, get, private, noResource(get))
	w.refuses(anybody, get, w.repository("to/account", statement("Allow", get, principal(string(ours)))), noResource(get))
	w.refuses(anybody, "sts:GetCallerIdentity", access.Resource{ARN: "*"}, noResource("sts:GetCallerIdentity"))

	// A registry's policy gives nothing to strangers, but it can take away.
	w.update(func(tx meta.Tx) error {
		return tx.PutRegistryPolicy(registryID, statement("Allow", "ecr:*", everybody+anyResource))
	})
	w.refuses(anybody, get, private, noResource(get))
	w.allows(anybody, get, public)
	w.update(func(tx meta.Tx) error {
		return tx.PutRegistryPolicy(registryID, statement("Deny", "ecr:*", everybody+anyResource))
	})
	w.refuses(anybody, get, public, "with an explicit deny in a registry policy")
}

func TestARoleIsAssumedByWhomItTrusts(t *testing.T) {
	const assume = "sts:AssumeRole"
	w := newWorld(t)
	noTrust := "because no role trust policy allows the " + assume + " action"
	alice := w.user(ours, "alice")
	able := w.user(ours, "able", statement("Allow", assume, anyResource))
	guest := w.user(theirs, "guest", statement("Allow", assume, anyResource))
	trusting := func(role, trust string) access.Resource {
		w.principal(ours, meta.Role, role, trust)
		return access.Resource{Account: ours, ARN: name.RoleARN(ours, "/", role)}
	}
	byUser := trusting("by-user", statement("Allow", assume, principal(alice.ARN)))
	w.allows(alice, assume, byUser)
	w.refuses(able, assume, byUser, noTrust)
	byAccount := trusting("by-account", statement("Allow", assume, principal(string(ours))))
	w.allows(able, assume, byAccount)
	w.refuses(alice, assume, byAccount, noIdentity(assume))
	w.refuses(guest, assume, byAccount, noTrust)
	byOthers := trusting("by-others", statement("Allow", assume, principal(string(theirs))))
	w.allows(guest, assume, byOthers)
	for _, arn := range []string{name.RoleARN(ours, "/", "gone"), name.RoleARN(ours, "/path/", "by-others"), name.RoleARN(ours, "/", "BY-OTHERS"), "arn:aws:iam::" + string(ours) + ":role/"} {
		w.refuses(guest, assume, access.Resource{Account: ours, ARN: arn}, noTrust)
		w.refuses(able, assume, access.Resource{Account: ours, ARN: arn}, noTrust)
	}

	const host = "token.actions.example.com"
	federated := trusting("federated", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"`+name.ProviderARN(ours, host)+`"},
		"Condition":{"StringEquals":{"`+host+`:aud":"sts.amazonaws.com"},"StringLike":{"`+host+`:sub":"repo:team/*"}}}}`)
	web := identity.Caller{Account: ours, ARN: name.ProviderARN(ours, host), Kind: identity.WebIdentity,
		Session: &identity.Session{Provider: host, Subject: "repo:team/app:ref:refs/heads/main", Audience: "sts.amazonaws.com"}}
	const assumeWeb = "sts:AssumeRoleWithWebIdentity"
	w.allows(web, assumeWeb, federated)
	for _, s := range []identity.Session{
		{Provider: host, Subject: "repo:other/app", Audience: "sts.amazonaws.com"},
		{Provider: host, Subject: "repo:team/app", Audience: "others"},
		{Provider: "evil.example.com", Subject: "repo:team/app", Audience: "sts.amazonaws.com"},
		{Provider: host},
	} {
		c := web
		c.Session = &s
		w.refuses(c, assumeWeb, federated, "because no role trust policy allows the "+assumeWeb+" action")
	}
	w.refuses(web, assumeWeb, byAccount, "because no role trust policy allows the "+assumeWeb+" action")
}

func TestWhoIsNotKnownMayNothing(t *testing.T) {
	w := newWorld(t)
	public := w.repository("public", statement("Allow", "ecr:*", everybody))
	alice := w.user(ours, "alice", statement("Allow", "*", anyResource))
	ci := w.role(ours, "ci", "", statement("Allow", "*", anyResource))
	changed := func(c identity.Caller, change func(*identity.Caller)) identity.Caller {
		change(&c)
		return c
	}
	for what, c := range map[string]identity.Caller{
		"nobody":                            {},
		"an account without a kind":         {Account: ours, ARN: name.RootARN(ours)},
		"a root of no account":              {Kind: identity.Root},
		"a user that is none":               changed(alice, func(c *identity.Caller) { c.Principal = 0 }),
		"a user that is gone":               changed(alice, func(c *identity.Caller) { c.Principal = 999 }),
		"a user who is a role":              changed(alice, func(c *identity.Caller) { c.Principal = ci.Principal }),
		"a user of another account":         changed(alice, func(c *identity.Caller) { c.Account = theirs }),
		"a role session without a session":  changed(ci, func(c *identity.Caller) { c.Session = nil }),
		"a role session that is of a user":  changed(ci, func(c *identity.Caller) { c.Principal = alice.Principal }),
		"a web identity without a provider": {Kind: identity.WebIdentity},
	} {
		t.Run(what, func(t *testing.T) {
			w := &world{t: t, store: w.store, Decider: w.Decider}
			w.refuses(c, get, public, noIdentity(get))
			w.refuses(c, "sts:AssumeRole", access.Resource{Account: c.Account, ARN: name.RoleARN(ours, "/", "ci")}, noIdentity("sts:AssumeRole"))
		})
	}
}

func TestEverybodyMayAskWhoTheyAre(t *testing.T) {
	w := newWorld(t)
	for _, c := range []identity.Caller{root(ours), w.user(ours, "alice", statement("Deny", "*", anyResource)), w.role(ours, "ci", "")} {
		for _, a := range []string{"sts:GetCallerIdentity", "sts:GetSessionToken"} {
			w.allows(c, a, access.Resource{Account: ours, ARN: "*"})
			w.refuses(c, a, access.Resource{Account: theirs, ARN: "*"}, noResource(a))
		}
	}
}

func TestAChangeCountsAtTheNextQuestion(t *testing.T) {
	w := newWorld(t)
	app := w.repository("team/app", "")
	alice := w.user(ours, "alice")
	for range 3 {
		w.refuses(alice, get, app, noIdentity(get))
		w.update(func(tx meta.Tx) error {
			return tx.PutInlinePolicy(alice.Principal, meta.InlinePolicy{Name: "a", Document: statement("Allow", get, anyResource)})
		})
		w.allows(alice, get, app)
		w.update(func(tx meta.Tx) error { return tx.DeleteInlinePolicy(alice.Principal, "a") })
	}
}

func TestWhatCannotBeReadIsNotAllowed(t *testing.T) {
	w := newWorld(t)
	app := w.repository("team/app", "not a policy")
	want := func(c identity.Caller, r access.Resource, reason fault.Reason) {
		t.Helper()
		if err := w.Authorize(ctx, c, get, r); !fault.Is(err, reason) {
			t.Errorf("%v, want the reason %v", err, reason)
		}
	}
	want(root(ours), app, fault.Unexpected)
	w.allows(root(ours), "ecr:SetRepositoryPolicy", app)
	want(w.user(ours, "alice", "nor this"), onRepository("other"), fault.Unexpected)

	w.store.SetDown(meta.ErrUnavailable)
	want(root(ours), onRepository("other"), fault.StoreUnavailable)
	w.store.SetDown(errors.New("a defect"))
	want(root(ours), onRepository("other"), fault.Unexpected)
	w.store.SetDown(nil)
	w.allows(root(ours), get, onRepository("other"))
}
