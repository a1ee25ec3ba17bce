package policy

import (
	"encoding/json"
	"errors"
	"strconv"
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
	at    int // of the name
	value node
}

// readTree reads one JSON value that fills the text. An error has no sentence
// yet: where the fault is, and which, is what JSON says. Refused are text that is no
// JSON or no UTF-8, a name given twice in an object, and nesting that no policy
// has.
func readTree(text string) (node, *Error) {
	if at := invalidUTF8(text); at >= 0 {
		return node{}, &Error{At: at, Detail: "this is no UTF-8"}
	}
	var whole json.RawMessage
	err := json.Unmarshal([]byte(text), &whole)
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		return node{}, &Error{At: max(int(wrong.Offset)-1, 0), Detail: wrong.Error()}
	}
	if err != nil {
		return node{}, &Error{At: 0, Detail: err.Error()}
	}
	r := reader{text: text, json: json.NewDecoder(strings.NewReader(text))}
	r.json.UseNumber()
	return r.value(0)
}

func invalidUTF8(text string) int {
	if utf8.ValidString(text) {
		return -1
	}
	for at, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[at:], "\uFFFD") {
			return at
		}
	}
	return -1
}

// reader reads text that is JSON.
type reader struct {
	text string
	json *json.Decoder
}

// token reads a token, and returns where it begins.
func (r *reader) token() (json.Token, int, *Error) {
	at := int(r.json.InputOffset())
	at += len(r.text[at:]) - len(strings.TrimLeft(r.text[at:], " \t\r\n,:"))
	token, err := r.json.Token()
	if err != nil {
		return nil, at, &Error{At: at, Detail: err.Error()}
	}
	return token, at, nil
}

func (r *reader) value(depth int) (node, *Error) {
	token, at, f := r.token()
	if f != nil {
		return node{}, f
	}
	if depth > maxDepth {
		return node{}, &Error{At: at, Detail: "this is nested deeper than a policy can be"}
	}
	n := node{start: at}
	switch token {
	case json.Delim('{'):
		n.isObject = true
		n.members, f = r.object(depth)
	case json.Delim('['):
		n.isList = true
		n.list, f = r.list(depth)
	default:
		n.scalar = token
	}
	n.end = int(r.json.InputOffset())
	return n, f
}

func (r *reader) object(depth int) ([]member, *Error) {
	var all []member
	seen := map[string]bool{}
	for r.json.More() {
		token, at, f := r.token()
		if f != nil {
			return nil, f
		}
		name, _ := token.(string)
		if seen[name] {
			return nil, &Error{At: at, Detail: strconv.Quote(name) + " is given twice"}
		}
		seen[name] = true
		value, f := r.value(depth + 1)
		if f != nil {
			return nil, f
		}
		all = append(all, member{name, at, value})
	}
	_, _, f := r.token() // the closing brace
	return all, f
}

func (r *reader) list(depth int) ([]node, *Error) {
	var all []node
	for r.json.More() {
		value, f := r.value(depth + 1)
		if f != nil {
			return nil, f
		}
		all = append(all, value)
	}
	_, _, f := r.token() // the closing bracket
	return all, f
}

// text returns the string that n is.
func (n node) text() (string, bool) {
	s, ok := n.scalar.(string)
	return s, ok
}

// word is a value and where it stands.
type word struct {
	text string
	at   int
}

// texts returns the strings of n, which is one or a list of them. The list is
// not nil when there was one. If something else is among them, at is where.
func (n node) texts() (all []word, at int, ok bool) {
	return n.collect(node.text)
}

// scalars returns the values of n as strings: a condition's values may be
// written as numbers and booleans too.
func (n node) scalars() (all []word, at int, ok bool) {
	return n.collect(func(n node) (string, bool) {
		switch v := n.scalar.(type) {
		case string:
			return v, true
		case json.Number:
			return v.String(), true
		case bool:
			return strconv.FormatBool(v), true
		}
		return "", false
	})
}

func (n node) collect(one func(node) (string, bool)) (all []word, at int, ok bool) {
	items := n.list
	if !n.isList {
		items = []node{n}
	}
	all = make([]word, 0, len(items))
	for _, item := range items {
		s, ok := one(item)
		if !ok {
			return nil, item.start, false
		}
		all = append(all, word{s, item.start})
	}
	return all, n.start, true
}
