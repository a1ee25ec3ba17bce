package generator_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/tools/modelgen/generator"
)

const root = "../../.."

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	models, err := filepath.Glob(filepath.Join(root, "models", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	generated := 0
	for _, path := range models {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := generator.Read(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if !m.JSON() {
			continue
		}
		files, err := generator.Files(m)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		generated++
		dir := filepath.Join(root, "internal", "api", "awsmodel", m.Package())
		for name, want := range files {
			got, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s/%s is not what its model gives (%v): run go run ./tools/modelgen", m.Package(), name, err)
			}
		}
		there, err := os.ReadDir(dir)
		if err != nil || len(there) != len(files) {
			t.Errorf("%s has %d files, want %d: nothing in it is written by hand (%v)", m.Package(), len(there), len(files), err)
		}
	}
	if generated != 2 {
		t.Errorf("%d JSON services, want 2", generated)
	}
}

// model returns a model of one operation with the shapes.
func model(shapes string) string {
	return `{"metadata":{"protocol":"json","serviceId":"Toy"},"operations":{"Play":{"input":{"shape":"In"},"output":{"shape":"Out"},"errors":[]}},
		"shapes":{"Out":{"type":"structure","members":{}},` + shapes + `}}`
}

func TestFilesRefuses(t *testing.T) {
	tests := []struct{ name, model, want string }{
		{"a shape within itself", model(`"In":{"type":"structure","members":{"a":{"shape":"In"}}}`), "In contains itself"},
		{"a shape within itself, further down", model(`"In":{"type":"structure","members":{"a":{"shape":"L"}}},"L":{"type":"list","member":{"shape":"In"}}`), "In contains itself"},
		{"a missing shape", model(`"In":{"type":"structure","members":{"a":{"shape":"B"}}}`), "B is not in the model"},
		{"an unknown type", model(`"In":{"type":"union","members":{}}`), `"union"`},
		{"a required member that is none", model(`"In":{"type":"structure","required":["b"],"members":{}}`), "requires b"},
		{"two members of one Go name", model(`"In":{"type":"structure","members":{"a":{"shape":"S"},"A":{"shape":"S"}}},"S":{"type":"string"}`), "two members A"},
		{"two values of one Go name", model(`"In":{"type":"structure","members":{"a":{"shape":"S"}}},"S":{"type":"string","enum":["a_b","a-b"]}`), "SAB would name both"},
		{"an error that is none", strings.Replace(model(`"In":{"type":"structure","members":{}}`), `"errors":[]`, `"errors":[{"shape":"Out"}]`, 1), "Out is not an error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := generator.Read(strings.NewReader(tt.model))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := generator.Files(m); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestReadRefusesWhatIsNoModel(t *testing.T) {
	for _, text := range []string{``, `{`, `{}`, `{"metadata":{"serviceId":"Toy"}}`, `{"operations":[]}`} {
		if _, err := generator.Read(strings.NewReader(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
