package directory_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/seal"
)

const (
	home   name.AccountID = "123456789012"
	abroad name.AccountID = "210987654321"
)

// instant is the time of a SQLite store.
var instant = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// world is a directory of two accounts on a real store.
type world struct {
	*directory.Directory
	t      *testing.T
	ctx    context.Context
	store  *metatest.Faults
	sealer *seal.Sealer
}

// newWorld is a world on SQLite with IAM's quotas.
func newWorld(t *testing.T, edits ...func(*directory.Limits)) *world {
	t.Helper()
	store, err := sqlstore.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "meta.db"), sqlstore.Options{Clock: func() time.Time { return instant }})
	if err != nil {
		t.Fatal(err)
	}
	return worldOn(t, store, edits...)
}

// races are what is decided by locks, each on a world of its own with its own
// quotas.
var races = []struct {
	name string
	edit func(*directory.Limits)
	run  func(*world)
}{
	{"users", func(l *directory.Limits) { l.Users = 5 }, raceForUsers},
	{"groups", func(l *directory.Limits) { l.GroupsPerUser = 3 }, raceForGroups},
	{"access keys", func(*directory.Limits) {}, raceForKeys},
	{"accounts", func(*directory.Limits) {}, raceForAccounts},
	{"aliases", func(*directory.Limits) {}, raceForAliases},
	{"policies", func(l *directory.Limits) { l.Policies = 3 }, raceForPolicies},
	{"policy versions", func(*directory.Limits) {}, raceForVersions},
	{"attachments", func(l *directory.Limits) { l.Attached = 3 }, raceForAttachments},
	{"a policy's end", func(*directory.Limits) {}, raceOfAnEnd},
	{"inline policies", func(l *directory.Limits) { l.UserPolicySize = 250 }, raceForInlineSize},
	{"providers", func(*directory.Limits) {}, raceForProviders},
}

func TestRacesAreDecided(t *testing.T) {
	server := metatest.StartPostgres(t)
	for _, r := range races {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel() // most of the time is spent waiting for syncs
			t.Run("sqlite", func(t *testing.T) { r.run(newWorld(t, r.edit)) })
			t.Run("postgres", func(t *testing.T) {
				store, err := sqlstore.OpenPostgres(t.Context(), server.NewDatabase(t), sqlstore.Options{Clock: time.Now})
				if err != nil {
					t.Fatal(err)
				}
				r.run(worldOn(t, store, r.edit))
			})
		})
	}
}

func worldOn(t *testing.T, store meta.Store, edits ...func(*directory.Limits)) *world {
	t.Helper()
	key, err := seal.Parse(seal.Generate())
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.New(key)
	if err != nil {
		t.Fatal(err)
	}
	limits := directory.Quotas
	for _, edit := range edits {
		edit(&limits)
	}
	faults := metatest.NewFaults(store)
	w := &world{t: t, ctx: context.Background(), store: faults, sealer: sealer,
		Directory: directory.New(directory.Config{Meta: faults, Seal: sealer, Limits: limits})}
	t.Cleanup(func() {
		faults.Heal()
		if err := store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	for _, id := range []name.AccountID{home, abroad} {
		w.must(w.EnsureAccount(w.ctx, id, "of "+string(id)))
	}
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// must2 returns the answer of a call that must succeed.
func must2[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// user, group make one in the account home.
func (w *world) user(called string) directory.Principal {
	w.t.Helper()
	return must2[directory.Principal](w.t)(w.CreateUser(w.ctx, home, directory.NewUser{Name: called}))
}

func (w *world) group(called string) directory.Principal {
	w.t.Helper()
	return must2[directory.Principal](w.t)(w.CreateGroup(w.ctx, home, called, ""))
}

// refused asserts the fault of a call: its reason, and what it is of.
func (w *world) refused(err error, reason fault.Reason, entity, called string) *fault.Error {
	w.t.Helper()
	f := fault.Of(err)
	if f == nil || f.Reason != reason || f.Entity != entity || f.Name != called {
		w.t.Fatalf("got %v, want %s of the %s %q", err, reason, entity, called)
	}
	return f
}

// race runs act in n goroutines at once, and counts who succeeded, and why the
// others did not.
func (w *world) race(n int, act func(i int) error) (succeeded int, refused map[fault.Reason]int) {
	errs := make(chan error, n)
	start := make(chan struct{})
	for i := range n {
		go func() {
			<-start
			errs <- act(i)
		}()
	}
	close(start)
	refused = map[fault.Reason]int{}
	for range n {
		if err := <-errs; err != nil {
			refused[fault.Of(err).Reason]++
			if fault.Is(err, fault.Unexpected) {
				w.t.Error(err)
			}
			continue
		}
		succeeded++
	}
	return succeeded, refused
}
