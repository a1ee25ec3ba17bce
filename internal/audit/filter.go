package audit

import (
	"fmt"
	"strings"
	"time"
)

// Filter says which events are looked for. An empty field lets all pass. In
// patterns * stands for any text and ? for any one character.
type Filter struct {
	Principal  string    // pattern of the caller's ARN, name (user, role, role/session, root), access key id or unique id
	Repository string    // pattern of the name or ARN of a repository, or of another resource's ARN
	Action     string    // pattern of "PutImage" or "ecr:PutImage", in any case
	Outcome    Outcome   // one of the constants
	From       time.Time // not before
	To         time.Time // before
}

// Check returns an error that says what is wrong with the filter, if anything.
func (f Filter) Check() error {
	switch f.Outcome {
	case "", OK, Denied, Failed:
	default:
		return fmt.Errorf("outcome %q is none of %s, %s and %s", f.Outcome, OK, Denied, Failed)
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		return fmt.Errorf("no time is from %s and before %s", f.From.Format(time.RFC3339), f.To.Format(time.RFC3339))
	}
	return nil
}

// Matches reports whether the event is looked for.
func (f Filter) Matches(e *Event) bool {
	return (f.From.IsZero() || !e.Time.Before(f.From)) &&
		(f.To.IsZero() || e.Time.Before(f.To)) &&
		(f.Outcome == "" || e.Outcome() == f.Outcome) &&
		(f.Action == "" || matchesAction(f.Action, e)) &&
		(f.Principal == "" || matchesPrincipal(f.Principal, &e.Identity)) &&
		(f.Repository == "" || matchesRepository(f.Repository, e))
}

func matchesAction(pattern string, e *Event) bool {
	pattern = strings.ToLower(pattern)
	name := strings.ToLower(e.Name)
	if !strings.Contains(pattern, ":") {
		return glob(pattern, name)
	}
	service, _, _ := strings.Cut(strings.ToLower(e.Source), ".")
	return glob(pattern, service+":"+name)
}

func matchesPrincipal(pattern string, id *Identity) bool {
	names := []string{id.ARN, afterResourceType(id.ARN), id.UserName, id.AccessKeyID, id.PrincipalID}
	if s := id.SessionContext; s != nil && s.Issuer != nil {
		names = append(names, s.Issuer.ARN, s.Issuer.UserName, s.Issuer.PrincipalID)
	}
	return matchesAny(pattern, names)
}

func matchesRepository(pattern string, e *Event) bool {
	for _, r := range e.Resources {
		names := []string{r.ARN}
		if _, name, ok := strings.Cut(r.ARN, ":repository/"); ok {
			names = append(names, name)
		}
		if matchesAny(pattern, names) {
			return true
		}
	}
	return false
}

// matchesAny matches no empty name: a pattern of * asks for those with one.
func matchesAny(pattern string, names []string) bool {
	for _, name := range names {
		if name != "" && glob(pattern, name) {
			return true
		}
	}
	return false
}

// afterResourceType returns "dev/alice" of ".../123456789012:user/dev/alice",
// "Role/session" of "...:assumed-role/Role/session", and "root".
func afterResourceType(arn string) string {
	resource := arn[strings.LastIndexByte(arn, ':')+1:]
	if _, name, ok := strings.Cut(resource, "/"); ok {
		return name
	}
	return resource
}

// glob reports whether the pattern stands for all of s. On a mismatch only the
// last * takes one character more, so the time is at most the product of the
// lengths.
func glob(pattern, s string) bool {
	p, i := 0, 0
	star, from := -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
