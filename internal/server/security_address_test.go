package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/lighterage/lighterage/internal/testkit"
)

// TestNobodyIsSentElsewhere looks for redirects, and for addresses in answers
// that the client chose.
func TestNobodyIsSentElsewhere(t *testing.T) {
	s := testkit.Start(t)
	_, _ = push(t, root(s), "team/app", "1", []byte("layer"))
	l := s.Login()
	auth := "Authorization: " + l.Basic() + "\r\n"
	for _, path := range []string{
		"//evil.example", "//evil.example/..", "/v2//evil.example", `/\evil.example`, "/?redirect=http://evil.example", "/v2/?next=//evil.example",
		"/v2/token?service=evil.example&redirect_uri=http://evil.example", "/v2", "/healthz/", "/v2/../..//evil.example", "/%2f%2fevil.example", "/v2/team/app/blobs/../../../../evil.example",
		"http://evil.example/v2/", "/v2/team/app/tags/list/", "/.well-known/x", "/login?returnUrl=//evil.example",
	} {
		for _, method := range []string{"GET", "POST"} {
			a := raw(t, s, method+" "+path+" HTTP/1.1\r\nHost: "+s.Host+"\r\nX-Forwarded-Host: evil.example\r\nX-Original-URL: //evil.example\r\nReferer: http://evil.example\r\nConnection: close\r\n"+auth+"Content-Length: 0\r\n\r\n")
			if a.Status >= 300 && a.Status < 400 || strings.Contains(a.Header.Get("Location")+a.Header.Get("Link")+a.Header.Get("Refresh"), "evil") {
				t.Errorf("%s %s: %d to %q", method, path, a.Status, a.Header.Get("Location"))
			}
		}
	}
	for _, request := range []string{"POST /v2/team/app/blobs/uploads/", "GET /v2/team/app/tags/list?n=0&last=//evil", "GET /v2/_catalog?n=1"} {
		a := raw(t, s, request+" HTTP/1.1\r\nHost: "+s.Host+"\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\nForwarded: host=evil.example\r\nConnection: close\r\n"+auth+"Content-Length: 0\r\n\r\n")
		if location := a.Header.Get("Location"); a.Status >= 300 || location != "" && !strings.HasPrefix(location, "http://"+s.Host+"/v2/team/app/") && !strings.HasPrefix(location, "/v2/team/app/") {
			t.Errorf("%s: %d to %q", request, a.Status, location)
		}
	}
}

// TestAddressesInManifestsAreNotFetched pushes images whose layers are said to
// be elsewhere.
func TestAddressesInManifestsAreNotFetched(t *testing.T) {
	var asked atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte("elsewhere"))
	}))
	defer elsewhere.Close()
	s := testkit.Start(t)
	_, _ = push(t, root(s), "team/app", "1", []byte("layer"))
	l := s.Login()
	d := testkit.Digest([]byte("elsewhere"))
	for _, c := range []struct {
		name, layerType string
		status          int
	}{
		{"a layer that may stay elsewhere", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", 201},
		{"a layer that is not distributable", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", 201},
		{"a usual layer with addresses", testkit.LayerType, 404},
		{"a type that only begins alike", "application/vnd.oci.image.layer.nondistributable.v1.tarx", 404},
	} {
		m := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":2,"urls":[%q]},"layers":[{"mediaType":%q,"digest":%q,"size":9,"urls":[%q,"file:///etc/passwd","http://169.254.169.254/"]}]}`,
			testkit.ManifestType, testkit.ConfigType, testkit.Digest([]byte("{}")), elsewhere.URL, c.layerType, d, elsewhere.URL)
		a := s.Do(l, "PUT", "/v2/team/app/manifests/foreign", []byte(m), "Content-Type: "+testkit.ManifestType)
		checkStatus(t, c.name, a, c.status)
		_, err := s.ECR().PutImage(t.Context(), &ecr.PutImageInput{RepositoryName: aws.String("team/app"), ImageManifest: &m, ImageTag: aws.String("foreign")})
		if refused := code(err) == "LayersNotFoundException"; refused != (c.status == 404) {
			t.Errorf("PutImage of %s: %v", c.name, err)
		}
		if c.status == 201 {
			checkStatus(t, "the image of "+c.name, s.Do(l, "GET", "/v2/team/app/manifests/foreign", nil), 200)
			checkStatus(t, c.name+" is not here", s.Do(l, "GET", "/v2/team/app/blobs/"+d, nil), 404)
		}
	}
	for _, pass := range []string{"park uploads", "collect garbage", "record pulls"} {
		s.Pass(pass)
	}
	s.Stop()
	if n := asked.Load(); n != 0 {
		t.Errorf("the server fetched %d times from an address in a manifest", n)
	}
}
