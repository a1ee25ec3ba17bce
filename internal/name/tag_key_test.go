package name_test

import (
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/name"
)

func TestFoldKeyIsWhatEqualFoldCompares(t *testing.T) {
	keys := []string{
		"", "env", "ENV", "Env", "env ", "k", "K", "\u212a", "s", "S", "\u017f", "straße", "STRASSE", "STRAßE", "STRAẞE",
		"σ", "ς", "Σ", "ı", "İ", "i", "I", "Ǆ", "ǅ", "ǆ", "\xff", "\xfe", "\ufffd", "日本", "a-b_c:1/2", "A-B_C:1/2",
	}
	for _, a := range keys {
		for _, b := range keys {
			if got, want := name.FoldKey(a) == name.FoldKey(b), strings.EqualFold(a, b); got != want {
				t.Errorf("%q and %q: alike %v, want %v", a, b, got, want)
			}
		}
	}
}
