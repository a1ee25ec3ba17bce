package identity_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/api/oci"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/sigv4"
)

func bodyHash(body string) string {
	h := sha256.Sum256([]byte(body))
	return hex.EncodeToString(h[:])
}

// signed returns a request for the body, signed by the credentials.
func signed(t testing.TB, c sigv4.Credentials, region, service, body string, at time.Time) *http.Request {
	t.Helper()
	r := httptest.NewRequest("POST", "/", nil)
	if err := sigv4.Sign(r, c, region, service, at, bodyHash(body)); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestASignedRequestNamesItsCaller(t *testing.T) {
	c := &clock{start}
	a := newAuthority(t, newSecrets(), c, rootKey("secret"), identity.RootKey("210987654321", "AKIAI44QH8DHBEXAMPLE", identity.NewSecret("other")))
	p, err := a.Begin(signed(t, sigv4.Credentials{KeyID: keyID, Secret: "secret"}, string(region), "ecr", "{}", start), "ecr")
	if err != nil {
		t.Fatal(err)
	}
	c.now = start.Add(time.Hour) // the body came slowly
	got, err := p.Finish(bodyHash("{}"))
	if err != nil {
		t.Fatal(err)
	}
	want := identity.Caller{Account: account, ARN: "arn:aws:iam::123456789012:root", UserID: "123456789012", KeyID: keyID, Region: region, Scope: identity.FullScope, Kind: identity.Root}
	if diff := cmp.Diff(want, got, addresses); diff != "" {
		t.Errorf("caller (-want +got):\n%s", diff)
	}
}

func TestASignedRequestIsRefused(t *testing.T) {
	good := sigv4.Credentials{KeyID: keyID, Secret: "secret"}
	tests := []struct {
		name            string
		c               sigv4.Credentials
		region, service string
		body            string
		at              time.Time
		begin, finish   fault.Reason
	}{
		{name: "with an unknown key", c: sigv4.Credentials{KeyID: "AKIAUNKNOWN", Secret: "secret"}, begin: fault.CredentialUnknown},
		{name: "with a session token", c: sigv4.Credentials{KeyID: keyID, Secret: "secret", SessionToken: "t"}, begin: fault.CredentialUnknown},
		{name: "for a region that is not served", c: good, region: "us-west-2", begin: fault.SignatureInvalid},
		{name: "for a global region that is not this service's", c: good, region: "us-east-1", begin: fault.SignatureInvalid},
		{name: "for an empty region", c: good, region: "-", begin: fault.SignatureInvalid},
		{name: "for another service", c: good, service: "lightsail", begin: fault.SignatureInvalid},
		{name: "of yesterday", c: good, at: start.Add(-24 * time.Hour), begin: fault.SignatureInvalid},
		{name: "with another secret", c: sigv4.Credentials{KeyID: keyID, Secret: "Secret"}, finish: fault.SignatureInvalid},
		{name: "for another body", c: good, body: "[]", finish: fault.SignatureInvalid},
	}
	a := newAuthority(t, newSecrets(), &clock{start}, rootKey("secret"))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.region == "" {
				tt.region = string(region)
			}
			if tt.region == "-" {
				tt.region = ""
			}
			if tt.service == "" {
				tt.service = "ecr"
			}
			if tt.at.IsZero() {
				tt.at = start
			}
			p, err := a.Begin(signed(t, tt.c, tt.region, tt.service, tt.body, tt.at), "ecr")
			if tt.finish == 0 {
				wantReason(t, err, tt.begin)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			caller, err := p.Finish(bodyHash(""))
			if tt.body == "" && tt.c.Secret == "secret" {
				t.Fatal("the table is wrong: nothing to refuse")
			}
			wantReason(t, err, tt.finish)
			if caller != (identity.Caller{}) {
				t.Errorf("and yet a caller: %+v", caller)
			}
		})
	}
}

func TestAnUnsignedRequestIsMissingItsCredential(t *testing.T) {
	a := newAuthority(t, newSecrets(), &clock{start}, rootKey("secret"))
	_, err := a.Begin(httptest.NewRequest("POST", "/", nil), "ecr")
	wantReason(t, err, fault.CredentialMissing)
}

func TestSTSMayBeSignedForTheGlobalRegionOrAServedOne(t *testing.T) {
	a := newAuthority(t, newSecrets(), &clock{start}, rootKey("secret"))
	c := sigv4.Credentials{KeyID: keyID, Secret: "secret"}
	for _, region := range []string{"us-east-1", "eu-west-1"} {
		p, err := a.Begin(signed(t, c, region, "sts", "", start), "sts")
		if err != nil {
			t.Errorf("%s: %v", region, err)
			continue
		}
		if _, err := p.Finish(bodyHash("")); err != nil {
			t.Errorf("%s: %v", region, err)
		}
	}
	_, err := a.Begin(signed(t, c, "us-west-2", "sts", "", start), "sts")
	wantReason(t, err, fault.SignatureInvalid)
}

func TestWhatEndsWhileTheBodyArrivesSignsNothing(t *testing.T) {
	ends := userEnds("alice")
	ends["something else changes"] = func(w *world) { w.user(account, "bob") }
	for what, end := range ends {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, nil)
			w.user(account, "alice")
			session, err := w.IssueOwnSession(ctx, w.as(keyOf("alice")), time.Hour)
			w.must(err)
			var all []identity.Pending
			for _, c := range []sigv4.Credentials{keyOf("alice"), credentialsOf(session)} {
				p, err := w.Begin(w.signed(c), "ecr")
				w.must(err)
				all = append(all, p)
			}
			end(w)
			for _, p := range all {
				caller, err := p.Finish(bodyHash("{}"))
				if what == "something else changes" {
					if err != nil || caller.Name != "alice" || caller.Region != region {
						t.Errorf("got %+v, %v", caller, err)
					}
					continue
				}
				wantReason(t, err, fault.CredentialUnknown)
				if caller != (identity.Caller{}) {
					t.Errorf("and yet a caller: %+v", caller)
				}
			}
		})
	}
}

func TestASessionThatEndsWhileTheBodyArrivesSignsNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.user(account, "alice")
	session, err := w.IssueOwnSession(ctx, w.as(keyOf("alice")), time.Hour)
	w.must(err)
	begin := func(c sigv4.Credentials) identity.Pending {
		p, err := w.Begin(w.signed(c), "ecr")
		w.must(err)
		return p
	}
	w.pass(time.Hour - 2*time.Second)
	inTime, late, key := begin(credentialsOf(session)), begin(credentialsOf(session)), begin(keyOf("alice"))
	w.pass(time.Second)
	_, err = inTime.Finish(bodyHash("{}"))
	w.must(err)
	w.pass(time.Second)
	caller, err := late.Finish(bodyHash("{}"))
	wantReason(t, err, fault.TokenExpired)
	if caller != (identity.Caller{}) {
		t.Errorf("and yet a caller: %+v", caller)
	}
	_, err = key.Finish(bodyHash("{}"))
	w.must(err)
}

// The fronts' authenticators are met without an adapter.
var (
	_ awsjson.Authenticator  = (*identity.Authority)(nil)
	_ awsquery.Authenticator = (*identity.Authority)(nil)
	_ oci.Authenticator      = (*identity.Authority)(nil)
)
