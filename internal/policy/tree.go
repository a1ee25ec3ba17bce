package policy

import (
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDepth is more than any document needs: document, statements, statement,
// Condition, operator, values.
const maxDepth = 8

// node is one JSON value with its place in the text. At most one of its
// members is set; a null has none.
type node struct {
	scalar     any // string, json.Number, bool
	list       []node
	members    []member
	isList     bool
	isObject   bool
	start, end int
}

type member struct {
	name  string
	value node
}

// readTree reads one JSON value that fills the text. It reports false for text
// that is no JSON or no UTF-8, for a name given twice in an object, and for
// nesting that no policy has.
func readTree(text string) (node, bool) {
	if !utf8.ValidString(text) {
		return node{}, false
	}
	r := reader{text: text, json: json.NewDecoder(strings.NewReader(text))}
	r.json.UseNumber()
	root, ok := r.value(0)
	if !ok {
		return node{}, false
	}
	if _, err := r.json.Token(); err != io.EOF {
		return node{}, false
	}
	return root, true
}

type reader struct {
	text string
	json *json.Decoder
}

func (r *reader) value(depth int) (node, bool) {
	if depth > maxDepth {
		return node{}, false
	}
	token, err := r.json.Token()
	if err != nil {
		return node{}, false
	}
	end := int(r.json.InputOffset())
	switch token := token.(type) {
	case json.Delim:
		n := node{start: end - 1}
		ok := false
		switch token {
		case '{':
			n.isObject = true
			n.members, ok = r.object(depth)
		case '[':
			n.isList = true
			n.list, ok = r.list(depth)
		}
		n.end = int(r.json.InputOffset())
		return n, ok
	default:
		return node{scalar: token, end: end}, true
	}
}

func (r *reader) object(depth int) ([]member, bool) {
	var all []member
	seen := map[string]bool{}
	for r.json.More() {
		token, err := r.json.Token()
		if err != nil {
			return nil, false
		}
		name, ok := token.(string)
		if !ok || seen[name] {
			return nil, false
		}
		seen[name] = true
		value, ok := r.value(depth + 1)
		if !ok {
			return nil, false
		}
		all = append(all, member{name, value})
	}
	_, err := r.json.Token() // the closing brace
	return all, err == nil
}

func (r *reader) list(depth int) ([]node, bool) {
	var all []node
	for r.json.More() {
		value, ok := r.value(depth + 1)
		if !ok {
			return nil, false
		}
		all = append(all, value)
	}
	_, err := r.json.Token() // the closing bracket
	return all, err == nil
}

// text returns the string that n is.
func (n node) text() (string, bool) {
	s, ok := n.scalar.(string)
	return s, ok
}

// texts returns the strings of n, which is one or a list of them. The list is
// not nil when there was one.
func (n node) texts() ([]string, bool) {
	return n.collect(node.text)
}

// scalars returns the values of n as strings: a condition's values may be
// written as numbers and booleans too.
func (n node) scalars() ([]string, bool) {
	return n.collect(func(n node) (string, bool) {
		switch v := n.scalar.(type) {
		case string:
			return v, true
		case json.Number:
			return v.String(), true
		case bool:
			if v {
				return "true", true
			}
			return "false", true
		}
		return "", false
	})
}

func (n node) collect(one func(node) (string, bool)) ([]string, bool) {
	if !n.isList {
		s, ok := one(n)
		return []string{s}, ok
	}
	all := make([]string, 0, len(n.list))
	for _, item := range n.list {
		s, ok := one(item)
		if !ok {
			return nil, false
		}
		all = append(all, s)
	}
	return all, true
}
