package name_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
)

type nameCase struct {
	name, in string
	ok       bool
}

// check runs cases of one Parse function: what is taken comes back as it was,
// what is refused is a fault of the reason that carries the value.
func check[T ~string](t *testing.T, parse func(string) (T, error), reason fault.Reason, subject func(*fault.Error) string, cases []nameCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := parse(c.in)
			if c.ok {
				if err != nil || string(got) != c.in {
					t.Errorf("%q: %q, %v", c.in, got, err)
				}
				return
			}
			if got != "" || !fault.Is(err, reason) {
				t.Fatalf("%q: %q, %v, want the reason %q", c.in, got, err, reason)
			}
			if s := subject(fault.Of(err)); s != c.in {
				t.Errorf("%q: the fault is about %q", c.in, s)
			}
		})
	}
}

func value(e *fault.Error) string { return e.Value }

func TestParseAccountID(t *testing.T) {
	check(t, name.ParseAccountID, fault.ParameterInvalid, value, []nameCase{
		{"twelve digits", "012345678901", true},
		{"twelve zeroes", "000000000000", true},
		{"eleven digits", "01234567890", false},
		{"thirteen digits", "0123456789012", false},
		{"nothing", "", false},
		{"a letter", "01234567890a", false},
		{"a line end", "012345678901\n", false},
		{"digits of another script", "٠١٢٣٤٥٦٧٨٩٠١", false},
	})
}

func TestParseRepositoryName(t *testing.T) {
	check(t, name.ParseRepositoryName, fault.NameInvalid, value, []nameCase{
		{"two letters", "ab", true},
		{"digits", "42", true},
		{"a path", "team/app/web", true},
		{"every separator", "a.b_c__d-e--f---g", true},
		{"256 bytes", strings.Repeat("a", 256), true},
		{"256 bytes of slashes and letters", strings.Repeat("a/", 127) + "ab", true},
		{"one letter", "a", false},
		{"nothing", "", false},
		{"257 bytes", strings.Repeat("a", 257), false},
		{"upper case", "Team", false},
		{"a leading slash", "/ab", false},
		{"a trailing slash", "ab/", false},
		{"two slashes", "a//b", false},
		{"a leading separator", "-ab", false},
		{"a trailing separator", "ab-", false},
		{"a separator beside a slash", "a-/b", false},
		{"two dots", "a..b", false},
		{"three underscores", "a___b", false},
		{"two different separators", "a._b", false},
		{"a step up", "../etc", false},
		{"a step up inside", "a/../b", false},
		{"a step up in escapes", "a%2f%2e%2e%2fb", false},
		{"a backslash", `a\b`, false},
		{"a colon", "a:b", false},
		{"a line end", "ab\n", false},
		{"a zero byte", "ab\x00", false},
		{"letters beyond ASCII", "äb", false},
	})
}

func TestWhatIsWrongWithARepositoryNameIsSaid(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "must have length greater than or equal to 2",
		"a":                      "must have length greater than or equal to 2",
		strings.Repeat("a", 257): "must have length less than or equal to 256",
		"A_b":                    "must satisfy regular expression '" + name.RepositoryPattern + "'",
	} {
		_, err := name.ParseRepositoryName(in)
		if e := fault.Of(err); e.Constraint != want || e.Member != "repositoryName" || e.Repository != in {
			t.Errorf("%.20q: %v, want the constraint %q", in, err, want)
		}
	}
}

func TestParseTag(t *testing.T) {
	check(t, name.ParseTag, fault.TagInvalid, func(e *fault.Error) string { return e.Tag }, []nameCase{
		{"one letter", "a", true},
		{"everything that is allowed", "_aZ09.-_", true},
		{"a version", "v1.2.3-rc.1", true},
		{"128 bytes", strings.Repeat("a", 128), true},
		{"129 bytes", strings.Repeat("a", 129), false},
		{"nothing", "", false},
		{"a leading dot", ".a", false},
		{"a leading dash", "-a", false},
		{"two dots alone", "..", false},
		{"a slash", "a/b", false},
		{"a colon", "sha256:a", false},
		{"a plus", "1.0+2", false},
		{"a space", "a b", false},
		{"a line end", "a\n", false},
		{"a letter beyond ASCII", "é", false},
	})
}

func TestParseUploadID(t *testing.T) {
	const id = "0f8fad5b-d9cb-469f-a165-70867728950e"
	check(t, name.ParseUploadID, fault.UploadNotFound, func(e *fault.Error) string { return e.Upload }, []nameCase{
		{"a UUID", id, true},
		{"nothing", "", false},
		{"no dashes", strings.ReplaceAll(id, "-", ""), false},
		{"braces", "{" + id + "}", false},
		{"a letter that is no digit", id[:35] + "g", false},
		{"a digit too many", id + "0", false},
		{"a line end", id + "\n", false},
		{"a path", "../../etc/passwd", false},
	})
	if got, err := name.ParseUploadID(strings.ToUpper(id)); string(got) != id || err != nil {
		t.Errorf("upper case: %q, %v, want it folded", got, err)
	}
}

// serviceCases are the grammar in common of service names and labels; their
// lengths differ.
func serviceCases(longest int) []nameCase {
	return []nameCase{
		{"one letter", "a", true},
		{"two letters", "a0", true},
		{"three letters", "abc", true},
		{"dashes inside", "my--service-1", true},
		{"the longest", strings.Repeat("a", longest), true},
		{"one byte more", strings.Repeat("a", longest+1), false},
		{"nothing", "", false},
		{"a dash alone", "-", false},
		{"a leading dash", "-ab", false},
		{"a trailing dash", "ab-", false},
		{"a letter and a dash", "a-", false},
		{"upper case", "Abc", false},
		{"a dot", "a.b", false},
		{"a slash", "a/b", false},
		{"a line end", "abc\n", false},
		{"a good beginning", "ab cd", false},
		{"a good end", "/abc", false},
	}
}

func TestParseServiceName(t *testing.T) {
	check(t, name.ParseServiceName, fault.ParameterInvalid, value, serviceCases(63))
}

func TestParseLabel(t *testing.T) {
	check(t, name.ParseLabel, fault.ParameterInvalid, value, serviceCases(53))
}

// The fuzz tests hold each grammar against what the rest of the program takes
// for granted of it, in words other than its own.

func FuzzParseRepositoryName(f *testing.F) {
	for _, s := range []string{"ab", "a/b", "a..b", "../a", "a__b", "A", strings.Repeat("a/", 130), "ab\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := name.ParseRepositoryName(s)
		if err != nil {
			if !fault.Is(err, fault.NameInvalid) {
				t.Fatalf("%q failed with %v", s, err)
			}
			return
		}
		if string(got) != s || len(s) < 2 || len(s) > 256 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789._-/") != "" {
			t.Fatalf("%q was taken as %q", s, got)
		}
		for part := range strings.SplitSeq(s, "/") {
			if part == "" || strings.Contains(part, "..") || strings.ContainsAny(part[:1]+part[len(part)-1:], "._-") {
				t.Fatalf("%q has the part %q", s, part)
			}
		}
	})
}

var ociTag = regexp.MustCompile(`\A[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\z`) // OCI distribution 1.1, "pulling manifests"

func FuzzParseTag(f *testing.F) {
	for _, s := range []string{"latest", "..", "_", "a\n", "sha256:x", strings.Repeat("a", 129)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := name.ParseTag(s)
		if (err == nil) != ociTag.MatchString(s) {
			t.Fatalf("%q: %q, %v", s, got, err)
		}
		if err != nil && !fault.Is(err, fault.TagInvalid) {
			t.Fatalf("%q failed with %v", s, err)
		}
	})
}
