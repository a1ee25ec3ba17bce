package lifecycle_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/lifecycle"
	"github.com/lighterage/lighterage/internal/meta"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata")

// A file of testdata has sections: a line "== title", some input, and
// questions, lines that begin with "?". Below each question stands its answer,
// lines that begin with "=". Lines of the input that begin with "#" say where
// the case comes from. The answer function gets the rest of the input once and
// then each question.
type answers func(t *testing.T, input string) func(question string) string

func TestParse(t *testing.T)    { runFiles(t, "parse*.txt", 120, parseCase) }
func TestEvaluate(t *testing.T) { runFiles(t, "evaluate*.txt", 130, evaluateCase) }

// runFiles runs the files, which have at least so many questions.
func runFiles(t *testing.T, pattern string, atLeast int, a answers) {
	files, err := filepath.Glob("testdata/" + pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	questions := 0
	for _, file := range files {
		questions += runFile(t, file, a)
	}
	t.Logf("%d questions", questions)
	if questions < atLeast {
		t.Errorf("%d questions in %s: some were lost, there were at least %d", questions, pattern, atLeast)
	}
}

func runFile(t *testing.T, file string, a answers) int {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut("\n"+string(text), "\n== ")
	rewritten := strings.TrimPrefix(head, "\n") + "\n"
	questions := 0
	for _, section := range strings.Split(rest, "\n== ") {
		title, body, _ := strings.Cut(section, "\n")
		var input, want, got strings.Builder
		var ask func(string) string
		for _, line := range strings.Split(strings.TrimRight(body, "\n"), "\n") {
			switch {
			case strings.HasPrefix(line, "?"):
				questions++
				if ask == nil {
					ask = a(t, withoutComments(input.String()))
				}
				question := strings.TrimSpace(line[1:])
				fmt.Fprintf(&got, "%s\n= %s\n", line, strings.ReplaceAll(ask(question), "\n", "\n= "))
				want.WriteString(line + "\n")
			case strings.HasPrefix(line, "="):
				want.WriteString(line + "\n")
			case ask != nil:
				t.Fatalf("%s: %q: input after a question: %s", file, title, line)
			default:
				input.WriteString(line + "\n")
			}
		}
		if ask == nil {
			t.Fatalf("%s: %q asks nothing", file, title)
		}
		rewritten += "== " + title + "\n" + input.String() + got.String() + "\n"
		if *update {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+title, func(t *testing.T) {
			if diff := cmp.Diff(want.String(), got.String()); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.TrimRight(rewritten, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return questions
}

func withoutComments(input string) string {
	var kept strings.Builder
	for line := range strings.Lines(input) {
		if !strings.HasPrefix(line, "#") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// parseCase: the input is a text; "ecr" asks what Parse makes of it with
// Strict, "extended" without. A newline at the end of a sentence is written as
// \n.
func parseCase(t *testing.T, input string) func(string) string {
	return func(question string) string {
		if question != "ecr" && question != "extended" {
			t.Fatalf("no question %q", question)
		}
		p, err := lifecycle.Parse(strings.TrimSuffix(input, "\n"), lifecycle.Options{Strict: question == "ecr"})
		if invalid, ok := errors.AsType[*lifecycle.Invalid](err); ok {
			if lines, ok := strings.CutSuffix(invalid.Sentence, "\n"); ok {
				return lines + `\n`
			}
			return invalid.Sentence
		}
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(short(p), "\n")
	}
}

// short writes a policy as evaluateCase reads it.
func short(p lifecycle.Policy) string {
	var b strings.Builder
	for _, r := range p.Rules {
		words := []string{strconv.Itoa(r.Priority), r.Status.String()}
		words = append(words, r.Patterns...)
		for _, prefix := range r.Prefixes {
			words = append(words, "prefix:"+prefix)
		}
		if r.Storage != lifecycle.Standard {
			words = append(words, r.Storage.String())
		}
		if r.Count != lifecycle.NoCount {
			words = append(words, r.Count.String(), strconv.Itoa(r.Number))
		}
		b.WriteString(strings.Join(append(words, r.Action.String()), " ") + "\n")
	}
	return b.String()
}

// long writes a policy as JSON.
func long(p lifecycle.Policy) string {
	list := make([]any, len(p.Rules))
	for i, r := range p.Rules {
		selection := map[string]any{"tagStatus": r.Status.String()}
		if r.Patterns != nil {
			selection["tagPatternList"] = r.Patterns
		}
		if r.Prefixes != nil {
			selection["tagPrefixList"] = r.Prefixes
		}
		if r.Storage == lifecycle.Archive {
			selection["storageClass"] = "archive"
		}
		if r.Count != lifecycle.NoCount {
			selection["countType"], selection["countNumber"] = r.Count.String(), r.Number
		}
		if r.Count > lifecycle.MoreThan {
			selection["countUnit"] = "days"
		}
		action := map[string]any{"type": r.Action.String()}
		if r.Action == lifecycle.Transition {
			action["targetStorageClass"] = "archive"
		}
		rule := map[string]any{"rulePriority": r.Priority, "selection": selection, "action": action}
		if r.Description != "" {
			rule["description"] = r.Description
		}
		list[i] = rule
	}
	text, err := json.Marshal(map[string]any{"rules": list})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// expand makes JSON of a policy in the short form: a line for each rule, with
// its priority, its status, patterns or prefixes, "archive", a count and the
// action.
func expand(t testing.TB, input string) string {
	var p lifecycle.Policy
	for line := range strings.Lines(input) {
		words := strings.Fields(line)
		if len(words) < 3 {
			t.Fatalf("no rule: %q", line)
		}
		var r lifecycle.Rule
		var err error
		if r.Priority, err = strconv.Atoi(words[0]); err != nil {
			t.Fatal(err)
		}
		for s := lifecycle.Tagged; s <= lifecycle.AnyTag; s++ {
			if s.String() == words[1] {
				r.Status = s
			}
		}
		for a := lifecycle.Expire; a <= lifecycle.Retain; a++ {
			if a.String() == words[len(words)-1] {
				r.Action = a
			}
		}
		counts := map[string]lifecycle.CountType{}
		for c := lifecycle.MoreThan; c <= lifecycle.SinceTransitioned; c++ {
			counts[c.String()] = c
		}
		for words = words[2 : len(words)-1]; len(words) > 0; words = words[1:] {
			prefix, isPrefix := strings.CutPrefix(words[0], "prefix:")
			switch {
			case words[0] == "archive":
				r.Storage = lifecycle.Archive
			case counts[words[0]] != lifecycle.NoCount:
				r.Count = counts[words[0]]
				if r.Number, err = strconv.Atoi(words[1]); err != nil {
					t.Fatal(err)
				}
				words = words[1:]
			case isPrefix:
				r.Prefixes = append(r.Prefixes, prefix)
			default:
				r.Patterns = append(r.Patterns, words[0])
			}
		}
		p.Rules = append(p.Rules, r)
	}
	return long(p)
}

var now = time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)

// evaluateCase: the input is a policy, as JSON or in the short form. A question
// is a repository's images, as readImages reads them, the answer those acted
// on with the action and the rule's priority.
func evaluateCase(t *testing.T, input string) func(string) string {
	if !strings.HasPrefix(input, "{") {
		input = expand(t, input)
	}
	p, err := lifecycle.Parse(input, lifecycle.Options{})
	if err != nil {
		t.Fatalf("%v: %s", err, input)
	}
	return func(question string) string {
		names, images := readImages(t, question)
		var lines []string
		for _, s := range p.Evaluate(images, now) {
			lines = append(lines, fmt.Sprintf("%s %s %d", names[s.Image], s.Action, s.Priority))
		}
		if lines == nil {
			return "nothing"
		}
		return strings.Join(lines, ", ")
	}
}

// readImages reads images between bars: a name, how long ago it was pushed,
// and what else there is: @pulled:, @archived: and @activated: with how long
// ago, @listed, @listed-by-archived, @subject: with the name of an image, and tags. The images come
// in the order of their insertion.
func readImages(t testing.TB, text string) (names []string, images []lifecycle.Image) {
	for i, one := range strings.Split(text, "|") {
		words := strings.Fields(one)
		if len(words) == 0 && text == "" {
			return nil, nil
		}
		if len(words) < 2 {
			t.Fatalf("no image: %q", one)
		}
		image := lifecycle.Image{ID: meta.ImageID(i + 1), Digest: digestOf(words[0]), PushedAt: ago(t, words[1])}
		for _, word := range words[2:] {
			kind, value, _ := strings.Cut(word, ":")
			switch kind {
			case "@pulled":
				image.PulledAt = ago(t, value)
			case "@archived":
				image.Archived, image.TransitionedAt = true, ago(t, value)
			case "@archived-once":
				image.Archived = true
			case "@activated":
				image.ActivatedAt = ago(t, value)
			case "@listed":
				image.Listed, image.ListedByActive = true, true
			case "@listed-by-archived":
				image.Listed = true
			case "@subject":
				image.Subject = digestOf(value)
			default:
				image.Tags = append(image.Tags, word)
			}
		}
		names, images = append(names, words[0]), append(images, image)
	}
	return names, images
}

func digestOf(name string) digest.Digest { return digest.Digest("sha256:" + name) }

// ago reads days, or a duration with a sign after them: 3d, 3d+1s, 3d-1ns.
func ago(t testing.TB, text string) time.Time {
	days, rest, ok := strings.Cut(text, "d")
	n, err := strconv.Atoi(days)
	if err != nil || !ok {
		t.Fatalf("no time: %q", text)
	}
	more := time.Duration(0)
	if rest != "" {
		if more, err = time.ParseDuration(rest); err != nil {
			t.Fatal(err)
		}
	}
	return now.Add(-time.Duration(n)*24*time.Hour - more)
}
