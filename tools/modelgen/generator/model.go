package generator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Model is what a model file says, as far as code is made of it.
type Model struct {
	Metadata struct {
		APIVersion     string `json:"apiVersion"`
		EndpointPrefix string
		Protocol       string
		ServiceID      string `json:"serviceId"`
		SigningName    string
		TargetPrefix   string
		XMLNamespace   string `json:"xmlNamespace"`
	}
	Operations ordered[operation]
	Shapes     ordered[shape]
}

type operation struct {
	Input, Output ref
	Errors        []ref
	Auth          []string
}

type ref struct {
	Shape         string
	LocationName  string
	ResultWrapper string
}

type shape struct {
	Type       string
	Members    ordered[ref]
	Required   []string
	Member     ref
	Key, Value ref
	Min, Max   *int64
	Pattern    string
	Enum       []string
	Sensitive  bool
	Flattened  bool
	Exception  bool
	Fault      bool
	Error      struct {
		Code           string
		HTTPStatusCode int `json:"httpStatusCode"`
	}
}

// ordered is a JSON object that remembers the order of its names: members are
// checked and sent in the order in which the model lists them.
type ordered[T any] struct {
	Names []string
	of    map[string]T
}

func (o *ordered[T]) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return err
	}
	o.of = map[string]T{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value T
		if err := d.Decode(&value); err != nil {
			return err
		}
		o.Names = append(o.Names, name.(string))
		o.of[name.(string)] = value
	}
	return nil
}

// Read reads a model file.
func Read(r io.Reader) (*Model, error) {
	var m Model
	if err := json.NewDecoder(r).Decode(&m); err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	if m.Metadata.ServiceID == "" || len(m.Operations.Names) == 0 {
		return nil, fmt.Errorf("read model: no service or no operations in it")
	}
	if !m.query() && m.Metadata.Protocol != "json" {
		return nil, fmt.Errorf("read model: no code is made for the protocol %q", m.Metadata.Protocol)
	}
	if err := m.complete(); err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	return &m, nil
}

// query reports whether the service speaks the query protocol, and not AWS
// JSON.
func (m *Model) query() bool { return m.Metadata.Protocol == "query" }

// complete gives empty structures to operations without input or output, so
// that all have both.
func (m *Model) complete() error {
	for _, name := range m.Operations.Names {
		o := m.Operations.of[name]
		for _, missing := range []struct {
			ref  *ref
			name string
		}{{&o.Input, name + "Request"}, {&o.Output, name + "Response"}} {
			if missing.ref.Shape != "" {
				continue
			}
			if _, taken := m.Shapes.of[missing.name]; taken {
				return fmt.Errorf("operation %s does not use %s", name, missing.name)
			}
			m.Shapes.of[missing.name] = shape{Type: "structure"}
			missing.ref.Shape = missing.name
		}
		m.Operations.of[name] = o
	}
	return nil
}

// Package returns the name of the package that is generated for the service.
func (m *Model) Package() string {
	return strings.ToLower(m.Metadata.ServiceID) + "model"
}

// service returns the name of the service as signatures and IAM spell it.
func (m *Model) service() string {
	if m.Metadata.SigningName != "" {
		return m.Metadata.SigningName
	}
	return m.Metadata.EndpointPrefix
}
