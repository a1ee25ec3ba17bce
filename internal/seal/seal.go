// Package seal encrypts small secrets under a master key.
//
//  1. What is sealed can be read, and changed unnoticed, by nobody without
//     the master key; and it opens only with the associated data it was sealed
//     with, so a sealed secret cannot be moved to another row.
//  2. One key seals any number of messages: the nonce is 192 random bits, and
//     each message has an encryption key of its own.
//  3. Sealed bytes name their key: under a wrong master key the answer is
//     ErrOtherKey with the ids, not a riddle.
//  4. Of several keys the first seals and all open, so a master key can be
//     replaced without losing what it sealed.
//  5. Neither a Key nor a Sealer formats, logs or marshals its bytes.
//
// It is made for kilobytes: a message is held whole.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
)

// ErrOtherKey is returned, wrapped with the ids, for what was sealed with a
// master key that the Sealer was not given.
var ErrOtherKey = errors.New("sealed with another master key")

// ErrBroken is returned for bytes that were changed or cut, are none of Seal's,
// or were sealed with other associated data. Which of these is not told.
var ErrBroken = errors.New("sealed bytes are broken, or belong elsewhere")

// The layout of sealed bytes: version, key id, nonce, ciphertext, tag. All
// before the nonce is authenticated with the associated data.
const (
	version    = 1
	idSize     = 8
	headerSize = 1 + idSize
	nonceSize  = 24
	tagSize    = 16

	// Overhead is how much longer sealed bytes are than what they hold.
	Overhead = headerSize + nonceSize + tagSize
)

// Sealer seals with one master key and opens with several. It is immutable,
// and safe for concurrent use.
type Sealer struct {
	keys []*parts // the first seals
}

// New returns a sealer of the keys, newest first: the first seals, all open.
func New(keys ...Key) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("no master key is given")
	}
	s := &Sealer{}
	for _, k := range keys {
		if k.parts == nil {
			return nil, errors.New("a master key is empty")
		}
		if slices.ContainsFunc(s.keys, func(p *parts) bool { return p.id == k.parts.id }) {
			return nil, fmt.Errorf("master key %s is given twice", k.ID())
		}
		s.keys = append(s.keys, k.parts)
	}
	return s, nil
}

// KeyID returns the id of the key that seals.
func (s *Sealer) KeyID() string { return hex.EncodeToString(s.keys[0].id[:]) }

// Seal encrypts plain and binds it to aad, which is not kept: say with it what
// the secret is of, as the table and the row.
func (s *Sealer) Seal(plain, aad []byte) ([]byte, error) {
	p := s.keys[0]
	out := make([]byte, headerSize+nonceSize, len(plain)+Overhead)
	out[0] = version
	copy(out[1:], p.id[:])
	nonce := out[headerSize:]
	_, _ = rand.Read(nonce) // never fails: it ends the process instead
	aead, err := p.message(nonce)
	if err != nil {
		return nil, err
	}
	return aead.Seal(out, nonce[12:], plain, bind(out[:headerSize], aad)), nil
}

// Open returns what Seal was given, if aad is the same. ErrOtherKey, ErrBroken.
func (s *Sealer) Open(sealed, aad []byte) ([]byte, error) {
	if len(sealed) < Overhead || sealed[0] != version {
		return nil, ErrBroken
	}
	i := s.find(sealed)
	if i < 0 {
		return nil, fmt.Errorf("%w: %s; the newest of those given is %s",
			ErrOtherKey, hex.EncodeToString(sealed[1:headerSize]), s.KeyID())
	}
	nonce := sealed[headerSize : headerSize+nonceSize]
	aead, err := s.keys[i].message(nonce)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nonce[12:], sealed[headerSize+nonceSize:], bind(sealed[:headerSize], aad))
	if err != nil {
		return nil, ErrBroken
	}
	return plain, nil
}

// Stale reports whether the bytes are sealed with a key that opens but no
// longer seals: whoever replaces the master key seals them anew.
func (s *Sealer) Stale(sealed []byte) bool {
	return len(sealed) >= Overhead && sealed[0] == version && s.find(sealed) > 0
}

// find returns the index of the key that the header names, or -1.
func (s *Sealer) find(sealed []byte) int {
	id := [idSize]byte(sealed[1:headerSize])
	return slices.IndexFunc(s.keys, func(p *parts) bool { return p.id == id })
}

// bind puts the header before the associated data. The header's length is
// fixed, so no two pairs give the same bytes.
func bind(header, aad []byte) []byte { return append(slices.Clone(header), aad...) }

// schedule prepares an encryption key for XAES-256-GCM
// (https://c2sp.org/XAES-256-GCM), which is AES-256-GCM with a key for each
// message, derived from the key and the first half of a nonce long enough to
// be random. Both halves are of NIST's making: SP 800-108r1 with CMAC, and GCM.
func schedule(key []byte) (*parts, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("prepare the encryption key: %w", err)
	}
	p := &parts{block: block}
	block.Encrypt(p.subkey[:], p.subkey[:])
	carry := byte(0)
	for i := len(p.subkey) - 1; i >= 0; i-- {
		next := p.subkey[i] >> 7
		p.subkey[i] = p.subkey[i]<<1 | carry
		carry = next
	}
	p.subkey[len(p.subkey)-1] ^= carry * 0x87 // CMAC's doubling, without a branch on the secret
	return p, nil
}

// message returns the cipher of the message with this nonce; GCM's own nonce
// is its second half.
func (p *parts) message(nonce []byte) (cipher.AEAD, error) {
	var key [KeySize]byte
	for half := range 2 {
		out := key[half*aes.BlockSize:][:aes.BlockSize]
		copy(out, []byte{0, byte(half + 1), 'X', 0})
		copy(out[4:], nonce[:12])
		for i := range out {
			out[i] ^= p.subkey[i]
		}
		p.block.Encrypt(out, out)
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("prepare the message's key: %w", err)
	}
	return cipher.NewGCM(block)
}

// String, GoString, Format, LogValue, MarshalText and MarshalJSON say that
// there is a sealer, and nothing of its keys.
func (s *Sealer) String() string               { return redacted }
func (s *Sealer) GoString() string             { return redacted }
func (s *Sealer) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(redacted)) }
func (s *Sealer) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (s *Sealer) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (s *Sealer) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
