package fault_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/fault"
)

func TestEveryReasonHasAKindAndANameOfItsOwn(t *testing.T) {
	all := fault.Reasons()
	seen := map[string]fault.Reason{}
	for _, r := range all {
		if r.String() == "" {
			t.Errorf("reason %d has no name: its line in the table is missing", r)
		}
		if other, ok := seen[r.String()]; ok {
			t.Errorf("reasons %d and %d are both called %q", r, other, r)
		}
		seen[r.String()] = r
		if r.Kind() > fault.Unavailable {
			t.Errorf("%q has a kind that does not exist", r)
		}
		if r.Kind() == fault.Internal && r != fault.Unexpected {
			t.Errorf("%q is internal: a reason is a cause that is known", r)
		}
	}
	if last := fault.StoreUnavailable; int(last) != len(all)-1 {
		t.Errorf("the table ends at %d, the reasons at %d", len(all)-1, last)
	}
}

func TestKindsOfReasons(t *testing.T) {
	for r, want := range map[fault.Reason]fault.Kind{
		fault.Unexpected:         fault.Internal,
		fault.ManifestInvalid:    fault.Invalid,
		fault.TokenInvalid:       fault.Unauthenticated,
		fault.TokenExpired:       fault.Denied, // ECR answers 403, not 401 (docker/docker-py#1170)
		fault.AccessDenied:       fault.Denied,
		fault.RepositoryNotFound: fault.NotFound,
		fault.TagImmutable:       fault.Conflict,
		fault.LimitExceeded:      fault.Exceeded,
		fault.RangeInvalid:       fault.Range,
		fault.ManifestTooLarge:   fault.TooLarge,
		fault.OperationUnknown:   fault.Unsupported,
		fault.Overloaded:         fault.Throttled,
		fault.StoreFull:          fault.Unavailable,
	} {
		if r.Kind() != want || fault.New(r).Kind() != want {
			t.Errorf("%q is of kind %d, want %d", r, r.Kind(), want)
		}
	}
}

func TestAFaultIsFoundInAChain(t *testing.T) {
	inner := &fault.Error{Reason: fault.LayersNotFound, Digests: []string{"a", "b"}}
	wrapped := fmt.Errorf("put image: %w", fmt.Errorf("check layers: %w", inner))
	joined := errors.Join(io.EOF, wrapped)
	for _, err := range []error{inner, wrapped, joined} {
		if fault.Of(err) != inner {
			t.Errorf("%v: found %v", err, fault.Of(err))
		}
		if !fault.Is(err, fault.LayersNotFound) || fault.Is(err, fault.LayerNotFound) {
			t.Errorf("%v has another reason", err)
		}
	}
}

func TestTheOutermostFaultDecides(t *testing.T) {
	err := fault.Wrap(fault.ManifestInvalid, fault.New(fault.DigestInvalid))
	if !fault.Is(err, fault.ManifestInvalid) || fault.Is(err, fault.DigestInvalid) {
		t.Errorf("%v", err)
	}
}

func TestAnyOtherErrorIsUnexpectedAndKept(t *testing.T) {
	e := fault.Of(io.ErrUnexpectedEOF)
	if e.Reason != fault.Unexpected || !errors.Is(e, io.ErrUnexpectedEOF) {
		t.Errorf("Of: %v", e)
	}
	if fault.Is(io.EOF, fault.Unexpected) {
		t.Error("an error that is no fault has a reason")
	}
	if fault.Of(nil) != nil || fault.Is(nil, fault.Unexpected) {
		t.Error("no error is a fault")
	}
}

func TestTheTextForLogsHasEverySubject(t *testing.T) {
	e := &fault.Error{
		Reason: fault.TagImmutable, Account: "012345678901", Repository: "app", Tag: "v1", Digest: "sha256:a",
		Digests: []string{"sha256:b", "sha256:c"}, Upload: "u", Service: "s", Image: ":s.l.1", Entity: "user", Name: "n", Member: "m", Constraint: "c",
		Quota: "q", KMSError: "k", Principal: "p", Action: "a", Resource: "r", Detail: "d", Err: io.EOF,
	}
	const want = `tag immutable account="012345678901" repository="app" tag="v1" digest="sha256:a" digests="sha256:b sha256:c"` +
		` upload="u" service="s" image=":s.l.1" entity="user" name="n" member="m" constraint="c" quota="q" kms="k" principal="p" action="a"` +
		` resource="r" detail="d": EOF`
	if got := e.Error(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := fault.New(fault.Overloaded).Error(); got != "overloaded" {
		t.Errorf("without subjects: %q", got)
	}
}

// FuzzError: a subject comes from a client, and a log line must stay one line.
func FuzzError(f *testing.F) {
	f.Add("app", "a\nlevel=ERROR msg=forged")
	f.Add("\x1b[2J", "\u2028\xff\"")
	f.Fuzz(func(t *testing.T, repository, constraint string) {
		e := &fault.Error{Reason: fault.NameInvalid, Repository: repository, Constraint: constraint}
		got := e.Error()
		if !strings.HasPrefix(got, "name invalid") || strings.ContainsAny(got, "\n\r\x1b\x00\u2028") {
			t.Fatalf("the text is %q", got)
		}
	})
}
