package access_test

import (
	"context"
	"log/slog"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
)

const (
	ours   = name.AccountID("123456789012")
	theirs = name.AccountID("210987654321")
	region = name.Region("eu-west-1")
)

var (
	registryID = name.RegistryID{Account: ours, Region: region}
	noon       = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	ctx        = context.Background()
)

// world is a store with two accounts, and the decider on it.
type world struct {
	t     testing.TB
	store *metatest.Faults
	*access.Decider
	made int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	store, err := sqlstore.OpenSQLite(ctx, filepath.Join(t.TempDir(), "meta.db"), sqlstore.Options{
		Clock: func() time.Time { return noon }, Logger: slog.New(slog.DiscardHandler),
		Fatal: func(err error) { t.Errorf("the store failed for good: %v", err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	w := &world{t: t, store: metatest.NewFaults(store)}
	w.Decider = access.New(access.Config{Store: w.store, Clock: func() time.Time { return noon }})
	w.update(func(tx meta.Tx) error {
		for _, id := range []name.AccountID{ours, theirs} {
			if err := tx.InsertAccount(meta.Account{ID: id, CreatedAt: noon}); err != nil {
				return err
			}
		}
		return nil
	})
	return w
}

func (w *world) update(fn func(meta.Tx) error) {
	w.t.Helper()
	if err := w.store.Update(ctx, fn); err != nil {
		w.t.Fatal(err)
	}
}

func root(account name.AccountID) identity.Caller {
	return identity.Caller{Account: account, ARN: name.RootARN(account), UserID: string(account), KeyID: "AKIAROOT" + string(account), Region: region, Kind: identity.Root}
}

// principal adds a user, group or role with inline policies.
func (w *world) principal(account name.AccountID, kind meta.PrincipalKind, who, trust string, policies ...string) meta.Principal {
	w.t.Helper()
	w.made++
	p := meta.Principal{
		Key: meta.PrincipalKey{Account: account, Kind: kind, Name: who}, Path: "/", UniqueID: "UNIQUE" + who + string(account),
		CreatedAt: noon, Trust: trust,
	}
	w.update(func(tx meta.Tx) (err error) {
		if p.ID, err = tx.InsertPrincipal(p); err != nil {
			return err
		}
		for i, document := range policies {
			if err := tx.PutInlinePolicy(p.ID, meta.InlinePolicy{Name: string(rune('a' + i)), Document: document}); err != nil {
				return err
			}
		}
		return nil
	})
	return p
}

// user adds a user and returns it as a caller with a key.
func (w *world) user(account name.AccountID, who string, policies ...string) identity.Caller {
	w.t.Helper()
	p := w.principal(account, meta.User, who, "", policies...)
	return identity.Caller{
		Account: account, ARN: name.UserARN(account, "/", who), UserID: p.UniqueID, KeyID: "AKIA" + who, Region: region,
		Kind: identity.User, Principal: p.ID, Name: who,
	}
}

// role adds a role and returns a session of it.
func (w *world) role(account name.AccountID, who, trust string, policies ...string) identity.Caller {
	w.t.Helper()
	p := w.principal(account, meta.Role, who, trust, policies...)
	return identity.Caller{
		Account: account, ARN: "arn:aws:sts::" + string(account) + ":assumed-role/" + who + "/s", UserID: p.UniqueID + ":s", KeyID: "ASIA" + who, Region: region,
		Kind: identity.RoleSession, Principal: p.ID, Name: who,
		Session: &identity.Session{Name: "s", RoleARN: name.RoleARN(account, "/", who), Issued: noon.Add(-time.Hour), Expires: noon.Add(time.Hour)},
	}
}

// managed adds a managed policy and returns what names it.
func (w *world) managed(account name.AccountID, policy, document string) meta.PolicyRef {
	w.t.Helper()
	ref := meta.PolicyRef{ARN: name.PolicyARN(account, "/", policy)}
	w.update(func(tx meta.Tx) (err error) {
		ref.ID, err = tx.InsertPolicy(meta.Policy{Account: account, Name: policy, Path: "/", UniqueID: "ANPA" + policy, CreatedAt: noon, UpdatedAt: noon}, document)
		return err
	})
	return ref
}

func (w *world) attach(c identity.Caller, refs ...meta.PolicyRef) {
	w.t.Helper()
	w.update(func(tx meta.Tx) error {
		for _, ref := range refs {
			if err := tx.AttachPolicy(c.Principal, ref); err != nil {
				return err
			}
		}
		return nil
	})
}

// bound sets a permissions boundary.
func (w *world) bound(c identity.Caller, ref meta.PolicyRef) {
	w.t.Helper()
	w.update(func(tx meta.Tx) error {
		p, err := tx.PrincipalOf(c.Principal)
		if err != nil {
			return err
		}
		p.Boundary = ref
		return tx.SetPrincipal(p)
	})
}

// repository adds a repository of ours, with a policy if it is not empty, and
// tags.
func (w *world) repository(repository name.RepositoryName, policy string, tags ...meta.ResourceTag) access.Resource {
	w.t.Helper()
	w.update(func(tx meta.Tx) error {
		id, err := tx.InsertRepository(meta.Repository{Key: meta.RepositoryKey{Registry: registryID, Space: meta.ECR, Name: repository}, CreatedAt: noon})
		if err != nil {
			return err
		}
		if len(tags) > 0 {
			if err := tx.PutResourceTags(meta.Resource{Kind: meta.RepositoryResource, ID: int64(id)}, tags); err != nil {
				return err
			}
		}
		if policy == "" {
			return nil
		}
		return tx.PutRepositoryPolicy(id, policy)
	})
	return onRepository(repository)
}

func onRepository(repository name.RepositoryName) access.Resource {
	return access.Resource{Account: ours, ARN: name.RepositoryARN(registryID, repository)}
}

// allows and refuses ask once for what the store says and once for what is
// remembered.
func (w *world) allows(c identity.Caller, action string, r access.Resource) {
	w.t.Helper()
	for range 2 {
		if err := w.Authorize(ctx, c, action, r); err != nil {
			w.t.Errorf("%s of %s on %s: %v", action, c.ARN, r.ARN, err)
		}
	}
}

func (w *world) refuses(c identity.Caller, action string, r access.Resource, because string) {
	w.t.Helper()
	for range 2 {
		err := w.Authorize(ctx, c, action, r)
		e := fault.Of(err)
		if err == nil || e.Reason != fault.AccessDenied || e.Detail != because || e.Principal != c.ARN || e.Action != action || e.Resource != r.ARN || e.Account != string(r.Account) {
			w.t.Errorf("%s of %s on %s: %v; want it denied %s", action, c.ARN, r.ARN, err, because)
		}
	}
}

// The endings of denials.
func noIdentity(action string) string {
	return "because no identity-based policy allows the " + action + " action"
}
func noResource(action string) string {
	return "because no resource-based policy allows the " + action + " action"
}
func noSession(action string) string {
	return "because no session policy allows the " + action + " action"
}

// statement is a policy of one statement; more is JSON of further elements.
func statement(effect, action, more string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"` + effect + `","Action":"` + action + `"` + more + `}}`
}

const (
	anyResource = `,"Resource":"*"`
	everybody   = `,"Principal":"*"`
)

func principal(arn string) string { return `,"Principal":{"AWS":"` + arn + `"}` }

func from(address string) identity.Origin {
	return identity.Origin{Client: netip.MustParseAddr(address), UserAgent: "docker/28", Secure: true}
}
