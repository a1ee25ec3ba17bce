package edge_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
)

const heldLimit = 4 << 20

var held = edge.Held{Limit: heldLimit, Free: 16 << 10, Weight: 1}

func put(body io.Reader, announced int64) *http.Request {
	r := httptest.NewRequest("PUT", "/", body)
	r.ContentLength = announced
	return r
}

func TestABodyIsReadWhole(t *testing.T) {
	m := edge.NewMemory(10*heldLimit, heldLimit)
	for _, n := range []int{0, 1, 511, 512, 16 << 10, 16<<10 + 1, 1 << 20, heldLimit} {
		want := bytes.Repeat([]byte{'x'}, n)
		for _, announced := range []int64{int64(n), -1} {
			l := m.Lease(one)
			got, err := l.Read(httptest.NewRecorder(), put(bytes.NewReader(want), announced), held)
			l.End()
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, announced as %d: %d, %v", n, announced, len(got), err)
			}
		}
	}
}

func TestABodyThatIsTooLong(t *testing.T) {
	m := edge.NewMemory(10*heldLimit, heldLimit)
	long := put(bytes.NewReader(make([]byte, heldLimit+1)), -1)
	said := put(io.MultiReader(strings.NewReader("x"), unread{t}), heldLimit+1)
	for name, r := range map[string]*http.Request{"that does not say so": long, "that says so, which is not read": said} {
		l := m.Lease(one)
		_, err := l.Read(httptest.NewRecorder(), r, held)
		l.End()
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); !tooLarge {
			t.Errorf("a body %s: %v", name, err)
		}
	}
}

// unread fails the test that reads it.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("read")
	return 0, io.EOF
}

func TestABodyThatBreaksOff(t *testing.T) {
	l := edge.NewMemory(10*heldLimit, heldLimit).Lease(one)
	defer l.End()
	_, err := l.Read(httptest.NewRecorder(), put(io.MultiReader(strings.NewReader("x"), broken{}), 100), held)
	if !fault.Is(err, fault.BodyMalformed) {
		t.Error(err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Forty large bodies are announced and do not come: they take nothing.
func TestWhatIsOnlyAnnouncedTakesNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := edge.NewMemory(10*heldLimit, heldLimit)
		for range 40 {
			r, w := io.Pipe()
			go func() {
				l := m.Lease(one)
				defer l.End()
				_, _ = l.Read(httptest.NewRecorder(), put(r, heldLimit), held)
			}()
			_, _ = w.Write([]byte("x"))
			defer w.Close()
		}
		synctest.Wait()
		l := m.Lease(one)
		defer l.End()
		if _, err := l.Read(httptest.NewRecorder(), put(bytes.NewReader(make([]byte, heldLimit)), heldLimit), held); err != nil {
			t.Error(err)
		}
	})
}
