package lightsail_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/api/awsmodel/lightsailmodel"
	"github.com/lighterage/lighterage/internal/api/lightsail"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
)

// protocol are the codes that JSON services share, beside a model's own.
var protocol = []string{
	"MissingAuthenticationTokenException", "UnrecognizedClientException", "IncompleteSignatureException", "InvalidSignatureException",
	"ExpiredTokenException", "SerializationException", "RequestEntityTooLargeException", "UnknownOperationException", "ThrottlingException",
}

func TestEveryReasonHasACodeThatClientsKnow(t *testing.T) {
	service := lightsail.New(lightsail.Config{})
	for _, r := range fault.Reasons() {
		f := &fault.Error{Reason: r, Detail: "detail", Err: errors.New("a secret of the store")}
		a := service.Answer(f)
		e, modelled := lightsailmodel.Model.Error(a.Type)
		if !modelled && !slices.Contains(protocol, a.Type) {
			t.Errorf("%s: unknown code %s", r, a.Type)
		}
		if (a.Status >= 500) != (modelled && e.Fault) || (a.Status >= 500) != (r.Kind() == fault.Internal || r.Kind() == fault.Unavailable) {
			t.Errorf("%s: status %d with %s", r, a.Status, a.Type)
		}
		if a.Message == "" || strings.Contains(a.Message, "{") || strings.Contains(a.Message, "secret") {
			t.Errorf("%s: text %q", r, a.Message)
		}
		if modelled && (a.Extra["code"] != a.Type || a.Extra["docs"] == "" || a.Extra["tip"] == "") {
			t.Errorf("%s: members %v", r, a.Extra)
		}
	}
}

func TestATextOfTheClientsIsNotRepeatedWhole(t *testing.T) {
	service := lightsail.New(lightsail.Config{})
	a := service.Answer(&fault.Error{Reason: fault.DigestInvalid, Digest: strings.Repeat("é", 5000)})
	if len(a.Message) > 1000 || !strings.Contains(a.Message, "é…") {
		t.Errorf("%d bytes: %.300s", len(a.Message), a.Message)
	}
}

// post sends a signed request without the SDK's help.
func (w *world) post(operation, body string) (int, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.ctx, http.MethodPost, w.server.URL, strings.NewReader(body))
	w.must(err)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "Lightsail_20161128."+operation)
	hash := strings.TrimPrefix(string(digest.Of(digest.SHA256, []byte(body))), "sha256:")
	w.must(v4.NewSigner().SignHTTP(w.ctx, aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, r, hash, "lightsail", region, time.Now()))
	response, err := http.DefaultClient.Do(r)
	w.must(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	w.must(err)
	return response.StatusCode, string(text)
}

func TestOperationsThatAreNotOffered(t *testing.T) {
	w := open(t)
	for _, o := range lightsail.New(lightsail.Config{}).NotOffered {
		status, body := w.post(o, "{}")
		if want := `{"__type":"UnknownOperationException","message":"` + o + ` is not offered by this server"}`; status != 400 || body != want {
			t.Errorf("%s: %d %s", o, status, body)
		}
	}
	status, body := w.post("CreateInstances", "{}")
	if status != 400 || !strings.Contains(body, "UnknownOperationException") {
		t.Errorf("an operation outside the model: %d %s", status, body)
	}
}

func TestAnErrorHasLightsailsMembers(t *testing.T) {
	w := open(t)
	status, body := w.post("GetContainerServices", `{"serviceName":"none"}`)
	var got map[string]string
	w.must(json.Unmarshal([]byte(body), &got))
	want := map[string]string{
		"__type": "NotFoundException", "code": "NotFoundException",
		"docs":    "https://docs.aws.amazon.com/lightsail/2016-11-28/api-reference/Welcome.html",
		"message": "The container service none does not exist in this account and region.",
		"tip":     "Check the name, the account and the region.",
	}
	if diff := cmp.Diff(want, got); status != 400 || diff != "" {
		t.Errorf("status %d (-want +got):\n%s", status, diff)
	}
	_, body = w.post("RegisterContainerImage", `{"serviceName":"web","label":"app"}`)
	if want := "1 validation error detected: Value null at 'digest' failed to satisfy constraint: Member must not be null"; !strings.Contains(body, want) {
		t.Errorf("a missing member: %s", body)
	}
}

func TestAnAnswerHasItsEmptyMembers(t *testing.T) {
	w := open(t)
	w.create("web")
	_, body := w.post("GetContainerServices", `{"serviceName":"web"}`)
	for _, want := range []string{`"tags":[]`, `"principalArn":""`, `"isDisabled":false`} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not in %s", want, body)
		}
	}
	for _, c := range []struct{ operation, want string }{
		{"GetContainerImages", `{"containerImages":[]}`},
		{"DeleteContainerService", `{}`},
	} {
		if status, body := w.post(c.operation, `{"serviceName":"web"}`); status != 200 || body != c.want {
			t.Errorf("%s: %d %s", c.operation, status, body)
		}
	}
	if _, body := w.post("GetContainerServices", ""); body != `{"containerServices":[]}` {
		t.Errorf("no services: %s", body)
	}
}

func TestEveryOfferedOperationNamesItsAction(t *testing.T) {
	var names []string
	for _, o := range lightsail.New(lightsail.Config{}).Operations {
		if o.Action != "lightsail:"+o.Name {
			t.Errorf("%s asks for %s", o.Name, o.Action)
		}
		names = append(names, o.Name)
	}
	slices.Sort(names)
	want := []string{
		"CreateContainerService", "CreateContainerServiceRegistryLogin", "DeleteContainerImage", "DeleteContainerService", "GetContainerAPIMetadata",
		"GetContainerImages", "GetContainerServicePowers", "GetContainerServices", "RegisterContainerImage", "TagResource", "UntagResource", "UpdateContainerService",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("offered (-want +got):\n%s", diff)
	}
}
