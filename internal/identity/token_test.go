package identity_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
)

var ctx = context.Background()

var root = identity.Caller{Account: account, ARN: "arn:aws:iam::123456789012:root", UserID: "123456789012", KeyID: keyID, Region: region, Kind: identity.Root}

// addresses lets go-cmp compare callers.
var addresses = cmpopts.EquateComparable(netip.Addr{})

func issue(t testing.TB, a *identity.Authority, scope identity.Scope) identity.Token {
	t.Helper()
	token, err := a.IssueToken(ctx, root, scope, region)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestATokenSpeaksForItsCallerForTwelveHours(t *testing.T) {
	for _, scope := range []identity.Scope{identity.FullScope, identity.LightsailPush} {
		c := &clock{start.Add(300 * time.Millisecond)}
		a := newAuthority(t, newSecrets(), c, rootKey("secret"))
		token := issue(t, a, scope)
		if strings.Contains(token.Password, ":") {
			t.Errorf("the password %q has a colon", token.Password)
		}
		if want := start.Add(12 * time.Hour); !token.ExpiresAt.Equal(want) || token.ExpiresAt.Location() != time.UTC {
			t.Errorf("expires at %v, want %v", token.ExpiresAt, want)
		}
		want := root
		want.Scope = scope
		for range 2 { // the second time from the cache
			for _, at := range []time.Time{start, start.Add(12*time.Hour - time.Millisecond)} {
				c.now = at
				got, err := a.VerifyToken(ctx, "AWS", token.Password)
				if diff := cmp.Diff(want, got, addresses); diff != "" || err != nil {
					t.Errorf("VerifyToken: %v (-want +got):\n%s", err, diff)
				}
				got, err = a.VerifyBasic(ctx, basic("AWS", token.Password))
				if diff := cmp.Diff(want, got, addresses); diff != "" || err != nil {
					t.Errorf("VerifyBasic: %v (-want +got):\n%s", err, diff)
				}
			}
		}
		c.now = token.ExpiresAt // half a millisecond after it was cached
		_, err := a.VerifyToken(ctx, "AWS", token.Password)
		wantReason(t, err, fault.TokenExpired)
		_, err = a.VerifyBasic(ctx, basic("AWS", token.Password))
		wantReason(t, err, fault.TokenExpired)
		c.now = start.Add(100 * time.Hour)
		_, err = a.VerifyToken(ctx, "AWS", token.Password)
		wantReason(t, err, fault.TokenExpired)
	}
}

func TestTwoTokensAreNeverTheSame(t *testing.T) {
	a := newAuthority(t, newSecrets(), &clock{start}, rootKey("secret"))
	first, second := issue(t, a, identity.FullScope), issue(t, a, identity.FullScope)
	if first.Password == second.Password {
		t.Error("two tokens of one moment are equal")
	}
}

func TestATokenDoesNotTellTheSecret(t *testing.T) {
	a := newAuthority(t, newSecrets(), &clock{start}, rootKey("canary"))
	for part := range strings.SplitSeq(issue(t, a, identity.FullScope).Password, ".") {
		if plain, _ := base64.RawURLEncoding.DecodeString(part); strings.Contains(string(plain), "canary") {
			t.Errorf("the token holds the secret: %s", plain)
		}
	}
}

func TestForgedTokensAreRefused(t *testing.T) {
	store, c := newSecrets(), &clock{start}
	a := newAuthority(t, store, c, rootKey("secret"))
	good := issue(t, a, identity.FullScope).Password
	parts := strings.Split(good, ".")

	var header, body map[string]any
	for i, to := range []*map[string]any{&header, &body} {
		text, _ := base64.RawURLEncoding.DecodeString(parts[i])
		if err := json.Unmarshal(text, to); err != nil {
			t.Fatal(err)
		}
	}
	part := func(m map[string]any, key string, value any) string {
		m = maps.Clone(m)
		m[key] = value
		text, _ := json.Marshal(m)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	_, private, _ := ed25519.GenerateKey(nil)
	asymmetric := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims(body))
	asymmetric.Header["kid"] = header["kid"]
	byStranger, _ := asymmetric.SignedString(private)
	ownKey := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims(body))
	ownKey.Header["kid"] = header["kid"]
	ownSecret, _ := ownKey.SignedString([]byte("secret"))

	forged := map[string]string{
		"empty":                            "",
		"a word":                           "password",
		"two parts":                        parts[0] + "." + parts[1],
		"four parts":                       good + ".x",
		"truncated":                        good[:len(good)-1],
		"longer":                           good + "A",
		"without a signature":              parts[0] + "." + parts[1] + ".",
		"of the algorithm none":            part(header, "alg", "none") + "." + parts[1] + ".",
		"of the algorithm none, kept mac":  part(header, "alg", "none") + "." + parts[1] + "." + parts[2],
		"of the algorithm HS512":           part(header, "alg", "HS512") + "." + parts[1] + "." + parts[2],
		"signed by a stranger":             byStranger,
		"signed with the access key":       ownSecret,
		"with another key id":              part(header, "kid", "x") + "." + parts[1] + "." + parts[2],
		"of another account":               parts[0] + "." + part(body, "acc", "210987654321") + "." + parts[2],
		"with a wider scope":               parts[0] + "." + part(body, "scp", "full ") + "." + parts[2],
		"with more time":                   parts[0] + "." + part(body, "exp", 1<<40) + "." + parts[2],
		"too long to be one":               good + strings.Repeat("A", 4096),
		"a download link":                  a.IssueDownload(identity.Download{}),
		"with white space":                 good + "\n",
		"padded":                           good + "=",
		"another authority's, for its key": issue(t, newAuthority(t, newSecrets(), c, rootKey("secret")), identity.FullScope).Password,
	}
	for name, password := range forged {
		t.Run(name, func(t *testing.T) {
			for range 2 { // no answer is remembered wrongly
				_, err := a.VerifyToken(ctx, "AWS", password)
				wantReason(t, err, fault.TokenInvalid)
				_, err = a.VerifyBasic(ctx, basic("AWS", password))
				wantReason(t, err, fault.TokenInvalid)
			}
		})
	}
	t.Run("any character changed", func(t *testing.T) {
		for i := range good {
			for _, to := range []byte{good[i] ^ 1, good[i] ^ 2, good[i] ^ 0x20, '.'} {
				b := []byte(good)
				b[i] = to
				if string(b) == good {
					continue
				}
				if _, err := a.VerifyToken(ctx, "AWS", string(b)); !fault.Is(err, fault.TokenInvalid) {
					t.Fatalf("%s: %v, want TokenInvalid", b, err)
				}
			}
		}
	})
}

func TestTheUserIsAWS(t *testing.T) {
	a := newAuthority(t, newSecrets(), &clock{start}, rootKey("secret"))
	password := issue(t, a, identity.FullScope).Password
	for range 2 {
		for _, user := range []string{"", "aws", "AWS ", "root"} {
			_, err := a.VerifyToken(ctx, user, password)
			wantReason(t, err, fault.TokenInvalid)
			_, err = a.VerifyBasic(ctx, basic(user, password))
			wantReason(t, err, fault.TokenInvalid)
		}
		if _, err := a.VerifyToken(ctx, "AWS", password); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAReplacedOrRemovedKeyEndsItsTokens(t *testing.T) {
	store, c := newSecrets(), &clock{start}
	password := issue(t, newAuthority(t, store, c, rootKey("secret")), identity.FullScope).Password
	for name, keys := range map[string][]identity.AccessKey{
		"the same id with another secret": {rootKey("another")},
		"another id":                      {identity.RootKey(account, "AKIAOTHER", identity.NewSecret("secret"))},
		"the same key of another account": {identity.RootKey("210987654321", keyID, identity.NewSecret("secret"))},
		"no key":                          nil,
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t, store, c, keys...)
			_, err := a.VerifyToken(ctx, "AWS", password)
			wantReason(t, err, fault.TokenInvalid)
			c := &clock{start.Add(24 * time.Hour)}
			_, err = newAuthority(t, store, c, keys...).VerifyToken(ctx, "AWS", password)
			wantReason(t, err, fault.TokenInvalid) // rather than: renew it
		})
	}
	if _, err := newAuthority(t, store, c, rootKey("secret")).VerifyToken(ctx, "AWS", password); err != nil {
		t.Errorf("the key given again: %v", err)
	}
}

func TestATokenIsRefusedWhereItsRegionIsNotServed(t *testing.T) {
	a := newAuthority(t, newSecrets(), &clock{start}, rootKey("secret"))
	token, err := a.IssueToken(ctx, root, identity.FullScope, "us-west-2")
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.VerifyToken(ctx, "AWS", token.Password)
	wantReason(t, err, fault.TokenInvalid)
}

func TestNoTokenIsIssuedBeyondItsCaller(t *testing.T) {
	a := newAuthority(t, newSecrets(), &clock{start}, rootKey("secret"))
	narrow := root
	narrow.Scope = identity.LightsailPush
	_, err := a.IssueToken(ctx, narrow, identity.FullScope, region)
	wantReason(t, err, fault.AccessDenied)

	unknown := root
	unknown.KeyID = "AKIAOTHER"
	_, err = a.IssueToken(ctx, unknown, identity.FullScope, region)
	wantReason(t, err, fault.CredentialUnknown)

	elsewhere := root
	elsewhere.Account = "210987654321"
	_, err = a.IssueToken(ctx, elsewhere, identity.FullScope, region)
	wantReason(t, err, fault.CredentialUnknown)
}

func TestBasicHeaders(t *testing.T) {
	a := newAuthority(t, newSecrets(), &clock{start}, rootKey("secret"))
	password := issue(t, a, identity.FullScope).Password
	tests := []struct {
		name, header string
		want         fault.Reason // 0: accepted
	}{
		{"as docker sends it", basic("AWS", password), 0},
		{"with the scheme in lower case", "basic" + basic("AWS", password)[5:], 0},
		{"none", "", fault.CredentialMissing},
		{"the scheme alone", "Basic", fault.TokenInvalid},
		{"another scheme", "Bearer " + password, fault.TokenInvalid},
		{"the credential not encoded", "Basic AWS:" + password, fault.TokenInvalid},
		{"the credential without a scheme", "AWS:" + password, fault.TokenInvalid},
		{"no colon", "Basic " + base64.StdEncoding.EncodeToString([]byte("AWS")), fault.TokenInvalid},
		{"two colons", basic("AWS", password+":"), fault.TokenInvalid},
		{"not base64", "Basic %%%", fault.TokenInvalid},
		{"too long to be one", basic("AWS", strings.Repeat("A", 10000)), fault.TokenInvalid},
		{"a little too long", basic("AWS", strings.Repeat("A", 4097)), fault.TokenInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 {
				got, err := a.VerifyBasic(ctx, tt.header)
				if tt.want != 0 {
					wantReason(t, err, tt.want)
					continue
				}
				if diff := cmp.Diff(root, got, addresses); diff != "" || err != nil {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
			}
		})
	}
}

func TestManyTokensPassThroughTheBoundedCacheAtOnce(t *testing.T) {
	a := newAuthority(t, newSecrets(), &clock{start}, rootKey("secret"))
	shared := basic("AWS", issue(t, a, identity.FullScope).Password)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1250 {
				own, err := a.IssueToken(ctx, root, identity.FullScope, region)
				if err == nil {
					_, err = a.VerifyBasic(ctx, basic("AWS", own.Password))
				}
				if err == nil {
					_, err = a.VerifyBasic(ctx, shared)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestACachedTokenIsCheap(t *testing.T) {
	a := newAuthority(t, newSecrets(), &clock{start}, rootKey("secret"))
	header := basic("AWS", issue(t, a, identity.FullScope).Password)
	allocs := testing.AllocsPerRun(1000, func() {
		if _, err := a.VerifyBasic(ctx, header); err != nil {
			panic(err)
		}
	})
	if allocs > 2 {
		t.Errorf("%v allocations on a cache hit, want at most 2", allocs)
	}
}

func BenchmarkVerifyBasic(b *testing.B) {
	c := &clock{start}
	a := newAuthority(b, newSecrets(), c, rootKey("secret"))
	header := basic("AWS", issue(b, a, identity.FullScope).Password)
	for _, hit := range []bool{true, false} {
		b.Run(fmt.Sprintf("hit=%v", hit), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !hit {
					c.now = c.now.Add(time.Second)
					if c.now.Sub(start) > time.Hour {
						c.now = start
					}
				}
				if _, err := a.VerifyBasic(ctx, header); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
