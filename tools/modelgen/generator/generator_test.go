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
	if generated != 5 {
		t.Errorf("%d services, want 5", generated)
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
		{"a member of another name on the wire", model(`"In":{"type":"structure","members":{"a":{"shape":"S","locationName":"b"}}},"S":{"type":"string"}`), "member a is b on the wire"},
		{"a map's key of another name on the wire", model(`"In":{"type":"structure","members":{"a":{"shape":"M"}}},"M":{"type":"map","key":{"shape":"S","locationName":"b"},"value":{"shape":"S"}},"S":{"type":"string"}`), "names of their own"},
		{"a pattern that looks ahead", model(`"In":{"type":"structure","members":{"a":{"shape":"S"}}},"S":{"type":"string","pattern":"a(?!b)"}`), "shape S: a pattern that cannot be matched"},
		{"a way to sign that is not known", strings.Replace(model(`"In":{"type":"structure","members":{}}`), `"errors":[]`, `"errors":[],"auth":["aws.auth#sigv4a"]`, 1), "unknown ways to sign"},
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
	for _, text := range []string{``, `{`, `{}`, `{"metadata":{"serviceId":"Toy"}}`, `{"operations":[]}`,
		strings.Replace(model(`"In":{"type":"structure"}`), `"json"`, `"rest-xml"`, 1),
		strings.Replace(model(`"In":{"type":"structure"},"PlayRequest":{"type":"structure"}`), `"input":{"shape":"In"},`, ``, 1)} {
		if _, err := generator.Read(strings.NewReader(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

// TestQueryModels checks what only models of the query protocol have.
func TestQueryModels(t *testing.T) {
	m, err := generator.Read(strings.NewReader(`{
		"metadata":{"protocol":"query","serviceId":"Toy","endpointPrefix":"toy","apiVersion":"2001-02-03","xmlNamespace":"https://toy.example.com/"},
		"operations":{
			"Play":{"input":{"shape":"In"},"output":{"shape":"Out","resultWrapper":"PlayResult"},"auth":["smithy.api#noAuth"]},
			"Rest":{"errors":[{"shape":"TiredException"},{"shape":"BrokenException"}]}},
		"shapes":{
			"In":{"type":"structure","members":{"names":{"shape":"L"},"word":{"shape":"P"}}},
			"Out":{"type":"structure","members":{"text":{"shape":"policyDocumentType"}}},
			"L":{"type":"list","flattened":true,"member":{"shape":"S","locationName":"Name"}},
			"S":{"type":"string","pattern":"[\\u0020-\\u00FF\\\\u0041]+"},
			"P":{"type":"string","sensitive":true},
			"policyDocumentType":{"type":"string"},
			"TiredException":{"type":"structure","exception":true,"members":{},"error":{"code":"Tired","httpStatusCode":409}},
			"BrokenException":{"type":"structure","exception":true,"members":{},"error":{"code":"BrokenException","httpStatusCode":500}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	files, err := generator.Files(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct{ file, text string }{
		{"tables_gen.go", `Kind: awsmodel.List, Flat: true, Entry: "Name", Elem: shapeS`},
		{"tables_gen.go", `Pattern: "[\\u0020-\\u00FF\\\\u0041]+", Match: "[\\x{0020}-\\x{00FF}\\\\u0041]+"`},
		{"tables_gen.go", `Name: "P", Kind: awsmodel.String, Secret: true`},
		{"tables_gen.go", `Name: "policyDocumentType", Kind: awsmodel.String, Document: true`},
		{"shapes_gen.go", "type RestRequest struct {\n}"},
		{"shapes_gen.go", "type RestResponse struct {\n}"},
		{"model_gen.go", `"2001-02-03"`},
		{"model_gen.go", `"https://toy.example.com/"`},
		{"model_gen.go", `"PlayResult"`},
		{"model_gen.go", `Unsigned: true`},
		{"model_gen.go", `{Name: "TiredException", Code: "Tired", Status: 409, Members`},
		{"model_gen.go", `{Name: "BrokenException", Status: 500, Fault: true, Members`},
	} {
		if !strings.Contains(string(files[want.file]), want.text) {
			t.Errorf("%s lacks %s:\n%s", want.file, want.text, files[want.file])
		}
	}
}
