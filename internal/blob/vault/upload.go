package vault

import (
	"context"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/lighterage/lighterage/internal/blob"
)

// upload encrypts what is written to another upload. Its lock is held during
// every step but Close, for which the other's lock is enough.
type upload struct {
	out  blob.Upload
	aead cipher.AEAD

	mu    sync.Mutex
	sent  int64  // packets that were encrypted
	tail  []byte // what is none yet; at most a whole one, which may be the last
	rest  []byte // of an encrypted packet, which out had no room for
	ended bool   // the last packet was encrypted
}

func newUpload(out blob.Upload, aead cipher.AEAD) *upload { return &upload{out: out, aead: aead} }

// Write appends b. What out had no room for is sent first.
func (u *upload) Write(b []byte) (n int, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended {
		return 0, blob.ErrClosed
	}
	if _, err := u.out.Write(nil); err != nil { // it may be closed
		return 0, err
	}
	for len(b) > 0 {
		if err := u.send(); err != nil {
			return n, err
		}
		if len(u.tail) == packetSize {
			if err := u.packet(middle); err != nil {
				return n, err
			}
		}
		m := min(len(b), packetSize-len(u.tail))
		u.tail = append(u.tail, b[:m]...)
		n, b = n+m, b[m:]
	}
	return n, nil
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, sealedSize); return &b }}

// packet encrypts the tail and sends it.
func (u *upload) packet(as use) error {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	sealed := sealPacket((*buffer)[:0], u.aead, u.tail, as, u.sent)
	u.tail, u.sent, u.ended = u.tail[:0], u.sent+1, as == last
	n, err := u.out.Write(sealed)
	if err != nil {
		u.rest = append([]byte(nil), sealed[n:]...)
	}
	return err
}

// send sends what is left of a packet.
func (u *upload) send() error {
	if len(u.rest) == 0 {
		return nil
	}
	n, err := u.out.Write(u.rest)
	u.rest = u.rest[n:]
	return err
}

// Offset is the number of plain bytes.
func (u *upload) Offset() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended { // the last packet is counted as a whole one
		return plainSize(u.out.Offset() + int64(len(u.rest)))
	}
	return u.sent*packetSize + int64(len(u.tail))
}

// Checkpoint returns a state with the tail, encrypted.
func (u *upload) Checkpoint(ctx context.Context) ([]byte, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended {
		return nil, blob.ErrClosed
	}
	if err := u.send(); err != nil {
		return nil, err
	}
	below, err := u.out.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	state := []byte{stateVersion}
	state = binary.AppendUvarint(state, uint64(u.sent))
	state = binary.AppendUvarint(state, uint64(len(below)))
	state = append(state, below...)
	return sealPacket(state, u.aead, u.tail, tail, u.sent), nil
}

// Seal writes the last packet. It can be called again when it failed.
func (u *upload) Seal(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := u.send(); err != nil {
		return err
	}
	if !u.ended {
		if err := u.packet(last); err != nil {
			return err
		}
	}
	return u.out.Seal(ctx)
}

// Close gives the upload up.
func (u *upload) Close() error { return u.out.Close() }

// stateVersion is the first byte of a state.
const stateVersion = 1

// checkpoint is what a state says.
type checkpoint struct {
	sent  int64
	tail  []byte
	below []byte // state of the upload below
}

// parseCheckpoint reads the state of an upload at the offset. One that is empty
// is that of an upload which has none yet. blob.ErrNotFound: it is another's.
func parseCheckpoint(state []byte, aead cipher.AEAD, offset int64) (checkpoint, error) {
	if len(state) == 0 && offset == 0 {
		return checkpoint{}, nil
	}
	wrong := fmt.Errorf("the state of an encrypted upload is not that of its bytes: %w", blob.ErrNotFound)
	if len(state) == 0 || state[0] != stateVersion {
		return checkpoint{}, wrong
	}
	sent, n := binary.Uvarint(state[1:])
	if n <= 0 || sent > 1<<40 {
		return checkpoint{}, wrong
	}
	state = state[1+n:]
	size, n := binary.Uvarint(state)
	if n <= 0 || size > uint64(len(state)-n) {
		return checkpoint{}, wrong
	}
	below, sealed := state[n:n+int(size)], state[n+int(size):]
	plain, err := openPacket(aead, append([]byte(nil), sealed...), tail, int64(sent))
	if err != nil || int64(sent)*packetSize+int64(len(plain)) != offset || len(plain) > packetSize {
		return checkpoint{}, wrong
	}
	return checkpoint{sent: int64(sent), tail: plain, below: below}, nil
}

// upload continues where the checkpoint stands.
func (c checkpoint) upload(out blob.Upload, aead cipher.AEAD) *upload {
	u := newUpload(out, aead)
	u.sent, u.tail = c.sent, append(u.tail, c.tail...)
	return u
}
