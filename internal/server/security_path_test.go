package server_test

import (
	"bytes"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/testkit"
)

// TestNoPathLeavesTheStore tries to reach files by every name that a request
// can have, and looks at what there is afterwards.
func TestNoPathLeavesTheStore(t *testing.T) {
	outside := t.TempDir()
	canary := filepath.Join(outside, "canary")
	must(t, os.WriteFile(canary, []byte("CanaryOfAFile"), 0o600))
	s := testkit.Start(t)
	_, _ = push(t, root(s), "team/app", "1", large("layer"))
	must(t, createService(s, "web"))
	l := s.Login()
	begun := s.Do(l, "POST", "/v2/team/app/blobs/uploads/", nil)
	files := func() (names []string) {
		must(t, filepath.WalkDir(s.Dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !strings.Contains(path, "/audit/") && !strings.Contains(d.Name(), ".db") {
				names = append(names, strings.TrimPrefix(path, s.Dir))
			}
			return err
		}))
		return names
	}
	before := files()
	up := strings.Repeat("../", 12)
	names := []string{up + canary[1:], url.PathEscape(up + canary[1:]), strings.ReplaceAll(up, "..", "%2e%2e") + canary[1:], strings.ReplaceAll(up+canary[1:], "/", "%5c"), canary,
		"..%00", "%2e%2e", "..;/", "....//....//canary", "%252e%252e%252f", "~root", "/etc/passwd", "root-credentials", "../root-credentials", "..%2f..%2froot-credentials", "master-key%00.json"}
	for _, n := range names {
		for _, path := range []string{
			"/v2/" + n + "/manifests/latest", "/v2/team/app/manifests/" + n, "/v2/team/app/blobs/" + n, "/v2/team/app/blobs/sha256:" + n, "/v2/team/app/blobs/uploads/" + n,
			"/v2/team/app/referrers/sha256:" + n, "/v2/team/app/tags/list/" + n, "/" + n, "/v2/" + n, "/v2/team/app/blobs/uploads/?mount=sha256:" + n + "&from=" + n,
		} {
			for _, method := range []string{"GET", "PUT", "DELETE", "POST", "PATCH"} {
				a := raw(t, s, method+" "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: "+l.Basic()+"\r\nContent-Type: "+testkit.ManifestType+"\r\nContent-Length: 4\r\n\r\nevil")
				if bytes.Contains(a.Body, []byte("CanaryOfAFile")) || bytes.Contains(a.Body, []byte("root:")) || bytes.Contains(a.Body, []byte(s.Root.SecretAccessKey.Reveal())) || a.Status >= 500 {
					t.Errorf("%s %s: %d %s", method, path, a.Status, a.Body)
				}
				if a.Status < 300 && !strings.Contains(path, "?mount") {
					t.Errorf("%s %s is a success: %d %s", method, path, a.Status, a.Body)
				}
			}
		}
		if a := s.Do(l, "PUT", begun.Header.Get("Location")+"?digest="+url.QueryEscape("sha256:"+n), []byte("evil")); a.Status != 400 {
			t.Errorf("an upload that ends as %s: %d %s", n, a.Status, a.Body)
		}
		for operation, in := range map[string]map[string]any{
			"GetDownloadUrlForLayer": {"repositoryName": "team/app", "layerDigest": n},
			"CompleteLayerUpload":    {"repositoryName": "team/app", "uploadId": n, "layerDigests": []string{"sha256:" + n}},
			"CreateRepository":       {"repositoryName": "x/" + n + "/"},
		} {
			if err := ecrCall(root(s), operation, in, nil); err == nil || strings.Contains(code(err), "ServerException") {
				t.Errorf("%s of %s: %v", operation, n, err)
			}
		}
		if c := code(root(s).call("lightsail", "Lightsail_20161128", "RegisterContainerImage", map[string]any{"serviceName": "web", "label": n, "digest": n}, nil)); c != "InvalidInputException" && c != "NotFoundException" {
			t.Errorf("RegisterContainerImage of %s: %s", n, c)
		}
	}
	allowed := regexp.MustCompile(`^/(blobs/.*[/-]?[0-9a-f]{8,}[^/]*|blobs/[a-z-]+|[a-z-]+)$`)
	known := map[string]bool{}
	for _, f := range before {
		known[f] = true
	}
	for _, f := range files() {
		if !known[f] && !allowed.MatchString(f) || strings.Contains(f, "evil") || strings.Contains(f, "canary") {
			t.Errorf("there is a file %s", f)
		}
	}
	if rows, err := os.ReadDir(outside); err != nil || len(rows) != 1 {
		t.Errorf("outside there are %v, %v", rows, err)
	}
	if text, err := os.ReadFile(canary); err != nil || string(text) != "CanaryOfAFile" {
		t.Errorf("the file outside is %q, %v", text, err)
	}
	s.CheckInvariants(t)
}

// TestDigestsHaveOneGrammar offers what is none wherever a digest goes.
func TestDigestsHaveOneGrammar(t *testing.T) {
	s := testkit.Start(t)
	_, _ = push(t, root(s), "team/app", "1", []byte("layer"))
	must(t, createService(s, "web"))
	l := s.Login()
	hex := strings.Repeat("a", 64)
	for _, d := range []string{
		"sha256:" + hex[1:], "sha256:" + hex + "a", "sha256:" + strings.ToUpper(hex), "SHA256:" + hex, "sha256:" + strings.Repeat("g", 64), "sha256:", "sha256", ":" + hex, "sha512:" + hex,
		"md5:" + hex[:32], "sha1:" + hex[:40], "sha384:" + strings.Repeat("a", 96), "sha256+b64:" + hex, "sha256:" + hex[:60] + "/../", "sha256:" + hex + "/", " sha256:" + hex, "sha256:" + hex + " ", "sha256:" + hex + ":x", "sha256:" + hex[:62] + "é", "constructor:" + hex,
	} {
		e := url.PathEscape(d)
		for _, r := range []string{"GET blobs/", "HEAD blobs/", "DELETE blobs/", "GET referrers/"} {
			method, path, _ := strings.Cut(r, " ")
			if a := s.Do(l, method, "/v2/team/app/"+path+e, nil); a.Status != 400 && a.Status != 404 && a.Status != 405 || a.Status == 404 && method == "GET" && !strings.Contains(d, "/") {
				t.Errorf("%s of %q: %d %s", r, d, a.Status, a.Body)
			}
		}
		if a := s.Do(l, "GET", "/v2/team/app/manifests/"+e, nil); a.Status != 400 && a.Status != 404 {
			t.Errorf("the manifest %q: %d %s", d, a.Status, a.Body)
		}
		begun := s.Do(l, "POST", "/v2/team/app/blobs/uploads/", nil)
		if a := s.Do(l, "PUT", begun.Header.Get("Location")+"?digest="+url.QueryEscape(d), []byte("bytes")); a.Status != 400 {
			t.Errorf("an upload that ends as %q: %d %s", d, a.Status, a.Body)
		}
		if a := s.Do(l, "POST", "/v2/team/app/blobs/uploads/?mount="+url.QueryEscape(d)+"&from=team/app", nil); a.Status == 201 {
			t.Errorf("%q was mounted", d)
		}
		m := strings.Replace(string(testkit.Manifest([]byte("{}"), []byte("layer"))), testkit.Digest([]byte("layer")), d, 1)
		if a := s.Do(l, "PUT", "/v2/team/app/manifests/bad", []byte(m), "Content-Type: "+testkit.ManifestType); a.Status != 400 {
			t.Errorf("a manifest with a layer %q: %d %s", d, a.Status, a.Body)
		}
		for operation, in := range map[string]map[string]any{
			"GetDownloadUrlForLayer": {"repositoryName": "team/app", "layerDigest": d},
			"CompleteLayerUpload":    {"repositoryName": "team/app", "uploadId": "00000000-0000-4000-8000-000000000000", "layerDigests": []string{d}},
			"PutImage":               {"repositoryName": "team/app", "imageManifest": m, "imageTag": "bad"},
		} {
			if err := ecrCall(root(s), operation, in, nil); err == nil || strings.Contains(code(err), "ServerException") {
				t.Errorf("%s of %q: %v", operation, d, err)
			}
		}
		var got struct {
			Failures []struct{ FailureCode string }
			Images   []any
		}
		err := ecrCall(root(s), "BatchGetImage", map[string]any{"repositoryName": "team/app", "imageIds": []map[string]string{{"imageDigest": d}}}, &got)
		if err == nil && (len(got.Images) > 0 || len(got.Failures) != 1 || got.Failures[0].FailureCode != "InvalidImageDigest" && got.Failures[0].FailureCode != "ImageNotFound") {
			t.Errorf("BatchGetImage of %q: %+v", d, got)
		}
		if c := code(root(s).call("lightsail", "Lightsail_20161128", "RegisterContainerImage", map[string]any{"serviceName": "web", "label": "front", "digest": d}, nil)); c != "InvalidInputException" && c != "NotFoundException" {
			t.Errorf("RegisterContainerImage of %q: %s", d, c)
		}
	}
	s.CheckInvariants(t)
}
