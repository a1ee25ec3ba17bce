package awsjson

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/api/awsmodel"
)

// plan is a shape joined with the Go type that holds its values: what decoder,
// validator and encoder walk.
type plan struct {
	shape   *awsmodel.Shape
	typ     reflect.Type   // of a value; as a member, scalars and structures are pointers to it
	members []*plan        // of a structure, as its shape's Members and typ's fields
	index   map[string]int // wire name → place in members
	key     *plan          // of a map
	elem    *plan          // of a list or map
	pattern *regexp.Regexp // nil: none
	relaxed bool           // constraints of this very value are not checked
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

// compile joins a shape and a type. relax holds the paths of members whose own
// constraints are not checked, as "imageIds.member.imageTag"; one that leads
// nowhere is an error.
func compile(shape *awsmodel.Shape, typ reflect.Type, relax []string) (*plan, error) {
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

func (c *compiler) plan(shape *awsmodel.Shape, typ reflect.Type, path string) (*plan, error) {
	p := &plan{shape: shape, typ: typ, relaxed: c.relax[path]}
	delete(c.relax, path)
	if !fits(shape, typ) {
		return nil, fmt.Errorf("shape %s cannot be held by a %s", shape.Name, typ)
	}
	var err error
	switch shape.Kind {
	case awsmodel.Structure:
		err = c.structure(p, path)
	case awsmodel.List:
		p.elem, err = c.plan(shape.Elem, typ.Elem(), join(path, "member"))
	case awsmodel.Map:
		if p.elem, err = c.plan(shape.Elem, typ.Elem(), join(path, "member")); err == nil {
			p.key, err = c.plan(shape.Key, typ.Key(), join(path, "key"))
		}
	case awsmodel.String:
		if shape.Pattern != "" {
			// Whole: as a search, Lightsail's ^a|b$ would accept "ab!!!".
			p.pattern, err = regexp.Compile(`^(?:` + shape.Pattern + `)$`)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("shape %s: %w", shape.Name, err)
	}
	return p, nil
}

// maxMembers is what the decoder's set of seen members has room for.
const maxMembers = 64

func (c *compiler) structure(p *plan, path string) error {
	if p.typ.NumField() != len(p.shape.Members) {
		return fmt.Errorf("%s has %d fields for %d members", p.typ, p.typ.NumField(), len(p.shape.Members))
	}
	if len(p.shape.Members) > maxMembers {
		return fmt.Errorf("%d members are more than %d", len(p.shape.Members), maxMembers)
	}
	p.index = make(map[string]int, len(p.shape.Members))
	for i, m := range p.shape.Members {
		field := p.typ.Field(i)
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
		p.members = append(p.members, member)
		p.index[m.Name] = i
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

// The room for a body: what nothing in the model asks more for, and what is
// added to the values that do.
const (
	defaultLimit = 1 << 20
	envelope     = 64 << 10
)

// bodyLimit returns the size of the largest body that an input can need: its
// blobs in base64, its bounded strings with every character escaped.
func bodyLimit(input *awsmodel.Shape) int64 {
	limit := int64(envelope)
	for _, m := range input.Members {
		switch s := m.Shape; {
		case s.Max == nil:
		case s.Kind == awsmodel.Bytes:
			limit += (*s.Max + 2) / 3 * 4
		case s.Kind == awsmodel.String:
			limit += *s.Max * int64(len(`\u0000`))
		}
	}
	return max(limit, defaultLimit)
}

// most returns the upper bound of a length as far as it is checked.
func (p *plan) most() int64 {
	if p.shape.Max == nil || p.relaxed {
		return math.MaxInt32
	}
	return *p.shape.Max
}
