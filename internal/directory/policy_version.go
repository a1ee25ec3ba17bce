package directory

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// PolicyVersion is one document of a managed policy.
type PolicyVersion struct {
	ID        string // as v2
	Document  string
	Default   bool
	CreatedAt time.Time
}

func versionID(number int) string { return "v" + strconv.Itoa(number) }

// CreatePolicyVersion adds a version, under a number that was never given, and
// makes it the default if asked to. LimitExceeded, PolicyMalformed,
// EntityNotFound, EntityProtected, InputRefused.
func (d *Directory) CreatePolicyVersion(ctx context.Context, account name.AccountID, arn, document string, makeDefault bool) (PolicyVersion, error) {
	if err := d.checkManaged(document); err != nil {
		return PolicyVersion{}, err
	}
	var made PolicyVersion
	err := d.change(ctx, account, func(tx meta.Tx) error {
		row, err := ownPolicy(tx, account, arn)
		if err != nil {
			return err
		}
		versions, err := tx.PolicyVersions(row.ID)
		if err != nil {
			return err
		}
		if int64(len(versions)) >= d.Limits.Versions {
			return &fault.Error{Reason: fault.LimitExceeded, Quota: "VersionsPerPolicy", Limit: d.Limits.Versions,
				Detail: "A managed policy can have up to " + strconv.FormatInt(d.Limits.Versions, 10) + " versions. Before you create a new version, you must delete an existing version."}
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		row.LastVersion++
		row.UpdatedAt = now
		if makeDefault {
			row.DefaultVersion = row.LastVersion
		}
		v := meta.PolicyVersion{Policy: row.ID, Number: row.LastVersion, Document: document, CreatedAt: now}
		if err := tx.InsertPolicyVersion(v); err != nil {
			return err
		}
		made = versionOf(row, v)
		return tx.SetPolicy(row)
	})
	return made, err
}

func versionOf(p meta.Policy, v meta.PolicyVersion) PolicyVersion {
	return PolicyVersion{ID: versionID(v.Number), Document: v.Document, Default: v.Number == p.DefaultVersion, CreatedAt: v.CreatedAt}
}

// findVersion returns the number of a version that is there. EntityNotFound.
func findVersion(tx meta.Tx, p meta.Policy, arn, id string) (meta.PolicyVersion, error) {
	none := &fault.Error{Reason: fault.EntityNotFound, Entity: VersionEntity, Name: id,
		Detail: "Policy " + arn + " version " + id + " does not exist or is not attachable."}
	digits, _ := strings.CutPrefix(id, "v")
	number, err := strconv.Atoi(digits)
	if err != nil || versionID(number) != id {
		return meta.PolicyVersion{}, none
	}
	v, err := tx.PolicyVersion(p.ID, number)
	if errors.Is(err, meta.ErrNotFound) {
		err = none
	}
	return v, err
}

// GetPolicyVersion returns a version. EntityNotFound, InputRefused.
func (d *Directory) GetPolicyVersion(ctx context.Context, account name.AccountID, arn, id string) (PolicyVersion, error) {
	versions, err := d.versions(ctx, account, arn, id)
	if err != nil {
		return PolicyVersion{}, err
	}
	return versions[0], nil
}

// ListPolicyVersions lists a policy's versions, the newest first.
// EntityNotFound, InputRefused.
func (d *Directory) ListPolicyVersions(ctx context.Context, account name.AccountID, arn string) ([]PolicyVersion, error) {
	return d.versions(ctx, account, arn, "")
}

// versions returns the version with the id, or all for none.
func (d *Directory) versions(ctx context.Context, account name.AccountID, arn, id string) ([]PolicyVersion, error) {
	var all []PolicyVersion
	err := d.view(ctx, func(tx meta.Tx) error {
		all = nil
		p, err := findPolicy(tx, account, arn)
		if err != nil {
			return err
		}
		if p.aws != nil {
			if id == "" || id == versionID(1) {
				all = []PolicyVersion{{ID: versionID(1), Document: p.aws.Document, Default: true, CreatedAt: p.aws.CreatedAt}}
				return nil
			}
			_, err := findVersion(tx, p.row, arn, id) // of no policy: for its words
			return err
		}
		if id != "" {
			v, err := findVersion(tx, p.row, arn, id)
			all = []PolicyVersion{versionOf(p.row, v)}
			return err
		}
		rows, err := tx.PolicyVersions(p.row.ID)
		for _, v := range slices.Backward(rows) {
			all = append(all, versionOf(p.row, v))
		}
		return err
	})
	return all, err
}

// SetDefaultPolicyVersion makes a version the one that counts. EntityNotFound,
// EntityProtected, InputRefused.
func (d *Directory) SetDefaultPolicyVersion(ctx context.Context, account name.AccountID, arn, id string) error {
	return d.change(ctx, account, func(tx meta.Tx) error {
		row, err := ownPolicy(tx, account, arn)
		if err != nil {
			return err
		}
		v, err := findVersion(tx, row, arn, id)
		if err != nil {
			return err
		}
		if row.UpdatedAt, err = tx.Now(); err != nil {
			return err
		}
		row.DefaultVersion = v.Number
		return tx.SetPolicy(row)
	})
}

// DeletePolicyVersion removes a version. EntityInUse for the default one;
// EntityNotFound, EntityProtected, InputRefused.
func (d *Directory) DeletePolicyVersion(ctx context.Context, account name.AccountID, arn, id string) error {
	return d.change(ctx, account, func(tx meta.Tx) error {
		row, err := ownPolicy(tx, account, arn)
		if err != nil {
			return err
		}
		v, err := findVersion(tx, row, arn, id)
		if err != nil {
			return err
		}
		if v.Number == row.DefaultVersion {
			return inUse(VersionEntity, id, "Cannot delete the default version of a policy.")
		}
		if row.UpdatedAt, err = tx.Now(); err != nil {
			return err
		}
		if err := tx.DeletePolicyVersion(row.ID, v.Number); err != nil {
			return err
		}
		return tx.SetPolicy(row)
	})
}
