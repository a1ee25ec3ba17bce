package policy

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Error says why a text is no policy.
type Error struct {
	Sentence string // IAM's; a front puts it under its own code, or says what its service says instead
	At       int    // byte offset in the text of what is wrong
	Detail   string // what is wrong, in our words; empty where IAM's sentence tells it
}

// Error returns IAM's sentence.
func (e *Error) Error() string { return e.Sentence }

// The sentences of IAM. It reads trust policies with a parser of their own, which
// says more.
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
	invalidJSON      = "This policy contains invalid Json"
	emptyStatement   = "Could not parse the policy: Statement is empty!"
	missingField     = "Missing required field "
	unknownField     = "Unknown field "
	prohibitedField  = "Has prohibited field "
	conditionType    = "Invalid Condition type : "
)

const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

// Parse reads a document of the kind. An error is an *Error. The caller limits
// the text's length.
func Parse(kind Kind, text string) (*Document, error) {
	d := &Document{kind: kind}
	if err := d.parse(text); err != nil {
		return nil, err
	}
	d.index()
	return d, nil
}

// parse goes in IAM's order: a document with several faults gets the sentence
// that IAM would give.
func (d *Document) parse(text string) *Error {
	root, err := readTree(text)
	if err != nil {
		err.Sentence = d.either(syntaxErrors, invalidJSON)
		return err
	}
	if !root.isObject {
		return &Error{d.either(syntaxErrors, invalidJSON), root.start, "a policy is an object: it stands in braces"}
	}
	drafts, err := d.outline(root)
	if err != nil {
		return err
	}
	if d.kind == Managed && !d.variables {
		return &Error{oldVersion, root.start, ""}
	}
	d.statements = make([]statement, len(drafts))
	for _, step := range []func(*draft, *statement) *Error{
		d.fields, d.principals, d.conditions, d.sids, d.actions, d.resources, d.formats,
	} {
		for i := range drafts {
			if err := step(&drafts[i], &d.statements[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// either returns the second sentence for a trust policy, else the first.
func (d *Document) either(usual, trust string) string {
	if d.kind == Trust {
		return trust
	}
	return usual
}

// draft is a statement whose elements have the right types.
type draft struct {
	start, end              int
	sid, effect             word
	actions, resources      []word // nil: the element is missing
	notActions, notResource bool
	principal, condition    *node
	notPrincipal            bool
}

// syntax is a fault of the document's form.
func syntax(at int, detail string) *Error { return &Error{syntaxErrors, at, detail} }

// unknown is a member that is no element.
func (d *Document) unknown(m member, of string, known ...string) *Error {
	hint := ", which has " + strings.Join(known, ", ")
	for _, k := range known {
		if strings.EqualFold(k, strings.TrimSuffix(m.name, "s")) {
			hint = "; did you mean " + k + "?"
		}
	}
	return &Error{d.either(syntaxErrors, unknownField+m.name), m.at, strconv.Quote(m.name) + " is no element of " + of + hint}
}

// outline reads the elements by their names and types.
func (d *Document) outline(root node) ([]draft, *Error) {
	version := version2008
	var statements *node
	for _, m := range root.members {
		var ok bool
		switch m.name {
		case "Version":
			if version, ok = m.value.text(); !ok || version != version2008 && version != version2012 {
				return nil, syntax(m.value.start, "the Version is \"2012-10-17\", or \"2008-10-17\" for the older language")
			}
		case "Id":
			if d.id, ok = m.value.text(); !ok {
				return nil, syntax(m.value.start, "an Id is a string")
			}
		case "Statement":
			statements = &m.value
		default:
			return nil, d.unknown(m, "a policy", "Version", "Id", "Statement")
		}
	}
	d.variables = version == version2012
	if statements == nil {
		return nil, &Error{d.either(syntaxErrors, missingField+"Statement"), root.start, "the policy has no Statement"}
	}
	all := statements.list
	if !statements.isList {
		all = []node{*statements}
	}
	if len(all) == 0 {
		return nil, &Error{d.either(syntaxErrors, emptyStatement), statements.start, "the policy has no statement"}
	}
	drafts := make([]draft, 0, len(all))
	for _, n := range all {
		s, err := d.outlineStatement(n)
		if err != nil {
			return nil, err
		}
		drafts = append(drafts, s)
	}
	return drafts, nil
}

func (d *Document) outlineStatement(n node) (draft, *Error) {
	s := draft{start: n.start, end: n.end}
	if !n.isObject {
		return s, syntax(n.start, "a statement is an object")
	}
	for _, m := range n.members {
		var err *Error
		switch m.name {
		case "Sid":
			s.sid, err = m.text()
		case "Effect":
			s.effect, err = m.text()
		case "Action", "NotAction":
			s.notActions = m.name == "NotAction"
			s.actions, err = m.texts(s.actions)
		case "Resource", "NotResource":
			s.notResource = m.name == "NotResource"
			s.resources, err = m.texts(s.resources)
		case "Principal", "NotPrincipal":
			if s.principal != nil {
				err = m.both()
			}
			s.notPrincipal = m.name == "NotPrincipal"
			s.principal = &m.value
		case "Condition":
			if !m.value.isObject {
				err = syntax(m.value.start, "a Condition is an object of operators")
			}
			s.condition = &m.value
		default:
			err = d.unknown(m, "a statement", "Sid", "Effect", "Principal", "NotPrincipal",
				"Action", "NotAction", "Resource", "NotResource", "Condition")
		}
		if err != nil {
			return s, err
		}
	}
	switch {
	case strings.EqualFold(s.effect.text, "Allow"), strings.EqualFold(s.effect.text, "Deny"):
		return s, nil
	case s.effect.at == 0:
		return s, &Error{d.either(syntaxErrors, missingField+"Effect"), n.start, "the statement has no Effect"}
	}
	return s, syntax(s.effect.at, "an Effect is Allow or Deny")
}

// text reads an element that is a string.
func (m member) text() (word, *Error) {
	s, ok := m.value.text()
	if !ok {
		return word{}, syntax(m.value.start, m.name+" is a string")
	}
	return word{s, m.value.start}, nil
}

// texts reads an element that is a string or a list of strings, unless it was
// there before.
func (m member) texts(before []word) ([]word, *Error) {
	if before != nil {
		return nil, m.both()
	}
	all, at, ok := m.value.texts()
	if !ok {
		return nil, syntax(at, m.name+" is a string or a list of strings")
	}
	return all, nil
}

// both is the fault of an element beside its negation.
func (m member) both() *Error {
	plain := strings.TrimPrefix(m.name, "Not")
	return syntax(m.at, "a statement has "+plain+" or Not"+plain+", not both")
}

// fields looks at which elements a trust policy has, which IAM does before it
// looks into any.
func (d *Document) fields(from *draft, s *statement) *Error {
	s.sid, s.start, s.end = from.sid.text, from.start, from.end
	if d.kind != Trust {
		return nil
	}
	switch {
	case from.resources != nil && from.notResource:
		return &Error{prohibitedField + "NotResource", from.start, "the resource of a trust policy is its role"}
	case from.resources != nil:
		return &Error{prohibitedField + "Resource", from.start, "the resource of a trust policy is its role"}
	case from.principal != nil && from.notPrincipal:
		return &Error{prohibitedField + "NotPrincipal", from.start, ""}
	case from.principal == nil:
		return &Error{missingField + "Principal", from.start, ""}
	case from.actions == nil:
		return &Error{missingField + "Action", from.start, ""}
	}
	return nil
}

// principals reads Principal and NotPrincipal, and the effect, which IAM reads
// as loosely as this first and strictly later.
func (d *Document) principals(from *draft, s *statement) *Error {
	s.allow = from.effect.text == "Allow"
	if !s.allow && from.effect.text != "Deny" {
		return &Error{legacyParsing, from.effect.at, "an Effect is Allow or Deny, in these letters"}
	}
	if d.kind == Identity || d.kind == Managed {
		if from.principal != nil {
			return &Error{principalGiven, from.principal.start, ""}
		}
		return nil
	}
	if from.principal == nil {
		return &Error{missingField + "Principal", from.start, ""}
	}
	if from.notPrincipal && s.allow {
		return &Error{exceptionToAllow, from.principal.start, ""}
	}
	s.notPrincipals = from.notPrincipal
	var err *Error
	s.principals, err = parsePrincipals(d.kind, *from.principal)
	return err
}

func (d *Document) conditions(from *draft, s *statement) *Error {
	if from.condition == nil {
		return nil
	}
	for _, m := range from.condition.members {
		c, ok := parseOperator(m.name)
		if !ok {
			return &Error{d.either(syntaxErrors, conditionType+m.name), m.at, strconv.Quote(m.name) + " is no condition operator"}
		}
		if !m.value.isObject {
			return syntax(m.value.start, m.name+" is an object of condition keys")
		}
		for _, key := range m.value.members {
			c.key, c.written, c.values = lower(key.name), key.name, nil
			// What no value could meet, or every value, is a mistake, and a
			// dangerous one.
			all, at, ok := key.value.scalars()
			if !ok || len(all) == 0 {
				return syntax(cmp.Or(at, key.value.start), "a condition key has a value, or a list of them")
			}
			for _, w := range all {
				v, ok := c.parseValue(w.text, d.variables)
				if !ok {
					return &Error{legacyParsing, w.at, strconv.Quote(w.text) + " is no value for " + m.name}
				}
				c.values = append(c.values, v)
			}
			if !strings.Contains(key.name, ":") {
				return &Error{noVendor, key.at, ""}
			}
			s.conditions = append(s.conditions, c)
		}
	}
	return nil
}

var alphanumeric = regexp.MustCompile(`^[0-9A-Za-z]*$`)

// sids compares with the statements before, whose ids are read.
func (d *Document) sids(from *draft, s *statement) *Error {
	if d.kind != Repository && d.kind != Registry && !alphanumeric.MatchString(s.sid) {
		return &Error{sidLetters, from.sid.at, ""}
	}
	for i := range d.statements {
		other := &d.statements[i]
		if other == s {
			break
		}
		if other.sid == s.sid && s.sid != "" {
			return &Error{sidTwice, from.sid.at, ""}
		}
	}
	return nil
}

func (d *Document) actions(from *draft, s *statement) *Error {
	if d.kind == Trust {
		other := slices.IndexFunc(from.actions, func(w word) bool { return !strings.HasPrefix(lower(w.text), "sts:") })
		switch {
		case other >= 0:
			return &Error{onlyAssumeRole, from.actions[other].at, ""}
		case from.notActions:
			return &Error{onlyAssumeRole, from.start, ""}
		}
	}
	if len(from.actions) == 0 {
		return &Error{noActions, from.start, ""}
	}
	s.notActions = from.notActions
	for _, w := range from.actions {
		s.actions = append(s.actions, pattern(lower(w.text)))
	}
	return nil
}

func (d *Document) resources(from *draft, s *statement) *Error {
	switch {
	case d.kind == Trust, d.kind == Repository && from.resources == nil:
		return nil
	case len(from.resources) == 0:
		return &Error{noResources, from.start, ""}
	}
	s.notResources = from.notResource
	for _, w := range from.resources {
		if sentence, detail := checkResource(w.text); sentence != "" {
			return &Error{sentence, w.at, detail}
		}
		t := literal(w.text, true)
		if d.variables {
			var ok bool
			if t, ok = compile(w.text, true); !ok {
				return &Error{legacyParsing, w.at, "a policy variable is ${key}, or ${key, 'default'}, and a key has a prefix, as aws:username"}
			}
		}
		s.resources = append(s.resources, t)
	}
	return nil
}

// formats looks at the actions' form, which IAM does last.
func (d *Document) formats(from *draft, _ *statement) *Error {
	for _, w := range from.actions {
		if sentence, detail := checkAction(w.text); sentence != "" {
			return &Error{sentence, w.at, detail}
		}
	}
	return nil
}
