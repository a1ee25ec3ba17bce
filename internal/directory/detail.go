package directory

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
)

// DetailKind is a sort of entity that Details tells of.
type DetailKind uint8

// The kinds, in the order in which they are told.
const (
	UserDetails DetailKind = iota + 1
	GroupDetails
	RoleDetails
	OwnPolicyDetails // managed policies of the account
	AWSPolicyDetails // AWS's, of which those are told that somebody has or is bounded by
)

// Detail is one entity with all that decides what it may, or grants. Either
// Principal or Policy is set.
type Detail struct {
	Principal *PrincipalDetail
	Policy    *PolicyDetail
}

// PrincipalDetail is a user, group or role with its policies.
type PrincipalDetail struct {
	Principal
	Inline   []InlinePolicy
	Attached []PolicyRef // by ARN
	Groups   []string    // names, of a user
}

// PolicyDetail is a managed policy with its versions, the newest first.
type PolicyDetail struct {
	Policy
	Versions []PolicyVersion
}

// DetailKey is where an entity stands among the details. The zero key is the
// beginning.
type DetailKey struct {
	Kind DetailKind
	Name string
}

// detailSize is how much text of documents a page of details has before it
// ends early, in bytes: what clients ask for is a number of entities, and each
// may have 30 KB.
const detailSize = 1 << 20

// Details lists entities of the kinds, each by name, at one moment. A page may
// have fewer than its limit, and yet there are more.
func (d *Directory) Details(ctx context.Context, account name.AccountID, kinds []DetailKind, page Page[DetailKey]) (found []Detail, next DetailKey, more bool, err error) {
	kinds = slices.Sorted(slices.Values(kinds))
	kinds = slices.Compact(kinds)
	err = d.view(ctx, func(tx meta.Tx) error {
		g := gathering{tx: tx, account: account, limit: page.Limit}
		for _, kind := range kinds {
			if kind < page.After.Kind {
				continue
			}
			after := ""
			if kind == page.After.Kind {
				after = page.After.Name
			}
			if err := g.kind(kind, after); err != nil && !errors.Is(err, errEnough) {
				return err
			}
			if g.more {
				break
			}
		}
		found, next, more = g.found, g.last, g.more
		return nil
	})
	return found, next, more, err
}

// gathering is a page of details on its way.
type gathering struct {
	tx      meta.Tx
	account name.AccountID
	limit   int
	found   []Detail
	last    DetailKey
	size    int
	more    bool
}

var errEnough = errors.New("directory: the page is full")

// add makes one more detail, or says that there are more than the page has.
func (g *gathering) add(key DetailKey, fill func() (Detail, int, error)) error {
	if len(g.found) == g.limit || g.size > detailSize {
		g.more = true
		return errEnough
	}
	detail, size, err := fill()
	if err != nil {
		return err
	}
	g.found, g.last, g.size = append(g.found, detail), key, g.size+size
	return nil
}

// chunk is how many rows are read at a time.
const chunk = 100

func (g *gathering) kind(kind DetailKind, after string) error {
	switch kind {
	case UserDetails:
		return g.principals(kind, User, after)
	case GroupDetails:
		return g.principals(kind, Group, after)
	case RoleDetails:
		return g.principals(kind, Role, after)
	case OwnPolicyDetails:
		return g.ownPolicies(after)
	}
	return g.awsPolicies(after)
}

func (g *gathering) principals(kind DetailKind, of PrincipalKind, after string) error {
	for {
		rows, err := g.tx.Principals(g.account, of, "/", Page[string]{After: after, Limit: chunk})
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, row := range rows {
			after = row.Key.Name
			if err := g.add(DetailKey{kind, after}, func() (Detail, int, error) { return detailOf(g.tx, row) }); err != nil {
				return err
			}
		}
	}
}

func detailOf(tx meta.Tx, row meta.Principal) (Detail, int, error) {
	p, err := describe(tx, row)
	if err != nil {
		return Detail{}, 0, err
	}
	out := &PrincipalDetail{Principal: p}
	if out.Inline, err = tx.InlinePolicies(row.ID); err != nil {
		return Detail{}, 0, err
	}
	if out.Attached, err = tx.AttachedPolicies(row.ID); err != nil {
		return Detail{}, 0, err
	}
	if row.Key.Kind == User {
		if out.Groups, err = groupNames(tx, row.ID); err != nil {
			return Detail{}, 0, err
		}
	}
	size := len(row.Trust)
	for _, i := range out.Inline {
		size += len(i.Document)
	}
	return Detail{Principal: out}, size, nil
}

// groupNames are the names of all groups of a user, sorted.
func groupNames(tx meta.Tx, user meta.PrincipalID) ([]string, error) {
	var names []string
	for page := (Page[PrincipalID]{Limit: chunk}); ; {
		rows, err := tx.Groups(user, page)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			names = append(names, row.Key.Name)
		}
		if len(rows) < chunk {
			slices.Sort(names)
			return names, nil
		}
		page.After = rows[len(rows)-1].ID
	}
}

func (g *gathering) ownPolicies(after string) error {
	for {
		rows, err := g.tx.Policies(g.account, "/", Page[string]{After: after, Limit: chunk})
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, row := range rows {
			after = row.Name
			if err := g.add(DetailKey{OwnPolicyDetails, after}, func() (Detail, int, error) { return g.ownPolicy(row) }); err != nil {
				return err
			}
		}
	}
}

func (g *gathering) ownPolicy(row meta.Policy) (Detail, int, error) {
	p, err := counted(g.tx, g.account, policyOf(row))
	if err != nil {
		return Detail{}, 0, err
	}
	rows, err := g.tx.PolicyVersions(row.ID)
	if err != nil {
		return Detail{}, 0, err
	}
	out, size := &PolicyDetail{Policy: p}, 0
	for _, v := range slices.Backward(rows) {
		out.Versions = append(out.Versions, versionOf(row, v))
		size += len(v.Document)
	}
	return Detail{Policy: out}, size, nil
}

func (g *gathering) awsPolicies(after string) error {
	for _, p := range policy.ManagedPolicies() {
		if strings.ToLower(p.Name) <= strings.ToLower(after) {
			continue
		}
		used, err := counted(g.tx, g.account, managedOf(p))
		if err != nil {
			return err
		}
		if used.Attached+used.Bounded == 0 {
			continue
		}
		err = g.add(DetailKey{AWSPolicyDetails, p.Name}, func() (Detail, int, error) {
			version := PolicyVersion{ID: versionID(1), Document: p.Document, Default: true, CreatedAt: p.CreatedAt}
			return Detail{Policy: &PolicyDetail{used, []PolicyVersion{version}}}, len(p.Document), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// String spells a place among the details, and ParseDetailKey reads it.
func (k DetailKey) String() string { return string('0'+rune(k.Kind)) + k.Name }

// ParseDetailKey reads what String made; empty is the beginning.
// PageTokenInvalid.
func ParseDetailKey(s string) (DetailKey, error) {
	if s == "" {
		return DetailKey{}, nil
	}
	k := DetailKey{DetailKind(s[0] - '0'), s[1:]}
	if k.Kind < UserDetails || k.Kind > AWSPolicyDetails {
		return DetailKey{}, fault.New(fault.PageTokenInvalid)
	}
	return k, nil
}
