package vault

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"

	"github.com/lighterage/lighterage/internal/blob"
)

// reader decrypts what another reader reads, a packet at a time.
type reader struct {
	in   blob.Reader
	aead cipher.AEAD
	size int64 // of the plain bytes

	at    int64  // where Read goes on
	below int64  // where in stands
	place int64  // of the packet that is in plain; -1: none is
	plain []byte // within buffer
	// buffer holds a packet as it is stored, and decrypted.
	buffer []byte
}

func newReader(in blob.Reader, aead cipher.AEAD) *reader {
	return &reader{in: in, aead: aead, size: plainSize(in.Size()), place: -1}
}

// Size is the number of plain bytes.
func (r *reader) Size() int64 { return r.size }

// end makes sure that the last packet is the last. If more followed, the upload
// was not finished, or somebody has cut it.
func (r *reader) end() error {
	if r.in.Size() == 0 {
		return fmt.Errorf("it has no last packet: %w", blob.ErrNotFound)
	}
	return r.fetch(packets(r.in.Size()) - 1)
}

// Read reads to the end of a packet at most.
func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if r.at > 0 && r.at >= r.size {
		return 0, io.EOF
	}
	if err := r.fetch(r.at / packetSize); err != nil {
		return 0, err
	}
	n := copy(p, r.plain[min(int(r.at%packetSize), len(r.plain)):])
	if n == 0 {
		return 0, io.EOF
	}
	r.at += int64(n)
	return n, nil
}

// fetch decrypts a packet, unless it is the one at hand.
func (r *reader) fetch(place int64) error {
	if place == r.place {
		return nil
	}
	start := place * sealedSize
	length := min(sealedSize, r.in.Size()-start)
	if length < overhead {
		return fmt.Errorf("packet %d is cut short: %w", place, blob.ErrDamaged)
	}
	if r.below != start {
		if _, err := r.in.Seek(start, io.SeekStart); err != nil {
			return err
		}
		r.below = start
	}
	if r.buffer == nil {
		r.buffer = make([]byte, min(sealedSize, r.in.Size()))
	}
	r.place = -1
	n, err := io.ReadFull(r.in, r.buffer[:length])
	r.below += int64(n)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("packet %d is cut short: %w", place, blob.ErrDamaged)
	}
	if err != nil {
		return err
	}
	as := middle
	if start+length == r.in.Size() {
		as = last
	}
	if r.plain, err = r.open(r.buffer[:length], as, place); err != nil {
		return err
	}
	r.place = place
	return nil
}

// open decrypts in place. A cipher that fails has destroyed what it was given.
func (r *reader) open(sealed []byte, as use, place int64) ([]byte, error) {
	if as == middle || len(sealed) < sealedSize { // nothing follows a short one
		return openPacket(r.aead, sealed, as, place)
	}
	kept := append([]byte(nil), sealed...)
	plain, err := openPacket(r.aead, sealed, last, place)
	if err == nil {
		return plain, nil
	}
	if _, unfinished := openPacket(r.aead, kept, middle, place); unfinished == nil {
		return nil, fmt.Errorf("it has no last packet: %w", blob.ErrNotFound)
	}
	return nil, err
}

// Seek goes to a plain byte; nothing is read.
func (r *reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return r.at, errors.New("seek before the first byte")
	}
	r.at = offset
	return offset, nil
}

// Close closes the reader below.
func (r *reader) Close() error { return r.in.Close() }
