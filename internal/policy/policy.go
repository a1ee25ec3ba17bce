// Package policy is the IAM policy language: documents are parsed and checked
// once, and then decide requests.
//
//  1. It is pure: a decision follows from the request, the documents and the
//     values of the condition keys, and from nothing else.
//  2. Deny by default: what no statement allows is denied, and a Deny that
//     matches wins over every Allow.
//  3. A document is compiled when it is parsed, and immutable. Deciding
//     allocates nothing per document or statement, but where a condition that
//     is reached compares base64 or variables; statements are found by their
//     action. No pattern costs more than its length times that of the value
//     matched, and no decision more than some milliseconds: one that would is
//     a denial.
//  4. What Parse returned without an error has no element or operator that the
//     evaluator does not know. Nothing is ignored. Which actions a service has
//     is not known here.
//  5. A value that is put in the place of a policy variable is literal: it
//     never brings in a wildcard.
//
// It does not know where documents are stored, which sizes they may have
// (callers check), which keys a service has, or how an error is put on a wire.
//
// The rules are those of the IAM User Guide: the grammar of policies, the
// reference of policy elements, and the policy evaluation logic. Principals
// are compared by ARN, so a user made anew under an old name has the old
// name's grants.
package policy

import (
	"slices"
	"strings"
)

// Kind says what a document is for, and so which elements it must and may
// have.
type Kind uint8

// The kinds of documents.
const (
	// Identity is an inline policy of a user, group or role, or a session's
	// policy: no Principal; Resource.
	Identity Kind = iota
	// Managed is a managed policy, so also a permissions boundary: as Identity,
	// and of the version 2012-10-17.
	Managed
	// Repository is an ECR repository's policy: Principal; a Resource is not
	// needed, and holds if it is there.
	Repository
	// Registry is an ECR registry's policy: Principal and Resource.
	Registry
	// Trust is a role's trust policy: Principal, sts actions, no Resource.
	Trust
)

// Document is a policy that was parsed. It is immutable and safe for
// concurrent use.
type Document struct {
	kind       Kind
	id         string
	variables  bool // of the version 2012-10-17
	statements []statement

	// Where a statement for an action can be: under the action in lower case,
	// under its vendor if there is a wildcard behind that, or anywhere. One
	// statement may stand in several tables, but in each only once per key.
	exact, byVendor map[string][]int32
	rest            []int32
}

type statement struct {
	sid        string
	allow      bool
	start, end int // byte offsets in the text

	principals    *principals // nil: the document has none
	notPrincipals bool

	actions    []string // patterns in lower case
	notActions bool

	resources    []template // none: every resource
	notResources bool

	conditions []condition
}

// Kind returns what the document is for.
func (d *Document) Kind() Kind { return d.kind }

// ID returns the Id element, or nothing.
func (d *Document) ID() string { return d.id }

// Statements returns how many statements there are.
func (d *Document) Statements() int { return len(d.statements) }

// NamesResources reports whether a statement has a Resource or NotResource.
func (d *Document) NamesResources() bool {
	return slices.ContainsFunc(d.statements, func(s statement) bool { return len(s.resources) > 0 })
}

// NamesOnly reports whether the document speaks of no action but those given,
// written whole ("ecr:ReplicateImage"); letter case does not count.
func (d *Document) NamesOnly(actions ...string) bool {
	for _, s := range d.statements {
		if s.notActions {
			return false
		}
		for _, pattern := range s.actions {
			if !slices.ContainsFunc(actions, func(a string) bool { return lower(a) == pattern }) {
				return false
			}
		}
	}
	return true
}

// ContextKeys returns the condition keys that the document mentions in
// conditions and variables, as first written, each once, sorted.
func (d *Document) ContextKeys() []string {
	seen := map[string]string{}
	add := func(key string) {
		if _, ok := seen[lower(key)]; !ok {
			seen[lower(key)] = key
		}
	}
	templates := func(all []template) {
		for _, t := range all {
			for _, p := range t.parts {
				if p.key != "" {
					add(p.written)
				}
			}
		}
	}
	for _, s := range d.statements {
		templates(s.resources)
		for _, c := range s.conditions {
			add(c.written)
			for _, v := range c.values {
				templates([]template{v.text})
			}
		}
	}
	keys := make([]string, 0, len(seen))
	for _, key := range seen {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// index makes the tables by which an evaluation finds statements.
func (d *Document) index() {
	d.exact, d.byVendor = map[string][]int32{}, map[string][]int32{}
	for i := range d.statements {
		s, at := &d.statements[i], int32(i)
		if s.notActions {
			d.rest = once(d.rest, at)
			continue
		}
		for _, a := range s.actions {
			vendor, _, _ := strings.Cut(a, ":")
			switch {
			case !hasWildcard(a):
				d.exact[a] = once(d.exact[a], at)
			case hasWildcard(vendor):
				d.rest = once(d.rest, at)
			default:
				d.byVendor[vendor] = once(d.byVendor[vendor], at)
			}
		}
	}
}

// once appends a statement that may be the last one already.
func once(to []int32, at int32) []int32 {
	if n := len(to); n > 0 && to[n-1] == at {
		return to
	}
	return append(to, at)
}
