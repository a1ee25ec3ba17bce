package lifecycle_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/lifecycle"
)

// FuzzParse: what is refused has a sentence; what is taken is JSON and keeps
// its bounds; what ECR takes is taken anyway, and means the same; and a policy
// written down again is the same policy.
func FuzzParse(f *testing.F) {
	text, err := os.ReadFile(filepath.Join("testdata", "parse.txt"))
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "{") {
			f.Add(line)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		strict, strictErr := lifecycle.Parse(text, lifecycle.Options{Strict: true})
		p, err := lifecycle.Parse(text, lifecycle.Options{})
		if strictErr == nil && (err != nil || !cmp.Equal(strict, p)) {
			t.Fatalf("ECR would take it: %v", err)
		}
		if err != nil {
			if invalid, ok := errors.AsType[*lifecycle.Invalid](err); !ok || invalid.Sentence == "" || p.Rules != nil {
				t.Fatalf("%#v, %v", err, p)
			}
			return
		}
		if !json.Valid([]byte(text)) || len(p.Rules) == 0 {
			t.Fatalf("accepted: %q", text)
		}
		last := 0
		for _, r := range p.Rules {
			if r.Priority <= last || r.Status.String() == "" || r.Storage.String() == "" || r.Action.String() == "" || (r.Number > 0) != (r.Count != lifecycle.NoCount) {
				t.Fatalf("%+v", r)
			}
			last = r.Priority
		}
		again, err := lifecycle.Parse(long(p), lifecycle.Options{})
		if diff := cmp.Diff(p, again); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
		_, images := readImages(t, "A 99d v1 | B 9d @pulled:3d | C 9d @listed | D 9d @subject:A | E 999d @archived:400d")
		if diff := cmp.Diff(slowEvaluate(p, images), p.Evaluate(images, now)); diff != "" {
			t.Fatal(diff)
		}
	})
}
