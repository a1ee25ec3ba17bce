package policy

import "slices"

// mismatch is which element kept a statement from applying.
type mismatch uint8

const (
	matches mismatch = iota
	byAction
	byPrincipal
	byResource
	byCondition
	byBudget // it is not known: the evaluation's steps are spent
)

// reason is a mismatch, and which condition it was.
type reason struct {
	mismatch  mismatch
	condition int
}

// statement reports whether a statement applies to the request, and how it
// names the principal. The elements that cost least and need no keys come
// first, so that Depends is true for few.
func (e *evaluation) statement(s *statement) (grade, reason) {
	g, why := e.mismatched(s)
	if e.spent() {
		return unnamed, reason{mismatch: byBudget}
	}
	return g, why
}

func (e *evaluation) mismatched(s *statement) (grade, reason) {
	if !e.actionMatches(s) {
		return unnamed, reason{mismatch: byAction}
	}
	g := e.principalGrade(s)
	if g == unnamed {
		return unnamed, reason{mismatch: byPrincipal}
	}
	if !e.resourceMatches(s) {
		return unnamed, reason{mismatch: byResource}
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(e) {
			return unnamed, reason{byCondition, i}
		}
	}
	return g, reason{}
}

func (e *evaluation) actionMatches(s *statement) bool {
	for _, pattern := range s.actions {
		if glob(pattern, e.action, &e.left) {
			return !s.notActions
		}
	}
	return s.notActions
}

// principalGrade returns directly for a document that has no principals, as
// it is the principal's own.
func (e *evaluation) principalGrade(s *statement) grade {
	who := &e.request.Principal
	switch {
	case s.principals == nil:
		return directly
	case s.notPrincipals:
		// A principal with a permissions boundary is never spared.
		if !e.bounded && s.principals.spares(who) {
			return unnamed
		}
		return directly
	case !s.allow && s.principals.everybody:
		return directly
	}
	return s.principals.grade(who)
}

// resourceMatches compares ARNs as text: a star in a Resource also stands for
// colons, unlike one in an ArnLike condition.
func (e *evaluation) resourceMatches(s *statement) bool {
	if len(s.resources) == 0 {
		return true
	}
	for i := range s.resources {
		matched, known := s.resources[i].matches(e, e.request.Resource)
		if matched {
			return !s.notResources
		}
		if !known && s.notResources && s.allow {
			return false // the exception is not known: allow nothing
		}
	}
	return s.notResources
}

// Line is what one statement came to, for a person who asks why.
type Line struct {
	Layer     Layer
	Policy    string // the document's name
	Statement int    // from 0
	Sid       string
	Allow     bool // the statement's effect
	Matched   bool
	Why       string   // a phrase
	Missing   []string // the condition keys that had no value, in lower case
	Start     int      // byte offsets of the statement in the document's text
	End       int
}

// Explain decides as Evaluate does, and tells of every statement of every
// document, in order, whether it matched and why. The statements have a budget
// of their own, together.
func Explain(r Request, p Policies) (Decision, []Line) {
	var lines []Line
	e := evaluation{request: &r, action: appendLower(nil, r.Action), bounded: len(p.Boundary) > 0, given: r.given()}
	e.left = e.given
	for l, documents := range p.byLayer() {
		for _, named := range documents {
			if named.Document == nil {
				continue
			}
			e.abandoned()
			for at := range named.Document.statements {
				lines = append(lines, e.explain(Layer(l), named, at))
			}
		}
	}
	e.report()
	return Evaluate(r, p), lines
}

func (e *evaluation) explain(l Layer, named Named, at int) Line {
	s := &named.Document.statements[at]
	line := Line{Layer: l, Policy: named.Name, Statement: at, Sid: s.sid, Allow: s.allow, Start: s.start, End: s.end}
	e.absent = &line.Missing
	g, why := e.statement(s)
	line.Matched = why.mismatch == matches
	line.Why = e.phrase(s, g, why)
	slices.Sort(line.Missing)
	line.Missing = slices.Compact(line.Missing)
	return line
}

func (e *evaluation) phrase(s *statement, g grade, why reason) string {
	not := func(exception bool, element, value string) string {
		if exception {
			return "Not" + element + " exempts " + value
		}
		return element + " does not match " + value
	}
	switch why.mismatch {
	case byAction:
		return not(s.notActions, "Action", e.request.Action)
	case byPrincipal:
		who := e.request.Principal.ARN
		if who == "" {
			who = "an anonymous caller"
		}
		return not(s.notPrincipals, "Principal", who)
	case byResource:
		return not(s.notResources, "Resource", e.request.Resource)
	case byBudget:
		return tooCostly
	case byCondition:
		c := &s.conditions[why.condition]
		return "Condition " + c.name + " of " + c.written + " does not hold"
	}
	switch {
	case s.allow && g == byAccount:
		return "allows the account, which leaves it to its own policies"
	case s.allow && g == byRole:
		return "allows the role, within its boundary and session policy"
	case s.allow:
		return "allows"
	}
	return "denies"
}
