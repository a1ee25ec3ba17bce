package admin_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/admin"
	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lighteragemodel"
	"github.com/lighterage/lighterage/internal/client"
	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/lifecycle"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/seal"
	"github.com/lighterage/lighterage/internal/sigv4"
)

const (
	home   = name.AccountID("123456789012")
	region = "eu-west-1"
	keyID  = "AKIAIOSFODNN7EXAMPLE"
	secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	app    = "arn:aws:ecr:eu-west-1:123456789012:repository/team/app"
)

// world is the front over real rules and a real store.
type world struct {
	*directory.Directory
	t      *testing.T
	ctx    context.Context
	url    string
	faults *metatest.Faults
	issuer *identity.Authority

	lifecycle *lifecycle.Runner
	root      *client.Client // of the server's own account
}

func open(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, ctx: t.Context()}
	log := slog.New(slog.DiscardHandler)
	store, err := sqlstore.OpenSQLite(w.ctx, filepath.Join(t.TempDir(), "catalogue.db"), sqlstore.Options{Clock: time.Now, Logger: log})
	w.must(err)
	t.Cleanup(func() { store.Close() })
	w.faults = metatest.NewFaults(store)
	key, err := seal.Parse(seal.Generate())
	w.must(err)
	sealer, err := seal.New(key)
	w.must(err)
	w.Directory = directory.New(directory.Config{Meta: w.faults, Seal: sealer, Limits: directory.Quotas})
	w.must(w.EnsureAccount(w.ctx, home, "home"))
	authority, err := identity.New(w.ctx, identity.Config{
		Keys: []identity.AccessKey{identity.RootKey(home, keyID, identity.NewSecret(secret))}, Store: w.faults, Seal: sealer,
		Regions: func(r name.Region) bool { return r == region }, Clock: time.Now, Logger: log,
	})
	w.must(err)
	w.issuer = authority
	decider := access.New(access.Config{Store: w.faults, Clock: time.Now})
	w.lifecycle = lifecycle.New(lifecycle.Config{
		Meta: w.faults, Logger: log, LayerGrace: time.Hour, FlushPulls: func(context.Context) error { return nil }, Journal: unwritten{},
	})
	handler, err := awsjson.New(awsjson.Config{
		Services:      []awsjson.Service{admin.New(admin.Config{Account: home, Directory: w.Directory, Lifecycle: w.lifecycle, Principals: authority, Explainer: decider})},
		Authenticator: authority, Authorizer: decider, Now: time.Now,
	})
	w.must(err)
	server := httptest.NewServer(edge.Handler(handler, edge.Options{Logger: log, Clock: time.Now, Idle: time.Minute}))
	t.Cleanup(server.Close)
	w.url = server.URL
	w.root = w.client(keyID, secret)
	return w
}

// unwritten is the journal of lifecycle policies.
type unwritten struct{}

func (unwritten) Ready() error               { return nil }
func (unwritten) Record(lifecycle.Execution) {}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) client(id, secret string) *client.Client {
	return &client.Client{
		HTTP: http.DefaultClient, Endpoint: w.url, Service: lighteragemodel.Model.SigningName, TargetPrefix: lighteragemodel.Model.TargetPrefix,
		Region: region, Credentials: sigv4.Credentials{KeyID: id, Secret: secret}, Clock: time.Now,
	}
}

// user makes a user of the server's account with a policy, and a client of it.
func (w *world) user(called, document string) *client.Client {
	w.t.Helper()
	_, err := w.CreateUser(w.ctx, home, directory.NewUser{Name: called})
	w.must(err)
	if document != "" {
		w.must(w.PutInlinePolicy(w.ctx, home, directory.User, called, directory.InlinePolicy{Name: "p", Document: document}))
	}
	key, secret, err := w.CreateAccessKey(w.ctx, directory.Owner{Account: home, User: called})
	w.must(err)
	return w.client(key.ID, secret.Reveal())
}

// refused checks the code of an error, and a part of its sentence.
func refused(t *testing.T, err error, code, text string) {
	t.Helper()
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Code != code || !strings.Contains(e.Message, text) {
		t.Errorf("got %v, want %s with %q", err, code, text)
	}
}

type (
	accountRow struct {
		ID      string  `json:"accountId"`
		Name    string  `json:"accountName"`
		Created float64 `json:"createdAt"`
		Revoked float64 `json:"tokensRevokedAt"`
	}
	created struct {
		Account accountRow `json:"account"`
		Key     struct {
			ID     string `json:"accessKeyId"`
			Secret string `json:"secretAccessKey"`
		} `json:"accessKey"`
	}
)

func TestAnAccountIsMadeWithAKeyThatWorksInItAlone(t *testing.T) {
	w := open(t)
	var out created
	w.must(w.root.Call(w.ctx, "CreateAccount", map[string]string{"accountName": "Team", "accountId": "210987654321"}, &out))
	if out.Account.ID != "210987654321" || out.Account.Name != "Team" || out.Account.Created == 0 || out.Account.Revoked != 0 {
		t.Errorf("account %+v", out.Account)
	}
	if len(out.Key.ID) != 20 || len(out.Key.Secret) != 40 {
		t.Errorf("key %q with a secret of %d characters", out.Key.ID, len(out.Key.Secret))
	}
	other := w.client(out.Key.ID, out.Key.Secret)
	for _, operation := range []string{"CreateAccount", "ListAccounts", "RevokeTokens", "SimulateDecision", "ListLifecyclePolicies", "RunLifecyclePolicy"} {
		in := map[string]string{"accountName": "x", "repositoryName": "team/app", "principalArn": "arn:aws:iam::210987654321:root", "action": "ecr:PutImage", "resourceArn": "*"}
		refused(t, other.Call(w.ctx, operation, in, &out), "AccessDeniedException",
			"User: arn:aws:iam::210987654321:root is not authorized to perform: lighterage:"+operation+" on resource: *")
	}
	refused(t, w.root.Call(w.ctx, "CreateAccount", map[string]string{"accountName": "x", "accountId": "210987654321"}, &out),
		"ResourceAlreadyExistsException", "account 210987654321 exists already")
	w.must(w.root.Call(w.ctx, "CreateAccount", map[string]string{"accountName": "Drawn"}, &out))
	if _, err := name.ParseAccountID(out.Account.ID); err != nil {
		t.Errorf("drawn id: %v", err)
	}
}

// TestPassingCredentialsDoNotOpenTheAPI: accounts, with lasting keys, are not
// made by what was lent.
func TestPassingCredentialsDoNotOpenTheAPI(t *testing.T) {
	w := open(t)
	w.user("alice", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	key, _, err := w.CreateAccessKey(w.ctx, directory.Owner{Account: home, User: "alice"})
	w.must(err)
	alice, err := w.issuer.CallerOf(w.ctx, "arn:aws:iam::123456789012:user/alice")
	w.must(err)
	alice.KeyID = key.ID
	root, err := w.issuer.CallerOf(w.ctx, "arn:aws:iam::123456789012:root")
	w.must(err)
	root.KeyID = keyID
	for _, caller := range []identity.Caller{alice, root} {
		lent, err := w.issuer.IssueOwnSession(w.ctx, caller, 0)
		w.must(err)
		c := w.client(lent.KeyID, lent.Secret.Reveal())
		c.Credentials.SessionToken = lent.Token
		for _, operation := range []string{"CreateAccount", "ListAccounts", "RevokeTokens", "SimulateDecision", "ListLifecyclePolicies", "RunLifecyclePolicy"} {
			in := map[string]string{"accountName": "x", "repositoryName": "team/app", "principalArn": caller.ARN, "action": "ecr:PutImage", "resourceArn": "*"}
			refused(t, c.Call(w.ctx, operation, in, nil), "UnrecognizedClientException", "")
		}
	}
}

func TestAccountsAreListedInPages(t *testing.T) {
	w := open(t)
	for _, id := range []string{"111111111111", "222222222222", "333333333333"} {
		w.must(w.root.Call(w.ctx, "CreateAccount", map[string]string{"accountName": "n", "accountId": id}, &created{}))
	}
	var ids []string
	for in := map[string]any{"maxResults": 2}; ; {
		var out struct {
			Accounts []accountRow `json:"accounts"`
			Next     string       `json:"nextToken"`
		}
		w.must(w.root.Call(w.ctx, "ListAccounts", in, &out))
		if len(out.Accounts) > 2 {
			t.Fatalf("a page of %d", len(out.Accounts))
		}
		for _, a := range out.Accounts {
			ids = append(ids, a.ID)
		}
		if out.Next == "" {
			break
		}
		in["nextToken"] = out.Next
	}
	if diff := cmp.Diff([]string{"111111111111", string(home), "222222222222", "333333333333"}, ids); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
	refused(t, w.root.Call(w.ctx, "ListAccounts", map[string]any{"nextToken": "x"}, nil), "ValidationException", "nextToken")
	refused(t, w.root.Call(w.ctx, "ListAccounts", map[string]any{"maxResults": 0}, nil), "ValidationException",
		"1 validation error detected: Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1")
}

func TestRevokeTokens(t *testing.T) {
	w := open(t)
	for _, tt := range []struct {
		name string
		in   map[string]string
	}{
		{"of the server's own account", map[string]string{}},
		{"of another account", map[string]string{"accountId": "210987654321"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := string(home)
			if tt.in["accountId"] != "" {
				id = tt.in["accountId"]
				w.must(w.EnsureAccount(w.ctx, name.AccountID(id), "other"))
			}
			var out accountRow
			w.must(w.root.Call(w.ctx, "RevokeTokens", tt.in, &out))
			account, err := w.GetAccount(w.ctx, name.AccountID(id))
			w.must(err)
			if out.ID != id || out.Revoked == 0 || account.RevokedAt.IsZero() {
				t.Errorf("answered %+v, account %+v", out, account)
			}
		})
	}
	refused(t, w.root.Call(w.ctx, "RevokeTokens", map[string]string{"accountId": "999999999999"}, nil), "ResourceNotFoundException", "999999999999")
	refused(t, w.root.Call(w.ctx, "RevokeTokens", map[string]string{"accountId": "99"}, nil), "ValidationException", "accountId")
}

func TestUsersOfTheServersAccountNeedAPolicy(t *testing.T) {
	w := open(t)
	nobody := w.user("nobody", "")
	refused(t, nobody.Call(w.ctx, "ListAccounts", struct{}{}, nil), "AccessDeniedException",
		"User: arn:aws:iam::123456789012:user/nobody is not authorized to perform: lighterage:ListAccounts on resource: * because no identity-based policy allows the lighterage:ListAccounts action")
	operator := w.user("operator", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"lighterage:List*","Resource":"*"}}`)
	w.must(operator.Call(w.ctx, "ListAccounts", struct{}{}, &struct{}{}))
	refused(t, operator.Call(w.ctx, "CreateAccount", map[string]string{"accountName": "x"}, nil), "AccessDeniedException", "lighterage:CreateAccount")
	refused(t, w.client("AKIAUNKNOWN000000000", secret).Call(w.ctx, "ListAccounts", struct{}{}, nil), "UnrecognizedClientException", "invalid")
	refused(t, w.client(keyID, "wrong").Call(w.ctx, "ListAccounts", struct{}{}, nil), "InvalidSignatureException", "signature")
}

func TestAFailingStoreIsTheServersFault(t *testing.T) {
	w := open(t)
	w.faults.FailUpdate(1, metatest.NotApplied)
	refused(t, w.root.Call(w.ctx, "RevokeTokens", struct{}{}, nil), "ServerException", "")
}

type statement struct {
	Layer   string   `json:"layer"`
	Policy  string   `json:"policy"`
	Index   int      `json:"index"`
	Sid     string   `json:"sid"`
	Effect  string   `json:"effect"`
	Matched bool     `json:"matched"`
	Missing []string `json:"missingContextKeys"`
}

func TestSimulateDecision(t *testing.T) {
	w := open(t)
	w.user("dev", `{"Version":"2012-10-17","Statement":[
		{"Sid":"Pull","Effect":"Allow","Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Resource":"arn:aws:ecr:*:*:repository/team/*"},
		{"Sid":"Inside","Effect":"Allow","Action":"ecr:PutImage","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"StringEquals":{"aws:RequestTag/env":"test"}}},
		{"Effect":"Deny","Action":"ecr:DeleteRepository","Resource":"*"}]}`)
	const dev = "arn:aws:iam::123456789012:user/dev"
	inside := map[string][]string{"AWS:SourceIP": {"10.1.2.3"}, "aws:RequestTag/Env": {"test"}}
	tests := []struct {
		name, principal, action, resource string
		context                           map[string][]string
		decision, reason                  string
		matched                           []string // statements, by Sid or number
	}{
		{"what a statement allows", dev, "ecr:BatchGetImage", app, nil, "allowed",
			"Allowed by the identity-based policy user_dev_p, statement Pull.", []string{"Pull"}},
		{"what nothing allows", dev, "ecr:CreateRepository", app, nil, "implicitDeny",
			"User: " + dev + " is not authorized to perform: ecr:CreateRepository on resource: " + app + " because no identity-based policy allows the ecr:CreateRepository action", nil},
		{"what a statement denies", dev, "ecr:DeleteRepository", app, nil, "explicitDeny",
			"User: " + dev + " is not authorized to perform: ecr:DeleteRepository on resource: " + app + " with an explicit deny in an identity-based policy", []string{"2"}},
		{"a condition without values", dev, "ecr:PutImage", app, nil, "implicitDeny",
			"because no identity-based policy allows the ecr:PutImage action", nil},
		{"a condition with the values given", dev, "ecr:PutImage", app, inside, "allowed",
			"Allowed by the identity-based policy user_dev_p, statement Inside.", []string{"Inside"}},
		{"a root without a policy", "arn:aws:iam::123456789012:root", "ecr:PutImage", app, nil, "allowed",
			"Allowed because an account's root needs no policy in its own account.", nil},
		{"a root on another account's", "arn:aws:iam::123456789012:root", "ecr:PutImage", "arn:aws:ecr:eu-west-1:210987654321:repository/team/app", nil, "implicitDeny",
			"because no resource-based policy allows the ecr:PutImage action", nil},
		{"what needs no permission", dev, "sts:GetCallerIdentity", "*", nil, "allowed", "Allowed whatever the policies say.", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out struct {
				Allowed    bool        `json:"allowed"`
				Decision   string      `json:"decision"`
				Reason     string      `json:"reason"`
				Statements []statement `json:"statements"`
			}
			w.must(w.root.Call(w.ctx, "SimulateDecision", map[string]any{
				"principalArn": tt.principal, "action": tt.action, "resourceArn": tt.resource, "context": tt.context,
			}, &out))
			if out.Decision != tt.decision || out.Allowed != (tt.decision == "allowed") || !strings.HasSuffix(out.Reason, tt.reason) {
				t.Errorf("got %v %s %q, want %s %q", out.Allowed, out.Decision, out.Reason, tt.decision, tt.reason)
			}
			var matched []string
			for _, s := range out.Statements {
				if s.Matched {
					matched = append(matched, label(s))
				}
				if s.Layer != "identity-based policy" || s.Policy != "user_dev_p" {
					t.Errorf("statement of %s %s", s.Layer, s.Policy)
				}
			}
			if diff := cmp.Diff(tt.matched, matched); diff != "" {
				t.Errorf("matched (-want +got):\n%s", diff)
			}
			if tt.principal == dev && len(out.Statements) != 3 {
				t.Errorf("%d statements, want all 3", len(out.Statements))
			}
		})
	}

	var out struct {
		Statements []statement `json:"statements"`
	}
	w.must(w.root.Call(w.ctx, "SimulateDecision", map[string]any{"principalArn": dev, "action": "ecr:PutImage", "resourceArn": app}, &out))
	if diff := cmp.Diff([]string{"aws:sourceip"}, out.Statements[1].Missing); diff != "" {
		t.Errorf("keys without a value (-want +got):\n%s", diff)
	}
}

func label(s statement) string {
	if s.Sid != "" {
		return s.Sid
	}
	return string(rune('0' + s.Index))
}

func TestSimulateDecisionRefuses(t *testing.T) {
	w := open(t)
	w.user("dev", "")
	tests := []struct {
		name                        string
		principal, action, resource string
		code, text                  string
	}{
		{"a user who is not there", "arn:aws:iam::123456789012:user/bob", "ecr:PutImage", app, "ResourceNotFoundException", "user/bob does not exist"},
		{"an account that is not there", "arn:aws:iam::999999999999:root", "ecr:PutImage", app, "ResourceNotFoundException", "999999999999"},
		{"a principal that is none", "arn:aws:iam::123456789012:policy/p", "ecr:PutImage", app, "ValidationException", "names no user"},
		{"an action that is none", "arn:aws:iam::123456789012:user/dev", "PutImage", app, "ValidationException", "action"},
		{"a resource that is none", "arn:aws:iam::123456789012:user/dev", "ecr:PutImage", "team/app", "ValidationException", "resourceArn"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := map[string]string{"principalArn": tt.principal, "action": tt.action, "resourceArn": tt.resource}
			refused(t, w.root.Call(w.ctx, "SimulateDecision", in, nil), tt.code, tt.text)
		})
	}
	refused(t, w.root.Call(w.ctx, "SimulateDecision", struct{}{}, nil), "ValidationException", "Member must not be null")
}
