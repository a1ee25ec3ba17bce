package awsquery

import (
	"io"
	"reflect"

	"github.com/lighterage/lighterage/internal/api/awsmodel"
	"github.com/lighterage/lighterage/internal/api/awsplan"
)

// Decode decodes a form into a new value of the type.
func Decode(shape *awsmodel.Shape, typ reflect.Type, body string) (any, error) {
	p, err := awsplan.Compile(shape, typ)
	if err != nil {
		return nil, err
	}
	form, err := parse(body)
	if err != nil {
		return nil, err
	}
	v := reflect.New(typ)
	return v.Interface(), structure(p, form, v.Elem())
}

// Style words violated constraints.
var Style = style

// Violated returns the first violation of an input.
func Violated(shape *awsmodel.Shape, value any) (*awsplan.Violation, error) {
	v := reflect.ValueOf(value).Elem()
	p, err := awsplan.Compile(shape, v.Type())
	if err != nil {
		return nil, err
	}
	return p.Violated(v), nil
}

// Encode encodes a pointer to a structure as an element.
func Encode(name string, shape *awsmodel.Shape, value any) (string, error) {
	v := reflect.ValueOf(value).Elem()
	p, err := awsplan.Compile(shape, v.Type())
	if err != nil {
		return "", err
	}
	e := encoder{to: io.Discard}
	e.element(name, p, v)
	return string(e.buf), e.err
}
