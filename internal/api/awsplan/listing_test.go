package awsplan_test

import (
	"math"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/api/awsplan"
	"github.com/lighterage/lighterage/internal/fault"
)

func TestANumberHasOneSpellingInAToken(t *testing.T) {
	l := awsplan.Listing{"ListEntitiesForPolicy"}
	for _, n := range []int64{0, 1, 42, math.MaxInt64} {
		if got, err := l.Number(l.TokenAt(n)); err != nil || got != n {
			t.Errorf("%d came back as %d, %v", n, got, err)
		}
	}
	if n, err := l.Number(nil); err != nil || n != 0 {
		t.Errorf("the beginning is %d, %v", n, err)
	}
	for _, position := range []string{"", "x", "+1", "-1", "01", "1.0", " 1", "9223372036854775808"} {
		if n, err := l.Number(l.Token(position)); !fault.Is(err, fault.PageTokenInvalid) {
			t.Errorf("%q was read as %d, %v", position, n, err)
		}
	}
}

// TestAMarkerFitsTheModel: a Marker of IAM has at most 320 characters.
func TestAMarkerFitsTheModel(t *testing.T) {
	longest := awsplan.Listing{"ListUsers", "123456789012", strings.Repeat("/", 512)}.Token(strings.Repeat("n", 228))
	if len(*longest) != 320 {
		t.Errorf("it has %d characters", len(*longest))
	}
}

// FuzzPosition: what is taken is what was given, and for no other listing.
func FuzzPosition(f *testing.F) {
	f.Add("ListUsers", "/a/", "bob", "")
	f.Add("ListUsers", "/", "b", *awsplan.Listing{"ListUsers", "/"}.Token("b"))
	f.Add("ListImages", "team/app", "tv1", *awsplan.Listing{"ListImages", "team/app"}.Token("tv1"))
	f.Add("ListImages", "team/app", "i17", *awsplan.Listing(nil).Token("i17"))
	f.Fuzz(func(t *testing.T, operation, filter, position, made string) {
		of, other := awsplan.Listing{operation, filter}, awsplan.Listing{operation + filter}
		if position != "" {
			token := of.Token(position)
			if got, err := of.Position(token); err != nil || got != position {
				t.Fatalf("%q came back as %q, %v", position, got, err)
			}
			if _, err := other.Position(token); !fault.Is(err, fault.PageTokenInvalid) {
				t.Fatalf("another listing took it: %v", err)
			}
		}
		got, err := of.Position(&made)
		if err == nil && (got == "" || *of.Token(got) != made) || err != nil && !fault.Is(err, fault.PageTokenInvalid) {
			t.Fatalf("%q was taken for %q, %v", made, got, err)
		}
	})
}
