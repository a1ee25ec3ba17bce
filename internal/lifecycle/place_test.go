package lifecycle_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/lifecycle"
)

// TestWhereAFaultIs: each text has ^ before the place that is to blame.
func TestWhereAFaultIs(t *testing.T) {
	const (
		tagless = `"countType":"imageCountMoreThan","countNumber":2},"action":{"type":"expire"}}`
		any     = `{"rulePriority":9,"selection":{"tagStatus":"any",` + tagless
	)
	for _, tt := range []struct{ name, text string }{
		{"nothing", `^`},
		{"no JSON", "\n ^rules:"},
		{"a comma too many", `{"rules":[{"rulePriority":1,^}]}`},
		{"the end is missing", `{"rules":[^` + "\n"},
		{"something behind it", `{"rules":[]} ^x`},
		{"no object", ` ^[]`},
		{"no rules", ` ^{}`},
		{"a member too many", `{"rules":[` + any + `], "also" : ^1}`},
		{"no list", `{"rules" : ^"none"}`},
		{"an empty list", `{"rules":^[]}`},
		{"a rule that is none", `{"rules":[` + any + `, ^7]}`},
		{"a text for a number", `{"rules":[{"rulePriority":^"1","selection":{"tagStatus":"any",` + tagless + `]}`},
		{"a word that is none", `{"rules":[{"rulePriority":1,"selection":{"tagStatus":^"all",` + tagless + `]}`},
		{"a selection without a status", `{"rules":[{"rulePriority":1,"selection":^{` + tagless + `]}`},
		{"of two of a name the last counts", `{"rules":1,"rules":^2}`},
		{"a number that is too large", `{"rules":[{"rulePriority":^99999999999,"selection":{"tagStatus":"any",` + tagless + `]}`},
		{"a rule without tags, before one of lower priority", `{"rules":[` + any + `,^{"rulePriority":1,"selection":{"tagStatus":"tagged",` + tagless + `]}`},
		{"two rules of one priority", `{"rules":[` + any + `,^` + any + `]}`},
		{"names with escapes", `{"r\u0075les":{"é":1,^` + "\x01" + `}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(tt.text, "^", "", 1)
			_, err := lifecycle.Parse(text, lifecycle.Options{})
			invalid, ok := errors.AsType[*lifecycle.Invalid](err)
			if !ok {
				t.Fatalf("it is no fault: %v", err)
			}
			if got := text[:invalid.At] + "^" + text[invalid.At:]; got != tt.text {
				t.Errorf("the fault is at\n%s\nand not at\n%s\n(%s)", got, tt.text, invalid.Sentence)
			}
		})
	}
}
