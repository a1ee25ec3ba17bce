package policy

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// In a compiled pattern the wildcards are two bytes that no UTF-8 text has, so
// that a literal star stays one.
const (
	anyRun = '\xff' // "*"
	anyOne = '\xfe' // "?"
)

var wildcards = strings.NewReplacer("*", string([]byte{anyRun}), "?", string([]byte{anyOne}))

// pattern compiles a text with wildcards. Stars in a row are one: they mean no
// more, and each would be a step.
func pattern(text string) string {
	b := []byte(wildcards.Replace(text))
	return string(slices.CompactFunc(b, func(c, next byte) bool { return c == anyRun && next == anyRun }))
}

// hasWildcard reports whether the compiled pattern is more than a literal.
func hasWildcard(pattern string) bool {
	return strings.IndexByte(pattern, anyRun) >= 0 || strings.IndexByte(pattern, anyOne) >= 0
}

// glob reports whether the whole of s matches the compiled pattern. It
// remembers only the last star: the earlier ones took the least they could,
// and more would not help. Its cost is at most len(p)*len(s), so each step is
// taken off what is left; nothing matches when that is below zero. A character
// is a rune, or a byte that belongs to none.
func glob[P, S string | []byte](p P, s S, left *int) bool {
	at, star, mark := 0, -1, 0
	for i := 0; i < len(s); {
		if *left--; *left < 0 {
			*left = -1
			return false
		}
		switch {
		case at < len(p) && p[at] == anyRun:
			star, mark = at, i
			at++
			continue
		case at < len(p) && p[at] == anyOne:
			at++
			i += width(s[i:])
			continue
		case at < len(p) && p[at] == s[i]:
			at++
			i++
			continue
		case star < 0:
			return false
		}
		mark += width(s[mark:])
		at, i = star+1, mark
	}
	for at < len(p) && p[at] == anyRun {
		at++
	}
	return at == len(p)
}

// width returns the bytes of the first character of s.
func width[S string | []byte](s S) int {
	n := 1
	if s[0] >= utf8.RuneSelf {
		_, n = utf8.DecodeRuneInString(string(s[:min(len(s), utf8.UTFMax)]))
	}
	return n
}

// lower folds ASCII letters; actions and condition keys have no others that
// count.
func lower(s string) string { return string(appendLower(nil, s)) }

func appendLower(b []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// like is glob for a pattern that is known beforehand: runs are what stands
// between its stars. Its cost is about that of comparing it with s, and then of
// each run and of going through s once; it is taken off what is left.
func like(runs []string, s string, left *int) bool {
	first, last := runs[0], runs[len(runs)-1]
	if *left -= min(len(s), len(first)+len(last)) / wordSteps; *left < 0 {
		*left = -1
		return false
	}
	if len(runs) == 1 {
		return s == first
	}
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	if *left -= len(runs) + len(s)/4; *left < 0 {
		*left = -1
		return false
	}
	for _, run := range runs[1 : len(runs)-1] {
		at := strings.Index(s, run)
		if at < 0 {
			return false
		}
		s = s[at+len(run):]
	}
	return true
}

// template is a value that may hold policy variables. Wildcards are compiled
// if the place allows them.
type template struct {
	fixed string   // the value, if there are no parts
	runs  []string // its text between stars, if it has no other wildcard
	parts []part
}

// fix makes a template without variables.
func fix(compiled string) template {
	t := template{fixed: compiled}
	if strings.IndexByte(compiled, anyOne) < 0 {
		t.runs = strings.Split(compiled, "\xff")
	}
	return t
}

// part is a literal, or a variable if it has a key.
type part struct {
	literal  string // also a variable's default
	key      string // in lower case
	written  string // the key as the document has it
	fallback bool   // literal is the default
}

// Special variables stand for characters that would mean something (IAM User
// Guide, policy variables).
var specials = map[string]string{"*": "*", "?": "?", "$": "$"}

// literal makes a value without variables.
func literal(text string, wild bool) template {
	if wild {
		text = pattern(text)
	}
	return fix(text)
}

// compile makes a value with variables. It reports false for a variable that
// is not closed, has no key or a malformed default.
func compile(text string, wild bool) (template, bool) {
	var t template
	add := func(s string) {
		if n := len(t.parts); n > 0 && t.parts[n-1].key == "" {
			t.parts[n-1].literal += s
			return
		}
		t.parts = append(t.parts, part{literal: s})
	}
	for {
		before, rest, found := strings.Cut(text, "${")
		add(literal(before, wild).fixed)
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return template{}, false
		}
		text = after
		if s, ok := specials[name]; ok {
			add(s)
			continue
		}
		p, ok := variable(name)
		if !ok {
			return template{}, false
		}
		t.parts = append(t.parts, p)
	}
	if len(t.parts) == 1 && t.parts[0].key == "" {
		return fix(t.parts[0].literal), true
	}
	return t, true
}

// variable reads what stands between the braces: a key, or a key, a comma and
// a default in single quotes.
func variable(s string) (part, bool) {
	key, fallback, comma := strings.Cut(s, ",")
	p := part{key: lower(key), written: key, fallback: comma}
	if !strings.Contains(key, ":") || strings.ContainsAny(key, "${'") || strings.TrimSpace(key) != key {
		return part{}, false
	}
	if !comma {
		return p, true
	}
	fallback = strings.TrimSpace(fallback)
	if len(fallback) < 2 || fallback[0] != '\'' || fallback[len(fallback)-1] != '\'' {
		return part{}, false
	}
	p.literal = fallback[1 : len(fallback)-1]
	return p, !strings.Contains(p.literal, "'")
}

// expand returns the value with its variables replaced, and false if one has
// no value: a key that is absent or has several values, and no default. It has
// none either when the budget is spent.
func (t template) expand(e *evaluation) ([]byte, bool) {
	b := e.buffer[:0]
	for _, p := range t.parts {
		if !e.spend(compareSteps + len(p.literal)/wordSteps) {
			return nil, false
		}
		if p.key == "" {
			b = append(b, p.literal...)
			continue
		}
		switch got := e.lookup(p.key); {
		case len(got) == 1:
			if !e.spend(len(got[0])) {
				return nil, false
			}
			b = append(b, strings.ToValidUTF8(got[0], "\uFFFD")...)
		case p.fallback && len(got) == 0:
			b = append(b, p.literal...)
		default:
			return nil, false
		}
	}
	return b, true
}

// matches reports whether s matches the value as a pattern, and whether the
// value could be made.
func (t template) matches(e *evaluation, s string) (matched, known bool) {
	switch {
	case !e.spend(compareSteps):
		return false, false
	case t.runs != nil:
		return like(t.runs, s, &e.left), true
	case t.parts == nil:
		return glob(t.fixed, s, &e.left), true
	}
	b, ok := t.expand(e)
	return ok && glob(b, s, &e.left), ok
}
