package lifecycle

import "strings"

// requirement is a rule's tagging requirement, made ready.
type requirement struct {
	status  TagStatus
	entries [][]string // the runs between the stars of a pattern; all must be met
}

func (r *Rule) requirement() requirement {
	q := requirement{status: r.Status}
	for _, p := range r.Patterns {
		q.entries = append(q.entries, strings.Split(p, "*"))
	}
	for _, p := range r.Prefixes {
		q.entries = append(q.entries, []string{p, ""})
	}
	return q
}

// met reports whether an image with the tags meets the requirement: each entry
// matches at least one of them.
func (q requirement) met(tags []string) bool {
	switch q.status {
	case AnyTag:
		return true
	case Untagged:
		return len(tags) == 0
	}
	for _, runs := range q.entries {
		if !matchesAny(runs, tags) {
			return false
		}
	}
	return len(q.entries) > 0 && len(tags) > 0
}

func matchesAny(runs, tags []string) bool {
	for _, tag := range tags {
		if matches(runs, tag) {
			return true
		}
	}
	return false
}

// matches reports whether the whole of s is the runs with anything between
// them. The leftmost place of each run leaves the most for the rest.
func matches(runs []string, s string) bool {
	first, last := runs[0], runs[len(runs)-1]
	if len(runs) == 1 {
		return s == first
	}
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, run := range runs[1 : len(runs)-1] {
		_, rest, ok := strings.Cut(s, run)
		if !ok {
			return false
		}
		s = rest
	}
	return true
}
