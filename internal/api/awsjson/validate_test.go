package awsjson_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lightsailmodel"
	"github.com/lighterage/lighterage/internal/fault"
)

// complaint decodes an operation's body and words what it violates.
func complaint(t *testing.T, m *awsmodel.Model, style awsjson.Style, operation, body string, relax ...string) string {
	t.Helper()
	o, ok := m.Operation(operation)
	if !ok {
		t.Fatalf("no operation %s", operation)
	}
	in, release, err := awsjson.Decode(o.Input, o.In, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	bad, err := awsjson.Violated(o.Input, in, relax...)
	if err != nil {
		t.Fatal(err)
	}
	if bad == nil {
		return ""
	}
	return style.Message(&fault.Error{Reason: fault.ParameterInvalid, Member: bad.Path, Value: bad.Value, Constraint: style.Constraint(*bad)})
}

func TestECRTexts(t *testing.T) {
	const repositoryPattern = `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`
	ids := func(n int) string { return strings.TrimSuffix(strings.Repeat(`{"imageTag":"a"},`, n), ",") }
	tests := []struct {
		name, operation, body string
		want                  string // after "Invalid parameter at "
	}{
		{"a good name", "CreateRepository", `{"repositoryName":"a-b/c__d.e"}`, ""},
		{"a bad name", "CreateRepository", `{"repositoryName":"Bad"}`, `'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '` + repositoryPattern + `''`},
		{"a name with a line break", "CreateRepository", `{"repositoryName":"ab\n"}`, `'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '` + repositoryPattern + `''`},
		{"no name", "CreateRepository", `{}`, `'repositoryName' failed to satisfy constraint: 'must not be null'`},
		{"a short name", "CreateRepository", `{"repositoryName":"a"}`, `'repositoryName' failed to satisfy constraint: 'must have length greater than or equal to 2'`},
		{"a long name", "CreateRepository", `{"repositoryName":"` + strings.Repeat("a", 257) + `"}`, `'repositoryName' failed to satisfy constraint: 'must have length less than or equal to 256'`},
		{"a very long name", "CreateRepository", `{"repositoryName":"` + strings.Repeat("a", 5000) + `"}`, `'repositoryName' failed to satisfy constraint: 'must have length less than or equal to 256'`},
		{"another missing member", "PutImageTagMutability", `{"repositoryName":"ab"}`, `'imageTagMutability' failed to satisfy constraint: 'Member must not be null'`},
		{"an enum", "PutImageTagMutability", `{"repositoryName":"ab","imageTagMutability":"X"}`, `'imageTagMutability' failed to satisfy constraint: 'Member must satisfy enum value set: [IMMUTABLE, MUTABLE, MUTABLE_WITH_EXCLUSION, IMMUTABLE_WITH_EXCLUSION]'`},
		{"too long a list", "BatchGetImage", `{"repositoryName":"ab","imageIds":[` + ids(101) + `]}`, `'imageIds' failed to satisfy constraint: 'Member must have length less than or equal to 100'`},
		{"a list just long enough", "BatchGetImage", `{"repositoryName":"ab","imageIds":[` + ids(100) + `]}`, ""},
		{"an empty list", "BatchGetImage", `{"repositoryName":"ab","imageIds":[]}`, `'imageIds' failed to satisfy constraint: 'Member must have length greater than or equal to 1'`},
		{"too large a number", "DescribeRepositories", `{"maxResults":1001}`, `'maxResults' failed to satisfy constraint: 'Member must have value less than or equal to 1000'`},
		{"too small a number", "DescribeRepositories", `{"maxResults":0}`, `'maxResults' failed to satisfy constraint: 'Member must have value greater than or equal to 1'`},
		{"a nested member", "CreateRepository", `{"repositoryName":"ab","tags":[{"Key":"a","Value":"b"},{"Value":"c"}]}`, `'tags.2.member.key' failed to satisfy constraint: 'Member must not be null'`},
		{"an account", "CreateRepository", `{"registryId":"1","repositoryName":"ab"}`, `'registryId' failed to satisfy constraint: 'must satisfy regular expression [0-9]{12}'`},
		{"an account in a list", "GetAuthorizationToken", `{"registryIds":["x"]}`, `'registryIds.1.member' failed to satisfy constraint: 'Member must satisfy regular expression '[0-9]{12}''`},
		{"an empty tag", "PutImage", `{"repositoryName":"ab","imageManifest":"{}","imageTag":""}`, `'imageTag' failed to satisfy constraint: 'must have length greater than or equal to 1'`},
		{"a digest", "GetDownloadUrlForLayer", `{"repositoryName":"ab","layerDigest":"x"}`, `'layerDigest' failed to satisfy constraint: 'Member must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+''`},
		{"the first of two", "PutImage", `{"registryId":"1","repositoryName":"A"}`, `'registryId' failed to satisfy constraint: 'must satisfy regular expression [0-9]{12}'`},
		{"a part's first byte", "UploadLayerPart", `{"repositoryName":"ab","uploadId":"00000000-0000-0000-0000-000000000000","partFirstByte":-1,"partLastByte":0,"layerPartBlob":""}`, `'partFirstByte' failed to satisfy constraint: 'Member must have value greater than or equal to 0'`},
		{"byte zero is not null", "UploadLayerPart", `{"repositoryName":"ab","uploadId":"00000000-0000-0000-0000-000000000000","partFirstByte":0,"partLastByte":0,"layerPartBlob":"YQ=="}`, ""},
		{"characters and not bytes", "PutAccountSetting", `{"name":"` + strings.Repeat("é", 64) + `","value":"v"}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := complaint(t, ecrmodel.Model, awsjson.InvalidParameter, tt.operation, tt.body)
			want := tt.want
			if want != "" {
				want = "Invalid parameter at " + want
			}
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestLightsailTexts(t *testing.T) {
	const detected = "1 validation error detected: Value "
	tests := []struct{ name, operation, body, want string }{
		{"a label that a search would accept", "RegisterContainerImage", `{"serviceName":"ab","label":"ab!!!","digest":"d"}`,
			detected + `'ab!!!' at 'label' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-z0-9]{1,2}|[a-z0-9][a-z0-9-]+[a-z0-9]$`},
		{"no service", "RegisterContainerImage", `{}`, detected + `null at 'serviceName' failed to satisfy constraint: Member must not be null`},
		{"a scale", "CreateContainerService", `{"serviceName":"ab","power":"nano","scale":21}`, detected + `'21' at 'scale' failed to satisfy constraint: Member must have value less than or equal to 20`},
		{"a power", "CreateContainerService", `{"serviceName":"ab","power":"huge","scale":1}`, detected + `'huge' at 'power' failed to satisfy constraint: Member must satisfy enum value set: [`},
		{"a long value is cut", "RegisterContainerImage", `{"serviceName":"` + strings.Repeat("é", 2000) + `"}`,
			detected + `'` + strings.Repeat("é", 128) + `…' at 'serviceName'`},
		{"a map's key", "CreateContainerServiceDeployment", `{"serviceName":"ab","containers":{"A!":{}}}`,
			detected + `'A!' at 'containers' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: `},
		{"a map's entry", "CreateContainerServiceDeployment", `{"serviceName":"ab","containers":{"b":{"ports":{"80":"HTTP","81":"X"}},"a":{}}}`,
			detected + `'X' at 'containers.b.member.ports.81.member' failed to satisfy constraint: Member must satisfy enum value set: [`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := complaint(t, lightsailmodel.Model, awsjson.ValidationError, tt.operation, tt.body)
			if !strings.HasPrefix(got, tt.want) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestRelax(t *testing.T) {
	long := strings.Repeat("x", 2000)
	tests := []struct {
		name, operation, body, relaxed string
	}{
		{"entries of a list", "BatchCheckLayerAvailability", `{"repositoryName":"ab","layerDigests":["` + long + `"]}`, "layerDigests.member"},
		{"members of entries", "BatchGetImage", `{"repositoryName":"ab","imageIds":[{"imageTag":""}]}`, "imageIds.member.imageTag"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := complaint(t, ecrmodel.Model, awsjson.InvalidParameter, tt.operation, tt.body); got == "" {
				t.Error("it passes without being relaxed")
			}
			if got := complaint(t, ecrmodel.Model, awsjson.InvalidParameter, tt.operation, tt.body, tt.relaxed); got != "" {
				t.Errorf("relaxed: got %s", got)
			}
		})
	}
	if got := complaint(t, ecrmodel.Model, awsjson.InvalidParameter, "BatchCheckLayerAvailability", `{"repositoryName":"ab","layerDigests":[]}`, "layerDigests.member"); got == "" {
		t.Error("relaxing the entries relaxed the list")
	}
}

func TestEveryModelledOperationIsRepresentable(t *testing.T) {
	for _, m := range []*awsmodel.Model{ecrmodel.Model, lightsailmodel.Model} {
		for _, o := range m.Operations {
			for _, side := range []struct {
				shape *awsmodel.Shape
				typ   reflect.Type
			}{{o.Input, o.In}, {o.Output, o.Out}} {
				t.Run(m.Name+" "+side.shape.Name, func(t *testing.T) {
					full := reflect.New(side.typ)
					fill(full.Elem(), 1)
					text, err := awsjson.Encode(side.shape, full.Interface())
					if err != nil {
						t.Fatal(err)
					}
					got, release, err := awsjson.Decode(side.shape, side.typ, text)
					if err != nil {
						t.Fatalf("%v: %s", err, text)
					}
					defer release()
					if again, err := awsjson.Encode(side.shape, got); err != nil || string(again) != string(text) {
						t.Errorf("%v: decoded and encoded again, %s\nbecame %s", err, text, again)
					}
					if side.typ.NumField() > 0 && len(text) < 10 {
						t.Errorf("only %s was encoded", text)
					}
					if _, err := awsjson.Violated(side.shape, got); err != nil {
						t.Errorf("its constraints: %v", err)
					}
				})
			}
			for _, e := range o.Errors {
				if _, ok := m.Error(e); !ok {
					t.Errorf("%s: its error %s is not in the table", o.Name, e)
				}
			}
		}
	}
	if n := len(ecrmodel.Model.Operations); n != 58 {
		t.Errorf("ECR has %d operations, want 58", n)
	}
}

// fill gives every member of v a value, but for blobs, which no output has.
func fill(v reflect.Value, n int) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		if v.Type().PkgPath() == "time" {
			v.Set(reflect.ValueOf(noon))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n+i)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n+1)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for i := range 2 {
			key, entry := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(key, n+i)
			fill(entry, n+i)
			v.SetMapIndex(key, entry)
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", n))
	case reflect.Int32, reflect.Int64:
		v.SetInt(int64(n))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(n) + 0.5)
	case reflect.Bool:
		v.SetBool(true)
	}
}
