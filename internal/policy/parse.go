package policy

import (
	"regexp"
	"slices"
	"strings"
)

// Error says why a text is no policy. Its sentence is IAM's; a front puts it
// under its own code, or says what its service says instead.
type Error struct{ Sentence string }

// Error returns the sentence.
func (e *Error) Error() string { return e.Sentence }

// The sentences of IAM.
const (
	syntaxErrors     = "Syntax errors in policy."
	oldVersion       = "Policy document must be version 2012-10-17 or greater."
	legacyParsing    = "The policy failed legacy parsing"
	sidTwice         = "Statement IDs (SID) in a single policy must be unique."
	sidLetters       = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
	noActions        = "Policy statement must contain actions."
	noResources      = "Policy statement must contain resources."
	noVendor         = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
	manyColons       = "Actions/Condition can contain only one colon."
	principalGiven   = "Policy document should not specify a principal."
	onlyAssumeRole   = "AssumeRole policy may only specify STS AssumeRole actions."
	vendorWildcard   = "Resource vendor must be fully qualified and cannot contain regexes."
	exceptionToAllow = "Allow with NotPrincipal is not supported."
)

const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

// Parse reads a document of the kind. An error is an *Error. The caller limits
// the text's length.
func Parse(kind Kind, text string) (*Document, error) {
	d := &Document{kind: kind}
	if sentence := d.parse(text); sentence != "" {
		return nil, &Error{sentence}
	}
	d.index()
	return d, nil
}

// parse goes in IAM's order: a document with several faults gets the sentence
// that IAM would give.
func (d *Document) parse(text string) string {
	root, ok := readTree(text)
	if !ok || !root.isObject {
		return syntaxErrors
	}
	drafts, ok := d.outline(root)
	if !ok {
		return syntaxErrors
	}
	if d.kind == Managed && !d.variables {
		return oldVersion
	}
	d.statements = make([]statement, len(drafts))
	for _, step := range []func(*draft, *statement) string{
		d.principals, d.conditions, d.sids, d.actions, d.resources, d.formats,
	} {
		for i := range drafts {
			if sentence := step(&drafts[i], &d.statements[i]); sentence != "" {
				return sentence
			}
		}
	}
	return ""
}

// draft is a statement whose elements have the right types.
type draft struct {
	sid, effect             string
	start, end              int
	actions, resources      []string // nil: the element is missing
	notActions, notResource bool
	principal               *node
	notPrincipal            bool
	condition               *node
}

// outline reads the elements by their names and types.
func (d *Document) outline(root node) ([]draft, bool) {
	version := version2008
	var statements []node
	for _, m := range root.members {
		ok := true
		switch m.name {
		case "Version":
			version, ok = m.value.text()
			ok = ok && (version == version2008 || version == version2012)
		case "Id":
			d.id, ok = m.value.text()
		case "Statement":
			statements = m.value.list
			if !m.value.isList {
				statements = []node{m.value}
			}
		default:
			ok = false
		}
		if !ok {
			return nil, false
		}
	}
	d.variables = version == version2012
	drafts := make([]draft, 0, len(statements))
	for _, n := range statements {
		s, ok := outlineStatement(n)
		if !ok {
			return nil, false
		}
		drafts = append(drafts, s)
	}
	return drafts, len(drafts) > 0
}

func outlineStatement(n node) (draft, bool) {
	s := draft{start: n.start, end: n.end}
	if !n.isObject {
		return s, false
	}
	for _, m := range n.members {
		ok := true
		switch m.name {
		case "Sid":
			s.sid, ok = m.value.text()
		case "Effect":
			s.effect, ok = m.value.text()
		case "Action", "NotAction":
			if s.actions != nil {
				return s, false
			}
			s.notActions = m.name == "NotAction"
			s.actions, ok = m.value.texts()
		case "Resource", "NotResource":
			if s.resources != nil {
				return s, false
			}
			s.notResource = m.name == "NotResource"
			s.resources, ok = m.value.texts()
		case "Principal", "NotPrincipal":
			ok = s.principal == nil
			s.notPrincipal = m.name == "NotPrincipal"
			s.principal = &m.value
		case "Condition":
			ok = m.value.isObject
			s.condition = &m.value
		default:
			ok = false
		}
		if !ok {
			return s, false
		}
	}
	return s, strings.EqualFold(s.effect, "Allow") || strings.EqualFold(s.effect, "Deny")
}

// principals reads Principal and NotPrincipal, and the effect, which IAM reads
// as loosely as this first and strictly later.
func (d *Document) principals(from *draft, s *statement) string {
	s.sid, s.start, s.end = from.sid, from.start, from.end
	s.allow = from.effect == "Allow"
	if !s.allow && from.effect != "Deny" {
		return legacyParsing
	}
	if d.kind == Identity || d.kind == Managed {
		if from.principal != nil {
			return principalGiven
		}
		return ""
	}
	if from.principal == nil {
		return "Missing required field Principal"
	}
	if from.notPrincipal && d.kind == Trust {
		return "Has prohibited field NotPrincipal"
	}
	if from.notPrincipal && s.allow {
		return exceptionToAllow
	}
	s.notPrincipals = from.notPrincipal
	var sentence string
	s.principals, sentence = parsePrincipals(*from.principal)
	return sentence
}

func (d *Document) conditions(from *draft, s *statement) string {
	if from.condition == nil {
		return ""
	}
	for _, m := range from.condition.members {
		c, ok := parseOperator(m.name)
		if !ok || !m.value.isObject {
			return syntaxErrors
		}
		for _, key := range m.value.members {
			c.key, c.written, c.values = lower(key.name), key.name, nil
			// What no value could meet, or every value, is a mistake, and a
			// dangerous one.
			all, ok := key.value.scalars()
			if !ok || len(all) == 0 {
				return syntaxErrors
			}
			for _, text := range all {
				v, ok := c.parseValue(text, d.variables)
				if !ok {
					return legacyParsing
				}
				c.values = append(c.values, v)
			}
			if !strings.Contains(key.name, ":") {
				return noVendor
			}
			s.conditions = append(s.conditions, c)
		}
	}
	return ""
}

var alphanumeric = regexp.MustCompile(`^[0-9A-Za-z]*$`)

// sids compares with the statements before, whose ids are read.
func (d *Document) sids(from *draft, s *statement) string {
	if d.kind != Repository && d.kind != Registry && !alphanumeric.MatchString(from.sid) {
		return sidLetters
	}
	for i := range d.statements {
		other := &d.statements[i]
		if other == s {
			break
		}
		if other.sid == from.sid && from.sid != "" {
			return sidTwice
		}
	}
	return ""
}

func (d *Document) actions(from *draft, s *statement) string {
	if d.kind == Trust {
		if from.actions == nil {
			return "Missing required field Action"
		}
		if from.notActions || slices.ContainsFunc(from.actions, func(a string) bool { return !strings.HasPrefix(lower(a), "sts:") }) {
			return onlyAssumeRole
		}
	}
	if len(from.actions) == 0 {
		return noActions
	}
	s.notActions = from.notActions
	for _, a := range from.actions {
		s.actions = append(s.actions, wildcards.Replace(lower(a)))
	}
	return ""
}

func (d *Document) resources(from *draft, s *statement) string {
	switch {
	case d.kind == Trust && from.resources != nil && from.notResource:
		return "Has prohibited field NotResource"
	case d.kind == Trust && from.resources != nil:
		return "Has prohibited field Resource"
	case d.kind == Trust, d.kind == Repository && from.resources == nil:
		return ""
	case len(from.resources) == 0:
		return noResources
	}
	s.notResources = from.notResource
	for _, r := range from.resources {
		if sentence := checkResource(r); sentence != "" {
			return sentence
		}
		t := literal(r, true)
		if d.variables {
			var ok bool
			if t, ok = compile(r, true); !ok {
				return legacyParsing
			}
		}
		s.resources = append(s.resources, t)
	}
	return ""
}

// formats looks at the actions' form, which IAM does last.
func (d *Document) formats(from *draft, _ *statement) string {
	for _, a := range from.actions {
		if sentence := checkAction(a); sentence != "" {
			return sentence
		}
	}
	return ""
}
