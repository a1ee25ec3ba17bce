//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// registry is a plain OCI client: each call is one request, so that a test
// knows what was acknowledged. An error means: not acknowledged.
type registry struct {
	base, authorization string
	http                *http.Client
}

// login gets a token through the AWS door.
func (s *server) login(t testing.TB) *registry {
	t.Helper()
	out, err := s.ecr().GetAuthorizationToken(context.Background(), &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		t.Fatalf("log in: %v", err)
	}
	token := aws.ToString(out.AuthorizationData[0].AuthorizationToken)
	if plain, err := base64.StdEncoding.DecodeString(token); err != nil || !strings.HasPrefix(string(plain), "AWS:") {
		t.Fatalf("the token is not base64 of AWS:password")
	}
	return &registry{s.url(), "Basic " + token, http.DefaultClient}
}

// do sends one request and reads the answer, whose status must be want.
func (g *registry) do(method, target, contentType string, body io.Reader, want int) (*http.Response, []byte, error) {
	if strings.HasPrefix(target, "/") {
		target = g.base + target
	}
	req, err := http.NewRequest(method, target, body)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Authorization", g.authorization)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := g.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, nil, err
	}
	if resp.StatusCode != want {
		return nil, nil, &statusError{method, req.URL.Path, resp.StatusCode, strings.TrimSpace(string(b))}
	}
	return resp, b, nil
}

// statusError is an answer, but not the one wanted.
type statusError struct {
	method, path string
	status       int
	body         string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s %s: %d %s", e.method, e.path, e.status, e.body)
}

// answered reports whether the error is an answer of the server, as against a
// connection that broke.
func answered(err error) bool {
	var status *statusError
	return errors.As(err, &status)
}

func (g *registry) startUpload(repo string) (string, error) {
	resp, _, err := g.do("POST", "/v2/"+repo+"/blobs/uploads/", "", nil, http.StatusAccepted)
	if err != nil {
		return "", err
	}
	return g.resolve(resp)
}

func (g *registry) resolve(resp *http.Response) (string, error) {
	u, err := resp.Location()
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

func withDigest(at string, d digest.Digest) string {
	sep := "?"
	if strings.Contains(at, "?") {
		sep = "&"
	}
	return at + sep + "digest=" + url.QueryEscape(d.String())
}

const octets = "application/octet-stream"

// pushBlob is POST and PUT.
func (g *registry) pushBlob(repo string, b []byte) error {
	at, err := g.startUpload(repo)
	if err != nil {
		return err
	}
	_, _, err = g.do("PUT", withDigest(at, digest.FromBytes(b)), octets, bytes.NewReader(b), http.StatusCreated)
	return err
}

// streamBlob is POST, PATCH in chunks and PUT, as docker does.
func (g *registry) streamBlob(repo string, b []byte) error {
	at, err := g.startUpload(repo)
	if err != nil {
		return err
	}
	resp, _, err := g.do("PATCH", at, octets, io.MultiReader(bytes.NewReader(b)), http.StatusAccepted)
	if err != nil {
		return err
	}
	if at, err = g.resolve(resp); err != nil {
		return err
	}
	_, _, err = g.do("PUT", withDigest(at, digest.FromBytes(b)), "", nil, http.StatusCreated)
	return err
}

func (g *registry) getBlob(repo string, d digest.Digest) ([]byte, error) {
	_, b, err := g.do("GET", "/v2/"+repo+"/blobs/"+d.String(), "", nil, http.StatusOK)
	return b, err
}

func (g *registry) putManifest(repo, ref string, m []byte) error {
	_, _, err := g.do("PUT", "/v2/"+repo+"/manifests/"+ref, v1.MediaTypeImageManifest, bytes.NewReader(m), http.StatusCreated)
	return err
}

func (g *registry) getManifest(repo, ref string) ([]byte, error) {
	_, b, err := g.do("GET", "/v2/"+repo+"/manifests/"+ref, "", nil, http.StatusOK)
	return b, err
}

// manifestOf makes a manifest of blobs, the first being the config.
func manifestOf(blobs ...[]byte) []byte {
	describe := func(mediaType string, b []byte) v1.Descriptor {
		return v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(b), Size: int64(len(b))}
	}
	m := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest}
	m.Config = describe(v1.MediaTypeImageConfig, blobs[0])
	for _, b := range blobs[1:] {
		m.Layers = append(m.Layers, describe(v1.MediaTypeImageLayer, b))
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // a struct of strings and numbers
	}
	return b
}

// basic is the value of an Authorization header.
func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}
