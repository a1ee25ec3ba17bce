package webidentity_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/webidentity"
)

func (w *world) refuses(token string, want fault.Reason, sentence string) {
	w.Helper()
	got, err := w.Verify(w.Context(), account, token)
	if err == nil {
		w.Fatalf("taken for %+v", got)
	}
	if f := fault.Of(err); f.Reason != want || !strings.Contains(f.Detail, sentence) {
		w.Errorf("got %v, want %v and %q", err, want, sentence)
	}
}

func (w *world) takes(token string) {
	w.Helper()
	if _, err := w.Verify(w.Context(), account, token); err != nil {
		w.Error(err)
	}
}

func TestAGenuineTokenIsTaken(t *testing.T) {
	rsa, ec := newRSA(t, "r", 2048), newEC(t, "e")
	i := newIssuer(t, rsa.public(), ec.public())
	w := newWorld(t, i)
	nameless := ec
	nameless.id = ""
	for name, tt := range map[string]struct {
		by       pair
		edit     map[string]any
		audience string
	}{
		"with RS256":                          {rsa, nil, "sts.amazonaws.com"},
		"with ES256":                          {ec, nil, "sts.amazonaws.com"},
		"without a key id":                    {nameless, nil, "sts.amazonaws.com"},
		"for several audiences":               {ec, map[string]any{"aud": []string{"unknown", "other"}}, "other"},
		"expired half a minute ago":           {ec, map[string]any{"exp": start.Unix() - 30}, "sts.amazonaws.com"},
		"valid in half a minute":              {ec, map[string]any{"nbf": start.Unix() + 30, "iat": start.Unix() + 30}, "sts.amazonaws.com"},
		"without a beginning":                 {ec, map[string]any{"nbf": nil, "iat": nil}, "sts.amazonaws.com"},
		"with claims that nobody looks at":    {ec, map[string]any{"repository": "team/app", "kubernetes.io": map[string]any{"a": 1}}, "sts.amazonaws.com"},
		"with a time that is no whole second": {ec, map[string]any{"exp": float64(start.Unix()) + 7.5}, "sts.amazonaws.com"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := w.Verify(t.Context(), account, tt.by.sign(t, i.claims(tt.edit)))
			want := webidentity.Identity{Provider: i.host(), Subject: "repo:team/app:ref:refs/heads/main", Audience: tt.audience}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
	if d, f := i.discoveries.Load(), i.fetches.Load(); d != 1 || f != 1 {
		t.Errorf("the issuer was asked %d and %d times, want once each", d, f)
	}
}

func TestATokenThatIsNotGenuineIsRefused(t *testing.T) {
	own, strangers := newEC(t, "e"), newEC(t, "e")
	rsa := newRSA(t, "r", 2048)
	i, other, unknown := newIssuer(t, own.public(), rsa.public()), newIssuer(t, strangers.public()), newIssuer(t, own.public())
	w := newWorld(t, i, other)
	good := own.sign(t, i.claims(nil))
	parts := strings.Split(good, ".")
	public, err := x509.MarshalPKIXPublicKey(rsa.public().Key)
	if err != nil {
		t.Fatal(err)
	}
	confused := pair{private: public, algorithm: jose.HS256, id: "r"}
	absent := own
	absent.id = "absent"
	jws, err := jose.ParseSigned(good, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	bringing := strangers
	bringing.embed = true

	const notValid = "signature or content is not valid"
	tests := []struct {
		name, token string
		want        fault.Reason
		sentence    string
	}{
		{"nothing", "", fault.IdentityTokenInvalid, "not a valid JWT"},
		{"a word", "token", fault.IdentityTokenInvalid, "not a valid JWT"},
		{"two parts", parts[0] + "." + parts[1], fault.IdentityTokenInvalid, "not a valid JWT"},
		{"in JSON", jws.FullSerialize(), fault.IdentityTokenInvalid, "not a valid JWT"},
		{"too long", own.sign(t, i.claims(map[string]any{"x": strings.Repeat("a", 20000)})), fault.IdentityTokenInvalid, "not a valid JWT"},
		{"without a signature", parts[0] + "." + parts[1] + ".", fault.IdentityTokenInvalid, notValid},
		{"with another's signature", parts[0] + "." + parts[1] + "." + strings.Split(own.sign(t, i.claims(map[string]any{"sub": "x"})), ".")[2], fault.IdentityTokenInvalid, notValid},
		{"signed by a stranger", strangers.sign(t, i.claims(nil)), fault.IdentityTokenInvalid, notValid},
		{"signed by a stranger who brings a key", bringing.sign(t, i.claims(nil)), fault.IdentityTokenInvalid, notValid},
		{"of another of the account's issuers", own.sign(t, i.claims(map[string]any{"iss": other.URL})), fault.IdentityTokenInvalid, notValid},
		{"of the algorithm none", "eyJhbGciOiJub25lIn0." + parts[1] + ".", fault.IdentityTokenInvalid, "RS256 or ES256"},
		{"with the public key as a secret", confused.sign(t, i.claims(nil)), fault.IdentityTokenInvalid, "RS256 or ES256"},
		{"of RS512", pair{private: rsa.private, algorithm: jose.RS512, id: "r"}.sign(t, i.claims(nil)), fault.IdentityTokenInvalid, "RS256 or ES256"},
		{"with a key that is not published", absent.sign(t, i.claims(nil)), fault.IdentityTokenInvalid, "does not publish"},
		{"of an issuer that is no provider", own.sign(t, unknown.claims(nil)), fault.IdentityTokenInvalid, "No OpenIDConnect provider found in your account for " + unknown.URL},
		{"of no issuer", own.sign(t, i.claims(map[string]any{"iss": nil})), fault.IdentityTokenInvalid, "not a valid JWT"},
		{"of an issuer in the clear", own.sign(t, i.claims(map[string]any{"iss": "http://example.com"})), fault.IdentityTokenInvalid, "No OpenIDConnect provider"},
		{"of an issuer with a user", own.sign(t, i.claims(map[string]any{"iss": "https://a@" + i.host()})), fault.IdentityTokenInvalid, "No OpenIDConnect provider"},
		{"of an issuer with a query", own.sign(t, i.claims(map[string]any{"iss": i.URL + "?"})), fault.IdentityTokenInvalid, "No OpenIDConnect provider"},
		{"for another audience", own.sign(t, i.claims(map[string]any{"aud": "somebody"})), fault.IdentityTokenInvalid, "Incorrect token audience"},
		{"for no audience", own.sign(t, i.claims(map[string]any{"aud": nil})), fault.IdentityTokenInvalid, "Incorrect token audience"},
		{"that never expires", own.sign(t, i.claims(map[string]any{"exp": nil})), fault.IdentityTokenInvalid, "when it expires"},
		{"expired a minute ago", own.sign(t, i.claims(map[string]any{"exp": start.Unix() - 60})), fault.IdentityTokenExpired, "Token expired: current date/time 1772366400 must be before the expiration date/time 1772366340"},
		{"not valid for two minutes", own.sign(t, i.claims(map[string]any{"nbf": start.Unix() + 120})), fault.IdentityTokenRejected, "not valid yet"},
		{"issued in two minutes", own.sign(t, i.claims(map[string]any{"iat": start.Unix() + 120})), fault.IdentityTokenRejected, "not valid yet"},
		{"of nobody", own.sign(t, i.claims(map[string]any{"sub": nil})), fault.IdentityTokenRejected, "subject"},
		{"of somebody with a very long name", own.sign(t, i.claims(map[string]any{"sub": strings.Repeat("a", 256)})), fault.IdentityTokenRejected, "subject"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := &world{T: t, Verifier: w.Verifier, store: w.store}
			in.refuses(tt.token, tt.want, tt.sentence)
		})
	}
	if unknown.discoveries.Load() != 0 {
		t.Error("an issuer was asked that is no provider")
	}
	_, err = w.Verify(t.Context(), "210987654321", good)
	if !fault.Is(err, fault.IdentityTokenInvalid) {
		t.Errorf("in another account: %v", err)
	}
	w.takes(good)
}

// TestAClaimHasItsLetterCase: an issuer that lets others name claims must not
// thereby let them choose the subject.
func TestAClaimHasItsLetterCase(t *testing.T) {
	key := newEC(t, "e")
	i := newIssuer(t, key.public())
	w := newWorld(t, i)
	good, err := json.Marshal(i.claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	with := func(more string) string { return key.signText(t, strings.TrimSuffix(string(good), "}")+","+more+"}") }
	first := func(more string) string { return key.signText(t, "{"+more+","+strings.TrimPrefix(string(good), "{")) }
	for _, claim := range []string{"iss", "sub", "aud", "exp", "nbf", "iat", "azp", "nonce"} {
		for _, alias := range []string{strings.ToUpper(claim), strings.ToUpper(claim[:1]) + claim[1:], strings.Replace(claim, "s", "\u017f", 1)} {
			if alias == claim {
				continue
			}
			w.refuses(with(`"`+alias+`":"x"`), fault.IdentityTokenInvalid, "not a valid JWT")
			w.refuses(first(`"`+alias+`":"x"`), fault.IdentityTokenInvalid, "not a valid JWT")
			w.refuses(with(`"`+alias+`":null`), fault.IdentityTokenInvalid, "not a valid JWT")
			only := i.claims(nil)
			only[alias] = only[claim]
			delete(only, claim)
			w.refuses(key.sign(t, only), fault.IdentityTokenInvalid, "not a valid JWT")
		}
		if claim != "azp" && claim != "nonce" {
			w.refuses(with(`"`+claim+`":"x"`), fault.IdentityTokenInvalid, "not a valid JWT")
		}
	}
	w.refuses(with(`"\u0073ub":"x"`), fault.IdentityTokenInvalid, "not a valid JWT")
	w.refuses(with(`"repository":"a","repository":"b"`), fault.IdentityTokenInvalid, "not a valid JWT")
	w.refuses(with(`"nested":{"sub":"x"`), fault.IdentityTokenInvalid, "not a valid JWT")
	w.refuses(key.signText(t, "["+string(good)+"]"), fault.IdentityTokenInvalid, "not a valid JWT")
	w.refuses(key.signText(t, string(good)+`{"sub":"x"}`), fault.IdentityTokenInvalid, "not a valid JWT")
	w.takes(with(`"Repository":"a","repository":"b","nested":{"SUB":"x","sub":"y","sub":"z"},"subject":"x","azp":"y"`))
}

func TestAnIssuerIsAskedSeldom(t *testing.T) {
	old, next := newEC(t, "old"), newEC(t, "next")
	i := newIssuer(t, old.public())
	w := newWorld(t, i)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { w.takes(old.sign(t, i.claims(nil))) })
	}
	wg.Wait()
	asked := func(want int32) {
		t.Helper()
		if got := i.fetches.Load(); got != want {
			t.Errorf("asked %d times, want %d", got, want)
		}
	}
	asked(1)
	late := i.claims(map[string]any{"exp": start.Add(3 * time.Hour).Unix()})
	byOld, byNext := old.sign(t, late), next.sign(t, late)

	i.set(func() { i.keys = append(i.keys, next.public()) })
	for range 5 {
		w.refuses(byNext, fault.IdentityTokenInvalid, "does not publish")
	}
	asked(1)
	w.pass(10 * time.Second)
	w.takes(byNext)
	asked(2)

	i.set(func() { i.keys = i.keys[1:] })
	w.takes(byOld) // its withdrawal is not known yet
	w.pass(time.Hour)
	w.refuses(byOld, fault.IdentityTokenInvalid, "does not publish")
	w.takes(byNext)
	asked(3)
}

func TestAnIssuerThatDoesNotAnswerWell(t *testing.T) {
	key := newEC(t, "e")
	elsewhere := newIssuer(t, key.public())
	never := newIssuer(t, key.public())
	small, encrypting := newRSA(t, "small", 1024), key.public()
	encrypting.Use = "enc"
	symmetric := jose.JSONWebKey{Key: []byte("0123456789abcdef0123456789abcdef"), KeyID: "e"}
	for name, edit := range map[string]func(*issuer){
		"a discovery that fails": func(i *issuer) {
			i.discover = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) }
		},
		"a discovery that is no JSON": func(i *issuer) {
			i.discover = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }
		},
		"a discovery of another issuer": func(i *issuer) {
			i.discover = func(w http.ResponseWriter, _ *http.Request) {
				reply(w, map[string]any{"issuer": elsewhere.URL, "jwks_uri": elsewhere.URL + "/keys"})
			}
		},
		"keys at an address that the provider's URL does not name": func(i *issuer) {
			i.discover = func(w http.ResponseWriter, _ *http.Request) {
				at := strings.Replace(never.URL, "127.0.0.1", "localhost", 1)
				reply(w, map[string]any{"issuer": i.URL, "jwks_uri": at + "/keys"})
			}
		},
		"keys in the clear": func(i *issuer) {
			i.discover = func(w http.ResponseWriter, _ *http.Request) {
				reply(w, map[string]any{"issuer": i.URL, "jwks_uri": "http://192.0.2.1/keys"})
			}
		},
		"keys in a file": func(i *issuer) {
			i.discover = func(w http.ResponseWriter, _ *http.Request) {
				reply(w, map[string]any{"issuer": i.URL, "jwks_uri": "file:///etc/passwd"})
			}
		},
		"a redirect to another host": func(i *issuer) {
			i.jwks = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, never.URL+"/keys", http.StatusFound) }
		},
		"a redirect without end": func(i *issuer) {
			i.jwks = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/keys", http.StatusFound) }
		},
		"an answer that is too long": func(i *issuer) {
			i.jwks = func(w http.ResponseWriter, _ *http.Request) {
				reply(w, map[string]any{"x": strings.Repeat("a", 300<<10), "keys": []jose.JSONWebKey{key.public()}})
			}
		},
		"a header that is too long": func(i *issuer) {
			i.jwks = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X", strings.Repeat("a", 64<<10))
				reply(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.public()}})
			}
		},
		"keys that fail": func(i *issuer) {
			i.jwks = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }
		},
		"no keys":                     func(i *issuer) { i.keys = nil },
		"only keys that do not sign":  func(i *issuer) { i.keys = []jose.JSONWebKey{encrypting} },
		"only keys that are too weak": func(i *issuer) { i.keys = []jose.JSONWebKey{small.public()} },
		"only a secret":               func(i *issuer) { i.keys = []jose.JSONWebKey{symmetric} },
		"its own private key":         func(i *issuer) { i.keys = []jose.JSONWebKey{{Key: key.private, KeyID: "e"}} },
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t, key.public())
			i.set(func() { edit(i) })
			w := newWorld(t, i, elsewhere, never)
			token := key.sign(t, i.claims(nil))
			w.refuses(token, fault.IssuerUnreachable, "Couldn't retrieve verification key")
			before := i.discoveries.Load()
			w.refuses(token, fault.IssuerUnreachable, "Couldn't retrieve verification key")
			if i.discoveries.Load() != before {
				t.Error("asked again at once")
			}
			i.set(func() { i.discover, i.jwks, i.keys = nil, nil, []jose.JSONWebKey{key.public()} })
			w.pass(10 * time.Second)
			w.takes(token)
		})
	}
	if never.fetches.Load() != 0 {
		t.Error("a host was asked that no provider names")
	}
}

func TestAnIssuerWithoutATrustedCertificateIsNotBelieved(t *testing.T) {
	key := newEC(t, "e")
	i := newIssuer(t, key.public())
	w := newWorld(t)
	w.provide(i.host(), "sts.amazonaws.com")
	w.refuses(key.sign(t, i.claims(nil)), fault.IssuerUnreachable, "")
	if i.discoveries.Load() != 0 {
		t.Error("it was asked")
	}
}

func TestAProviderOfAnIssuerWithASlash(t *testing.T) {
	key := newEC(t, "e")
	i := newIssuer(t, key.public())
	w := newWorld(t, i)
	i.set(func() {
		i.discover = func(w http.ResponseWriter, _ *http.Request) {
			reply(w, map[string]any{"issuer": i.URL + "/", "jwks_uri": i.URL + "/keys"})
		}
	})
	got, err := w.Verify(t.Context(), account, key.sign(t, i.claims(map[string]any{"iss": i.URL + "/"})))
	if err != nil || got.Provider != i.host() {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestConnectionsToPrivateAddressesAreRefused(t *testing.T) {
	for address, refused := range map[string]bool{
		"93.184.215.14:443":          false,
		"[2606:2800:21f:cb07::]:443": false,
		"127.0.0.1:443":              true,
		"[::1]:443":                  true,
		"[::ffff:127.0.0.1]:443":     true,
		"0.0.0.0:443":                true,
		"[::]:443":                   true,
		"10.1.2.3:443":               true,
		"172.16.0.1:443":             true,
		"192.168.1.1:443":            true,
		"100.64.0.1:443":             true,
		"169.254.169.254:80":         true,
		"[fe80::1%lo]:443":           true,
		"[fd00:ec2::254]:80":         true,
		"[64:ff9b::a9fe:a9fe]:80":    true,
		"255.255.255.255:443":        true,
		"224.0.0.1:443":              true,
		"no address":                 true,
	} {
		if err := webidentity.PublicOnly(address); (err != nil) != refused {
			t.Errorf("%s: %v, want refused: %v", address, err, refused)
		}
	}
}

func TestAListedHostIsNotAtAnAddressOfNoIssuer(t *testing.T) {
	for address, refused := range map[string]bool{
		"127.0.0.1:443":           false,
		"[::1]:443":               false,
		"10.1.2.3:443":            false,
		"192.168.1.1:443":         false,
		"100.64.0.1:443":          false,
		"[fd12::1]:443":           false,
		"93.184.215.14:443":       false,
		"169.254.169.254:80":      true,
		"[::ffff:169.254.1.1]:80": true,
		"[fe80::1%lo]:443":        true,
		"[fd00:ec2::254]:80":      true,
		"100.100.100.200:80":      true,
		"192.0.0.192:80":          true,
		"[64:ff9b::a9fe:a9fe]:80": true,
		"0.0.0.0:443":             true,
		"[::]:443":                true,
		"224.0.0.1:443":           true,
		"no address":              true,
	} {
		if err := webidentity.ListedOnly(address); (err != nil) != refused {
			t.Errorf("%s: %v, want refused: %v", address, err, refused)
		}
	}
}

// TestAProviderLeadsToNoPrivateAddressThatIsNotListed: any tenant may register
// one.
func TestAProviderLeadsToNoPrivateAddressThatIsNotListed(t *testing.T) {
	key := newEC(t, "e")
	i, other := newIssuer(t, key.public()), newIssuer(t, key.public())
	w := newWorld(t, i, other)
	verify := func(private func(string) bool, iss string) error {
		v, err := webidentity.New(webidentity.Config{Store: w.store, Clock: w.clock, CAs: w.cas, Private: private})
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(t.Context(), account, key.sign(t, i.claims(map[string]any{"iss": iss})))
		return err
	}
	if err := verify(loopback, i.URL); err != nil {
		t.Fatalf("where it is listed: %v", err)
	}
	asked := i.discoveries.Load()
	if err := verify(nil, i.URL); !fault.Is(err, fault.IssuerUnreachable) || !strings.Contains(err.Error(), "is a private address") {
		t.Errorf("by default: %v", err)
	}
	if err := verify(func(h string) bool { return h == "localhost" }, i.URL); !fault.Is(err, fault.IssuerUnreachable) {
		t.Errorf("where another is listed: %v", err)
	}
	if err := verify(nil, "http://"+i.host()); !fault.Is(err, fault.IdentityTokenInvalid) {
		t.Errorf("in the clear: %v", err)
	}
	if i.discoveries.Load() != asked {
		t.Error("it was asked")
	}
	for what, at := range map[string]string{
		"keys at another port of the listed host": other.URL + "/keys",
		"keys at another listed host":             strings.Replace(i.URL, "127.0.0.1", "localhost", 1) + "/keys",
		"keys in the clear":                       "http://" + i.host() + "/keys",
	} {
		i.set(func() {
			i.discover = func(w http.ResponseWriter, _ *http.Request) {
				reply(w, map[string]any{"issuer": i.URL, "jwks_uri": at})
			}
		})
		if err := verify(loopback, i.URL); !fault.Is(err, fault.IssuerUnreachable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if other.fetches.Load() != 0 {
		t.Error("the other issuer was asked")
	}
}

// TestAKnownKeyDoesNotWait while a stranger's token makes the server ask.
func TestAKnownKeyDoesNotWait(t *testing.T) {
	key, other := newEC(t, "e"), newEC(t, "other")
	i := newIssuer(t, key.public())
	w := newWorld(t, i)
	good := key.sign(t, i.claims(nil))
	if _, err := w.Verify(t.Context(), account, good); err != nil {
		t.Fatal(err)
	}
	w.pass(11 * time.Second)
	asked, hang := make(chan struct{}), make(chan struct{})
	i.set(func() {
		i.jwks = func(w http.ResponseWriter, _ *http.Request) {
			close(asked)
			<-hang
		}
	})
	done := make(chan error)
	go func() {
		_, err := w.Verify(t.Context(), account, other.sign(t, i.claims(nil)))
		done <- err
	}()
	<-asked
	soon, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if _, err := w.Verify(soon, account, good); err != nil {
		t.Errorf("a token of a known key waits: %v", err)
	}
	close(hang)
	if err := <-done; err == nil {
		t.Error("a token of a key that is not published is good")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	w := newWorld(t)
	for i := range 3 * webidentity.MaxIssuers {
		webidentity.Place(w.Verifier, "https://"+strconv.Itoa(i)+".example.com")
	}
	if n := webidentity.Issuers(w.Verifier); n != webidentity.MaxIssuers {
		t.Errorf("%d issuers", n)
	}
}

func TestAStoreThatIsAwayIsTheServersFault(t *testing.T) {
	key := newEC(t, "e")
	i := newIssuer(t, key.public())
	w := newWorld(t, i)
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := w.Verify(t.Context(), account, key.sign(t, i.claims(nil)))
	if !fault.Is(err, fault.StoreUnavailable) || !errors.Is(err, meta.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestNewRefusesCAsThatAreNone(t *testing.T) {
	if _, err := webidentity.New(webidentity.Config{CAs: []byte("no PEM")}); err == nil || !strings.Contains(err.Error(), "no CA certificate") {
		t.Errorf("got %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2V4YW1wbGUuY29tIn0.AA")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		w := newWorld(t)
		if _, err := w.Verify(t.Context(), account, token); !fault.Is(err, fault.IdentityTokenInvalid) {
			t.Errorf("got %v", err)
		}
	})
}

// A name in another case is none that is known to be this machine's.
func TestANameThatLeadsToAPrivateAddressIsRefusedUnlessItIsAllowed(t *testing.T) {
	key := newEC(t, "e")
	i := newIssuer(t, key.public())
	w := newWorld(t)
	host := strings.Replace(i.host(), "127.0.0.1", "LOCALHOST", 1)
	w.provide(host, "sts.amazonaws.com")
	token := key.sign(t, i.claims(map[string]any{"iss": "https://" + host}))
	for name, tt := range map[string]struct {
		private func(string) bool
		want    string
	}{
		"by default":                 {nil, "is a private address"},
		"where another is allowed":   {func(h string) bool { return h == "other" }, "is a private address"},
		"unless its name is allowed": {func(h string) bool { return h == "LOCALHOST" }, "certificate"}, // it is connected to, and has another name
	} {
		t.Run(name, func(t *testing.T) {
			v, err := webidentity.New(webidentity.Config{Store: w.store, Clock: w.clock, Private: tt.private})
			if err != nil {
				t.Fatal(err)
			}
			_, err = v.Verify(t.Context(), account, token)
			if !fault.Is(err, fault.IssuerUnreachable) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
