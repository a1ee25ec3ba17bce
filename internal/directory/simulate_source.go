package directory

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
)

// source is one document that takes part.
type source struct {
	id   string
	kind SourceKind
	as   policy.Kind
	text string

	stored bool // and so was good when it came
}

// sources are the documents, and who calls.
type sources struct {
	identity, boundary []source
	caller             policy.Principal
	who                *Principal // who calls, if the directory knows
	now                time.Time
}

func (p sources) size() (n int) {
	for _, s := range slices.Concat(p.identity, p.boundary) {
		n += len(s.text)
	}
	return n
}

// gather reads what the simulation stands on.
func gather(tx meta.Tx, account name.AccountID, s Simulation) (sources, error) {
	parts := sources{caller: policy.Principal{Kind: policy.User, Account: account}}
	var err error
	if parts.now, err = tx.Now(); err != nil {
		return parts, err
	}
	for i, text := range s.Policies {
		parts.identity = append(parts.identity, source{id: "PolicyInputList." + strconv.Itoa(i+1), kind: Given, as: policy.Identity, text: text})
	}
	for i, text := range s.Boundary {
		parts.boundary = append(parts.boundary, source{
			id: "PermissionsBoundaryPolicyInputList." + strconv.Itoa(i+1), kind: BoundarySpace, as: policy.Identity, text: text,
		})
	}
	if s.Source != "" {
		who, err := principalByARN(tx, account, s.Source)
		if err != nil {
			return parts, err
		}
		if err := parts.add(tx, who.Principal, len(s.Boundary) == 0); err != nil {
			return parts, err
		}
		switch who.Key.Kind {
		case User:
			parts.caller.ARN, parts.who = who.ARN(), &who
		case Role:
			parts.caller = policy.Principal{Kind: policy.RoleSession, ARN: who.ARN(), Role: who.ARN(), Account: account}
			parts.who = &who
		}
	}
	if s.Caller == "" || s.Caller == parts.caller.ARN {
		return parts, nil
	}
	owner, _, _, _, _ := name.ParseDirectoryARN(s.Caller)
	parts.caller, parts.who = policy.Principal{Kind: policy.User, ARN: s.Caller, Account: owner}, nil
	who, err := principalByARN(tx, account, s.Caller)
	switch {
	case err == nil:
		parts.who = &who
	case !fault.Is(err, fault.EntityNotFound): // somebody who is not there can be simulated
		return parts, err
	}
	return parts, nil
}

// principalByARN finds a user, group or role. EntityNotFound, InputRefused.
func principalByARN(tx meta.Tx, account name.AccountID, arn string) (Principal, error) {
	owner, word, path, called, ok := name.ParseDirectoryARN(arn)
	kinds := map[string]PrincipalKind{"user": User, "group": Group, "role": Role}
	kind := kinds[word]
	if !ok || kind == 0 {
		return Principal{}, refused("ARN " + arn + " is not valid.")
	}
	none := entityFault(fault.EntityNotFound, entityOf(kind), called)
	if owner != account {
		return Principal{}, none
	}
	row, err := find(tx, account, kind, called, meta.NoLock)
	if err != nil {
		return Principal{}, err
	}
	if row.Path != path || row.Key.Name != called {
		return Principal{}, none
	}
	return describe(tx, row)
}

// inlineKinds are the sources of inline policies.
var inlineKinds = map[PrincipalKind]SourceKind{User: OfUser, Group: OfGroup, Role: OfRole}

// add adds the policies of a principal, and of a user's groups.
func (p *sources) add(tx meta.Tx, who meta.Principal, boundary bool) error {
	holders := []meta.Principal{who}
	if who.Key.Kind == User {
		for after := meta.PrincipalID(0); ; {
			groups, err := tx.Groups(who.ID, Page[meta.PrincipalID]{After: after, Limit: 100})
			if err != nil {
				return err
			}
			if len(groups) == 0 {
				break
			}
			holders = append(holders, groups...)
			after = groups[len(groups)-1].ID
		}
	}
	for _, h := range holders {
		inline, err := tx.InlinePolicies(h.ID)
		if err != nil {
			return err
		}
		for _, i := range inline {
			p.identity = append(p.identity, source{
				id: entityOf(h.Key.Kind) + "_" + h.Key.Name + "_" + i.Name, kind: inlineKinds[h.Key.Kind],
				as: policy.Identity, text: i.Document, stored: true,
			})
		}
		attached, err := tx.AttachedPolicies(h.ID)
		if err != nil {
			return err
		}
		for _, ref := range attached {
			s, err := managedSource(tx, ref)
			if err != nil {
				return err
			}
			p.identity = append(p.identity, s)
		}
	}
	if !boundary || who.Boundary.ARN == "" {
		return nil
	}
	s, err := managedSource(tx, who.Boundary)
	s.kind = BoundarySpace
	p.boundary = []source{s}
	return err
}

// managedSource reads a managed policy's default version.
func managedSource(tx meta.Tx, ref PolicyRef) (source, error) {
	_, _, _, called, _ := name.ParseDirectoryARN(ref.ARN)
	if ref.ID == 0 {
		text, ok := policy.ManagedDocument(ref.ARN)
		if !ok {
			return source{}, fmt.Errorf("there is no managed policy %s", ref.ARN)
		}
		return source{called, ManagedByAWS, policy.Managed, text, true}, nil
	}
	row, err := tx.PolicyOf(ref.ID)
	if err != nil {
		return source{}, fmt.Errorf("read policy %s: %w", ref.ARN, err)
	}
	v, err := tx.PolicyVersion(row.ID, row.DefaultVersion)
	if err != nil {
		return source{}, fmt.Errorf("read policy %s: %w", ref.ARN, err)
	}
	return source{called, ManagedByUs, policy.Managed, v.Document, true}, nil
}
