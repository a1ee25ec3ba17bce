package seal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/seal"
)

func key(t testing.TB, fill byte) seal.Key {
	t.Helper()
	k, err := seal.Parse(hex.EncodeToString(raw(fill)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// raw is a key's bytes, all different.
func raw(fill byte) []byte {
	b := make([]byte, seal.KeySize)
	for i := range b {
		b[i] = fill + byte(i)
	}
	return b
}

func sealer(t testing.TB, keys ...seal.Key) *seal.Sealer {
	t.Helper()
	s, err := seal.New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sealed(t testing.TB, s *seal.Sealer, plain, aad string) []byte {
	t.Helper()
	out, err := s.Seal([]byte(plain), []byte(aad))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWhatIsSealedOpens(t *testing.T) {
	s := sealer(t, key(t, 1))
	for _, plain := range []string{"", "x", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", strings.Repeat("long ", 4000)} {
		out := sealed(t, s, plain, "key AKIA1")
		if len(out) != len(plain)+seal.Overhead {
			t.Errorf("%d bytes became %d", len(plain), len(out))
		}
		if plain != "" && bytes.Contains(out, []byte(plain)) && len(plain) > 4 {
			t.Error("the sealed bytes hold the plain ones")
		}
		got, err := s.Open(out, []byte("key AKIA1"))
		if err != nil || string(got) != plain {
			t.Errorf("opened %d bytes, error %v; want the %d sealed", len(got), err, len(plain))
		}
	}
}

func TestTheSameSecretNeverSealsTheSame(t *testing.T) {
	s := sealer(t, key(t, 1))
	seen := map[string]bool{}
	for range 1000 {
		nonce := string(sealed(t, s, "secret", "row")[9:33])
		if seen[nonce] {
			t.Fatal("a nonce came twice")
		}
		seen[nonce] = true
	}
}

func TestAnyChangeIsNoticed(t *testing.T) {
	s := sealer(t, key(t, 1))
	good := sealed(t, s, "secret", "row")
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			if got, err := s.Open(bad, []byte("row")); err == nil || got != nil {
				t.Fatalf("bit %d of byte %d changed, and it opened", bit, i)
			}
		}
	}
	for n := range good {
		if _, err := s.Open(good[:n], []byte("row")); !errors.Is(err, seal.ErrBroken) {
			t.Fatalf("cut to %d bytes: error %v, want %v", n, err, seal.ErrBroken)
		}
	}
	for name, bad := range map[string][]byte{
		"bytes after the end": append(bytes.Clone(good), 0),
		"a later version":     append([]byte{2}, good[1:]...),
	} {
		if _, err := s.Open(bad, []byte("row")); !errors.Is(err, seal.ErrBroken) {
			t.Errorf("%s: error %v, want %v", name, err, seal.ErrBroken)
		}
	}
}

func TestASecretStaysInItsRow(t *testing.T) {
	s := sealer(t, key(t, 1))
	out := sealed(t, s, "secret", "row 1")
	for _, aad := range []string{"row 2", "row 1 ", "row ", ""} {
		if _, err := s.Open(out, []byte(aad)); !errors.Is(err, seal.ErrBroken) {
			t.Errorf("opened with %q: error %v, want %v", aad, err, seal.ErrBroken)
		}
	}
}

func TestAWrongMasterKeyIsNamed(t *testing.T) {
	was, is := key(t, 1), key(t, 2)
	_, err := sealer(t, is).Open(sealed(t, sealer(t, was), "secret", "row"), []byte("row"))
	if !errors.Is(err, seal.ErrOtherKey) {
		t.Fatalf("error %v, want %v", err, seal.ErrOtherKey)
	}
	for _, id := range []string{was.ID(), is.ID()} {
		if !strings.Contains(err.Error(), id) {
			t.Errorf("%q does not name the key %s", err, id)
		}
	}
}

func TestReplacingTheMasterKey(t *testing.T) {
	older, newer := key(t, 1), key(t, 2)
	before := sealed(t, sealer(t, older), "secret", "row")
	both := sealer(t, newer, older)
	got, err := both.Open(before, []byte("row"))
	if err != nil || string(got) != "secret" {
		t.Fatalf("the older key's secret: %q, error %v", got, err)
	}
	after := sealed(t, both, "secret", "row")
	if both.KeyID() != newer.ID() {
		t.Errorf("the sealing key is %s, want the first, %s", both.KeyID(), newer.ID())
	}
	if _, err := sealer(t, newer).Open(after, []byte("row")); err != nil {
		t.Errorf("the newer key alone does not open what both sealed: %v", err)
	}
	for name, tt := range map[string]struct {
		sealed []byte
		want   bool
	}{
		"sealed with the older key": {before, true},
		"sealed with the newer key": {after, false},
		"a stranger's":              {sealed(t, sealer(t, key(t, 3)), "secret", "row"), false},
		"too short":                 {before[:12], false},
		"nothing":                   {nil, false},
	} {
		if got := both.Stale(tt.sealed); got != tt.want {
			t.Errorf("%s: stale is %t, want %t", name, got, tt.want)
		}
	}
}

func TestKeysThatMakeNoSealer(t *testing.T) {
	one := key(t, 1)
	for name, keys := range map[string][]seal.Key{
		"none":          nil,
		"the zero key":  {{}},
		"one key twice": {one, key(t, 2), one},
	} {
		if s, err := seal.New(keys...); err == nil || s != nil {
			t.Errorf("%s: made a sealer", name)
		}
	}
}

func TestParse(t *testing.T) {
	plain := raw(0xe0) // its base64 has both + and /, or - and _
	id := key(t, 0xe0).ID()
	for name, text := range map[string]string{
		"hexadecimal":                  hex.EncodeToString(plain),
		"capital hexadecimal":          strings.ToUpper(hex.EncodeToString(plain)),
		"base64":                       base64.StdEncoding.EncodeToString(plain),
		"base64 without padding":       base64.RawStdEncoding.EncodeToString(plain),
		"base64 for URLs":              base64.URLEncoding.EncodeToString(plain),
		"a file with a line break":     base64.StdEncoding.EncodeToString(plain) + "\n",
		"a file from another platform": " \t" + hex.EncodeToString(plain) + "\r\n",
	} {
		k, err := seal.Parse(text)
		if err != nil || k.ID() != id {
			t.Errorf("%s: key %s, error %v; want key %s", name, k.ID(), err, id)
		}
	}
	if id == key(t, 0xe1).ID() || len(id) != 16 {
		t.Errorf("key id %q is not the key's own", id)
	}
}

func TestTextsThatAreNoMasterKey(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":           {"", "empty"},
		"space":             {" \n", "empty"},
		"a pass phrase":     {"correct horse battery staple!", "neither"},
		"too short":         {hex.EncodeToString(raw(1)[:16]), "not 32"},
		"too long":          {base64.StdEncoding.EncodeToString(append(raw(1), 1)), "33 bytes"},
		"hex with a typo":   {strings.Repeat("0g", 32), "not 32"},
		"zeros":             {strings.Repeat("0", 64), "one byte repeated"},
		"one byte repeated": {strings.Repeat("ab", 32), "one byte repeated"},
	} {
		k, err := seal.Parse(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, tt.want)
			continue
		}
		if k.ID() != "" {
			t.Errorf("%s: gave a key", name)
		}
		if text := strings.TrimSpace(tt.text); text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error %q holds the text", name, err)
		}
	}
}

func TestAGeneratedKeyIsOneAndFresh(t *testing.T) {
	a, err := seal.Parse(seal.Generate())
	if err != nil {
		t.Fatal(err)
	}
	b, err := seal.Parse(seal.Generate())
	if err != nil {
		t.Fatal(err)
	}
	if a.ID() == b.ID() {
		t.Error("two keys generated are one")
	}
}

func TestKeysAreNeverWritten(t *testing.T) {
	k := key(t, 1)
	s := sealer(t, k)
	type holder struct {
		k seal.Key
		K seal.Key
		s *seal.Sealer
		S *seal.Sealer
	}
	h := holder{k, k, s, s}
	var written bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&written, verb+verb+verb+verb, k, s, h, &h)
	}
	fmt.Fprint(&written, k, s, k.String(), k.GoString(), s.String(), s.GoString())
	log := slog.New(slog.NewJSONHandler(&written, nil))
	log.Info("x", "key", k, "sealer", s, "holder", h)
	slog.New(slog.NewTextHandler(&written, nil)).Info("x", "key", k, "sealer", s, "holder", h)
	asJSON, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	written.Write(asJSON)
	asMap, err := json.Marshal(map[seal.Key]int{k: 1})
	if err != nil {
		t.Fatal(err)
	}
	written.Write(asMap)

	if !strings.Contains(written.String(), "[redacted]") {
		t.Error("nothing says that there is a key")
	}
	plain := raw(1)
	for _, leak := range []string{
		string(plain), string(plain[:8]), hex.EncodeToString(plain[:8]), strings.ToUpper(hex.EncodeToString(plain[:8])),
		base64.StdEncoding.EncodeToString(plain[:6]), strings.Trim(fmt.Sprint(plain[:8]), "[]"),
	} {
		if strings.Contains(written.String(), leak) {
			t.Errorf("the key's bytes are written as %q", leak)
		}
	}
}

// The vectors of https://c2sp.org/XAES-256-GCM: one for each value of the bit
// that CMAC's doubling carries.
func TestVectorsOfTheSpecification(t *testing.T) {
	for _, tt := range []struct {
		key       byte
		aad, want string
	}{
		{0x01, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{0x03, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		got, err := seal.Encrypt(bytes.Repeat([]byte{tt.key}, seal.KeySize),
			[]byte("ABCDEFGHIJKLMNOPQRSTUVWX"), []byte("XAES-256-GCM"), []byte(tt.aad))
		if err != nil || hex.EncodeToString(got) != tt.want {
			t.Errorf("key %x: sealed %x, error %v; want %s", tt.key, got, err, tt.want)
		}
	}
}

func FuzzOpen(f *testing.F) {
	s := sealer(f, key(f, 1))
	f.Add(sealed(f, s, "secret", "row"), []byte("row"))
	f.Add([]byte{1}, []byte{})
	f.Fuzz(func(t *testing.T, bytes, aad []byte) {
		if _, err := s.Open(bytes, aad); err == nil && string(aad) != "row" {
			t.Error("opened what was never sealed")
		}
		s.Stale(bytes)
	})
}

func BenchmarkSealAndOpen(b *testing.B) {
	s := sealer(b, key(b, 1))
	plain, aad := []byte("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), []byte("access key AKIAIOSFODNN7EXAMPLE")
	for b.Loop() {
		out, err := s.Seal(plain, aad)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Open(out, aad); err != nil {
			b.Fatal(err)
		}
	}
}
