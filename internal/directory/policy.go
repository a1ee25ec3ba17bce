package directory

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
)

// Policy is a managed policy: the account's, or one of AWS's.
type Policy struct {
	ARN, Name, Path, UniqueID, Description string
	DefaultVersion                         string // as v2
	CreatedAt, UpdatedAt                   time.Time
	Attached, Bounded                      int64         // how many of the account's principals have it, and are bounded by it
	Tags                                   []ResourceTag // not in lists
}

// Position is where the policy stands in lists: its name, before which AWS's
// own have their owner. No name has a slash.
func (p Policy) Position() string {
	if strings.HasPrefix(p.ARN, ownedByAWS) {
		return "aws/" + p.Name
	}
	return p.Name
}

const ownedByAWS = "arn:aws:iam::aws:policy/"

// NewPolicy is a managed policy to be made.
type NewPolicy struct {
	Name        string
	Path        string // empty: "/"
	Description string
	Document    string
	Tags        []ResourceTag
}

// CreatePolicy adds a managed policy with its first version. EntityExists,
// LimitExceeded, PolicyMalformed, ParameterInvalid, InputRefused.
func (d *Directory) CreatePolicy(ctx context.Context, account name.AccountID, n NewPolicy) (Policy, error) {
	n.Path = cmp.Or(n.Path, "/")
	if err := cmp.Or(checkNamed("policyName", n.Name, maxPolicyName, n.Path), d.checkManaged(n.Document)); err != nil {
		return Policy{}, err
	}
	var made Policy
	err := d.change(ctx, account, func(tx meta.Tx) error {
		switch _, err := tx.Policy(account, n.Name, meta.NoLock); {
		case err == nil:
			return entityFault(fault.EntityExists, PolicyEntity, n.Name)
		case !errors.Is(err, meta.ErrNotFound):
			return err
		}
		count, err := tx.CountPolicies(account)
		if err != nil {
			return err
		}
		if count >= d.Limits.Policies {
			return quotaFault("PoliciesPerAccount", d.Limits.Policies)
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		row := meta.Policy{
			Account: account, Name: n.Name, Path: n.Path, UniqueID: uniqueID(policyPrefix), Description: n.Description,
			DefaultVersion: 1, LastVersion: 1, CreatedAt: now, UpdatedAt: now,
		}
		if row.ID, err = tx.InsertPolicy(row, n.Document); err != nil {
			return taken(err, PolicyEntity, n.Name)
		}
		made = policyOf(row)
		made.Tags = n.Tags
		return d.putResourceTags(tx, policyResource(row), n.Tags)
	})
	return made, err
}

func policyResource(p meta.Policy) meta.Resource {
	return meta.Resource{Kind: meta.PolicyResource, ID: int64(p.ID)}
}

func policyOf(p meta.Policy) Policy {
	return Policy{
		ARN: name.PolicyARN(p.Account, p.Path, p.Name), Name: p.Name, Path: p.Path, UniqueID: p.UniqueID, Description: p.Description,
		DefaultVersion: versionID(p.DefaultVersion), CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
}

func managedOf(p policy.ManagedPolicy) Policy {
	return Policy{
		ARN: p.ARN, Name: p.Name, Path: p.Path, UniqueID: p.UniqueID, Description: p.Description,
		DefaultVersion: versionID(1), CreatedAt: p.CreatedAt, UpdatedAt: p.CreatedAt,
	}
}

// checkManaged checks the document of a managed policy. PolicyMalformed,
// LimitExceeded.
func (d *Directory) checkManaged(document string) error {
	if oversize(d.Limits.PolicySize, document) {
		return quotaFault("PolicySize", d.Limits.PolicySize)
	}
	return parse(policy.Managed, document)
}

// parse reports what is wrong with a document. PolicyMalformed.
func parse(kind policy.Kind, document string) error {
	_, err := policy.Parse(kind, document)
	return malformed(err)
}

// malformed makes PolicyMalformed of what is wrong with a document, and leaves
// other errors as they are.
func malformed(err error) error {
	if wrong, ok := errors.AsType[*policy.Error](err); ok {
		return &fault.Error{Reason: fault.PolicyMalformed, Detail: wrong.Sentence}
	}
	return err
}

// significant counts the characters of a document that count towards quotas:
// all but white space.
func significant(document string) int64 {
	var n int64
	for _, r := range document {
		if !strings.ContainsRune(" \t\r\n", r) {
			n++
		}
	}
	return n
}

// padding is how many times its quota a document may have with its white space,
// which quotas do not count and every reader must go through.
const padding = 3

// oversize reports whether documents together are larger than their quota.
func oversize(quota int64, documents ...string) bool {
	var counted, all int64
	for _, d := range documents {
		counted += significant(d)
		all += int64(utf8.RuneCountInString(d))
	}
	return counted > quota || all > padding*quota
}

// managedPolicy is a policy that an ARN names: a row, or one of AWS's.
type managedPolicy struct {
	row meta.Policy // of the account
	aws *policy.ManagedPolicy
}

func (p managedPolicy) ref(arn string) PolicyRef { return PolicyRef{ARN: arn, ID: p.row.ID} }

// findPolicy returns the policy that the ARN names for the account: one of its
// own or of AWS's. InputRefused for what is no ARN of a policy; EntityNotFound,
// also for every policy of another account.
func findPolicy(tx meta.Tx, account name.AccountID, arn string) (managedPolicy, error) {
	owner, kind, path, called, ok := name.ParseDirectoryARN(arn)
	if !ok || kind != "policy" {
		return managedPolicy{}, refused("ARN " + arn + " is not valid.")
	}
	none := entityFault(fault.EntityNotFound, PolicyEntity, arn)
	if owner == "aws" {
		if p, ok := policy.ManagedPolicyOf(arn); ok {
			return managedPolicy{aws: &p}, nil
		}
		return managedPolicy{}, none
	}
	if owner != account {
		return managedPolicy{}, none
	}
	row, err := tx.Policy(account, called, meta.NoLock)
	if err != nil {
		return managedPolicy{}, missing(err, PolicyEntity, arn)
	}
	if row.Path != path || row.Name != called {
		return managedPolicy{}, none
	}
	return managedPolicy{row: row}, nil
}

// ownPolicy is findPolicy for changes, which AWS's policies do not take.
// EntityProtected.
func ownPolicy(tx meta.Tx, account name.AccountID, arn string) (meta.Policy, error) {
	p, err := findPolicy(tx, account, arn)
	if err == nil && p.aws != nil {
		err = entityFault(fault.EntityProtected, PolicyEntity, arn)
	}
	return p.row, err
}

// boundaryRef returns the policy that is to bound a principal; none for no ARN.
// EntityNotFound, InputRefused.
func boundaryRef(tx meta.Tx, account name.AccountID, arn string) (PolicyRef, error) {
	if arn == "" {
		return PolicyRef{}, nil
	}
	p, err := findPolicy(tx, account, arn)
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Reason == fault.EntityNotFound {
		err = &fault.Error{Reason: fault.EntityNotFound, Entity: PolicyEntity, Name: arn, Detail: "Scope ARN: " + arn + " does not exist or is not attachable."}
	}
	return p.ref(arn), err
}

// GetPolicy returns a policy with its tags. EntityNotFound, InputRefused.
func (d *Directory) GetPolicy(ctx context.Context, account name.AccountID, arn string) (Policy, error) {
	var got Policy
	err := d.view(ctx, func(tx meta.Tx) error {
		p, err := findPolicy(tx, account, arn)
		if err != nil {
			return err
		}
		if p.aws != nil {
			got, err = counted(tx, account, managedOf(*p.aws))
			return err
		}
		if got, err = counted(tx, account, policyOf(p.row)); err != nil {
			return err
		}
		got.Tags, err = tx.ResourceTags(policyResource(p.row))
		return err
	})
	return got, err
}

// counted fills in who uses the policy.
func counted(tx meta.Tx, account name.AccountID, p Policy) (Policy, error) {
	var err error
	if p.Attached, err = tx.CountAttached(account, p.ARN); err != nil {
		return p, err
	}
	p.Bounded, err = tx.CountBounded(account, p.ARN)
	return p, err
}

// PolicyUsage is what a policy is used for.
type PolicyUsage uint8

// The usages.
const (
	AnyUsage PolicyUsage = iota
	AsPermissions
	AsBoundary
)

// PolicyFilter chooses among policies; the zero filter takes all.
type PolicyFilter struct {
	NotAWS, NotOwn bool
	Attached       bool // only those that principals have
	Path           string
	Usage          PolicyUsage
}

func (f PolicyFilter) takes(p Policy) bool {
	switch {
	case !strings.HasPrefix(p.Path, f.Path):
		return false
	case f.Usage == AsBoundary:
		return p.Bounded > 0
	case f.Usage == AsPermissions:
		return p.Attached > 0
	}
	return !f.Attached || p.Attached > 0
}

// ListPolicies lists AWS's policies and then the account's, each by name. A
// page continues after a Position. Tags are not filled in.
func (d *Directory) ListPolicies(ctx context.Context, account name.AccountID, f PolicyFilter, page Page[string]) ([]Policy, bool, error) {
	afterAWS, among := strings.CutPrefix(page.After, "aws/")
	var all []Policy
	err := d.view(ctx, func(tx meta.Tx) error {
		all = nil
		uses, err := tx.PolicyUses(account)
		if err != nil {
			return err
		}
		take := func(p Policy) {
			use := uses[p.ARN]
			if p.Attached, p.Bounded = use.Attached, use.Bounded; f.takes(p) {
				all = append(all, p)
			}
		}
		from := page.After
		if among || from == "" {
			from = ""
			for _, p := range managedAfter(afterAWS, f.NotAWS) {
				take(managedOf(p))
			}
		}
		for !f.NotOwn && len(all) <= page.Limit {
			rows, err := tx.Policies(account, f.Path, Page[string]{After: from, Limit: page.Limit + 1})
			if err != nil || len(rows) == 0 {
				return err
			}
			for _, row := range rows {
				take(policyOf(row))
			}
			from = rows[len(rows)-1].Name
		}
		return nil
	})
	if err != nil || len(all) <= page.Limit {
		return all, false, err
	}
	return all[:page.Limit], true, nil
}

// managedAfter returns AWS's policies behind the one of the name; all for none.
func managedAfter(called string, none bool) []policy.ManagedPolicy {
	if none {
		return nil
	}
	all := policy.ManagedPolicies()
	return all[slices.IndexFunc(all, func(p policy.ManagedPolicy) bool { return p.Name == called })+1:]
}

// DeletePolicy removes a policy of the account with its only version.
// EntityInUse while it is used or has more versions; EntityNotFound,
// EntityProtected, InputRefused.
func (d *Directory) DeletePolicy(ctx context.Context, account name.AccountID, arn string) error {
	return d.change(ctx, account, func(tx meta.Tx) error {
		row, err := ownPolicy(tx, account, arn)
		if err != nil {
			return err
		}
		versions, err := tx.PolicyVersions(row.ID)
		if err != nil {
			return err
		}
		used, err := counted(tx, account, policyOf(row))
		switch {
		case err != nil:
			return err
		case used.Attached+used.Bounded > 0:
			return inUse(PolicyEntity, arn, "Cannot delete a policy attached to entities.")
		case len(versions) > 1:
			return inUse(PolicyEntity, arn, "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		err = tx.DeletePolicy(row.ID)
		if errors.Is(err, meta.ErrReferenced) {
			return inUse(PolicyEntity, arn, "Cannot delete a policy attached to entities.")
		}
		return err
	})
}

// inUse says what keeps an entity, in a sentence.
func inUse(entity, called, sentence string) error {
	return &fault.Error{Reason: fault.EntityInUse, Entity: entity, Name: called, Detail: sentence}
}

// PolicyTags lists a policy's tags; AWS's have none. EntityNotFound,
// InputRefused.
func (d *Directory) PolicyTags(ctx context.Context, account name.AccountID, arn string) ([]ResourceTag, error) {
	var tags []ResourceTag
	err := d.view(ctx, func(tx meta.Tx) error {
		tags = nil
		p, err := findPolicy(tx, account, arn)
		if err != nil || p.aws != nil {
			return err
		}
		tags, err = tx.ResourceTags(policyResource(p.row))
		return err
	})
	return tags, err
}

// TagPolicy adds tags to a policy of the account or overwrites them.
// EntityNotFound, EntityProtected, InputRefused, LimitExceeded.
func (d *Directory) TagPolicy(ctx context.Context, account name.AccountID, arn string, tags []ResourceTag) error {
	return d.change(ctx, account, func(tx meta.Tx) error {
		row, err := ownPolicy(tx, account, arn)
		if err != nil {
			return err
		}
		return d.putResourceTags(tx, policyResource(row), tags)
	})
}

// UntagPolicy takes tags off a policy of the account. EntityNotFound,
// EntityProtected, InputRefused.
func (d *Directory) UntagPolicy(ctx context.Context, account name.AccountID, arn string, keys []string) error {
	return d.change(ctx, account, func(tx meta.Tx) error {
		row, err := ownPolicy(tx, account, arn)
		if err != nil {
			return err
		}
		return deleteResourceTags(tx, policyResource(row), keys)
	})
}
