package manifest_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/manifest"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata")

// Digests in testdata are written short: sha256:a stands for 64 times a, and
// sha512:a for 128 times.
var short = func() *strings.Replacer {
	var pairs []string
	for _, c := range "0123456789abcdef" {
		pairs = append(pairs,
			fmt.Sprintf(`"sha256:%c"`, c), `"sha256:`+strings.Repeat(string(c), 64)+`"`,
			fmt.Sprintf(`"sha512:%c"`, c), `"sha512:`+strings.Repeat(string(c), 128)+`"`)
	}
	return strings.NewReplacer(pairs...)
}()

// TestParse runs testdata/*.txt. A case is a line "== name", an optional line
// "type: media type", the body, a line "--", and the answer.
func TestParse(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runFile(t, file) })
	}
}

func runFile(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rewritten strings.Builder
	for i, section := range strings.Split("\n"+string(text), "\n== ") {
		if i == 0 {
			continue
		}
		title, rest, _ := strings.Cut(section, "\n")
		input, want, ok := strings.Cut(rest, "\n--\n")
		if !ok {
			t.Fatalf("case %q has no answer", title)
		}
		mediaType, body := "", input
		if line, after, found := strings.Cut(input, "\n"); found && strings.HasPrefix(line, "type: ") {
			mediaType, body = strings.TrimPrefix(line, "type: "), after
		}
		got := describe(manifest.Parse([]byte(short.Replace(body)), mediaType))
		fmt.Fprintf(&rewritten, "== %s\n%s\n--\n%s\n", title, input, got)
		if *update {
			continue
		}
		t.Run(title, func(t *testing.T) {
			if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(file, []byte(rewritten.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func describe(m *manifest.Manifest, err error) string {
	var b strings.Builder
	if err != nil {
		e := fault.Of(err)
		fmt.Fprintf(&b, "%s: %s", e.Reason, e.Constraint)
		if e.Detail != "" {
			fmt.Fprintf(&b, " (%s)", e.Detail)
		}
		return b.String() + "\n"
	}
	fmt.Fprintf(&b, "%s %s, %d bytes\n", [...]string{"image", "index"}[m.Kind], m.MediaType, m.Size)
	for _, line := range []struct{ key, value string }{
		{"artifact type", m.ArtifactType}, {"config type", m.Config.MediaType}, {"subject", shorten(m.Subject)},
		{"layers", list(m.RequiredLayers())}, {"children", list(m.RequiredChildren())},
	} {
		if line.value != "" {
			fmt.Fprintf(&b, "%s: %s\n", line.key, line.value)
		}
	}
	if m.Annotations != nil {
		fmt.Fprintf(&b, "annotations: %v\n", m.Annotations)
	}
	return b.String()
}

func list(digests []digest.Digest) string {
	var all []string
	for _, d := range digests {
		all = append(all, shorten(d))
	}
	return strings.Join(all, " ")
}

func shorten(d digest.Digest) string {
	if len(d) < 8 {
		return string(d)
	}
	return string(d[:8])
}

const (
	imageType = "application/vnd.oci.image.manifest.v1+json"
	indexType = "application/vnd.oci.image.index.v1+json"
)

var someDigest = digest.Of(digest.SHA256, nil)

func repeated(entry string, n int) string {
	return strings.TrimSuffix(strings.Repeat(entry+",", n), ",")
}

func TestBounds(t *testing.T) {
	layer := `{"digest":"` + string(someDigest) + `"}`
	child := `{"mediaType":"` + imageType + `","digest":"` + string(someDigest) + `"}`
	image := func(members string) string {
		return `{"schemaVersion":2,"config":` + layer + members + `}`
	}
	pad := func(size int) string {
		return image(`,"pad":"` + strings.Repeat("x", size-len(image(`,"pad":""`))) + `"`)
	}
	for _, c := range []struct {
		name, body, mediaType string
		reason                fault.Reason
		constraint            string
	}{
		{"a manifest of exactly the largest size is taken", pad(manifest.MaxSize), imageType, 0, ""},
		{"one byte more is too large", pad(manifest.MaxSize + 1), imageType, fault.ManifestTooLarge, ""},
		{"ten thousand layers are taken", image(`,"layers":[` + repeated(layer, 10_000) + `]`), imageType, 0, ""},
		{"one layer more is refused in AWS's words", image(`,"layers":[` + repeated(layer, 10_001) + `]`), imageType,
			fault.ManifestInvalid, "Limit on number of layers per image exceeded"},
		{"ten thousand children are taken", `{"schemaVersion":2,"manifests":[` + repeated(child, 10_000) + `]}`, indexType, 0, ""},
		{"one child more is refused", `{"schemaVersion":2,"manifests":[` + repeated(child, 10_001) + `]}`, indexType,
			fault.ManifestInvalid, "Limit on number of images per index exceeded"},
		{"members of somebody's own nest 63 deep", image(`,"own":` + strings.Repeat("[", 63) + strings.Repeat("]", 63)), imageType, 0, ""},
		{"deeper nesting is refused", image(`,"own":` + strings.Repeat("[", 64) + strings.Repeat("]", 64)), imageType,
			fault.ManifestInvalid, "Invalid JSON syntax"},
		{"a megabyte of open brackets is refused", strings.Repeat(`{"a":[`, 1<<18), imageType, fault.ManifestInvalid, "Invalid JSON syntax"},
		{"brackets in strings are not nesting", image(`,"own":"\"` + strings.Repeat("[", 1000) + `"`), imageType, 0, ""},
		{"bytes that are not UTF-8 are refused", image(",\"own\":\"\xff\""), imageType, fault.ManifestInvalid, "Invalid JSON syntax"},
		{"a byte order mark is refused", "\ufeff" + image(""), imageType, fault.ManifestInvalid, "Invalid JSON syntax"},
		{"an empty body is refused", "", imageType, fault.ManifestInvalid, "Invalid JSON syntax"},
		{"a media type of 256 bytes is refused", image(`,"artifactType":"a/` + strings.Repeat("x", 254) + `"`), imageType,
			fault.ManifestInvalid, "artifactType must be a media type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := manifest.Parse([]byte(c.body), c.mediaType)
			if (err == nil) != (c.reason == 0) {
				t.Fatalf("Parse: %v", err)
			}
			if err == nil {
				return
			}
			if got := fault.Of(err); got.Reason != c.reason || got.Constraint != c.constraint {
				t.Errorf("Parse: %v, want %v %q", err, c.reason, c.constraint)
			}
		})
	}
}

func TestTheCauseOfABadDigestIsKept(t *testing.T) {
	_, err := manifest.Parse([]byte(`{"schemaVersion":2,"config":{"digest":"sha256:../../etc/passwd"}}`), imageType)
	if !fault.Is(err, fault.ManifestInvalid) || !fault.Is(errors.Unwrap(err), fault.DigestInvalid) {
		t.Errorf("Parse: %v, want an invalid manifest caused by an invalid digest", err)
	}
}

// FuzzParse asserts the package's promises for whatever Parse accepts.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, section := range strings.Split(string(text), "\n== ") {
			_, rest, _ := strings.Cut(section, "\n")
			body, _, _ := strings.Cut(rest, "\n--\n")
			for _, mediaType := range []string{"", imageType, indexType} {
				f.Add([]byte(short.Replace(body)), mediaType)
			}
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, mediaType string) {
		before := bytes.Clone(body)
		m, err := manifest.Parse(body, mediaType)
		if !bytes.Equal(before, body) {
			t.Fatal("Parse changed the body")
		}
		if err != nil {
			if !fault.Is(err, fault.ManifestInvalid) && !fault.Is(err, fault.ManifestTooLarge) {
				t.Fatalf("Parse failed with %v", err)
			}
			return
		}
		checkPromises(t, m)
		again, err := manifest.Parse(body, m.MediaType)
		if err != nil {
			t.Fatalf("the effective media type %q is refused: %v", m.MediaType, err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Fatalf("a second look differs: %s", diff)
		}
		for _, other := range []string{imageType, indexType} {
			if o, err := manifest.Parse(body, other); err == nil && o.Kind != m.Kind {
				t.Fatalf("the same bytes are %v and %v", m.Kind, o.Kind)
			}
		}
	})
}

func checkPromises(t *testing.T, m *manifest.Manifest) {
	t.Helper()
	if m.Size < 0 {
		t.Fatalf("size %d", m.Size)
	}
	if m.Kind == manifest.Image && (m.Config.Digest == "" || m.Children != nil) {
		t.Fatalf("image without config or with children: %+v", m)
	}
	if m.Kind == manifest.Index && m.Config != (manifest.Descriptor{}) {
		t.Fatalf("index with config: %+v", m)
	}
	seen := map[digest.Digest]bool{}
	for _, required := range [][]digest.Digest{m.RequiredLayers(), m.RequiredChildren()} {
		clear(seen)
		for _, d := range required {
			if parsed, err := digest.Parse(string(d)); err != nil || parsed != d {
				t.Fatalf("digest %q: %v", d, err)
			}
			if seen[d] {
				t.Fatalf("digest %q is listed twice", d)
			}
			seen[d] = true
		}
	}
}

func BenchmarkParse(b *testing.B) {
	layer := `{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"` + string(someDigest) + `","size":1234567}`
	for _, n := range []int{5, 100} {
		b.Run(fmt.Sprintf("layers=%d", n), func(b *testing.B) {
			body := []byte(`{"schemaVersion":2,"mediaType":"` + imageType + `","config":` + layer + `,"layers":[` + repeated(layer, n) + `]}`)
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := manifest.Parse(body, imageType); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
