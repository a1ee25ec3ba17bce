package awsplan

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lighterage/lighterage/internal/api/awsmodel"
)

// Rule is a sort of constraint.
type Rule uint8

// The rules.
const (
	NotNull Rule = iota
	MinLength
	MaxLength
	MinValue
	MaxValue
	MatchPattern
	EnumSet
)

// Violation is a constraint that an input failed to satisfy.
type Violation struct {
	Path  string // as "tags.2.member.key": list places count from 1
	Rule  Rule
	Limit int64           // of the four bounds
	Shape *awsmodel.Shape // what was violated
	Value string          // the offending value in short, or Withheld; empty for NotNull
	InKey bool            // it is a key of the map at Path
}

// Violated returns the first constraint that the value does not satisfy, in
// the model's order and a value before its parts, or nil.
func (p *Plan) Violated(v reflect.Value) *Violation {
	if !p.relaxed {
		if bad := p.violatedItself(v); bad != nil {
			return bad
		}
	}
	switch p.Shape.Kind {
	case awsmodel.Structure:
		return p.violatedMembers(v)
	case awsmodel.List:
		for i := range v.Len() {
			if bad := p.Elem.Violated(v.Index(i)); bad != nil {
				return bad.below(strconv.Itoa(i+1) + ".member")
			}
		}
	case awsmodel.Map:
		return p.violatedEntries(v)
	}
	return nil
}

func (p *Plan) violatedMembers(v reflect.Value) *Violation {
	for i, m := range p.Shape.Members {
		value := v.Field(i)
		if value.IsNil() {
			if m.Required {
				return &Violation{Path: pathName(m.Name), Rule: NotNull, Shape: m.Shape}
			}
			continue
		}
		if value.Kind() == reflect.Pointer {
			value = value.Elem()
		}
		if bad := p.Members[i].Violated(value); bad != nil {
			return bad.below(pathName(m.Name))
		}
	}
	return nil
}

func (p *Plan) violatedEntries(v reflect.Value) *Violation {
	entries := map[string]reflect.Value{}
	for key, entry := range v.Seq2() {
		entries[key.String()] = entry
	}
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		if bad := p.Key.Violated(reflect.ValueOf(key)); bad != nil {
			bad.InKey = true
			return bad
		}
		if bad := p.Elem.Violated(entries[key]); bad != nil {
			return bad.below(key + ".member")
		}
	}
	return nil
}

// violatedItself checks what is said of the value and not of its parts.
func (p *Plan) violatedItself(v reflect.Value) *Violation {
	s := p.Shape
	tooSmall, tooLarge := MinLength, MaxLength
	var size int64
	switch s.Kind {
	case awsmodel.String:
		size = int64(utf8.RuneCountInString(v.String()))
	case awsmodel.List, awsmodel.Map:
		size = int64(v.Len())
	case awsmodel.Bytes:
		size = v.Interface().(awsmodel.Blob).Len()
	case awsmodel.Integer, awsmodel.Long:
		size, tooSmall, tooLarge = v.Int(), MinValue, MaxValue
	default:
		return nil
	}
	switch {
	case s.Min != nil && size < *s.Min:
		return &Violation{Rule: tooSmall, Limit: *s.Min, Shape: s, Value: inShort(s, v)}
	case s.Max != nil && size > *s.Max:
		return &Violation{Rule: tooLarge, Limit: *s.Max, Shape: s, Value: inShort(s, v)}
	case p.pattern != nil && !p.pattern().MatchString(v.String()):
		return &Violation{Rule: MatchPattern, Shape: s, Value: inShort(s, v)}
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, v.String()):
		return &Violation{Rule: EnumSet, Shape: s, Value: inShort(s, v)}
	}
	return nil
}

func (b *Violation) below(part string) *Violation {
	b.Path = strings.TrimSuffix(part+"."+b.Path, ".")
	return b
}

// pathName returns a member's name as violations spell it: ECR's tag Key is
// 'key' there.
func pathName(name string) string { return strings.ToLower(name[:1]) + name[1:] }

// maxShown is how much of an offending text goes into an answer, in bytes.
const maxShown = 256

// Withheld stands for the value of a secret, which no error repeats.
const Withheld = "***"

// inShort returns a value for an error's text.
func inShort(s *awsmodel.Shape, v reflect.Value) string {
	if s.Secret {
		return Withheld
	}
	switch s.Kind {
	case awsmodel.String:
		text := v.String()
		if len(text) > maxShown {
			text = strings.ToValidUTF8(text[:maxShown], "") + "…"
		}
		return text
	case awsmodel.Integer, awsmodel.Long:
		return strconv.FormatInt(v.Int(), 10)
	case awsmodel.List, awsmodel.Map:
		if v.Len() == 0 {
			return "[]"
		}
		return "[…]"
	}
	return "…"
}
