package lifecycle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// schema is a JSON schema of draft 4, as far as ECR's needs it. ECR checks
// policies with json-schema-validator (github.com/java-json-tools), whose
// sentences and order this follows: the keywords of a value by name, then, if
// nothing was wrong so far in the whole text, what is inside it.
type schema struct {
	kind       string // its type; empty: any
	enum       []string
	minimum    int64 // of an integer; 0: none
	minItems   int
	maxItems   int // 0: any number
	items      *schema
	properties map[string]*schema // others are refused if closed
	closed     bool
	required   []string  // sorted
	forbidden  []string  // in an alternative: members that must not be there
	oneOf      []*schema // exactly one must match
	// choose, if set, returns the schema to use instead, which depends on the
	// value. That is ours: a rule that retains has a schema of its own.
	choose func(value any) *schema
}

// check adds a line for everything that is wrong to the lines of the report.
func (s *schema) check(value any, report []string) []string {
	if s.choose != nil {
		s = s.choose(value)
	}
	report = append(report, s.keywords(value)...)
	if len(report) > 0 {
		return report
	}
	switch v := value.(type) {
	case map[string]any:
		for _, member := range slices.Sorted(maps.Keys(v)) {
			if inner := s.properties[member]; inner != nil {
				report = inner.check(v[member], report)
			}
		}
	case []any:
		for _, item := range v {
			if s.items != nil {
				report = s.items.check(item, report)
			}
		}
	}
	return report
}

// keywords checks the value itself, each keyword for the types that it is
// about: additionalProperties, enum, maxItems, minItems, minimum, oneOf,
// required, type.
func (s *schema) keywords(value any) (report []string) {
	add := func(format string, args ...any) { report = append(report, fmt.Sprintf(format, args...)) }
	members, isObject := value.(map[string]any)
	if extra := s.extra(members); len(extra) > 0 {
		add("object instance has properties which are not allowed by the schema: %s", quote(extra))
	}
	if text, ok := value.(string); s.enum != nil && (!ok || !slices.Contains(s.enum, text)) {
		add("instance value (%s) not found in enum (possible values: %s)", quote(value), quote(s.enum))
	}
	if list, ok := value.([]any); ok {
		if s.maxItems > 0 && len(list) > s.maxItems {
			add("array is too long: must have at most %d elements but instance has %d elements", s.maxItems, len(list))
		}
		if len(list) < s.minItems {
			add("array is too short: must have at least %d elements but instance has %d elements", s.minItems, len(list))
		}
	}
	if number, ok := value.(json.Number); ok && s.minimum != 0 && below(number, s.minimum) {
		add("numeric instance is lower than the required minimum (minimum: %d, found: %s)", s.minimum, number)
	}
	if matched := s.alternatives(value); s.oneOf != nil && matched != 1 {
		add("instance failed to match exactly one schema (matched %d out of %d)", matched, len(s.oneOf))
	}
	if missing := s.missing(members); isObject && len(missing) > 0 {
		add("object has missing required properties (%s)", quote(missing))
	}
	if found := kindOf(value); s.kind != "" && found != s.kind {
		add("instance type (%s) does not match any allowed primitive type (allowed: %s)", found, quote([]string{s.kind}))
	}
	return report
}

func (s *schema) extra(members map[string]any) (extra []string) {
	for _, member := range slices.Sorted(maps.Keys(members)) {
		if s.closed && s.properties[member] == nil || slices.Contains(s.forbidden, member) {
			extra = append(extra, member)
		}
	}
	return extra
}

func (s *schema) missing(members map[string]any) (missing []string) {
	for _, member := range s.required {
		if _, ok := members[member]; !ok {
			missing = append(missing, member)
		}
	}
	return missing
}

func (s *schema) alternatives(value any) (matched int) {
	for _, alternative := range s.oneOf {
		if len(alternative.check(value, nil)) == 0 {
			matched++
		}
	}
	return matched
}

// below compares without reading the whole number, which may be of any length.
func below(number json.Number, minimum int64) bool {
	n, err := number.Int64()
	if err == nil {
		return n < minimum
	}
	f, err := strconv.ParseFloat(number.String(), 64)
	if err != nil { // out of range
		return strings.HasPrefix(number.String(), "-")
	}
	return f < float64(minimum)
}

// kindOf names the value's type. A number with a point or an exponent is no
// integer, whatever its value.
func kindOf(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "number"
		}
		return "integer"
	}
	return "object"
}

// quote writes a value as JSON on one line.
func quote(value any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}
