package awsmodel

import (
	"io"
	"reflect"
)

// Kind is what a shape is on the wire.
type Kind uint8

// The kinds, with the Go type that stands for each.
const (
	Structure Kind = iota // struct; *struct as a member
	List                  // []T
	Map                   // map[string]T; the key may be an enum's type
	String                // string, or a named string if it has an Enum
	Integer               // int32
	Long                  // int64
	Float                 // float32
	Double                // float64
	Boolean               // bool
	Timestamp             // time.Time
	Bytes                 // Blob
)

// Shape is one shape of a model with its constraints.
type Shape struct {
	Name    string
	Kind    Kind
	Members []Member // of a structure
	Key     *Shape   // of a map
	Elem    *Shape   // of a list; of a map, its values

	// Min and Max bound the length of a String (in characters), List, Map
	// (in entries) or Bytes, and the value of a number. Nil: no bound.
	Min, Max *int64
	Pattern  string   // of a String, to be matched whole; empty: none
	Match    string   // Pattern in Go's syntax, where that is another
	Enum     []string // of a String, in the model's order; nil: any

	// Secret values are never repeated in an error's text.
	Secret bool
	// Document is a policy document, which the query protocol's answers
	// percent-encode.
	Document bool
	// Flat is a List or Map whose entries stand without an element around them
	// in the query protocol, and Entry the name of a List's entries there;
	// empty: member.
	Flat  bool
	Entry string
}

// Member is one member of a structure.
type Member struct {
	Name     string // on the wire
	Shape    *Shape
	Required bool
}

// Model is one service.
type Model struct {
	Name         string // as IAM spells it: "ecr"
	SigningName  string // the service of a signature's scope
	TargetPrefix string // JSON: X-Amz-Target up to the dot
	Version      string // query: of the API, as requests name it
	Namespace    string // query: of the answers' XML
	Operations   []Operation
	Errors       []Error
}

// Operation is one operation of a service.
type Operation struct {
	Name          string
	Input, Output *Shape
	In, Out       reflect.Type // the structs of the two shapes
	Errors        []string     // shape names of its modelled errors
	Wrapper       string       // query: the element around the output; empty: it has none
	Unsigned      bool         // whoever calls need not sign
}

// Error is one modelled error of a service.
type Error struct {
	Name    string
	Code    string   // on the wire, where that is not the name
	Status  int      // 0: the protocol's own
	Fault   bool     // the server's fault
	Members []string // wire names, in the model's order
}

// Operation returns the operation of that name.
func (m *Model) Operation(name string) (Operation, bool) {
	for _, o := range m.Operations {
		if o.Name == name {
			return o, true
		}
	}
	return Operation{}, false
}

// Error returns the modelled error of that shape name.
func (m *Model) Error(name string) (Error, bool) {
	for _, e := range m.Errors {
		if e.Name == name {
			return e, true
		}
	}
	return Error{}, false
}

// ErrorCode returns the modelled error of that code on the wire.
func (m *Model) ErrorCode(code string) (Error, bool) {
	for _, e := range m.Errors {
		if e.Code == code || e.Code == "" && e.Name == code {
			return e, true
		}
	}
	return Error{}, false
}

// Blob is the value of a Bytes member. An incoming one lives until the
// operation's handler returns and must not be read later.
type Blob interface {
	// Len returns the number of bytes.
	Len() int64
	// Reader returns a new reader over all bytes. Readers of one Blob may be
	// used at the same time.
	Reader() io.Reader
}
