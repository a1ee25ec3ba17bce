package vault

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"

	"github.com/lighterage/lighterage/internal/blob"
)

// The layout of a file: packets of packetSize bytes, each encrypted by itself
// with its place and whether it is the last; only the last is shorter, and
// empty only if it is the only one.
const (
	packetSize = 64 << 10
	overhead   = 12 + 16 // nonce and tag
	sealedSize = packetSize + overhead
)

// use is what a packet is encrypted as.
type use byte

// The uses. Their values are stored in what is authenticated.
const (
	middle use = 1 // more packets follow
	last   use = 2
	tail   use = 3 // the end of an unfinished upload, in its state
)

// label is the associated data of a packet: a packet of another place, or of
// an upload's state, does not open here.
func label(as use, place int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(as)}, uint64(place))
}

func sealPacket(to []byte, aead cipher.AEAD, plain []byte, as use, place int64) []byte {
	return aead.Seal(to, nil, plain, label(as, place))
}

// openPacket decrypts in place.
func openPacket(aead cipher.AEAD, sealed []byte, as use, place int64) ([]byte, error) {
	if len(sealed) < overhead {
		return nil, fmt.Errorf("packet %d is cut short: %w", place, blob.ErrDamaged)
	}
	plain, err := aead.Open(sealed[:0], nil, sealed, label(as, place))
	if err != nil {
		return nil, fmt.Errorf("packet %d does not open: %w", place, blob.ErrDamaged)
	}
	return plain, nil
}

// packets is how many packets a file of that many bytes has.
func packets(sealed int64) int64 { return (sealed + sealedSize - 1) / sealedSize }

// plainSize is how many bytes they hold; of a file that is cut, about.
func plainSize(sealed int64) int64 { return max(0, sealed-packets(sealed)*overhead) }
