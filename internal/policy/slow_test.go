package policy_test

import (
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/policy"
)

// slow is the evaluator as one would say it: it reads the documents anew,
// matches with regular expressions, and writes the rules of the evaluation as
// one formula. It knows only documents that Parse accepts.
type slow struct {
	request   policy.Request
	documents map[policy.Layer][]string
	compiled  map[string]*regexp.Regexp
}

func (s slow) matches(pattern, text string) bool {
	if s.compiled[pattern] == nil {
		s.compiled[pattern] = regexp.MustCompile(pattern)
	}
	return s.compiled[pattern].MatchString(text)
}

// outcome is what is compared: of an Allow only that it is one.
type outcome struct {
	allowed, explicit bool
	denier            policy.Layer // of an explicit denial
}

var order = []policy.Layer{
	policy.RegistryBased, policy.ResourceBased, policy.RoleTrust,
	policy.IdentityBased, policy.PermissionsBoundary, policy.SessionScoped,
}

type object = map[string]any

func (s slow) decide() outcome {
	for _, l := range order {
		if s.any(l, "Deny", s.named) {
			return outcome{explicit: true, denier: l}
		}
	}
	return outcome{allowed: s.allowed()}
}

func (s slow) allowed() bool {
	who := s.request.Principal
	sides := []policy.Layer{policy.RegistryBased, policy.ResourceBased}
	trust := len(s.documents[policy.RoleTrust]) > 0
	if trust {
		sides = []policy.Layer{policy.RoleTrust}
	}
	resource := func(named func(statement object) bool) bool {
		return slices.ContainsFunc(sides, func(l policy.Layer) bool { return s.any(l, "Allow", named) })
	}
	everyone := func(o object) bool { return s.lists(o["Principal"], "AWS", "*") }
	direct := resource(func(o object) bool { return everyone(o) || s.lists(o["Principal"], "AWS", who.ARN) })
	role := resource(func(o object) bool { return s.lists(o["Principal"], "AWS", who.Role) })
	within := resource(func(o object) bool {
		return s.lists(o["Principal"], "AWS", string(who.Account)) || s.lists(o["Principal"], "AWS", "arn:aws:iam::"+string(who.Account)+":root")
	})
	limit := func(l policy.Layer) bool {
		return len(s.documents[l]) == 0 || s.any(l, "Allow", s.named)
	}
	identity := s.any(policy.IdentityBased, "Allow", s.named)
	boundary, session := limit(policy.PermissionsBoundary), limit(policy.SessionScoped)
	own := who.Account == s.request.Account
	switch who.Kind {
	case policy.Anonymous:
		return resource(everyone)
	case policy.Service:
		return resource(func(o object) bool { return everyone(o) || s.lists(o["Principal"], "Service", who.ARN) })
	case policy.WebIdentity:
		return resource(func(o object) bool { return s.lists(o["Principal"], "Federated", who.ARN) })
	case policy.Root:
		return session && (own && !trust || direct || within)
	case policy.User:
		if own {
			return direct && session || identity && boundary && session && (!trust || within)
		}
		return identity && boundary && session && (direct || within)
	}
	if own {
		return direct || role && boundary && session || identity && boundary && session && (!trust || within)
	}
	return identity && boundary && session && (direct || role || within)
}

// any reports whether a statement of the layer with the effect applies, and
// names the principal as asked.
func (s slow) any(l policy.Layer, effect string, named func(object) bool) bool {
	for _, text := range s.documents[l] {
		var d object
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			panic(err)
		}
		for _, st := range list(d["Statement"]) {
			o := st.(object)
			if o["Effect"] == effect && named(o) && s.applies(o, d["Version"] == "2012-10-17") {
				return true
			}
		}
	}
	return false
}

// named is how a Deny, or the principal's own policy, names the principal.
func (s slow) named(o object) bool {
	who := s.request.Principal
	p, ok := o["Principal"]
	if !ok {
		not, ok := o["NotPrincipal"]
		return !ok || !s.spared(not)
	}
	for _, name := range []string{"*", who.ARN, who.Role, string(who.Account), "arn:aws:iam::" + string(who.Account) + ":root"} {
		if name != "" && s.lists(p, "AWS", name) {
			return true
		}
	}
	return s.lists(p, "Service", who.ARN) || s.lists(p, "Federated", who.ARN)
}

func (s slow) spared(not any) bool {
	if len(s.documents[policy.PermissionsBoundary]) > 0 {
		return false
	}
	who := s.request.Principal
	account := s.lists(not, "AWS", string(who.Account)) || s.lists(not, "AWS", "arn:aws:iam::"+string(who.Account)+":root")
	return s.lists(not, "AWS", "*") ||
		who.Kind == policy.Root && account ||
		who.Kind == policy.User && account && s.lists(not, "AWS", who.ARN) ||
		who.Kind == policy.RoleSession && account && s.lists(not, "AWS", who.Role) && s.lists(not, "AWS", who.ARN) ||
		who.Kind == policy.Service && s.lists(not, "Service", who.ARN) ||
		who.Kind == policy.WebIdentity && s.lists(not, "Federated", who.ARN)
}

func (s slow) lists(p any, kind, name string) bool {
	if p == "*" {
		return kind == "AWS" && name == "*"
	}
	o, _ := p.(object)
	return name != "" && slices.Contains(list(o[kind]), any(name))
}

func list(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	if v == nil {
		return nil
	}
	return []any{v}
}

func (s slow) applies(o object, variables bool) bool {
	action := func(key string) bool {
		return slices.ContainsFunc(list(o[key]), func(v any) bool {
			return s.matches("(?is)^"+quote(v.(string), true)+"$", s.request.Action)
		})
	}
	if _, not := o["NotAction"]; not && action("NotAction") || !not && !action("Action") {
		return false
	}
	resources, not := list(o["Resource"]), false
	if v, ok := o["NotResource"]; ok {
		resources, not = list(v), true
	}
	if len(resources) > 0 {
		matched, unknown := false, false
		for _, v := range resources {
			pattern, ok := s.pattern(v.(string), variables, true)
			unknown = unknown || !ok
			matched = matched || ok && s.matches("(?s)^"+pattern+"$", s.request.Resource)
		}
		if matched == not || not && unknown && o["Effect"] == "Allow" {
			return false
		}
	}
	conditions, _ := o["Condition"].(object)
	for operator, keys := range conditions {
		for key, values := range keys.(object) {
			if !s.holds(operator, strings.ToLower(key), list(values), variables) {
				return false
			}
		}
	}
	return true
}

func quote(s string, wild bool) string {
	s = regexp.QuoteMeta(s)
	if wild {
		s = strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(s)
	}
	return s
}

var variableText = regexp.MustCompile(`\$\{([^},]*)(?:,\s*'([^']*)')?\}`)

// pattern returns a regular expression for the value.
func (s slow) pattern(v string, variables, wild bool) (string, bool) {
	if !variables {
		return quote(v, wild), true
	}
	out, known, at := "", true, 0
	for _, m := range variableText.FindAllStringSubmatchIndex(v, -1) {
		out += quote(v[at:m[0]], wild)
		at = m[1]
		key := v[m[2]:m[3]]
		got := s.request.Keys(strings.ToLower(key))
		switch {
		case strings.Contains("*?$", key):
			out += regexp.QuoteMeta(key)
		case len(got) == 1:
			out += regexp.QuoteMeta(got[0])
		case len(got) == 0 && m[4] >= 0:
			out += regexp.QuoteMeta(v[m[4]:m[5]])
		default:
			known = false
		}
	}
	return out + quote(v[at:], wild), known
}

func (s slow) holds(operator, key string, values []any, variables bool) bool {
	got := s.request.Keys(key)
	if operator == "Null" {
		return slices.ContainsFunc(values, func(v any) bool { return text(v) == strconv.FormatBool(len(got) == 0) })
	}
	set, plain, qualified := strings.Cut(operator, ":")
	if !qualified {
		set, plain = "", operator
	} else if strings.Join(got, "") == "" {
		got = nil
	}
	plain, ifExists := strings.CutSuffix(plain, "IfExists")
	negated := strings.Contains(plain, "Not")
	plain = strings.Replace(plain, "Not", "", 1)
	if len(got) == 0 {
		return ifExists || set == "ForAllValues" || set == "" && negated
	}
	one := func(g string) bool {
		matched := slices.ContainsFunc(values, func(v any) bool { return s.compare(plain, text(v), g, variables) })
		return matched != negated
	}
	all := !slices.ContainsFunc(got, func(g string) bool { return !one(g) })
	if set == "ForAllValues" || set == "" && negated {
		return all
	}
	return slices.ContainsFunc(got, one)
}

func text(v any) string {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return v.(string)
}

func (s slow) compare(operator, v, got string, variables bool) bool {
	switch operator {
	case "StringEquals", "StringLike", "StringEqualsIgnoreCase":
		pattern, ok := s.pattern(v, variables, operator == "StringLike")
		if strings.HasSuffix(operator, "Case") {
			pattern = "(?i)" + pattern
		}
		return ok && s.matches("(?s)^(?:"+pattern+")$", got)
	case "ArnEquals", "ArnLike":
		pattern, ok := s.pattern(v, variables, true)
		parts := strings.SplitN(pattern, ":", 6)
		of := strings.SplitN(got, ":", 6)
		if !ok || len(parts) != 6 || len(of) != 6 {
			return false
		}
		for i := range parts {
			if !s.matches("(?s)^"+parts[i]+"$", of[i]) {
				return false
			}
		}
		return true
	case "Bool":
		return strings.EqualFold(v, got)
	case "BinaryEquals":
		a, _ := base64.StdEncoding.DecodeString(v)
		b, err := base64.StdEncoding.DecodeString(got)
		return err == nil && string(a) == string(b)
	case "IpAddress":
		a, err := netip.ParseAddr(got)
		return err == nil && netip.MustParsePrefix(v).Contains(a)
	}
	var sign int
	if kind, ok := strings.CutPrefix(operator, "Date"); ok {
		a, err := time.Parse(time.RFC3339, got)
		if seconds, noNumber := strconv.ParseInt(got, 10, 64); noNumber == nil {
			a, err = time.Unix(seconds, 0), nil
		}
		b, _ := time.Parse(time.RFC3339, v)
		if err != nil {
			return false
		}
		sign, operator = a.Compare(b), kind
	} else {
		a, err := strconv.ParseFloat(got, 64)
		b, _ := strconv.ParseFloat(v, 64)
		if err != nil {
			return false
		}
		sign, operator = int(a-b), strings.TrimPrefix(operator, "Numeric")
	}
	return map[string]bool{
		"Equals": sign == 0, "LessThan": sign < 0, "LessThanEquals": sign <= 0,
		"GreaterThan": sign > 0, "GreaterThanEquals": sign >= 0,
	}[operator]
}
