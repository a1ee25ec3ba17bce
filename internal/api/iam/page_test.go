package iam_test

import (
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/api/iam"
	"github.com/lighterage/lighterage/internal/fault"
)

func TestAMarkerFitsTheModel(t *testing.T) {
	longest := iam.Marker([]string{"ListUsers", "123456789012", strings.Repeat("/", 512)}, strings.Repeat("n", 228))
	if len(longest) > 320 {
		t.Errorf("it has %d characters", len(longest))
	}
}

// FuzzMarker: what is taken is what was given, and for no other listing.
func FuzzMarker(f *testing.F) {
	f.Add("ListUsers", "/a/", "bob", "")
	f.Add("ListUsers", "/", "b", iam.Marker([]string{"ListUsers", "/"}, "b"))
	f.Fuzz(func(t *testing.T, operation, filter, position, made string) {
		of, other := []string{operation, filter}, []string{operation + filter}
		if position != "" {
			marker := iam.Marker(of, position)
			if got, err := iam.Position(of, marker); err != nil || got != position {
				t.Fatalf("%q came back as %q, %v", position, got, err)
			}
			if _, err := iam.Position(other, marker); !fault.Is(err, fault.PageTokenInvalid) {
				t.Fatalf("another listing took it: %v", err)
			}
		}
		got, err := iam.Position(of, made)
		if err == nil && iam.Marker(of, got) != made || err != nil && !fault.Is(err, fault.PageTokenInvalid) {
			t.Fatalf("%q was taken for %q, %v", made, got, err)
		}
	})
}
