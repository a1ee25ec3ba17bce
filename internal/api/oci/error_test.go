package oci_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/api/oci"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/registry"
)

// codes are the spec's, which bind answers of 4xx, with ECR's TAG_INVALID (of
// Docker's API before it); and Docker's for answers of 5xx.
var codes = map[string]bool{
	"BLOB_UNKNOWN": true, "BLOB_UPLOAD_INVALID": true, "BLOB_UPLOAD_UNKNOWN": true, "DIGEST_INVALID": true, "MANIFEST_BLOB_UNKNOWN": true,
	"MANIFEST_INVALID": true, "MANIFEST_UNKNOWN": true, "NAME_INVALID": true, "NAME_UNKNOWN": true, "SIZE_INVALID": true,
	"UNAUTHORIZED": true, "DENIED": true, "UNSUPPORTED": true, "TOOMANYREQUESTS": true, "TAG_INVALID": true,
}

var serverCodes = map[string]bool{"UNKNOWN": true, "UNAVAILABLE": true}

// statuses are what each kind may be on this wire.
var statuses = map[fault.Kind][]int{
	fault.Internal: {500}, fault.Invalid: {400}, fault.Unauthenticated: {401}, fault.Denied: {403}, fault.NotFound: {404},
	fault.Conflict: {400, 403, 405, 409}, fault.Exceeded: {403, 413}, fault.Range: {416}, fault.TooLarge: {413},
	fault.Unsupported: {404, 405}, fault.Throttled: {429}, fault.Unavailable: {503, 507},
}

func TestEveryReasonHasWords(t *testing.T) {
	full := fault.Error{
		Account: "123456789012", Repository: "team/app", Tag: "v1", Digest: someDigest, Digests: []string{someDigest, "sha256:b"}, Upload: someUpload,
		Service: "svc", Image: ":svc.label.1", Member: "member", Value: "value", Constraint: "constraint", LastByte: 7, Quota: "things", Limit: 9,
		KMSError: "KMS.DisabledException", Principal: "arn:me", Action: "ecr:PutImage", Resource: "arn:it", Detail: "detail",
		Err: errors.New("SECRET cause"),
	}
	for _, reason := range fault.Reasons() {
		t.Run(reason.String(), func(t *testing.T) {
			for _, e := range []fault.Error{full, {}} { // with every subject, and with none
				e.Reason = reason
				status, code, text := oci.Worded(&e)
				ok := false
				for _, s := range statuses[reason.Kind()] {
					ok = ok || s == status
				}
				if !ok {
					t.Errorf("status %d for kind %d", status, reason.Kind())
				}
				if !(status < 500 && codes[code] || status >= 500 && serverCodes[code]) {
					t.Errorf("code %s with status %d", code, status)
				}
				if strings.TrimSpace(text) == "" || strings.Contains(text, "%!") || strings.Contains(text, "SECRET") || strings.Contains(text, "<nil>") {
					t.Errorf("message %q", text)
				}
			}
		})
	}
}

// TestTextsOfECR are those that public issues of ECR's clients show; errors.go
// names them.
func TestTextsOfECR(t *testing.T) {
	e := fault.Error{
		Account: "123456789012", Repository: "team/app", Tag: "v1", Digest: "sha256:d", Digests: []string{"sha256:a", "sha256:b"},
		Principal: "arn:me", Action: "ecr:PutImage", Resource: "arn:it", Detail: "because no identity-based policy allows the ecr:PutImage action",
	}
	for reason, want := range map[fault.Reason]string{
		fault.TokenExpired:     "403 DENIED Your authorization token has expired. Reauthenticate and try again.",
		fault.AccessDenied:     "403 DENIED User: arn:me is not authorized to perform: ecr:PutImage on resource: arn:it because no identity-based policy allows the ecr:PutImage action",
		fault.ImageNotFound:    "404 MANIFEST_UNKNOWN Requested image not found",
		fault.TagImmutable:     "400 TAG_INVALID The image tag 'v1' already exists in the 'team/app' repository and cannot be overwritten because the tag is immutable.",
		fault.DigestMismatch:   "400 DIGEST_INVALID The image with digest 'sha256:d' in repository 'team/app' and registry ID '123456789012' does not match the image digest that Amazon ECR has calculated.",
		fault.LayersNotFound:   "404 MANIFEST_BLOB_UNKNOWN Layers with digests '[sha256:a, sha256:b]' required for pushing image into repository with name 'team/app' in the registry with id '123456789012' do not exist",
		fault.ChildrenNotFound: "404 MANIFEST_BLOB_UNKNOWN Images with digests '[sha256:a, sha256:b]' required for pushing image into repository with name 'team/app' in the registry with id '123456789012' do not exist",
		fault.ImageReferenced:  "405 UNSUPPORTED Requested image referenced by manifest list: [sha256:a, sha256:b]",
		fault.LayerMismatch:    "400 DIGEST_INVALID None of the provided layer digests match the calculated layer digest: sha256:d",
		fault.Overloaded:       "429 TOOMANYREQUESTS Rate exceeded",
	} {
		e.Reason = reason
		status, code, text := oci.Worded(&e)
		if got := fmt.Sprintf("%d %s %s", status, code, text); got != want {
			t.Errorf("%s:\n%s, want\n%s", reason, got, want)
		}
	}
}

// broken is a metadata store that fails when it is told to.
type broken struct {
	meta.Store
	err error
}

func (b *broken) View(ctx context.Context, fn func(meta.Tx) error) error {
	if b.err != nil {
		return b.err
	}
	return b.Store.View(ctx, fn)
}

func (b *broken) Look(ctx context.Context, fn func(meta.Tx) error) error {
	if b.err != nil {
		return b.err
	}
	return b.Store.Look(ctx, fn)
}

func (b *broken) Update(ctx context.Context, fn func(meta.Tx) error) error {
	if b.err != nil {
		return b.err
	}
	return b.Store.Update(ctx, fn)
}

func TestAStoreThatFails(t *testing.T) {
	store := &broken{}
	w := open(t, func(c *registry.Config, _ *oci.Config) { store.Store, c.Meta = c.Meta, store })
	_, d := w.image("team/app", "v1", "one")
	requests := map[string]func(w *world) reply{
		"GET manifest":    func(w *world) reply { return w.do("GET", "/v2/team/app/manifests/v1") },
		"HEAD manifest":   func(w *world) reply { return w.do("HEAD", "/v2/team/app/manifests/v1") },
		"PUT manifest":    func(w *world) reply { return w.do("PUT", "/v2/team/app/manifests/v2", body(manifestOf("one", nil))) },
		"DELETE manifest": func(w *world) reply { return w.do("DELETE", "/v2/team/app/manifests/v1") },
		"GET blob":        func(w *world) reply { return w.do("GET", "/v2/team/app/blobs/"+string(sha(layerOf("one")))) },
		"single POST": func(w *world) reply {
			return w.do("POST", "/v2/team/app/blobs/uploads/?digest="+string(sha([]byte("x"))), body([]byte("x")))
		},
		"mount": func(w *world) reply {
			return w.do("POST", "/v2/team/app/blobs/uploads/?mount="+string(sha(layerOf("one"))))
		},
		"tags":      func(w *world) reply { return w.do("GET", "/v2/team/app/tags/list") },
		"catalogue": func(w *world) reply { return w.do("GET", "/v2/_catalog") },
		"referrers": func(w *world) reply { return w.do("GET", "/v2/team/app/referrers/"+string(d)) },
	}
	for _, test := range []struct {
		name   string
		err    error
		status int
		code   string
		retry  string
	}{
		{"is full", meta.ErrFull, 507, "UNAVAILABLE", ""},
		{"is away", meta.ErrUnavailable, 503, "UNAVAILABLE", "1"},
		{"cannot say what it did", meta.ErrInDoubt, 503, "UNAVAILABLE", "1"},
		{"is broken", errors.New("SECRET: table image has no column"), 500, "UNKNOWN", ""},
	} {
		for name, request := range requests {
			t.Run(test.name+": "+name, func(t *testing.T) {
				w := w.with(t)
				store.err = test.err
				defer func() { store.err = nil }()
				a := request(w).refuses(test.status, test.code).has("Retry-After", test.retry)
				if strings.Contains(string(a.body), "SECRET") {
					t.Errorf("the cause is told: %s", a.body)
				}
			})
		}
	}
	t.Run("what was to be put can be put again", func(t *testing.T) {
		w := w.with(t)
		at := w.do("PATCH", w.begin("team/app"), body([]byte("abc"))).is(202).path()
		put := func() reply { return w.do("PUT", at+"?digest="+string(sha([]byte("abc")))) }
		store.err = meta.ErrUnavailable
		put().refuses(503, "UNAVAILABLE")
		store.err = nil
		put().is(201)
		w.do("GET", "/v2/team/app/manifests/v1").is(200)
	})
}

// failing is an authenticator that cannot tell.
type failing struct{}

func (failing) VerifyBasic(context.Context, string) (identity.Caller, error) {
	return identity.Caller{}, errors.New("SECRET")
}

func (failing) IssueBearer(context.Context, string) (identity.Token, error) {
	return identity.Token{}, errors.New("SECRET")
}

func (failing) VerifyBearer(context.Context, string) (identity.Caller, error) {
	return identity.Caller{}, errors.New("SECRET")
}

func (failing) IssueDownload(identity.Download) string { return "" }

func (failing) VerifyDownload(string) (identity.Download, error) {
	return identity.Download{}, errors.New("SECRET")
}

func TestAnAuthenticatorThatFails(t *testing.T) {
	w := open(t, func(_ *registry.Config, c *oci.Config) { c.Auth = failing{} })
	for _, target := range []string{"/v2/", "/v2/team/app/blobs/" + someDigest + "?X-Lighterage-Token=x"} {
		if a := w.do("GET", target).refuses(500, "UNKNOWN"); strings.Contains(string(a.body), "SECRET") {
			t.Errorf("the cause is told: %s", a.body)
		}
	}
}

func TestErrorsEscapeWhatTheyQuote(t *testing.T) {
	w := open(t)
	w.create("team/app")
	a := w.do("GET", "/v2/team/app/manifests/sha256:%22%3Cscript%3E%0a%FF").refuses(400, "DIGEST_INVALID", `sha256:"<script>`)
	if strings.ContainsAny(string(a.body), "<>") {
		t.Errorf("%s", a.body)
	}
}
