package s3_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/blob/s3"
	"github.com/lighterage/lighterage/internal/blob/s3/s3server"
	"github.com/lighterage/lighterage/internal/name"
)

const partSize = 8 << 20

// servers are those that every test of the protocol runs on.
var servers = []struct {
	name  string
	start func(testing.TB) *s3server.Server
}{{"versitygw", s3server.Versitygw}, {"minio", s3server.Minio}}

// each runs a test on a new bucket of each server.
func each(t *testing.T, run func(t *testing.T, w *world)) {
	settle(t)
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) { run(t, newWorld(t, s.start(t))) })
	}
}

// world is a bucket, with a proxy before its server.
type world struct {
	t      *testing.T
	server *s3server.Server
	proxy  *s3server.Proxy
	bucket string
	config s3.Config
}

func newWorld(t *testing.T, s *s3server.Server) *world {
	w := &world{t: t, server: s, proxy: s3server.NewProxy(t, s), bucket: s.NewBucket(t)}
	w.config = config(s, w.bucket)
	w.config.Endpoint = w.proxy.URL
	return w
}

// open is a process of its own.
func (w *world) open() *s3.Store {
	w.t.Helper()
	s, err := s3.Open(w.t.Context(), w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { s.Close() })
	return s
}

func body(seed uint64, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed)}).Read(b)
	return b
}

func (w *world) create(s *s3.Store) (name.Location, blob.Upload) {
	w.t.Helper()
	at := s.NewLocation()
	u, err := s.Create(w.t.Context(), at)
	if err != nil {
		w.t.Fatal(err)
	}
	return at, u
}

func (w *world) write(u blob.Upload, b []byte) {
	w.t.Helper()
	if n, err := u.Write(b); n != len(b) || err != nil {
		w.t.Fatalf("write: %d of %d, %v", n, len(b), err)
	}
}

func (w *world) checkpoint(u blob.Upload) []byte {
	w.t.Helper()
	state, err := u.Checkpoint(w.t.Context())
	if err != nil {
		w.t.Fatalf("checkpoint: %v", err)
	}
	return state
}

func (w *world) resume(s *s3.Store, at name.Location, offset int, state []byte) blob.Upload {
	w.t.Helper()
	u, err := s.Resume(w.t.Context(), at, int64(offset), state)
	if err != nil {
		w.t.Fatalf("resume: %v", err)
	}
	return u
}

func (w *world) seal(u blob.Upload) {
	w.t.Helper()
	if err := u.Seal(w.t.Context()); err != nil {
		w.t.Fatalf("seal: %v", err)
	}
}

func (w *world) read(s *s3.Store, at name.Location) []byte {
	w.t.Helper()
	r, err := s.Open(w.t.Context(), at)
	if err != nil {
		w.t.Fatalf("open: %v", err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		w.t.Fatalf("read: %v", err)
	}
	return got
}

func (w *world) holds(s *s3.Store, at name.Location, want []byte) {
	w.t.Helper()
	if got := w.read(s, at); !bytes.Equal(got, want) {
		w.t.Fatalf("%s has %d bytes that are others than the %d that it should have", at, len(got), len(want))
	}
}

// rests lists what is in the bucket beside whole blobs: parts and tails.
func (w *world) rests(at name.Location) (rests []string) {
	w.t.Helper()
	digits := strings.TrimPrefix(string(at), "s3:")
	key := w.config.Prefix + "blobs/" + digits[:2] + "/" + digits[2:]
	client := w.server.Client()
	uploads, err := client.ListMultipartUploads(w.t.Context(), &sdk.ListMultipartUploadsInput{Bucket: &w.bucket, Prefix: &key})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, u := range uploads.Uploads {
		rests = append(rests, "upload "+aws.ToString(u.Key))
	}
	objects, err := client.ListObjectsV2(w.t.Context(), &sdk.ListObjectsV2Input{Bucket: &w.bucket, Prefix: aws.String(w.config.Prefix + "tails/")})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range objects.Contents {
		rests = append(rests, aws.ToString(o.Key))
	}
	return rests
}

func TestAnUploadOfManyPartsGoesOnInOtherProcesses(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		want := body(1, 3*partSize+12345)
		s := w.open()
		at, u := w.create(s)
		done := 0
		for _, upTo := range []int{100_000, partSize, partSize + 1, 2*partSize - 1, 2*partSize + 500, 3 * partSize} {
			w.write(u, want[done:upTo])
			done = upTo
			state := w.checkpoint(u)
			w.write(u, body(2, 3_000_000)) // after the checkpoint, and so for nothing
			s = w.open()
			w.proxy.Asked()
			u = w.resume(s, at, done, state)
			asked := w.proxy.Asked()
			if gets := count(asked, "GetObject"); gets > 1 || gets == 1 && done%partSize == 0 {
				t.Errorf("to resume at %d S3 was asked for %v", done, asked)
			}
		}
		w.write(u, want[done:])
		w.seal(u)
		w.holds(s, at, want)
		s.Close() // waits for what is tidied
		if rests := w.rests(at); rests != nil {
			t.Errorf("the upload left %v", rests)
		}
	})
}

func count(asked []string, op string) (n int) {
	for _, a := range asked {
		if a == op {
			n++
		}
	}
	return n
}

func TestACheckpointBeforeTheLastCanBeResumed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		want := body(3, 2*partSize)
		s := w.open()
		at, u := w.create(s)
		w.write(u, want[:partSize+1000])
		state := w.checkpoint(u)
		w.write(u, body(4, 2*partSize))
		w.checkpoint(u)
		u = w.resume(s, at, partSize+1000, state)
		w.write(u, want[partSize+1000:])
		w.seal(u)
		w.holds(s, at, want)
	})
}

// Two processes hold one upload, and each writes its own bytes to its end: what
// becomes an object is what one of them wrote, and only that one is told so.
func TestOfTwoProcessesOneMakesTheObject(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		start := body(5, partSize+1000)
		for _, first := range []string{"the older seals first", "the newer seals first"} {
			for _, more := range []int{100, partSize, 2 * partSize} {
				older, newer := w.open(), w.open()
				at, u := w.create(older)
				w.write(u, start)
				state := w.checkpoint(u)
				v := w.resume(newer, at, len(start), state)
				w.write(v, bytes.Repeat([]byte("v"), more))
				w.write(u, bytes.Repeat([]byte("u"), more))
				uploads, letters := []blob.Upload{u, v}, []string{"u", "v"}
				if strings.Contains(first, "newer") {
					slices.Reverse(uploads)
					slices.Reverse(letters)
				}
				made := ""
				for i, upload := range uploads {
					err := upload.Seal(t.Context())
					if err != nil && !errors.Is(err, blob.ErrClosed) {
						t.Fatalf("%s, %d more: seal of %s: %v", first, more, letters[i], err)
					}
					if err == nil {
						made += letters[i]
					}
				}
				if len(made) > 1 {
					t.Fatalf("%s, %d more: both were told that they made it", first, more)
				}
				if made != "" {
					w.holds(w.open(), at, append(start[:len(start):len(start)], strings.Repeat(made, more)...))
				}
			}
		}
	})
}

func TestATailThatAnotherProcessWroteIsNotContinued(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		older, newer := w.open(), w.open()
		at, u := w.create(older)
		w.write(u, []byte("start "))
		state := w.checkpoint(u)
		v := w.resume(newer, at, 6, state)
		w.write(v, []byte("of the newer"))
		state = w.checkpoint(v)
		w.write(u, []byte("of the older"))
		w.checkpoint(u) // whose row another has by now
		if _, err := w.open().Resume(t.Context(), at, 18, state); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("resume: %v, want ErrNotFound", err)
		}
		w.seal(v) // it knows its bytes
		w.holds(newer, at, []byte("start of the newer"))
	})
}

func TestAStateThatCannotBeReadIsNotContinued(t *testing.T) {
	settle(t)
	w := newWorld(t, s3server.Versitygw(t))
	s := w.open()
	at, u := w.create(s)
	w.write(u, body(6, partSize+10))
	state := w.checkpoint(u)
	for i := range state {
		_, err := s.Resume(t.Context(), at, partSize+10, state[:i])
		if !errors.Is(err, blob.ErrNotFound) {
			t.Fatalf("%d bytes of the state: %v, want ErrNotFound", i, err)
		}
	}
	for _, other := range [][]byte{append([]byte{2}, state[1:]...), append(state[:len(state):len(state)], 0), bytes.Repeat([]byte{0xff}, 100)} {
		if _, err := s.Resume(t.Context(), at, partSize+10, other); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("another state: %v, want ErrNotFound", err)
		}
	}
	u = w.resume(s, at, partSize+10, state)
	w.seal(u)
	w.holds(s, at, body(6, partSize+10))
}

func TestRemoveLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s := w.open()
		var all []name.Location
		for range 3 {
			at, u := w.create(s)
			w.write(u, body(7, partSize+1000))
			w.checkpoint(u)
			all = append(all, at)
		}
		sealed, u := w.create(s)
		w.write(u, []byte("sealed"))
		w.seal(u)
		kept, u := w.create(s)
		w.write(u, []byte("kept"))
		w.seal(u)
		other := w.open() // does not know the uploads
		stranger := name.Location("file:00/00000000000000000000000000000000")
		stay, err := other.RemoveAll(t.Context(), append(all, sealed, stranger, other.NewLocation()))
		if !slices.Equal(stay, []name.Location{stranger}) || !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("remove: %v stay, %v", stay, err)
		}
		for _, at := range all {
			if rests := w.rests(at); rests != nil {
				t.Errorf("%s left %v", at, rests)
			}
		}
		if _, err := other.Open(t.Context(), sealed); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("open what was removed: %v, want ErrNotFound", err)
		}
		w.holds(other, kept, []byte("kept"))
	})
}

func TestSweepTakesWhatIsOldAndNoBlob(t *testing.T) {
	settle(t)
	w := newWorld(t, s3server.Versitygw(t))
	s := w.open()
	sealed, u := w.create(s)
	w.write(u, []byte("sealed"))
	w.seal(u)
	at, u := w.create(s)
	w.write(u, body(8, partSize+1000))
	w.checkpoint(u)
	if n, err := s.Sweep(t.Context(), time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("of the last hour %d were swept, %v", n, err)
	}
	if rests := w.rests(at); len(rests) != 2 {
		t.Errorf("the upload has %v", rests)
	}
	if n, err := s.Sweep(t.Context(), time.Now().Add(time.Hour)); n != 2 || err != nil {
		t.Errorf("%d were swept, %v; want an upload and its tail", n, err)
	}
	if rests := w.rests(at); rests != nil {
		t.Errorf("after the sweep there are %v", rests)
	}
	if err := u.Seal(t.Context()); !errors.Is(err, blob.ErrClosed) {
		t.Errorf("seal of what was swept: %v, want ErrClosed", err)
	}
	w.holds(s, sealed, []byte("sealed"))
}

// More uploads are open than there are buffers: those at rest give theirs up.
func TestUploadsThatRestDoNotHoldOthersUp(t *testing.T) {
	settle(t)
	w := newWorld(t, s3server.Versitygw(t))
	s := w.open()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	type one struct {
		at   name.Location
		u    blob.Upload
		want []byte
	}
	var all []one
	for i := range 11 {
		at, u := w.create(s)
		o := one{at, u, body(uint64(i), 2000)}
		w.write(u, o.want[:1000])
		if i < 9 {
			w.checkpoint(u)
		}
		all = append(all, o)
	}
	for _, o := range all {
		w.write(o.u, o.want[1000:])
		if err := o.u.Seal(ctx); err != nil {
			t.Fatal(err)
		}
		w.holds(s, o.at, o.want)
	}
}
