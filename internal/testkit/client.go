package testkit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/lightsail"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/lighterage/lighterage/internal/api/apitest"
)

// AWS is what the SDK's clients are made of: the root key, the server's
// address and region, and no second attempts.
func (s *Server) AWS() aws.Config {
	return aws.Config{
		Region:           string(s.Config.Region),
		Credentials:      credentials.NewStaticCredentialsProvider(s.Root.AccessKeyID, s.Root.SecretAccessKey.Reveal(), ""),
		BaseEndpoint:     aws.String(s.URL),
		RetryMaxAttempts: 1,
		HTTPClient:       apitest.NewClient(),
	}
}

// ECR returns a client with the root key. Options may change its region.
func (s *Server) ECR(options ...func(*ecr.Options)) *ecr.Client {
	return ecr.NewFromConfig(s.AWS(), options...)
}

// Lightsail returns a client with the root key.
func (s *Server) Lightsail(options ...func(*lightsail.Options)) *lightsail.Client {
	return lightsail.NewFromConfig(s.AWS(), options...)
}

// STS returns a client with the root key.
func (s *Server) STS(options ...func(*sts.Options)) *sts.Client {
	return sts.NewFromConfig(s.AWS(), options...)
}

// Login is what docker keeps after docker login.
type Login struct{ User, Password string }

// Basic is the value of the Authorization header.
func (l Login) Basic() string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(l.User+":"+l.Password))
}

// Login returns the login of GetAuthorizationToken.
func (s *Server) Login() Login {
	s.t.Helper()
	out, err := s.ECR().GetAuthorizationToken(context.Background(), &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		s.t.Fatalf("GetAuthorizationToken: %v", err)
	}
	text, err := base64.StdEncoding.DecodeString(aws.ToString(out.AuthorizationData[0].AuthorizationToken))
	if err != nil {
		s.t.Fatalf("authorization token: %v", err)
	}
	user, password, _ := strings.Cut(string(text), ":")
	return Login{user, password}
}

// LightsailLogin returns the login of CreateContainerServiceRegistryLogin.
func (s *Server) LightsailLogin() Login {
	s.t.Helper()
	out, err := s.Lightsail().CreateContainerServiceRegistryLogin(context.Background(), &lightsail.CreateContainerServiceRegistryLoginInput{})
	if err != nil {
		s.t.Fatalf("CreateContainerServiceRegistryLogin: %v", err)
	}
	return Login{aws.ToString(out.RegistryLogin.Username), aws.ToString(out.RegistryLogin.Password)}
}

// Answer is a response that was read whole.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request to the /v2/ door. path may be a whole URL, such as a
// Location; header lines are "Name: value".
func (s *Server) Do(l Login, method, path string, body []byte, header ...string) Answer {
	s.t.Helper()
	if !strings.Contains(path, "://") {
		path = s.URL + path
	}
	r, err := http.NewRequest(method, path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if l != (Login{}) {
		r.Header.Set("Authorization", l.Basic())
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s %s: read the answer: %v", method, path, err)
	}
	return Answer{resp.StatusCode, resp.Header, text}
}

// Digest is the sha256 digest of bytes.
func Digest(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

// PushLayer uploads a layer as docker does and returns its digest.
func (s *Server) PushLayer(l Login, repository string, content []byte) string {
	s.t.Helper()
	begin := s.Do(l, "POST", "/v2/"+repository+"/blobs/uploads/", nil)
	if begin.Status != http.StatusAccepted {
		s.t.Fatalf("start upload: %d %s", begin.Status, begin.Body)
	}
	sent := s.Do(l, "PATCH", begin.Header.Get("Location"), content, "Content-Type: application/octet-stream")
	if sent.Status != http.StatusAccepted && sent.Status != http.StatusCreated { // ECR's, with ecr-strict
		s.t.Fatalf("upload: %d %s", sent.Status, sent.Body)
	}
	at, d := sent.Header.Get("Location"), Digest(content)
	sep := "?"
	if strings.Contains(at, "?") {
		sep = "&"
	}
	if end := s.Do(l, "PUT", at+sep+"digest="+d, nil); end.Status != http.StatusCreated {
		s.t.Fatalf("finish upload: %d %s", end.Status, end.Body)
	}
	return d
}

// Media types of the images that the helpers push.
const (
	ManifestType = "application/vnd.oci.image.manifest.v1+json"
	ConfigType   = "application/vnd.oci.image.config.v1+json"
	LayerType    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// Manifest returns an image manifest of a config and layers, which need not
// exist.
func Manifest(config []byte, layers ...[]byte) []byte {
	type descriptor struct {
		MediaType string `json:"mediaType"`
		Digest    string `json:"digest"`
		Size      int    `json:"size"`
	}
	m := struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        descriptor   `json:"config"`
		Layers        []descriptor `json:"layers"`
	}{2, ManifestType, descriptor{ConfigType, Digest(config), len(config)}, []descriptor{}}
	for _, l := range layers {
		m.Layers = append(m.Layers, descriptor{LayerType, Digest(l), len(l)})
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return text
}

// PushImage pushes a config, layers and a manifest under the tag, as docker
// does, and returns the manifest with its digest.
func (s *Server) PushImage(l Login, repository, tag string, config []byte, layers ...[]byte) (manifest []byte, digest string) {
	s.t.Helper()
	for _, b := range append([][]byte{config}, layers...) {
		s.PushLayer(l, repository, b)
	}
	manifest = Manifest(config, layers...)
	if a := s.Do(l, "PUT", "/v2/"+repository+"/manifests/"+tag, manifest, "Content-Type: "+ManifestType); a.Status != http.StatusCreated {
		s.t.Fatalf("put manifest: %d %s", a.Status, a.Body)
	}
	return manifest, Digest(manifest)
}
