package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/blob/blobtest"
	"github.com/lighterage/lighterage/internal/blob/disk"
	"github.com/lighterage/lighterage/internal/blob/vault"
	"github.com/lighterage/lighterage/internal/datakey"
	"github.com/lighterage/lighterage/internal/name"
)

// keys are data keys by number.
type keys map[int64]datakey.Key

func (k keys) DataKey(_ context.Context, number int64) (datakey.Key, error) {
	if key, ok := k[number]; ok {
		return key, nil
	}
	return datakey.Key{}, fmt.Errorf("data key %d: %w", number, blob.ErrNotFound)
}

// The numbers of the test's keys: of one layer, of another key, of two layers.
const (
	single = 7
	other  = 8
	double = 9
)

func draw(t testing.TB) keys {
	t.Helper()
	all := keys{}
	for number, layers := range map[int64]int{single: 1, other: 1, double: 2} {
		k, err := datakey.Draw(layers)
		if err != nil {
			t.Fatal(err)
		}
		all[number] = k
	}
	return all
}

// keyed draws locations with a key, and knows no others.
type keyed struct {
	*vault.Store
	number int64
}

func (k keyed) NewLocation() name.Location { return k.Store.NewLocation().WithKey(k.number) }

func (k keyed) Remove(ctx context.Context, at name.Location) error {
	if at.Key() != k.number {
		return blob.ErrNotFound
	}
	return k.Store.Remove(ctx, at)
}

func TestContract(t *testing.T) {
	for what, number := range map[string]int64{"one layer": single, "two layers": double} {
		t.Run(what, func(t *testing.T) {
			blobtest.Run(t, func(t *testing.T) blobtest.Opener {
				dir, all := filepath.Join(t.TempDir(), "blobs"), draw(t)
				return func() (blob.Store, error) {
					s, err := disk.Open(dir, disk.Options{Fatal: func(err error) { t.Errorf("fatal: %v", err) }})
					if err != nil {
						return nil, err
					}
					return keyed{vault.New(s, all), number}, nil
				}
			})
		})
	}
}

func TestContractWithoutKeys(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blobtest.Opener {
		dir := filepath.Join(t.TempDir(), "blobs")
		return func() (blob.Store, error) {
			s, err := disk.Open(dir, disk.Options{Fatal: func(err error) { t.Errorf("fatal: %v", err) }})
			return vault.New(s, keys{}), err
		}
	})
}

// place is a vault in a directory.
type place struct {
	*vault.Store
	t    testing.TB
	dir  string
	keys keys
}

func newPlace(t testing.TB) *place {
	t.Helper()
	p := &place{t: t, dir: filepath.Join(t.TempDir(), "blobs"), keys: draw(t)}
	s, err := disk.Open(p.dir, disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.Store = vault.New(s, p.keys)
	t.Cleanup(func() { p.Close() })
	return p
}

func (p *place) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) put(number int64, body []byte) name.Location {
	p.t.Helper()
	at := p.NewLocation().WithKey(number)
	u, err := p.Create(p.t.Context(), at)
	p.must(err)
	_, err = u.Write(body)
	p.must(err)
	p.must(u.Seal(p.t.Context()))
	return at
}

func (p *place) read(at name.Location) ([]byte, error) {
	r, err := p.Open(p.t.Context(), at)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func (p *place) file(at name.Location) string {
	return filepath.Join(p.dir, strings.TrimPrefix(string(at), "file:"))
}

func (p *place) stored(at name.Location) []byte {
	p.t.Helper()
	b, err := os.ReadFile(p.file(at))
	p.must(err)
	return b
}

// store puts bytes where sealed ones are.
func (p *place) store(at name.Location, b []byte) {
	p.t.Helper()
	p.must(os.Chmod(p.file(at), 0o600))
	p.must(os.WriteFile(p.file(at), b, 0o600))
	p.must(os.Chmod(p.file(at), 0o400))
}

func body(seed uint64, n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	b := make([]byte, n)
	_, _ = r.Read(b)
	return b
}

const packet = 64 << 10

// sizes are those at which something begins or ends.
var sizes = []int{0, 1, 100, packet - 1, packet, packet + 1, 2*packet - 1, 2 * packet, 2*packet + 1, 5*packet + 17}

func TestWhatIsWrittenIsRead(t *testing.T) {
	p := newPlace(t)
	for _, number := range []int64{single, double} {
		for _, n := range sizes {
			want := body(uint64(n), n)
			at := p.put(number, want)
			got, err := p.read(at)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("key %d, %d bytes: read %d, %v", number, n, len(got), err)
			}
			r, err := p.Open(t.Context(), at)
			p.must(err)
			if r.Size() != int64(n) {
				t.Errorf("key %d, %d bytes: the size is %d", number, n, r.Size())
			}
			p.must(r.Close())
		}
	}
}

func TestRangesAreThoseOfThePlainBytes(t *testing.T) {
	p := newPlace(t)
	random := rand.New(rand.NewPCG(1, 2))
	for _, number := range []int64{single, double} {
		want := body(3, 5*packet+17)
		r, err := p.Open(t.Context(), p.put(number, want))
		p.must(err)
		defer r.Close()
		for range 500 {
			from := random.IntN(len(want) + 1)
			n := random.IntN(min(len(want)-from, 2*packet) + 1)
			if _, err := r.Seek(int64(from), io.SeekStart); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, n)
			if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, want[from:from+n]) {
				t.Fatalf("key %d, bytes %d to %d: differ, %v", number, from, from+n, err)
			}
		}
	}
}

// harmed reads a location of which something was changed: what comes before the
// error must be of the plain bytes.
func (p *place) harmed(what string, at name.Location, plain []byte) {
	p.t.Helper()
	got, err := p.read(at)
	if !errors.Is(err, blob.ErrDamaged) && !errors.Is(err, blob.ErrNotFound) {
		p.t.Errorf("%s: %v, want ErrDamaged, or ErrNotFound of what has no end", what, err)
	}
	if !bytes.HasPrefix(plain, got) {
		p.t.Errorf("%s: %d bytes that nobody wrote were read", what, len(got))
	}
}

func TestAFlippedBitIsAnErrorAndNoBytes(t *testing.T) {
	p := newPlace(t)
	for _, number := range []int64{single, double} {
		plain := body(1, 300)
		at := p.put(number, plain)
		good := p.stored(at)
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i % 8)
			p.store(at, bad)
			p.harmed(fmt.Sprintf("key %d, byte %d", number, i), at, nil)
		}
	}
	plain := body(2, 3*packet+5)
	at := p.put(single, plain)
	good := p.stored(at)
	random := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		i := random.IntN(len(good))
		bad := bytes.Clone(good)
		bad[i] ^= 1 << random.IntN(8)
		p.store(at, bad)
		p.harmed(fmt.Sprintf("byte %d of four packets", i), at, plain)
	}
}

func TestWhatIsCutOrPutTogetherAnewIsAnError(t *testing.T) {
	p := newPlace(t)
	const stored = packet + 28
	for _, number := range []int64{single, double} {
		plain := body(1, 3*packet)
		at := p.put(number, plain)
		good := p.stored(at)
		for _, n := range []int{0, 1, 27, 28, stored - 1, stored, stored + 1, 2 * stored, len(good) - 28, len(good) - 1} {
			p.store(at, good[:n])
			p.harmed(fmt.Sprintf("key %d, cut to %d bytes", number, n), at, plain)
		}
		p.store(at, append(bytes.Clone(good), good[:stored]...))
		p.harmed("a packet more", at, plain)
		p.store(at, append(bytes.Clone(good), 0))
		p.harmed("a byte more", at, plain)
		p.store(at, slicesOf(good, stored, 1, 0, 2))
		p.harmed("two packets in another order", at, plain)
		p.store(at, slicesOf(good, stored, 0, 2))
		p.harmed("a packet less", at, plain)
	}
}

func slicesOf(b []byte, size int, order ...int) (out []byte) {
	for _, i := range order {
		out = append(out, b[i*size:min(len(b), (i+1)*size)]...)
	}
	return out
}

func TestFilesCannotBeSwapped(t *testing.T) {
	p := newPlace(t)
	one, two := p.put(single, body(1, 1000)), p.put(single, body(2, 1000))
	b := p.stored(one)
	p.store(one, p.stored(two))
	p.store(two, b)
	p.harmed("another's file", one, nil)
	p.harmed("another's file", two, nil)
}

func TestTheKeyIsThatOfTheLocation(t *testing.T) {
	p := newPlace(t)
	at := p.put(single, body(1, 1000))
	foreign := at[:len(at)-1] + "8"
	p.must(os.Rename(p.file(at), p.file(foreign)))
	p.harmed("a file under another key", foreign, nil)
	unknown := at[:len(at)-1] + "6"
	if _, err := p.read(unknown); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("a key that is not there: %v, want ErrNotFound", err)
	}
	plain := name.Location(strings.TrimSuffix(string(at), "-7"))
	if _, err := p.read(plain); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("the location without its key: %v, want ErrNotFound", err)
	}
}

// windows are all pieces of 32 bytes that plain has.
func windows(plain []byte) map[string]bool {
	all := map[string]bool{}
	for i := 0; i+32 <= len(plain); i++ {
		all[string(plain[i:i+32])] = true
	}
	return all
}

func TestNothingPlainIsInTheStoreOrInAState(t *testing.T) {
	p := newPlace(t)
	plain := body(1, 2*packet+500)
	found := windows(plain)
	for _, number := range []int64{single, double} {
		at := p.NewLocation().WithKey(number)
		u, err := p.Create(t.Context(), at)
		p.must(err)
		_, err = u.Write(plain)
		p.must(err)
		state, err := u.Checkpoint(t.Context())
		p.must(err)
		p.must(u.Seal(t.Context()))
		for _, b := range [][]byte{state, p.stored(at)} {
			for i := 0; i+32 <= len(b); i++ {
				if found[string(b[i:i+32])] {
					t.Fatalf("key %d: 32 plain bytes at %d of %d", number, i, len(b))
				}
			}
		}
	}
}

func TestTheSamePacketIsNeverEncryptedTheSame(t *testing.T) {
	p := newPlace(t)
	at := p.NewLocation().WithKey(single)
	u, err := p.Create(t.Context(), at)
	p.must(err)
	state, err := u.Checkpoint(t.Context())
	p.must(err)
	nonces := map[string]bool{}
	for i := range 20 {
		_, err = u.Write(body(uint64(i), packet+1))
		p.must(err)
		b := p.stored(at)
		if nonces[string(b[:12])] {
			t.Fatal("a nonce came twice")
		}
		nonces[string(b[:12])] = true
		u, err = p.Resume(t.Context(), at, 0, state)
		p.must(err)
	}
}

func TestAStateOfAnotherUploadOrOffsetIsRefused(t *testing.T) {
	p := newPlace(t)
	state := map[name.Location][]byte{}
	var all []name.Location
	for range 2 {
		at := p.NewLocation().WithKey(double)
		u, err := p.Create(t.Context(), at)
		p.must(err)
		_, err = u.Write(body(1, packet+10))
		p.must(err)
		state[at], err = u.Checkpoint(t.Context())
		p.must(err)
		p.must(u.Close())
		all = append(all, at)
	}
	for what, c := range map[string]struct {
		offset int64
		state  []byte
	}{
		"another upload's":  {packet + 10, state[all[1]]},
		"another offset's":  {packet + 9, state[all[0]]},
		"none":              {packet + 10, nil},
		"of another format": {packet + 10, append([]byte{2}, state[all[0]][1:]...)},
		"cut":               {packet + 10, state[all[0]][:20]},
	} {
		if _, err := p.Resume(t.Context(), all[0], c.offset, c.state); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", what, err)
		}
	}
	u, err := p.Resume(t.Context(), all[0], packet+10, state[all[0]])
	p.must(err)
	_, err = u.Write([]byte("more"))
	p.must(err)
	p.must(u.Seal(t.Context()))
	if got, err := p.read(all[0]); err != nil || !bytes.Equal(got, append(body(1, packet+10), "more"...)) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
}

// cramped is a store whose uploads have room for so many bytes more.
type cramped struct {
	blob.Store
	room int
}

func (c *cramped) List(context.Context, name.Location, int) ([]blob.Item, name.Location, error) {
	return nil, "", nil
}

func (c *cramped) Create(ctx context.Context, at name.Location) (blob.Upload, error) {
	u, err := c.Store.Create(ctx, at)
	return &crampedUpload{u, c}, err
}

type crampedUpload struct {
	blob.Upload
	in *cramped
}

func (u *crampedUpload) Write(b []byte) (int, error) {
	n, err := u.Upload.Write(b[:min(len(b), u.in.room)])
	u.in.room -= n
	if err == nil && n < len(b) {
		err = blob.ErrFull
	}
	return n, err
}

func TestAFullStoreCostsNoByteThatWasTaken(t *testing.T) {
	p := newPlace(t)
	s, err := disk.Open(filepath.Join(t.TempDir(), "blobs"), disk.Options{})
	p.must(err)
	tight := &cramped{Store: s}
	p.Store = vault.New(tight, p.keys)
	t.Cleanup(func() { p.Close() })
	want := body(1, 3*packet)
	at := p.NewLocation().WithKey(double)
	u, err := p.Create(t.Context(), at)
	p.must(err)
	taken, full := 0, 0
	for taken < len(want) {
		n, err := u.Write(want[taken:])
		taken += n
		if errors.Is(err, blob.ErrFull) {
			full++
			tight.room += 10_000
			continue
		}
		p.must(err)
	}
	tight.room = 1 << 20
	p.must(u.Seal(t.Context()))
	if got, err := p.read(at); err != nil || !bytes.Equal(got, want) || full < 10 {
		t.Errorf("read %d bytes, %v, after the store was full %d times", len(got), err, full)
	}
}

func TestNoURLLeadsToEncryptedBytes(t *testing.T) {
	p := newPlace(t)
	if u, err := p.Presign(t.Context(), p.put(single, body(1, 10)), time.Minute); u != "" || err != nil {
		t.Errorf("presign: %q, %v", u, err)
	}
}

func BenchmarkWrite(b *testing.B) {
	bench(b, func(p *place, at name.Location, plain []byte) { p.write(at, plain) })
}

func BenchmarkRead(b *testing.B) {
	bench(b, func(p *place, at name.Location, plain []byte) {
		b.StopTimer()
		p.write(at, plain)
		b.StartTimer()
		r, err := p.Open(b.Context(), at)
		p.must(err)
		_, err = io.Copy(io.Discard, struct{ io.Reader }{r})
		p.must(err)
		p.must(r.Close())
	})
}

func (p *place) write(at name.Location, plain []byte) {
	u, err := p.Create(p.t.Context(), at)
	p.must(err)
	for rest := plain; len(rest) > 0; {
		n, err := u.Write(rest[:min(len(rest), 256<<10)])
		p.must(err)
		rest = rest[n:]
	}
	p.must(u.Seal(p.t.Context()))
}

func bench(b *testing.B, run func(*place, name.Location, []byte)) {
	for what, number := range map[string]int64{"plain": 0, "one layer": single, "two layers": double} {
		b.Run(what, func(b *testing.B) {
			p := newPlace(b)
			plain := body(1, 16<<20)
			b.SetBytes(int64(len(plain)))
			for b.Loop() {
				at := p.NewLocation()
				if number != 0 {
					at = at.WithKey(number)
				}
				run(p, at, plain)
				p.must(p.Remove(b.Context(), at))
			}
		})
	}
}
