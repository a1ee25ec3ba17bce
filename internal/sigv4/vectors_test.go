package sigv4_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/sigv4"
)

const exampleSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

var exampleTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

func hashOf(body string) string {
	h := sha256.Sum256([]byte(body))
	return hex.EncodeToString(h[:])
}

func anyRegion(string) bool { return true }

func example(service string) sigv4.Expectation {
	return sigv4.Expectation{Service: service, Region: anyRegion, Now: exampleTime}
}

// vector is a case of testdata/vectors.txt.
type vector struct {
	fields  map[string]string
	headers []string
}

func readVectors(t *testing.T) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	for _, block := range strings.Split(string(text), "\n\n") {
		v := vector{fields: map[string]string{}}
		for _, line := range strings.Split(strings.TrimSpace(block), "\n") {
			if strings.HasPrefix(line, "#") {
				continue
			}
			if strings.HasPrefix(line, " ") { // as net/http unfolds it
				v.headers[len(v.headers)-1] += " " + strings.TrimSpace(line)
				continue
			}
			key, value, ok := strings.Cut(line, ":")
			if !ok {
				t.Fatalf("vectors.txt: cannot read %q", line)
			}
			value = strings.TrimPrefix(value, " ")
			if key == "header" {
				v.headers = append(v.headers, value)
				continue
			}
			v.fields[key] = value
		}
		if len(v.fields) > 0 {
			all = append(all, v)
		}
	}
	return all
}

// request returns the case's request, not yet signed, as a server gets it.
func (v vector) request(t *testing.T) *http.Request {
	t.Helper()
	r := &http.Request{Method: v.fields["method"], RequestURI: v.fields["target"], Header: http.Header{}, ContentLength: -1}
	for _, h := range v.headers {
		key, value, _ := strings.Cut(h, ":")
		if key == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(key, strings.TrimSpace(value))
	}
	return r
}

func (v vector) authorization() string {
	return "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=" +
		v.fields["signed-headers"] + ", Signature=" + v.fields["signature"]
}

func TestPublicVectorsVerify(t *testing.T) {
	vectors := readVectors(t)
	if len(vectors) != 38 {
		t.Fatalf("%d vectors, want 38", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.fields["case"], func(t *testing.T) {
			r := v.request(t)
			r.Header.Set("X-Amz-Date", "20150830T123600Z")
			r.Header.Set("Authorization", v.authorization())
			if token := v.fields["token"]; token != "" && v.fields["unsigned"] == "" {
				r.Header.Set("X-Amz-Security-Token", token)
			}
			s, err := sigv4.ParseAs(r, v.fields["path"] == "plain")
			if err != nil {
				t.Fatalf("Parse: %v", err)
			}
			lines := strings.Split(s.Canonical(), "\n")
			want := []string{v.fields["canonical-path"], v.fields["canonical-query"]}
			if diff := cmp.Diff(want, lines[1:3]); diff != "" {
				t.Errorf("canonical path and query (-want +got):\n%s", diff)
			}
			if err := s.Verify(example("service"), exampleSecret, hashOf(v.fields["body"])); err != nil {
				t.Errorf("Verify: %v", err)
			}
			if err := s.Verify(example("service"), exampleSecret, hashOf(v.fields["body"]+"x")); !fault.Is(err, fault.SignatureInvalid) {
				t.Errorf("Verify of another body: %v, want SignatureInvalid", err)
			}
		})
	}
}

func TestPublicVectorsAreWhatSignMakes(t *testing.T) {
	for _, v := range readVectors(t) {
		t.Run(v.fields["case"], func(t *testing.T) {
			r := v.request(t)
			c := sigv4.Credentials{KeyID: "AKIDEXAMPLE", Secret: exampleSecret}
			if v.fields["unsigned"] == "" {
				c.SessionToken = v.fields["token"]
			}
			err := sigv4.SignAs(r, c, "us-east-1", "service", exampleTime, hashOf(v.fields["body"]), v.fields["path"] == "plain")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v.authorization(), r.Header.Get("Authorization")); diff != "" {
				t.Errorf("Authorization (-want +got):\n%s", diff)
			}
		})
	}
}

func TestATokenAddedAfterSigningIsRefused(t *testing.T) {
	seen := 0
	for _, v := range readVectors(t) {
		if v.fields["unsigned"] != "token" {
			continue
		}
		seen++
		r := v.request(t)
		r.Header.Set("X-Amz-Date", "20150830T123600Z")
		r.Header.Set("Authorization", v.authorization())
		r.Header.Set("X-Amz-Security-Token", v.fields["token"])
		_, err := sigv4.Parse(r)
		wantFault(t, err, fault.SignatureInvalid, "'x-amz-security-token' must be a 'SignedHeader' in the AWS Authorization.")
	}
	if seen != 1 {
		t.Errorf("%d such vectors, want 1", seen)
	}
}

func wantFault(t *testing.T, err error, reason fault.Reason, detail string) {
	t.Helper()
	f := fault.Of(err)
	if f == nil {
		t.Fatalf("no error, want %v", reason)
	}
	if f.Reason != reason || f.Detail != detail {
		t.Errorf("got  %v: %s\nwant %v: %s", f.Reason, f.Detail, reason, detail)
	}
}
