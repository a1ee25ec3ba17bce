package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWorkloadsAreInOrderOfNumber(t *testing.T) {
	names := strings.Join(workNames(), " ")
	if want := "W1a W1b W1c W2a W2b W3 W3p W4 W4l W5 W5u W6a W6b W7 W7x W8 W9a W9b W10 W10x W11 " +
		"W12a W12b W12c W12d W12e W12f W13a W13b W13c W14a W14b W14c W14d W14e W14f W15a W15b W15c W15d W15e W16 ping seed"; names != want {
		t.Errorf("order %q, want %q", names, want)
	}
}

func TestOnlyLoopbackIsDriven(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.9.8.7": true, "::1": true,
		"10.0.0.1": false, "192.168.1.1": false, "example.com": false, "localhost.example.com": false, "": false,
	} {
		if got := loopback(host); got != want {
			t.Errorf("loopback(%q) = %v, want %v", host, got, want)
		}
	}
}

func TestWorksOfAWSAreSkippedWithoutKeys(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s", r.Method, r.URL) }))
	defer srv.Close()
	u, _ := url.Parse(srv.URL)
	var out bytes.Buffer
	if err := drive(context.Background(), newRegistry(u, keys{}, nil), options{}, []string{"W12a", "W15a"}, &out, io.Discard); err != nil || out.Len() > 0 {
		t.Errorf("error %v, results %q; want none", err, out.String())
	}
}

func TestTheClientTrustsTheMadeCertificate(t *testing.T) {
	dir := t.TempDir()
	if err := writeCertificate(dir); err != nil {
		t.Fatal(err)
	}
	own, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{own}}
	srv.StartTLS()
	defer srv.Close()
	u, _ := url.Parse(srv.URL)
	secure, err := trusting(filepath.Join(dir, "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := newRegistry(u, keys{}, secure).ready(context.Background(), 5*time.Second); err != nil {
		t.Error(err)
	}
}

func TestAPayloadInPartsIsSignedAsOne(t *testing.T) {
	whole, parts := newPayload([]byte("one two")), newPayload([]byte("one "), []byte("two"))
	sent, err := io.ReadAll(parts.reader())
	if err != nil || string(sent) != "one two" || parts.length() != 7 || parts.hash != whole.hash {
		t.Errorf("sent %q of length %d, hash %s, want %s (%v)", sent, parts.length(), parts.hash, whole.hash, err)
	}
}

func TestVariantsAreManifestsOfTheSameBlobs(t *testing.T) {
	im := makeImageOf(dockerTypes, 2, 8, 1)
	var is, varied manifest
	if err := json.Unmarshal(im.manifest, &is); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(im.variant(7), &varied); err != nil {
		t.Fatal(err)
	}
	if is.MediaType != dockerTypes.manifest || digestOf(im.variant(7)) == digestOf(im.variant(8)) || varied.Config != is.Config || len(varied.Layers) != 2 {
		t.Errorf("%s and %s", im.manifest, im.variant(7))
	}
}

func TestSharesOfTheMixedLoadAreAHundred(t *testing.T) {
	sum := 0
	for _, s := range shares {
		sum += s.percent
	}
	if sum != 100 {
		t.Errorf("%d", sum)
	}
}

func TestTheLastTenthIsComparedWithTheFirst(t *testing.T) {
	m := (&bench{reg: &registry{}}).meter()
	var latencies []time.Duration
	for i := range 100 {
		latencies = append(latencies, time.Duration(1+i/50)*time.Millisecond) // half as fast in the second half
	}
	m.add(latencies, 0, "")
	if r := m.done(1, ""); r.Late != .5 || r.Ops != 100 || r.P50ms != 2 {
		t.Errorf("late %v, %d operations, median %v", r.Late, r.Ops, r.P50ms)
	}
}
