package directory_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
)

var (
	bobs  = directory.Owner{Account: home, User: "bob"}
	roots = directory.Owner{Account: home}
)

func TestASecretIsShownOnceAndStoredSealed(t *testing.T) {
	w := newWorld(t)
	w.user("bob")
	key, secret, err := w.CreateAccessKey(w.ctx, bobs)
	w.must(err)
	if !strings.HasPrefix(key.ID, "AKIA") || len(key.ID) != 20 || len(secret.Reveal()) != 40 || !key.Active || key.UserName != "bob" || key.CreatedAt != instant {
		t.Errorf("made %+v with a secret of %d", key, len(secret.Reveal()))
	}
	if text := fmt.Sprintf("%v %+v %s %#v", key, key, secret, secret); strings.Contains(text, secret.Reveal()) {
		t.Error("the secret formats")
	}
	row := w.row(key.ID)
	if bytes.Contains(row.Sealed, []byte(secret.Reveal())) {
		t.Error("the row has the secret")
	}
	if opened, err := w.sealer.Open(row.Sealed, []byte(key.ID)); err != nil || string(opened) != secret.Reveal() {
		t.Errorf("opened: %v", err)
	}
	if _, err := w.sealer.Open(row.Sealed, []byte("AKIAOTHER")); err == nil {
		t.Error("the sealed secret opens for another key")
	}
}

func (w *world) row(id string) meta.AccessKey {
	w.t.Helper()
	var row meta.AccessKey
	w.must(w.store.View(w.ctx, func(tx meta.Tx) (err error) { row, err = tx.AccessKey(id); return err }))
	return row
}

func TestAnOwnerHasTwoKeys(t *testing.T) {
	w := newWorld(t)
	w.user("bob")
	for _, owner := range []directory.Owner{bobs, roots} {
		var ids []string
		for range 2 {
			key, _, err := w.CreateAccessKey(w.ctx, owner)
			w.must(err)
			ids = append(ids, key.ID)
		}
		if ids[0] > ids[1] {
			ids[0], ids[1] = ids[1], ids[0]
		}
		_, _, err := w.CreateAccessKey(w.ctx, owner)
		if f := fault.Of(err); f.Reason != fault.LimitExceeded || f.Quota != "AccessKeysPerUser" || f.Limit != 2 {
			t.Errorf("%+v: one more: %v", owner, err)
		}
		for _, tt := range []struct {
			after string
			limit int
			want  []string
			more  bool
		}{
			{"", 100, ids, false}, {"", 2, ids, false}, {"", 1, ids[:1], true}, {ids[0], 1, ids[1:], false}, {ids[1], 1, nil, false},
		} {
			keys, more, err := w.ListAccessKeys(w.ctx, owner, directory.Page[string]{After: tt.after, Limit: tt.limit})
			var got []string
			for _, k := range keys {
				got = append(got, k.ID)
				if k.UserName != owner.User {
					t.Errorf("%s is of %q", k.ID, k.UserName)
				}
			}
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" || more != tt.more {
				t.Errorf("%+v after %q: %v, %v (-want +got):\n%s", owner, tt.after, more, err, diff)
			}
		}
		w.must(w.SetAccessKey(w.ctx, owner, ids[0], false))
		w.must(w.SetAccessKey(w.ctx, owner, ids[0], false))
		if w.row(ids[0]).Active || !w.row(ids[1]).Active {
			t.Error("the wrong key is inactive")
		}
		w.must(w.SetAccessKey(w.ctx, owner, ids[0], true))
		if !w.row(ids[0]).Active {
			t.Error("the key is still inactive")
		}
		w.must(w.DeleteAccessKey(w.ctx, owner, ids[0]))
		w.refused(w.DeleteAccessKey(w.ctx, owner, ids[0]), fault.EntityNotFound, "access key", ids[0])
		if _, _, err := w.CreateAccessKey(w.ctx, owner); err != nil {
			t.Errorf("in the place of the deleted one: %v", err)
		}
	}
}

func TestAKeyIsItsOwnersAlone(t *testing.T) {
	w := newWorld(t)
	w.user("bob")
	w.user("eve")
	_, err := w.CreateUser(w.ctx, abroad, directory.NewUser{Name: "bob"})
	w.must(err)
	key, _, err := w.CreateAccessKey(w.ctx, bobs)
	w.must(err)
	for _, other := range []directory.Owner{{Account: home, User: "eve"}, roots, {Account: abroad, User: "bob"}, {Account: abroad}} {
		w.refused(w.SetAccessKey(w.ctx, other, key.ID, false), fault.EntityNotFound, "access key", key.ID)
		w.refused(w.DeleteAccessKey(w.ctx, other, key.ID), fault.EntityNotFound, "access key", key.ID)
	}
	_, err = w.FindAccessKey(w.ctx, abroad, key.ID)
	w.refused(err, fault.EntityNotFound, "access key", key.ID)
	_, err = w.FindAccessKey(w.ctx, home, "AKIANONE")
	w.refused(err, fault.EntityNotFound, "access key", "AKIANONE")
	if !w.row(key.ID).Active {
		t.Error("somebody else made the key inactive")
	}
	nobody := directory.Owner{Account: home, User: "nobody"}
	_, _, err = w.CreateAccessKey(w.ctx, nobody)
	w.refused(err, fault.EntityNotFound, "user", "nobody")
	_, _, err = w.ListAccessKeys(w.ctx, nobody, directory.Page[string]{Limit: 1})
	w.refused(err, fault.EntityNotFound, "user", "nobody")
	w.refused(w.SetAccessKey(w.ctx, nobody, key.ID, false), fault.EntityNotFound, "user", "nobody")
	w.refused(w.DeleteAccessKey(w.ctx, nobody, key.ID), fault.EntityNotFound, "user", "nobody")
	_, _, err = w.CreateAccessKey(w.ctx, directory.Owner{Account: "999999999999"})
	w.refused(err, fault.EntityNotFound, "account", "999999999999")
}

func TestTheLastUseOfAKeyIsFound(t *testing.T) {
	w := newWorld(t)
	w.user("bob")
	key, _, err := w.CreateAccessKey(w.ctx, bobs)
	w.must(err)
	if found := must2[directory.AccessKey](t)(w.FindAccessKey(w.ctx, home, key.ID)); !found.LastUse.At.IsZero() || found.UserName != "bob" {
		t.Errorf("never used: %+v", found)
	}
	use := meta.Use{At: instant.Add(time.Hour), Region: "eu-west-1", Service: "ecr"}
	w.must(w.store.Update(w.ctx, func(tx meta.Tx) error { return tx.RecordKeyUses(map[string]meta.Use{key.ID: use}) }))
	if found := must2[directory.AccessKey](t)(w.FindAccessKey(w.ctx, home, key.ID)); found.LastUse != use {
		t.Errorf("used: %+v", found)
	}
}

func raceForKeys(w *world) {
	w.user("bob")
	for _, owner := range []directory.Owner{bobs, roots} {
		made, refused := w.race(8, func(int) error { _, _, err := w.CreateAccessKey(w.ctx, owner); return err })
		if made != 2 || refused[fault.LimitExceeded] != 6 {
			w.t.Errorf("%+v: %d made, %v", owner, made, refused)
		}
	}
}

// TestACreationThatFailedLeavesNothing has the store away.
func TestACreationThatFailedLeavesNothing(t *testing.T) {
	w := newWorld(t)
	w.user("bob")
	w.store.SetDown(meta.ErrUnavailable)
	_, secret, err := w.CreateAccessKey(w.ctx, bobs)
	if !fault.Is(err, fault.StoreUnavailable) || secret.Reveal() != "" {
		t.Errorf("got a secret of %d, %v", len(secret.Reveal()), err)
	}
	w.store.SetDown(meta.ErrFull)
	if _, err := w.CreateUser(w.ctx, home, directory.NewUser{Name: "eve"}); !fault.Is(err, fault.StoreFull) {
		t.Errorf("full: %v", err)
	}
	w.store.Heal()
	keys, _, err := w.ListAccessKeys(w.ctx, bobs, directory.Page[string]{Limit: 9})
	if err != nil || len(keys) != 0 {
		t.Errorf("keys %v, %v", keys, err)
	}
}
