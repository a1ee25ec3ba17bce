package digest_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
)

var (
	hex64  = strings.Repeat("0123456789abcdef", 4)
	hex128 = strings.Repeat("0123456789abcdef", 8)
)

func TestOf(t *testing.T) {
	// FIPS 180-4 examples and the hashes of nothing.
	for _, c := range []struct {
		name      string
		algorithm digest.Algorithm
		body      string
		want      digest.Digest
	}{
		{"sha256 of abc", digest.SHA256, "abc", "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"sha256 of nothing", digest.SHA256, "", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"sha512 of abc", digest.SHA512, "abc", "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
			"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := digest.Of(c.algorithm, []byte(c.body)); got != c.want {
				t.Errorf("Of: %s, want %s", got, c.want)
			}
			h := digest.NewHasher(c.algorithm)
			h.Write([]byte(c.body))
			if got := h.Digest(); got != c.want {
				t.Errorf("Hasher: %s, want %s", got, c.want)
			}
			if got := c.want.Algorithm(); got != c.algorithm || h.Algorithm() != c.algorithm {
				t.Errorf("the algorithm is %s, want %s", got, c.algorithm)
			}
		})
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, in string
		ok       bool
	}{
		{"sha256 is taken", "sha256:" + hex64, true},
		{"sha512 is taken", "sha512:" + hex128, true},
		{"nothing is refused", "", false},
		{"an algorithm alone is refused", "sha256:", false},
		{"hex alone is refused", hex64, false},
		{"a tag is refused", "latest", false},
		{"one digit too few is refused", "sha256:" + hex64[1:], false},
		{"one digit too many is refused", "sha256:" + hex64 + "0", false},
		{"the length of the other algorithm is refused", "sha256:" + hex128, false},
		{"the length of the first algorithm is refused", "sha512:" + hex64, false},
		{"upper-case hex is refused", "sha256:" + strings.ToUpper(hex64), false},
		{"an upper-case algorithm is refused", "SHA256:" + hex64, false},
		{"an unknown algorithm is refused", "md5:d41d8cd98f00b204e9800998ecf8427e", false},
		{"sha384 is refused", "sha384:" + hex64 + hex64[:32], false},
		{"a compound algorithm is refused", "sha256+b64:" + hex64, false},
		{"a path is refused", "sha256:../../../../etc/passwd", false},
		{"a path of the right length is refused", "sha256:" + strings.Repeat("../", 21) + "a", false},
		{"a line end is refused", "sha256:" + hex64 + "\n", false},
		{"a space before it is refused", " sha256:" + hex64, false},
		{"a zero byte is refused", "sha256:" + hex64[1:] + "\x00", false},
		{"digits of another script are refused", "sha256:" + hex64[:62] + "٣", false},
		{"two colons are refused", "sha256::" + hex64[1:], false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := digest.Parse(c.in)
			if c.ok {
				if err != nil || string(got) != c.in {
					t.Fatalf("Parse: %q, %v", got, err)
				}
				return
			}
			if !fault.Is(err, fault.DigestInvalid) || got != "" {
				t.Fatalf("Parse: %q, %v, want DigestInvalid", got, err)
			}
			if e := fault.Of(err); e.Digest != c.in {
				t.Errorf("the fault is about %q, want %q", e.Digest, c.in)
			}
		})
	}
}

func TestParseAlgorithm(t *testing.T) {
	for in, want := range map[string]digest.Algorithm{"sha256": digest.SHA256, "sha512": digest.SHA512} {
		if got, err := digest.ParseAlgorithm(in); got != want || err != nil || got.String() != in {
			t.Errorf("ParseAlgorithm(%q): %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "SHA256", "sha256 ", "sha1", "sha384", "sha256:"} {
		if _, err := digest.ParseAlgorithm(in); !fault.Is(err, fault.DigestInvalid) {
			t.Errorf("ParseAlgorithm(%q): %v, want DigestInvalid", in, err)
		}
	}
}

// The stored form and the numbers of the algorithms are on disk: they do not
// change.
func TestTheStoredFormIsTheAlgorithmAndTheRawHash(t *testing.T) {
	for _, c := range []struct {
		digest digest.Digest
		first  byte
		length int
	}{
		{digest.Digest("sha256:" + hex64), 1, 33},
		{digest.Digest("sha512:" + hex128), 2, 65},
	} {
		b := c.digest.Bytes()
		if len(b) != c.length || b[0] != c.first || b[1] != 0x01 || b[c.length-1] != 0xef {
			t.Errorf("%s is stored as %x", c.digest, b)
		}
		if back, err := digest.FromBytes(b); back != c.digest || err != nil {
			t.Errorf("%s came back as %s, %v", c.digest, back, err)
		}
	}
}

func TestBytesThatAreNoStoredDigestAreRefused(t *testing.T) {
	for _, b := range [][]byte{
		nil, {}, {1}, make([]byte, 33), bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{1}, 34),
		bytes.Repeat([]byte{2}, 33), bytes.Repeat([]byte{1}, 65), bytes.Repeat([]byte{3}, 65),
	} {
		if got, err := digest.FromBytes(b); err == nil {
			t.Errorf("%x was taken for %s", b, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "sha256:" + hex64, "sha512:" + hex128, "SHA256:" + hex64, "sha256:" + hex64 + "\n", "sha384:" + hex64, "a+b:" + hex64} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := digest.Parse(s)
		if err != nil {
			if !fault.Is(err, fault.DigestInvalid) {
				t.Fatalf("Parse(%q) failed with %v", s, err)
			}
			return
		}
		if string(d) != s || strings.Trim(s, "sh0123456789abcdef:") != "" {
			t.Fatalf("Parse(%q) is %q", s, d)
		}
		if back, err := digest.FromBytes(d.Bytes()); err != nil || back != d {
			t.Fatalf("%s came back as %s, %v", d, back, err)
		}
	})
}

func FuzzFromBytes(f *testing.F) {
	f.Add(digest.Of(digest.SHA256, nil).Bytes())
	f.Add(digest.Of(digest.SHA512, nil).Bytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := digest.FromBytes(b)
		if err != nil {
			return
		}
		if parsed, err := digest.Parse(string(d)); err != nil || parsed != d || !bytes.Equal(d.Bytes(), b) {
			t.Fatalf("%x is %q, which is stored as %x (%v)", b, d, d.Bytes(), err)
		}
	})
}
