package name

import (
	"strings"
	"unicode"
)

// FoldKey returns what the keys of resource tags have in common that differ in
// nothing but letter case: FoldKey(a) == FoldKey(b) if, and only if,
// strings.EqualFold(a, b).
func FoldKey(key string) string { return strings.Map(foldRune, key) }

// foldRune returns the least of the runes that fold to each other: of letters of
// ASCII, the capital.
func foldRune(r rune) rune {
	least := r
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		least = min(least, other)
	}
	return least
}
