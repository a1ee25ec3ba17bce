package policy

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"strings"
	"time"
)

// family is how a condition's values are read and compared.
type family uint8

const (
	stringEqual family = iota
	stringFold
	stringLike
	arnLike
	numeric
	date
	boolean
	binary
	address
	null
)

// comparison is which order of request value and policy value matches.
type comparison uint8

const (
	equal comparison = iota
	less
	lessEqual
	greater
	greaterEqual
)

type operator struct {
	family  family
	order   comparison
	negated bool
}

// operators are the condition operators (IAM User Guide, condition operators).
// ArnEquals and ArnLike are the same.
var operators = map[string]operator{
	"StringEquals":              {family: stringEqual},
	"StringNotEquals":           {family: stringEqual, negated: true},
	"StringEqualsIgnoreCase":    {family: stringFold},
	"StringNotEqualsIgnoreCase": {family: stringFold, negated: true},
	"StringLike":                {family: stringLike},
	"StringNotLike":             {family: stringLike, negated: true},
	"NumericEquals":             {family: numeric},
	"NumericNotEquals":          {family: numeric, negated: true},
	"NumericLessThan":           {family: numeric, order: less},
	"NumericLessThanEquals":     {family: numeric, order: lessEqual},
	"NumericGreaterThan":        {family: numeric, order: greater},
	"NumericGreaterThanEquals":  {family: numeric, order: greaterEqual},
	"DateEquals":                {family: date},
	"DateNotEquals":             {family: date, negated: true},
	"DateLessThan":              {family: date, order: less},
	"DateLessThanEquals":        {family: date, order: lessEqual},
	"DateGreaterThan":           {family: date, order: greater},
	"DateGreaterThanEquals":     {family: date, order: greaterEqual},
	"Bool":                      {family: boolean},
	"BinaryEquals":              {family: binary},
	"IpAddress":                 {family: address},
	"NotIpAddress":              {family: address, negated: true},
	"ArnEquals":                 {family: arnLike},
	"ArnLike":                   {family: arnLike},
	"ArnNotEquals":              {family: arnLike, negated: true},
	"ArnNotLike":                {family: arnLike, negated: true},
	"Null":                      {family: null},
}

// set says how several values of a key count.
type set uint8

const (
	single set = iota
	forAll
	forAny
)

// condition is one operator, one key and its values. All conditions of a
// statement must hold.
type condition struct {
	operator
	name     string // the operator as written
	set      set
	ifExists bool
	key      string // in lower case
	written  string // the key as written
	values   []value
}

// value is one value of a condition, read for its family.
type value struct {
	text    template
	number  number
	time    time.Time
	bytes   []byte
	network netip.Prefix
	truth   bool
}

// parseOperator takes an operator's prefix and suffix off. Null tests for
// existence itself, so it has neither.
func parseOperator(s string) (condition, bool) {
	c := condition{name: s}
	if rest, ok := strings.CutPrefix(s, "ForAllValues:"); ok {
		s, c.set = rest, forAll
	} else if rest, ok := strings.CutPrefix(s, "ForAnyValue:"); ok {
		s, c.set = rest, forAny
	}
	s, c.ifExists = strings.CutSuffix(s, "IfExists")
	var ok bool
	c.operator, ok = operators[s]
	if c.family == null && (c.set != single || c.ifExists) {
		return condition{}, false
	}
	return c, ok
}

// parseValue reads one value for the operator. Variables are for strings, ARNs
// and booleans of the newer version.
func (o operator) parseValue(s string, variables bool) (v value, ok bool) {
	switch o.family {
	case stringEqual, stringFold, stringLike, arnLike:
		wild := o.family == stringLike || o.family == arnLike
		v.text, ok = literal(s, wild), true
		if variables {
			v.text, ok = compile(s, wild)
		}
		if ok && o.family == arnLike && v.text.parts == nil {
			_, ok = splitARN(v.text.fixed)
		}
	case numeric:
		v.number, ok = parseNumber(s)
	case date:
		v.time, ok = parseTime(s)
	case boolean:
		if variables && strings.Contains(s, "${") {
			if v.text, ok = compile(s, false); !ok || v.text.parts != nil {
				break
			}
			s = v.text.fixed // its variables stand for characters: no truth has any
		}
		v.truth, ok = parseBool(s)
	case null:
		v.truth, ok = parseBool(s)
	case binary:
		var err error
		v.bytes, err = base64.StdEncoding.DecodeString(s)
		ok = err == nil
	case address:
		v.network, ok = parseNetwork(s)
	}
	return v, ok
}

// holds reports whether the condition is met.
func (c *condition) holds(e *evaluation) bool {
	got := e.lookup(c.key)
	if c.family == null {
		if !e.spend(len(c.values) / wordSteps) {
			return false
		}
		for i := range c.values {
			if c.values[i].truth == (len(got) == 0) {
				return true
			}
		}
		return false
	}
	if c.set != single && allEmpty(got) {
		got = nil
	}
	if len(got) == 0 {
		return c.ifExists || c.set == forAll || c.set == single && c.negated
	}
	for _, s := range got {
		met := c.meets(e, s)
		switch {
		case c.set == forAny && met:
			return true
		case c.set == forAll && !met:
			return false
		case c.set == single && met != c.negated: // one equal decides both
			return met
		}
	}
	return c.set == forAll || c.set == single && c.negated
}

// meets compares one value of the request with those of the policy: one must
// match, or for a negated operator none.
func (c *condition) meets(e *evaluation, s string) bool {
	o, ok := c.read(e, s)
	if !ok { // of the family is nothing that it could be compared with
		return c.negated
	}
	for i := range c.values {
		if c.compare(e, &c.values[i], s, &o) {
			return !c.negated
		}
	}
	return c.negated
}

// operand is a value of the request, read for the condition's family.
type operand struct {
	number  number
	time    time.Time
	truth   bool
	bytes   []byte
	address netip.Addr
}

// read reads a value of the request once for all that it is compared with. It
// reports false for one that is not of the family.
func (c *condition) read(e *evaluation, s string) (o operand, ok bool) {
	switch c.family {
	case numeric:
		if !e.spend(parseSteps + len(s)/wordSteps) {
			return o, false
		}
		o.number, ok = parseNumber(s)
	case date:
		if !e.spend(dateSteps + len(s)) {
			return o, false
		}
		o.time, ok = parseTime(s)
	case boolean:
		o.truth, ok = parseBool(s)
	case binary:
		if !e.spend(parseSteps + len(s)) {
			return o, false
		}
		var err error
		o.bytes, err = base64.StdEncoding.DecodeString(s)
		ok = err == nil
	case address:
		if !e.spend(parseSteps + len(s)/wordSteps) {
			return o, false
		}
		a, err := netip.ParseAddr(s)
		o.address, ok = a.Unmap().WithZone(""), err == nil
	default:
		return o, true
	}
	return o, ok
}

// compare reports whether the request's value s, which was read as o, stands to
// v as the operator without its negation asks. A value whose variables have none
// is equal to nothing (IAM User Guide, policy variables with no value).
func (c *condition) compare(e *evaluation, v *value, s string, o *operand) bool {
	if c.family != stringLike && !e.spend(c.steps(s)) {
		return false
	}
	switch c.family {
	case stringLike:
		matched, _ := v.text.matches(e, s)
		return matched
	case stringEqual, stringFold, arnLike:
		pattern := v.text.fixed
		if v.text.parts != nil {
			b, ok := v.text.expand(e)
			if !ok {
				return false
			}
			pattern = string(b)
		}
		switch c.family {
		case stringEqual:
			return pattern == s
		case stringFold:
			return strings.EqualFold(pattern, s)
		}
		return e.spend(len(pattern)/wordSteps) && matchARN(pattern, s, &e.left)
	case numeric:
		return c.order.met(o.number.compare(v.number))
	case date:
		return c.order.met(o.time.Compare(v.time))
	case boolean:
		truth := v.truth
		if v.text.parts != nil {
			written, ok := v.text.expand(e)
			if !ok {
				return false
			}
			if truth, ok = parseBool(string(written)); !ok {
				return false
			}
		}
		return o.truth == truth
	case binary:
		return bytes.Equal(o.bytes, v.bytes)
	case address:
		return v.network.Contains(o.address)
	}
	return false
}

// steps returns what a comparison with the request's value takes, but for the
// matching of patterns.
func (c *condition) steps(s string) int {
	switch c.family {
	case stringFold:
		return compareSteps + len(s)
	case arnLike:
		return parseSteps + len(s)/wordSteps
	case stringEqual, binary:
		return compareSteps + len(s)/wordSteps
	}
	return compareSteps
}

// met reports whether the sign of a comparison is one the order asks for.
func (c comparison) met(sign int) bool {
	switch c {
	case less:
		return sign < 0
	case lessEqual:
		return sign <= 0
	case greater:
		return sign > 0
	case greaterEqual:
		return sign >= 0
	}
	return sign == 0
}

// allEmpty reports whether the values are as good as none: a set of empty
// strings is empty for ForAllValues and ForAnyValue.
func allEmpty(got []string) bool {
	for _, s := range got {
		if s != "" {
			return false
		}
	}
	return true
}
