package webidentity_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/webidentity"
)

const account = "123456789012"

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// issuer is an OpenID Connect issuer over TLS.
type issuer struct {
	*httptest.Server
	discoveries, fetches atomic.Int32

	mu       sync.Mutex
	keys     []jose.JSONWebKey
	discover func(w http.ResponseWriter, r *http.Request) // instead of the usual answer
	jwks     func(w http.ResponseWriter, r *http.Request)
}

func newIssuer(t *testing.T, keys ...jose.JSONWebKey) *issuer {
	t.Helper()
	i := &issuer{keys: keys}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		i.discoveries.Add(1)
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.discover != nil {
			i.discover(w, r)
			return
		}
		reply(w, map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		i.fetches.Add(1)
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.jwks != nil {
			i.jwks(w, r)
			return
		}
		reply(w, jose.JSONWebKeySet{Keys: i.keys})
	})
	i.Server = httptest.NewTLSServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) set(fn func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	fn()
}

func (i *issuer) host() string { return strings.TrimPrefix(i.URL, "https://") }

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// pair is a key that signs, as its issuer has it.
type pair struct {
	private   any
	algorithm jose.SignatureAlgorithm
	id        string
	embed     bool // the public key into tokens
}

func newRSA(t *testing.T, id string, bits int) pair {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return pair{private: k, algorithm: jose.RS256, id: id}
}

func newEC(t *testing.T, id string) pair {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return pair{private: k, algorithm: jose.ES256, id: id}
}

func (p pair) public() jose.JSONWebKey {
	public := p.private.(interface{ Public() crypto.PublicKey }).Public()
	return jose.JSONWebKey{Key: public, KeyID: p.id, Algorithm: string(p.algorithm), Use: "sig"}
}

// sign makes a token.
func (p pair) sign(t *testing.T, claims map[string]any) string {
	t.Helper()
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return p.signText(t, string(text))
}

// signText signs any payload.
func (p pair) signText(t *testing.T, payload string) string {
	t.Helper()
	o := (&jose.SignerOptions{}).WithType("JWT")
	o.EmbedJWK = p.embed
	if p.id != "" {
		o = o.WithHeader("kid", p.id)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: p.algorithm, Key: p.private}, o)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// claims returns those of a good token, edited: a nil value removes.
func (i *issuer) claims(edit map[string]any) map[string]any {
	c := map[string]any{
		"iss": i.URL, "sub": "repo:team/app:ref:refs/heads/main", "aud": "sts.amazonaws.com",
		"iat": start.Unix(), "nbf": start.Unix(), "exp": start.Add(5 * time.Minute).Unix(),
	}
	maps.Copy(c, edit)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// world is a verifier with a store and a clock.
type world struct {
	*testing.T
	*webidentity.Verifier
	store *sqlstore.Store
	cas   []byte
	mu    sync.Mutex
	now   time.Time
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// newWorld returns a verifier that trusts the certificates of the issuers, with
// an account that has them as providers.
func newWorld(t *testing.T, issuers ...*issuer) *world {
	t.Helper()
	w := &world{T: t, now: start}
	var err error
	w.store, err = sqlstore.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "meta.db"), sqlstore.Options{Clock: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	err = w.store.Update(t.Context(), func(tx meta.Tx) error { return tx.InsertAccount(meta.Account{ID: account}) })
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range issuers {
		w.cas = append(w.cas, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw})...)
		w.provide(i.host(), "sts.amazonaws.com", "other")
	}
	w.Verifier, err = webidentity.New(webidentity.Config{Store: w.store, Clock: w.clock, CAs: w.cas, Private: loopback})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// loopback lists the hosts at which the tests' issuers are.
func loopback(host string) bool { return host == "127.0.0.1" || host == "localhost" }

func (w *world) provide(host string, clients ...string) {
	w.Helper()
	err := w.store.Update(w.Context(), func(tx meta.Tx) error {
		_, err := tx.InsertOIDCProvider(meta.OIDCProvider{Account: account, Host: host, ClientIDs: clients})
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
}
