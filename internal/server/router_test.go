package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/lighterage/lighterage/internal/api/apitest"
	"github.com/lighterage/lighterage/internal/testkit"
)

func TestRoutes(t *testing.T) {
	s := testkit.Start(t)
	form := "Content-Type: application/x-www-form-urlencoded"
	for _, tc := range []struct {
		name, method, path, header string
		status                     int
		want                       string // in the body
	}{
		{"the registry's door", "GET", "/v2/", "", 401, "Not Authorized"},
		{"below it", "GET", "/v2/x/../../healthz", "", 401, "Not Authorized"},
		{"a person who looks", "GET", "/", "", 200, "This is Lighterage"},
		{"an AWS request without a target", "POST", "/", "", 400, "UnknownOperationException"},
		{"an unsigned AWS request", "POST", "/", "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.DescribeRepositories", 400, "MissingAuthenticationTokenException"},
		{"Lightsail's target", "POST", "/", "X-Amz-Target: Lightsail_20161128.GetContainerServices", 400, "MissingAuthenticationTokenException"},
		{"a form goes to STS", "POST", "/", form, 400, "<ErrorResponse"},
		{"alive", "GET", "/healthz", "", 200, "ok"},
		{"ready", "GET", "/readyz", "", 200, "ready"},
		{"nothing else", "GET", "/metrics", "", 404, "not found"},
		{"nor a path that only begins alike", "GET", "/v2x", "", 404, "not found"},
		{"nor another method", "PUT", "/", "", 404, "not found"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var header []string
			if tc.header != "" {
				header = append(header, tc.header)
			}
			a := s.Do(testkit.Login{}, tc.method, tc.path, nil, header...)
			if a.Status != tc.status || !strings.Contains(string(a.Body), tc.want) {
				t.Errorf("%d %s, want %d with %q", a.Status, a.Body, tc.status, tc.want)
			}
		})
	}
}

// TestBehindAProxy signs for a host that the trusted proxy replaced.
func TestBehindAProxy(t *testing.T) {
	s := testkit.Start(t, testkit.Setting("trusted-proxies", "127.0.0.0/8"))
	proxy := &http.Client{Transport: apitest.Whole(roundTrip(func(r *http.Request) (*http.Response, error) {
		r.Header.Set("X-Forwarded-Host", r.URL.Host)
		r.Header.Set("X-Forwarded-Proto", r.URL.Scheme)
		r.URL.Host, r.URL.Scheme, r.Host = s.Host, "http", "inner.test"
		return http.DefaultTransport.RoundTrip(r)
	}))}
	c := s.ECR(func(o *ecr.Options) { o.BaseEndpoint, o.HTTPClient = aws.String("https://reg.test"), proxy })
	out, err := c.CreateRepository(context.Background(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("team/app")})
	if err != nil {
		t.Fatal(err)
	}
	if uri := aws.ToString(out.Repository.RepositoryUri); uri != "reg.test/team/app" {
		t.Errorf("repositoryUri is %s", uri)
	}
	token, err := c.GetAuthorizationToken(context.Background(), &ecr.GetAuthorizationTokenInput{})
	if err != nil || aws.ToString(token.AuthorizationData[0].ProxyEndpoint) != "https://reg.test" {
		t.Errorf("proxyEndpoint: %v, %v", token, err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTLS(t *testing.T) {
	cert, key, pool := certificate(t)
	s := testkit.Start(t, testkit.Setting("tls-cert", cert), testkit.Setting("tls-key", key))
	for _, tc := range []struct {
		name  string
		http2 bool
		proto string
	}{{"HTTP/1.1", false, "HTTP/1.1"}, {"HTTP/2", true, "HTTP/2.0"}} {
		t.Run(tc.name, func(t *testing.T) {
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: tc.http2}}
			defer client.CloseIdleConnections()
			resp, err := client.Get(s.URL + "/healthz")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.Proto != tc.proto || resp.StatusCode != 200 {
				t.Errorf("%s %d, want %s", resp.Proto, resp.StatusCode, tc.proto)
			}
			who, err := s.STS(func(o *sts.Options) { o.HTTPClient = client }).GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
			if err != nil || aws.ToString(who.Account) != "000000000000" {
				t.Errorf("GetCallerIdentity: %v, %v", who, err)
			}
		})
	}
}

// certificate makes one for 127.0.0.1 that signs itself.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool.AppendCertsFromPEM(certPEM)
	write := func(name string, text []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", certPEM), write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})), pool
}
