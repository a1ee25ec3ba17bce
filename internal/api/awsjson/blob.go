package awsjson

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
)

// chunkSize is a multiple of three: base64 turns four characters into three
// bytes, which then never straddle two chunks.
const chunkSize = 192 << 10

type chunk [chunkSize]byte

// blob is an awsmodel.Blob in chunks of the shared memory.
type blob struct {
	account  *account
	chunks   []*chunk
	n        int64
	released bool
}

var errReleased = errors.New("awsjson: blob read after its operation ended")

// Len implements awsmodel.Blob.
func (b *blob) Len() int64 { return b.n }

// Reader implements awsmodel.Blob. Its Read fails after the release.
func (b *blob) Reader() io.Reader { return &blobReader{blob: b} }

// release gives the chunks back; nothing may be reading them.
func (b *blob) release() {
	for _, c := range b.chunks {
		b.account.of.chunks.Put(c)
	}
	b.chunks, b.released = nil, true
}

// room returns where the next bytes go: a multiple of three and not empty.
func (b *blob) room() ([]byte, error) {
	at := int(b.n % chunkSize)
	if at == 0 {
		if err := b.account.charge(chunkSize); err != nil {
			return nil, err
		}
		b.chunks = append(b.chunks, b.account.of.chunks.Get().(*chunk))
	}
	return b.chunks[len(b.chunks)-1][at:], nil
}

type blobReader struct {
	blob *blob
	at   int64
}

func (r *blobReader) Read(p []byte) (int, error) {
	piece, err := r.next()
	if err != nil {
		return 0, err
	}
	n := copy(p, piece)
	r.at += int64(n)
	return n, nil
}

// WriteTo implements io.WriterTo: the chunks are written as they are.
func (r *blobReader) WriteTo(w io.Writer) (int64, error) {
	start := r.at
	for {
		piece, err := r.next()
		if err == io.EOF {
			return r.at - start, nil
		}
		if err != nil {
			return r.at - start, err
		}
		n, err := w.Write(piece)
		r.at += int64(n)
		if err != nil {
			return r.at - start, err
		}
	}
}

// next returns the rest of the chunk that is to be read now.
func (r *blobReader) next() ([]byte, error) {
	if r.blob.released {
		return nil, errReleased
	}
	if r.at == r.blob.n {
		return nil, io.EOF
	}
	end := min(r.blob.n-r.at/chunkSize*chunkSize, chunkSize)
	return r.blob.chunks[r.at/chunkSize][r.at%chunkSize : end], nil
}

// base64Writer decodes standard, padded base64 into a blob, piece by piece. Of
// more than max bytes it only counts.
type base64Writer struct {
	to      *blob
	max     int64
	carry   [4]byte // the characters of an unfinished group
	carried int
	padded  bool // the final group was seen
}

var strict = base64.StdEncoding.Strict()

// write takes characters in pieces of any length.
func (w *base64Writer) write(p []byte) error {
	if w.carried > 0 {
		n := copy(w.carry[w.carried:], p)
		w.carried += n
		p = p[n:]
		if w.carried < len(w.carry) {
			return nil
		}
		w.carried = 0
		if err := w.groups(w.carry[:]); err != nil {
			return err
		}
	}
	whole := len(p) &^ 3
	w.carried = copy(w.carry[:], p[whole:])
	return w.groups(p[:whole])
}

// close checks that the text ended with a whole group.
func (w *base64Writer) close() error {
	if w.carried != 0 {
		return errBase64()
	}
	return nil
}

func errBase64() error { return refused("STRING_VALUE can not be converted to a Blob: not base64") }

// groups decodes whole groups. The decoder passes over line breaks, which the
// count of what it returns brings to light.
func (w *base64Writer) groups(p []byte) error {
	for len(p) > 0 {
		if w.padded {
			return errBase64()
		}
		if w.to.n > w.max {
			w.to.n += int64(len(p) / 4 * 3)
			return nil
		}
		room, err := w.to.room()
		if err != nil {
			return err
		}
		n := min(len(p), len(room)/3*4)
		pads := len(p[:n]) - len(bytes.TrimRight(p[n-2:n], "=")) - (n - 2)
		got, err := strict.Decode(room, p[:n])
		if err != nil || got != n/4*3-pads {
			return errBase64()
		}
		w.padded = pads > 0
		if w.to.n += int64(got); w.to.n > w.max {
			w.to.release()
		}
		p = p[n:]
	}
	return nil
}
