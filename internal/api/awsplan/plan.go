package awsplan

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/lighterage/lighterage/internal/api/awsmodel"
)

// Plan is a shape joined with the Go type that holds its values: what decoders,
// the validator and encoders walk. It is not changed once it is compiled.
type Plan struct {
	Shape   *awsmodel.Shape
	Type    reflect.Type   // of a value; as a member, scalars and structures are pointers to it
	Members []*Plan        // of a structure, as its shape's Members and Type's fields
	Index   map[string]int // wire name → place in Members
	Key     *Plan          // of a map
	Elem    *Plan          // of a list or map

	pattern func() *regexp.Regexp // nil: none
	relaxed bool                  // constraints of this very value are not checked
}

var (
	timeType = reflect.TypeFor[time.Time]()
	blobType = reflect.TypeFor[awsmodel.Blob]()
)

// scalars gives each plain kind the Go kind of its values.
var scalars = map[awsmodel.Kind]reflect.Kind{
	awsmodel.String:  reflect.String,
	awsmodel.Integer: reflect.Int32,
	awsmodel.Long:    reflect.Int64,
	awsmodel.Float:   reflect.Float32,
	awsmodel.Double:  reflect.Float64,
	awsmodel.Boolean: reflect.Bool,
}

// Compile joins a shape and a type. relax holds the paths of members whose own
// constraints are not checked, as "imageIds.member.imageTag"; one that leads
// nowhere is an error, as is a type that is not the shape's. A pattern is read
// when a value is first held against it, because to read all of a server's
// takes as long as the rest of its start: one that cannot be read panics then.
func Compile(shape *awsmodel.Shape, typ reflect.Type, relax ...string) (*Plan, error) {
	c := compiler{relax: map[string]bool{}}
	for _, path := range relax {
		c.relax[path] = true
	}
	p, err := c.plan(shape, typ, "")
	if err != nil {
		return nil, err
	}
	for path := range c.relax {
		err = errors.Join(err, fmt.Errorf("shape %s has no member at %q", shape.Name, path))
	}
	return p, err
}

type compiler struct{ relax map[string]bool }

func (c *compiler) plan(shape *awsmodel.Shape, typ reflect.Type, path string) (*Plan, error) {
	p := &Plan{Shape: shape, Type: typ, relaxed: c.relax[path]}
	delete(c.relax, path)
	if !fits(shape, typ) {
		return nil, fmt.Errorf("shape %s cannot be held by a %s", shape.Name, typ)
	}
	var err error
	switch shape.Kind {
	case awsmodel.Structure:
		err = c.structure(p, path)
	case awsmodel.List:
		p.Elem, err = c.plan(shape.Elem, typ.Elem(), join(path, "member"))
	case awsmodel.Map:
		if p.Elem, err = c.plan(shape.Elem, typ.Elem(), join(path, "member")); err == nil {
			p.Key, err = c.plan(shape.Key, typ.Key(), join(path, "key"))
		}
	case awsmodel.String:
		if shape.Pattern != "" {
			p.pattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(whole(shape)) })
		}
	}
	if err != nil {
		return nil, fmt.Errorf("shape %s: %w", shape.Name, err)
	}
	return p, nil
}

// whole is the shape's pattern for whole values: as a search, Lightsail's ^a|b$
// would accept "ab!!!".
func whole(shape *awsmodel.Shape) string {
	return `^(?:` + cmp.Or(shape.Match, shape.Pattern) + `)$`
}

// MaxMembers is the most members that a structure may have: a decoder's set of
// the members it has seen has room for so many.
const MaxMembers = 64

func (c *compiler) structure(p *Plan, path string) error {
	if p.Type.NumField() != len(p.Shape.Members) {
		return fmt.Errorf("%s has %d fields for %d members", p.Type, p.Type.NumField(), len(p.Shape.Members))
	}
	if len(p.Shape.Members) > MaxMembers {
		return fmt.Errorf("%d members are more than %d", len(p.Shape.Members), MaxMembers)
	}
	p.Index = make(map[string]int, len(p.Shape.Members))
	for i, m := range p.Shape.Members {
		field := p.Type.Field(i)
		if !strings.EqualFold(field.Name, m.Name) {
			return fmt.Errorf("field %s stands for member %s", field.Name, m.Name)
		}
		typ := field.Type
		if !direct(m.Shape.Kind) {
			if typ.Kind() != reflect.Pointer {
				return fmt.Errorf("field %s is no pointer", field.Name)
			}
			typ = typ.Elem()
		}
		member, err := c.plan(m.Shape, typ, join(path, m.Name))
		if err != nil {
			return err
		}
		p.Members = append(p.Members, member)
		p.Index[m.Name] = i
	}
	return nil
}

// direct reports whether a value that can itself be nil stands for the kind.
func direct(k awsmodel.Kind) bool {
	return k == awsmodel.List || k == awsmodel.Map || k == awsmodel.Bytes
}

func fits(s *awsmodel.Shape, t reflect.Type) bool {
	switch s.Kind {
	case awsmodel.Structure:
		return t.Kind() == reflect.Struct && t != timeType
	case awsmodel.List:
		return t.Kind() == reflect.Slice
	case awsmodel.Map:
		return t.Kind() == reflect.Map && t.Key().Kind() == reflect.String && s.Key.Kind == awsmodel.String
	case awsmodel.Timestamp:
		return t == timeType
	case awsmodel.Bytes:
		return t == blobType
	}
	return t.Kind() == scalars[s.Kind]
}

func join(path, part string) string {
	if path == "" {
		return part
	}
	return path + "." + part
}

// Most returns the upper bound of a length as far as it is checked. A decoder
// need not build more than one entry, or character, more to let it be seen.
func (p *Plan) Most() int64 {
	if p.Shape.Max == nil || p.relaxed {
		return math.MaxInt32
	}
	return *p.Shape.Max
}
