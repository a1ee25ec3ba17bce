package generator

import (
	"fmt"
	"regexp"
	"strings"
)

// respelled are patterns with a look-ahead, which Go's regexp cannot have, and
// what accepts the same texts once the shape's bounds of length hold.
var respelled = map[string]string{
	`^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$`: `^[a-z0-9]+(-[a-z0-9]+)*$`,
}

var unicodeEscape = regexp.MustCompile(`\\\\|\\u[0-9A-Fa-f]{4}`)

// match returns the pattern, which is written for Java, as Go's regexp spells
// it. Java's \u has four digits: of \u10FFFF the last two stand for themselves.
func match(pattern string) (string, error) {
	if other, ok := respelled[pattern]; ok {
		return other, nil
	}
	spelled := unicodeEscape.ReplaceAllStringFunc(pattern, func(escape string) string {
		if digits, ok := strings.CutPrefix(escape, `\u`); ok {
			return `\x{` + digits + `}`
		}
		return escape
	})
	if _, err := regexp.Compile(`^(?:` + spelled + `)$`); err != nil {
		return "", fmt.Errorf("a pattern that cannot be matched: %w", err)
	}
	return spelled, nil
}
