package sigv4_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/sigv4"
)

const mismatchText = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func expectation() sigv4.Expectation {
	return sigv4.Expectation{Service: "ecr", Region: func(r string) bool { return r == "us-east-1" || r == "eu-west-1" }, Now: now}
}

// wire is a signed request as its bytes go over the wire.
type wire struct {
	method, target, host, body string
	header                     http.Header
}

// signedWire is a request signed by the AWS SDK.
func signedWire(t *testing.T) wire {
	t.Helper()
	w := wire{
		method: "POST", target: "/v2/some%20thing?Zeta=1&Alpha=two%20halves&Alpha=&empty", host: "localhost:5000",
		body: `{"repositoryName":"a"}`, header: http.Header{},
	}
	r, err := http.NewRequest(w.method, "http://"+w.host+w.target, strings.NewReader(w.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories")
	r.Header.Set("X-Amz-Content-Sha256", hashOf(w.body))
	credentials := aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: exampleSecret, SessionToken: "session"}
	if err := v4.NewSigner().SignHTTP(context.Background(), credentials, r, hashOf(w.body), "ecr", "us-east-1", now); err != nil {
		t.Fatal(err)
	}
	w.target = r.URL.RequestURI() // the SDK writes the query anew
	w.header = r.Header
	return w
}

// verify reads the wire as net/http's server does and verifies the signature.
func (w wire) verify(secret string) (*sigv4.Signed, error) {
	u, err := url.ParseRequestURI(w.target)
	if err != nil {
		return nil, err
	}
	r := &http.Request{Method: w.method, URL: u, RequestURI: w.target, Host: w.host, Header: w.header, ContentLength: int64(len(w.body))}
	s, err := sigv4.Parse(r)
	if err != nil {
		return nil, err
	}
	return s, s.Verify(expectation(), secret, hashOf(w.body))
}

func TestTheSDKsSignatureVerifies(t *testing.T) {
	s, err := signedWire(t).verify(exampleSecret)
	if err != nil {
		t.Fatal(err)
	}
	want := sigv4.Scope{Date: "20260301", Region: "us-east-1", Service: "ecr", Terminator: "aws4_request"}
	if s.KeyID != "AKIDEXAMPLE" || s.Scope != want || !s.Time.Equal(now) || s.SessionToken != "session" {
		t.Errorf("parsed %+v", s)
	}
}

// flips calls f with s and each of its bits flipped in turn.
func flips(s string, f func(string)) {
	for i := range 8 * len(s) {
		b := []byte(s)
		b[i/8] ^= 1 << (i % 8)
		f(string(b))
	}
}

func TestAnyFlippedBitIsRefused(t *testing.T) {
	original := signedWire(t)
	refused := func(what string, w wire, secret string) {
		t.Helper()
		if _, err := w.verify(secret); err == nil {
			t.Errorf("verified with %s", what)
		}
	}
	flips(original.method, func(s string) { w := original; w.method = s; refused("method "+s, w, exampleSecret) })
	flips(original.target, func(s string) { w := original; w.target = s; refused("target "+s, w, exampleSecret) })
	flips(original.host, func(s string) { w := original; w.host = s; refused("host "+s, w, exampleSecret) })
	flips(original.body, func(s string) { w := original; w.body = s; refused("body "+s, w, exampleSecret) })
	flips(exampleSecret, func(s string) { refused("secret "+s, original, s) })
	for key := range original.header {
		flips(original.header.Get(key), func(s string) {
			w := original
			w.header = original.header.Clone()
			w.header.Set(key, s)
			signed, err := w.verify(exampleSecret)
			// The key id is no part of a signature: it chooses the secret.
			if err == nil && signed.KeyID == "AKIDEXAMPLE" {
				t.Errorf("verified with %s: %s", key, s)
			}
		})
	}
}

func TestRequestsOfTheSDKVerifyBehindARealServer(t *testing.T) {
	verdicts := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := sigv4.Parse(r)
		if err == nil {
			body, _ := io.ReadAll(r.Body)
			err = s.Verify(expectation(), exampleSecret, hashOf(string(body)))
		}
		verdicts <- err
	}))
	defer server.Close()

	for _, target := range []string{"/", "", "/?", "/?b=2&a=1&a=0", "/a%2Fb/c%20d/?x=%26", "/./a/../b//c", "/ü/*('x')!?q=ü&r=a+b"} {
		t.Run(target, func(t *testing.T) {
			r, err := http.NewRequest("POST", server.URL+target, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Amz-Meta", "  two   spaces ")
			r.Header.Add("X-Many", "one")
			r.Header.Add("X-Many", "two,three")
			credentials := sigv4.Credentials{KeyID: "AKIDEXAMPLE", Secret: exampleSecret}
			if err := sigv4.Sign(r, credentials, "eu-west-1", "ecr", now, hashOf("{}")); err != nil {
				t.Fatal(err)
			}
			post(t, r)
			if err := <-verdicts; err != nil {
				t.Errorf("our own signature: %v", err)
			}

			r, err = http.NewRequest("POST", server.URL+target, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(target, "..") {
				return // the SDK's signer leaves it to its caller to resolve paths
			}
			key := aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: exampleSecret}
			if err := v4.NewSigner().SignHTTP(context.Background(), key, r, hashOf("{}"), "ecr", "eu-west-1", now); err != nil {
				t.Fatal(err)
			}
			post(t, r)
			if err := <-verdicts; err != nil {
				t.Errorf("the SDK's signature: %v", err)
			}
		})
	}
}

func post(t *testing.T, r *http.Request) {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	const scope = "AKIDEXAMPLE/20260301/us-east-1/ecr/aws4_request"
	signature := strings.Repeat("0", 64)
	valid := "AWS4-HMAC-SHA256 Credential=" + scope + ", SignedHeaders=host;x-amz-date, Signature=" + signature
	tests := []struct {
		name          string
		authorization []string
		header        [2]string // one more, or in place of X-Amz-Date
		target        string
		reason        fault.Reason
		detail        string
	}{
		{name: "no Authorization header at all", reason: fault.CredentialMissing},
		{name: "an empty Authorization header", authorization: []string{""}, reason: fault.CredentialMissing},
		{name: "a signature in the query", target: "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00",
			reason: fault.CredentialMalformed, detail: "Signatures in the query string are not accepted here: send an Authorization header."},
		{name: "two Authorization headers", authorization: []string{valid, valid},
			reason: fault.CredentialMalformed, detail: "Header 'Authorization' must be sent once."},
		{name: "version 4A", authorization: []string{strings.Replace(valid, "HMAC-SHA256", "ECDSA-P256-SHA256", 1)},
			reason: fault.CredentialMalformed, detail: "Algorithm 'AWS4-ECDSA-P256-SHA256' is not accepted here: sign with 'AWS4-HMAC-SHA256'."},
		{name: "another scheme, whose secret is not repeated", authorization: []string{"Basic QVdTOnNlY3JldA=="},
			reason: fault.CredentialMalformed, detail: "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter."},
		{name: "nothing but the algorithm, and no date", authorization: []string{"AWS4-HMAC-SHA256"}, header: [2]string{"X-Amz-Date", ""},
			reason: fault.CredentialMalformed, detail: "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."},
		{name: "no Signature", authorization: []string{"AWS4-HMAC-SHA256 Credential=" + scope + ", SignedHeaders=host"},
			reason: fault.CredentialMalformed, detail: "Authorization header requires 'Signature' parameter."},
		{name: "a part without an equal sign", authorization: []string{"AWS4-HMAC-SHA256 Credential"},
			reason: fault.CredentialMalformed, detail: "A parameter of the Authorization header is not a valid key=value pair (missing equal-sign)."},
		{name: "a parameter twice", authorization: []string{valid + ", Signature=" + signature},
			reason: fault.CredentialMalformed, detail: "Authorization header has a repeated or unknown parameter."},
		{name: "a scope of four parts", authorization: []string{strings.Replace(valid, "/ecr", "", 1)},
			reason: fault.CredentialMalformed, detail: "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKIDEXAMPLE/20260301/us-east-1/aws4_request'"},
		{name: "an empty key id", authorization: []string{strings.Replace(valid, "AKIDEXAMPLE", "", 1)},
			reason: fault.CredentialMalformed, detail: "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '/20260301/us-east-1/ecr/aws4_request'"},
		{name: "signed headers out of order", authorization: []string{strings.Replace(valid, "host;x-amz-date", "x-amz-date;host", 1)},
			reason: fault.CredentialMalformed, detail: "SignedHeaders must be lower-case header names in ascending order, separated by semicolons."},
		{name: "too many signed headers", authorization: []string{strings.Replace(valid, "host;", "host;"+strings.Repeat("h;", 64), 1)},
			reason: fault.CredentialMalformed, detail: "SignedHeaders names too many headers."},
		{name: "an Authorization header beyond the bound", authorization: []string{valid + strings.Repeat(" ", 4096)},
			reason: fault.CredentialMalformed, detail: "Authorization header is too long."},
		{name: "a query beyond the bound", authorization: []string{valid}, target: "/?" + strings.Repeat("a", 8192),
			reason: fault.CredentialMalformed, detail: "Path and query are too long."},
		{name: "a query that cannot be decoded", authorization: []string{valid}, target: "/?a=%zz",
			reason: fault.SignatureInvalid, detail: mismatchText},
		{name: "a signature in upper-case hex", authorization: []string{strings.Replace(valid, "Signature=0", "Signature=A", 1)},
			reason: fault.SignatureInvalid, detail: mismatchText},
		{name: "an absent header among the signed", authorization: []string{strings.Replace(valid, "host;", "host;range;", 1)},
			reason: fault.SignatureInvalid, detail: mismatchText},
		{name: "a date that is not one", authorization: []string{valid}, header: [2]string{"X-Amz-Date", "2026-03-01T12:00:00Z"},
			reason: fault.CredentialMalformed, detail: "Date must be in ISO-8601 'basic format'. Got '2026-03-01T12:00:00Z'."},
		{name: "a date with a fraction", authorization: []string{valid}, header: [2]string{"X-Amz-Date", "20260301T120000.5Z"},
			reason: fault.CredentialMalformed, detail: "Date must be in ISO-8601 'basic format'. Got '20260301T120000.5Z'."},
		{name: "host not signed", authorization: []string{strings.Replace(valid, "host;", "", 1)},
			reason: fault.SignatureInvalid, detail: "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
		{name: "an x-amz header not signed", authorization: []string{valid}, header: [2]string{"X-Amz-Target", "T"},
			reason: fault.SignatureInvalid, detail: "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", nil)
			if tt.target != "" {
				r.RequestURI = tt.target
			}
			for _, a := range tt.authorization {
				r.Header.Add("Authorization", a)
			}
			r.Header.Set("X-Amz-Date", "20260301T120000Z")
			if tt.header[0] != "" {
				r.Header.Set(tt.header[0], tt.header[1])
			}
			if tt.header == [2]string{"X-Amz-Date", ""} {
				r.Header.Del("X-Amz-Date")
			}
			_, err := sigv4.Parse(r)
			wantFault(t, err, tt.reason, tt.detail)
		})
	}
}

func TestHeadersThatCountAreSentOnceAndBounded(t *testing.T) {
	for key, detail := range map[string]string{
		"X-Amz-Date":           "Header 'X-Amz-Date' must be sent once.",
		"X-Amz-Security-Token": "Header 'X-Amz-Security-Token' must be sent once.",
		"X-Amz-Content-Sha256": "Header 'X-Amz-Content-Sha256' must be sent once.",
		"X-Large":              "Signed headers are too long.",
	} {
		t.Run(key, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", nil)
			r.Header.Set(key, "20260301T120000Z")
			if err := sigv4.Sign(r, sigv4.Credentials{KeyID: "A", Secret: exampleSecret}, "us-east-1", "ecr", now, hashOf("")); err != nil {
				t.Fatal(err)
			}
			if key == "X-Large" {
				r.Header.Set(key, strings.Repeat("x", 64<<10))
			} else {
				r.Header.Add(key, "20260301T120000Z")
			}
			_, err := sigv4.Parse(r)
			wantFault(t, err, fault.CredentialMalformed, detail)
		})
	}
}

func TestScopeAndDateAreChecked(t *testing.T) {
	tests := []struct {
		name            string
		region, service string
		at              time.Time
		edit            func(http.Header)
		detail          string
	}{
		{name: "as expected"},
		{name: "another served region", region: "eu-west-1"},
		{name: "fifteen minutes late", at: now.Add(-15 * time.Minute)},
		{name: "fifteen minutes early", at: now.Add(15 * time.Minute)},
		{name: "a second more than fifteen minutes late", at: now.Add(-15*time.Minute - time.Second),
			detail: "Signature expired: 20260301T114459Z is now earlier than 20260301T114500Z (20260301T120000Z - 15 min.)"},
		{name: "a second more than fifteen minutes early", at: now.Add(15*time.Minute + time.Second),
			detail: "Signature not yet current: 20260301T121501Z is still later than 20260301T121500Z (20260301T120000Z + 15 min.)"},
		{name: "a region that is not served", region: "mars-north-1",
			detail: "Credential should be scoped to a valid Region, not 'mars-north-1'."},
		{name: "another service", service: "s3",
			detail: "Credential should be scoped to correct service: 'ecr'."},
		{name: "another service in a region that is not served", region: "x", service: "api.ecr",
			detail: "Credential should be scoped to a valid Region, not 'x'. Credential should be scoped to correct service: 'ecr'."},
		{name: "another terminator", edit: func(h http.Header) { replace(h, "aws4_request", "aws5_request") },
			detail: "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'."},
		{name: "a scope of the day before", edit: func(h http.Header) { replace(h, "/20260301/", "/20260228/") },
			detail: "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20260228' != '20260301', from '20260301T120000Z'."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.region == "" {
				tt.region = "us-east-1"
			}
			if tt.service == "" {
				tt.service = "ecr"
			}
			if tt.at.IsZero() {
				tt.at = now
			}
			r := httptest.NewRequest("POST", "/", nil)
			credentials := sigv4.Credentials{KeyID: "AKIDEXAMPLE", Secret: exampleSecret}
			if err := sigv4.Sign(r, credentials, tt.region, tt.service, tt.at, hashOf("")); err != nil {
				t.Fatal(err)
			}
			if tt.edit != nil {
				tt.edit(r.Header)
			}
			s, err := sigv4.Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			early, late := s.Check(expectation()), s.Verify(expectation(), exampleSecret, hashOf(""))
			if tt.detail == "" {
				if early != nil || late != nil {
					t.Errorf("Check: %v, Verify: %v", early, late)
				}
				return
			}
			wantFault(t, early, fault.SignatureInvalid, tt.detail)
			wantFault(t, late, fault.SignatureInvalid, tt.detail)
		})
	}
}

func replace(h http.Header, from, to string) {
	h.Set("Authorization", strings.Replace(h.Get("Authorization"), from, to, 1))
}

func TestTheDateHeaderStandsInForXAmzDate(t *testing.T) {
	r := httptest.NewRequest("POST", "/", nil)
	if err := sigv4.Sign(r, sigv4.Credentials{KeyID: "A", Secret: exampleSecret}, "us-east-1", "ecr", now, hashOf("")); err != nil {
		t.Fatal(err)
	}
	r.Header.Del("X-Amz-Date")
	r.Header.Set("Date", now.Format(http.TimeFormat))
	replace(r.Header, "host;x-amz-date", "date;host")
	s, err := sigv4.Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Time.Equal(now) {
		t.Errorf("time %v, want %v", s.Time, now)
	}
	if err := s.Check(expectation()); err != nil {
		t.Errorf("Check: %v", err)
	}
	if err := s.Verify(expectation(), exampleSecret, hashOf("")); !fault.Is(err, fault.SignatureInvalid) {
		t.Errorf("Verify of another canonical request: %v, want SignatureInvalid", err)
	}
}

func TestThePayloadIsTheBodysAndNoClaim(t *testing.T) {
	for claim, ok := range map[string]bool{
		"":                              true,
		hashOf("body"):                  true,
		hashOf("other"):                 false,
		"UNSIGNED-PAYLOAD":              false,
		"STREAMING-UNSIGNED-PAYLOAD":    false,
		strings.ToUpper(hashOf("body")): false,
	} {
		t.Run("x-amz-content-sha256 is '"+claim+"'", func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", nil)
			if claim != "" {
				r.Header.Set("X-Amz-Content-Sha256", claim)
			}
			signedHash := hashOf("body")
			if !ok {
				signedHash = claim // what a client that believes in its claim signs
			}
			if err := sigv4.Sign(r, sigv4.Credentials{KeyID: "A", Secret: exampleSecret}, "us-east-1", "ecr", now, signedHash); err != nil {
				t.Fatal(err)
			}
			s, err := sigv4.Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			err = s.Verify(expectation(), exampleSecret, hashOf("body"))
			if ok && err != nil {
				t.Error(err)
			}
			if !ok {
				wantFault(t, err, fault.SignatureInvalid, mismatchText)
			}
		})
	}
}

func TestAClaimThatDiffersIsRefusedThoughTheSignatureHolds(t *testing.T) {
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("X-Amz-Content-Sha256", hashOf("other"))
	if err := sigv4.Sign(r, sigv4.Credentials{KeyID: "A", Secret: exampleSecret}, "us-east-1", "ecr", now, hashOf("body")); err != nil {
		t.Fatal(err)
	}
	s, err := sigv4.Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	wantFault(t, s.Verify(expectation(), exampleSecret, hashOf("body")), fault.SignatureInvalid, mismatchText)
}

func FuzzParse(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=A/20260301/us-east-1/ecr/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64), "20260301T120000Z", "/?a=b")
	f.Add("AWS4-HMAC-SHA256 Credential=A/20260301/us-east-1/ecr/aws4_request,SignedHeaders=host;x-amz-date,Signature="+strings.Repeat("f", 64), "20260301T120000Z", "/a/../b?%zz")
	f.Add("Basic QVdTOng=", "", "/")
	f.Add("AWS4-HMAC-SHA256 Credential=,=,", "Sun, 01 Mar 2026 12:00:00 GMT", "?")
	f.Fuzz(func(t *testing.T, authorization, date, target string) {
		r := httptest.NewRequest("POST", "/", nil)
		r.RequestURI = target
		r.Header.Set("Authorization", authorization)
		r.Header.Set("X-Amz-Date", date)
		s, err := sigv4.Parse(r)
		if err != nil {
			switch fault.Of(err).Reason {
			case fault.CredentialMissing, fault.CredentialMalformed, fault.SignatureInvalid:
			default:
				t.Fatalf("reason %v", fault.Of(err).Reason)
			}
			return
		}
		if s.KeyID == "" || strings.ContainsAny(s.KeyID, "/,") || s.Time.IsZero() {
			t.Errorf("parsed %+v", s)
		}
		if s.Verify(expectation(), exampleSecret, hashOf("")) == nil {
			t.Error("a made-up signature verified")
		}
	})
}
