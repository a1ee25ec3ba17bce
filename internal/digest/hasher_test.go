package digest_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/digest"
)

var algorithms = []digest.Algorithm{digest.SHA256, digest.SHA512}

func TestAHashContinuesFromItsStateWhereverItWasStopped(t *testing.T) {
	body := []byte(strings.Repeat("the quick brown fox ", 20))
	for _, a := range algorithms {
		t.Run(a.String(), func(t *testing.T) {
			want := digest.Of(a, body)
			for cut := range len(body) + 1 {
				first := digest.NewHasher(a)
				first.Write(body[:cut])
				state, err := first.State()
				if err != nil {
					t.Fatal(err)
				}
				second, err := digest.ResumeHasher(state)
				if err != nil {
					t.Fatalf("cut at %d: %v", cut, err)
				}
				if second.Algorithm() != a || second.Digest() != first.Digest() {
					t.Fatalf("cut at %d: resumed as %s", cut, second.Digest())
				}
				second.Write(body[cut:])
				if got := second.Digest(); got != want {
					t.Fatalf("cut at %d: %s, want %s", cut, got, want)
				}
			}
		})
	}
}

func TestTheDigestSoFarDoesNotDisturbTheHash(t *testing.T) {
	h := digest.NewHasher(digest.SHA256)
	h.Write([]byte("a"))
	if got := h.Digest(); got != digest.Of(digest.SHA256, []byte("a")) {
		t.Errorf("so far: %s", got)
	}
	h.Write([]byte("b"))
	if got := h.Digest(); got != digest.Of(digest.SHA256, []byte("ab")) {
		t.Errorf("in the end: %s", got)
	}
}

func TestAStateThatIsNotOneIsRefused(t *testing.T) {
	good, err := digest.NewHasher(digest.SHA256).State()
	if err != nil {
		t.Fatal(err)
	}
	change := func(i int, to byte) []byte {
		b := bytes.Clone(good)
		b[i] = to
		return b
	}
	for _, c := range []struct {
		name  string
		state []byte
	}{
		{"no state", nil},
		{"a format byte alone", good[:1]},
		{"no hash state", good[:2]},
		{"a format of later", change(0, 2)},
		{"format zero", change(0, 0)},
		{"algorithm zero", change(1, 0)},
		{"an unknown algorithm", change(1, 3)},
		{"the state of another algorithm", change(1, byte(digest.SHA512))},
		{"a state cut short", good[:len(good)-1]},
		{"a state with more behind it", append(bytes.Clone(good), 0)},
		{"a hash state of another format", change(2, 'x')},
	} {
		t.Run(c.name, func(t *testing.T) {
			if h, err := digest.ResumeHasher(c.state); err == nil {
				t.Errorf("resumed as %s", h.Digest())
			}
		})
	}
}

// FuzzResumeHasher feeds states that somebody may have put into a row: none
// may panic, and one that is taken is a state that can be stored again.
func FuzzResumeHasher(f *testing.F) {
	for _, a := range algorithms {
		for _, body := range []string{"", "x", strings.Repeat("x", 64), strings.Repeat("x", 200)} {
			h := digest.NewHasher(a)
			io.WriteString(h, body)
			state, err := h.State()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(state, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, state, more []byte) {
		h, err := digest.ResumeHasher(state)
		if err != nil {
			return
		}
		h.Write(more)
		if _, err := digest.Parse(string(h.Digest())); err != nil {
			t.Fatalf("the digest %q: %v", h.Digest(), err)
		}
		again, err := h.State()
		if err != nil {
			t.Fatal(err)
		}
		if resumed, err := digest.ResumeHasher(again); err != nil || resumed.Digest() != h.Digest() {
			t.Fatalf("the state %x does not resume: %v", again, err)
		}
	})
}

func BenchmarkHasher(b *testing.B) {
	for _, a := range algorithms {
		b.Run(fmt.Sprint(a), func(b *testing.B) {
			h, chunk := digest.NewHasher(a), make([]byte, 256<<10)
			b.SetBytes(int64(len(chunk)))
			for b.Loop() {
				h.Write(chunk)
			}
		})
	}
}
