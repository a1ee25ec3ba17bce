package awsplan_test

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lighterage/lighterage/internal/api/awsmodel"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lighteragemodel"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lightsailmodel"
	"github.com/lighterage/lighterage/internal/api/awsmodel/stsmodel"
	"github.com/lighterage/lighterage/internal/api/awsplan"
	"github.com/lighterage/lighterage/internal/fault"
)

type word string

type inner struct{ Name *string }

type outer struct {
	Word  *word
	Inner *inner
	List  []inner
	Map   map[string]inner
	At    *time.Time
}

var (
	text    = &awsmodel.Shape{Name: "Text", Kind: awsmodel.String}
	name    = &awsmodel.Shape{Name: "Name", Kind: awsmodel.String, Max: new(int64(5)), Pattern: `\u0061+|b`, Match: `\x{0061}+|b`}
	secret  = &awsmodel.Shape{Name: "Secret", Kind: awsmodel.String, Min: new(int64(3)), Secret: true}
	innerly = structure("Inner", awsmodel.Member{Name: "name", Shape: name, Required: true})
	listed  = &awsmodel.Shape{Name: "List", Kind: awsmodel.List, Elem: innerly, Max: new(int64(2))}
	mapped  = &awsmodel.Shape{Name: "Map", Kind: awsmodel.Map, Key: name, Elem: innerly}
	moment  = &awsmodel.Shape{Name: "At", Kind: awsmodel.Timestamp}
	outerly = structure("Outer",
		awsmodel.Member{Name: "Word", Shape: text}, awsmodel.Member{Name: "Inner", Shape: innerly},
		awsmodel.Member{Name: "List", Shape: listed}, awsmodel.Member{Name: "Map", Shape: mapped}, awsmodel.Member{Name: "At", Shape: moment})
)

func structure(name string, members ...awsmodel.Member) *awsmodel.Shape {
	return &awsmodel.Shape{Name: name, Kind: awsmodel.Structure, Members: members}
}

func TestCompile(t *testing.T) {
	p, err := awsplan.Compile(outerly, reflect.TypeFor[outer](), "List", "Map.key")
	if err != nil {
		t.Fatal(err)
	}
	if p.Index["At"] != 4 || p.Members[2].Elem.Members[0].Shape != name || p.Members[3].Key.Type != reflect.TypeFor[string]() {
		t.Errorf("%+v", p)
	}
	if relaxed, bound := p.Members[2].Most(), p.Members[2].Elem.Members[0].Most(); relaxed <= 2 || bound != 5 {
		t.Errorf("a relaxed list holds %d, a name %d", relaxed, bound)
	}
}

func TestCompileRefuses(t *testing.T) {
	many := structure("Many")
	for range awsplan.MaxMembers + 1 {
		many.Members = append(many.Members, awsmodel.Member{Name: "Name", Shape: text})
	}
	fields := make([]reflect.StructField, len(many.Members))
	for i := range fields {
		fields[i] = reflect.StructField{Name: "F" + strings.Repeat("a", i), Type: reflect.TypeFor[*string]()}
	}
	for _, tt := range []struct {
		name  string
		shape *awsmodel.Shape
		typ   reflect.Type
		relax []string
		want  string
	}{
		{"another type", text, reflect.TypeFor[int](), nil, "cannot be held by a int"},
		{"a moment as a structure", structure("S"), reflect.TypeFor[time.Time](), nil, "cannot be held by a time.Time"},
		{"too few fields", outerly, reflect.TypeFor[inner](), nil, "1 fields for 5 members"},
		{"a field of another name", structure("S", awsmodel.Member{Name: "Other", Shape: text}), reflect.TypeFor[inner](), nil, "field Name stands for member Other"},
		{"a field that cannot be absent", structure("S", awsmodel.Member{Name: "Name", Shape: text}), reflect.TypeFor[struct{ Name string }](), nil, "field Name is no pointer"},
		{"too many members", many, reflect.StructOf(fields), nil, "more than 64"},
		{"a relaxed member that is none", outerly, reflect.TypeFor[outer](), []string{"List.Name"}, `no member at "List.Name"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := awsplan.Compile(tt.shape, tt.typ, tt.relax...); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestPatternsCanBeRead(t *testing.T) {
	seen := map[*awsmodel.Shape]bool{}
	patterns := 0
	var look func(*awsmodel.Shape)
	look = func(s *awsmodel.Shape) {
		if s == nil || seen[s] {
			return
		}
		seen[s] = true
		if s.Pattern != "" {
			patterns++
			if _, err := regexp.Compile(awsplan.Whole(s)); err != nil {
				t.Errorf("shape %s: %v", s.Name, err)
			}
		}
		look(s.Key)
		look(s.Elem)
		for _, m := range s.Members {
			look(m.Shape)
		}
	}
	for _, m := range []*awsmodel.Model{ecrmodel.Model, iammodel.Model, lighteragemodel.Model, lightsailmodel.Model, stsmodel.Model} {
		for _, o := range m.Operations {
			look(o.Input)
			look(o.Output)
		}
	}
	if patterns < 50 {
		t.Errorf("only %d patterns were found", patterns)
	}
}

func TestViolated(t *testing.T) {
	a, none := new("aa"), (*string)(nil)
	for _, tt := range []struct {
		name  string
		value outer
		want  *awsplan.Violation
	}{
		{"nothing", outer{}, nil},
		{"all that is good", outer{Inner: &inner{a}, List: []inner{{a}, {new("b")}}, Map: map[string]inner{"b": {a}}}, nil},
		{"a pattern that begins a value", outer{Inner: &inner{new("bb")}}, &awsplan.Violation{Path: "inner.name", Rule: awsplan.MatchPattern, Value: "bb"}},
		{"a missing member of an entry", outer{List: []inner{{a}, {none}}}, &awsplan.Violation{Path: "list.2.member.name", Rule: awsplan.NotNull}},
		{"too many entries, and one that is bad", outer{List: []inner{{a}, {none}, {a}}}, &awsplan.Violation{Path: "list", Rule: awsplan.MaxLength, Limit: 2, Value: "[…]"}},
		{"five characters of more bytes, of another pattern", outer{Inner: &inner{new("ééééé")}}, &awsplan.Violation{Path: "inner.name", Rule: awsplan.MatchPattern, Value: "ééééé"}},
		{"a bad key", outer{Map: map[string]inner{"x": {a}}}, &awsplan.Violation{Path: "map", Rule: awsplan.MatchPattern, Value: "x", InKey: true}},
		{"a bad value in a map", outer{Map: map[string]inner{"b": {none}}}, &awsplan.Violation{Path: "map.b.member.name", Rule: awsplan.NotNull}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := awsplan.Compile(outerly, reflect.TypeFor[outer]())
			if err != nil {
				t.Fatal(err)
			}
			got := p.Violated(reflect.ValueOf(tt.value))
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(awsplan.Violation{}, "Shape")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestValidationTellsNoSecret(t *testing.T) {
	p, err := awsplan.Compile(secret, reflect.TypeFor[string]())
	if err != nil {
		t.Fatal(err)
	}
	bad := p.Violated(reflect.ValueOf("pw"))
	if bad == nil {
		t.Fatal("it is not violated")
	}
	f := awsplan.Validation("ValidationError").Fault(*bad)
	f.Member = "password"
	const want = "1 validation error detected: Value at 'password' failed to satisfy constraint: Member must have length greater than or equal to 3"
	if got := awsplan.Validation("ValidationError").Message(f); got != want || f.Reason != fault.ParameterInvalid || strings.Contains(f.Value, "pw") {
		t.Errorf("%s: %+v", got, f)
	}
}
