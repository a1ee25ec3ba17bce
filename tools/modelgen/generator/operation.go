package generator

import (
	"bytes"
	"fmt"
	"slices"
)

func (g *generator) operations(b *bytes.Buffer) error {
	m := g.model
	fmt.Fprintf(b, "// Package %s is the model of %s: its shapes as Go types, and the tables\n// over them.\npackage %s\n\n", m.Package(), m.Metadata.ServiceID, m.Package())
	fmt.Fprintf(b, "import (\n\"reflect\"\n\n%q\n)\n\n", awsmodel)
	fmt.Fprintf(b, "// Model is the service.\nvar Model = &awsmodel.Model{\nName: %q,\nSigningName: %q,\n", m.service(), m.service())
	if m.query() {
		fmt.Fprintf(b, "Version: %q,\nNamespace: %q,\n", m.Metadata.APIVersion, m.Metadata.XMLNamespace)
	} else {
		fmt.Fprintf(b, "TargetPrefix: %q,\n", m.Metadata.TargetPrefix)
	}

	b.WriteString("Operations: []awsmodel.Operation{\n")
	for _, name := range m.Operations.Names {
		o := m.Operations.of[name]
		fmt.Fprintf(b, "{\nName: %q,\nInput: %s, In: reflect.TypeFor[%s](),\nOutput: %s, Out: reflect.TypeFor[%s](),\nErrors: []string{", name,
			table(o.Input.Shape), exported(o.Input.Shape), table(o.Output.Shape), exported(o.Output.Shape))
		for _, e := range o.Errors {
			if !m.Shapes.of[e.Shape].Exception {
				return fmt.Errorf("operation %s: %s is not an error", name, e.Shape)
			}
			fmt.Fprintf(b, "%q,", e.Shape)
		}
		b.WriteString("},\n")
		if o.Output.ResultWrapper != "" {
			fmt.Fprintf(b, "Wrapper: %q,\n", o.Output.ResultWrapper)
		}
		switch {
		case len(o.Auth) == 0:
		case slices.Equal(o.Auth, []string{"smithy.api#noAuth"}):
			b.WriteString("Unsigned: true,\n")
		default:
			return fmt.Errorf("operation %s: unknown ways to sign: %q", name, o.Auth)
		}
		b.WriteString("},\n")
	}
	b.WriteString("},\n")

	g.errors(b)
	b.WriteString("}\n")
	return nil
}

func (g *generator) errors(b *bytes.Buffer) {
	b.WriteString("Errors: []awsmodel.Error{\n")
	names := slices.Sorted(slices.Values(g.model.Shapes.Names))
	for _, name := range names {
		s := g.model.Shapes.of[name]
		if !s.Exception {
			continue
		}
		fmt.Fprintf(b, "{Name: %q, ", name)
		if s.Error.Code != "" && s.Error.Code != name {
			fmt.Fprintf(b, "Code: %q, ", s.Error.Code)
		}
		if s.Error.HTTPStatusCode != 0 {
			fmt.Fprintf(b, "Status: %d, ", s.Error.HTTPStatusCode)
		}
		if s.Fault || s.Error.HTTPStatusCode >= 500 {
			b.WriteString("Fault: true, ")
		}
		fmt.Fprintf(b, "Members: %#v},\n", s.Members.Names)
	}
	b.WriteString("},\n")
}
