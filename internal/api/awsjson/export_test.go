package awsjson

import (
	"bytes"
	"context"
	"net/netip"
	"reflect"

	"github.com/lighterage/lighterage/internal/api/awsmodel"
	"github.com/lighterage/lighterage/internal/api/awsplan"
)

// Decode decodes a body into a new value of the type; release ends its blobs.
func Decode(shape *awsmodel.Shape, typ reflect.Type, text []byte) (in any, release func(), err error) {
	p, err := awsplan.Compile(shape, typ)
	if err != nil {
		return nil, nil, err
	}
	v := reflect.New(typ)
	d := &decoder{scanner: scanner{account: newMemory(DefaultMemory).account(context.Background(), netip.Addr{})}, size: int64(len(text))}
	d.src, d.buf = bytes.NewReader(text), make([]byte, 64) // small: tokens straddle it
	err = d.input(p, v.Elem())
	return v.Interface(), d.release, err
}

// Encode encodes a pointer to a structure.
func Encode(shape *awsmodel.Shape, value any) ([]byte, error) {
	v := reflect.ValueOf(value).Elem()
	p, err := awsplan.Compile(shape, v.Type())
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	e := encoder{to: &out}
	e.value(p, v)
	out.Write(e.buf)
	return out.Bytes(), e.err
}

// Violated returns the first violation of an input.
func Violated(shape *awsmodel.Shape, value any, relax ...string) (*awsplan.Violation, error) {
	v := reflect.ValueOf(value).Elem()
	p, err := awsplan.Compile(shape, v.Type(), relax...)
	if err != nil {
		return nil, err
	}
	return p.Violated(v), nil
}

// BodyLimit returns the limit of an operation's body.
func BodyLimit(input *awsmodel.Shape) int64 { return bodyLimit(input) }
