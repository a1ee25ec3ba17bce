package digest

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding"
	"encoding/hex"
	"fmt"
	"hash"
)

// stateFormat is the first byte of a stored hash state; a state with another
// one is not resumed but hashed again.
const stateFormat = 1

// Hasher hashes a stream and can be stopped and continued in another process.
// It is not safe for concurrent use.
type Hasher struct {
	algorithm Algorithm
	hash      hash.Hash
}

// NewHasher starts a hash of nothing.
func NewHasher(a Algorithm) *Hasher {
	if a == SHA512 {
		return &Hasher{a, sha512.New()}
	}
	return &Hasher{SHA256, sha256.New()}
}

// Algorithm returns what the hasher hashes with.
func (h *Hasher) Algorithm() Algorithm { return h.algorithm }

// Write adds b; it never fails.
func (h *Hasher) Write(b []byte) (int, error) { return h.hash.Write(b) }

// Digest returns the digest of what was written so far.
func (h *Hasher) Digest() Digest {
	return Digest(h.algorithm.String() + ":" + hex.EncodeToString(h.hash.Sum(nil)))
}

// State returns what ResumeHasher needs to continue: format byte, algorithm
// byte, the hash's own state.
func (h *Hasher) State() ([]byte, error) {
	state, err := h.hash.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("marshal hash state: %w", err)
	}
	return append([]byte{stateFormat, byte(h.algorithm)}, state...), nil
}

// ResumeHasher continues from a state. An error means: hash the bytes again.
func ResumeHasher(state []byte) (*Hasher, error) {
	if len(state) < 2 || state[0] != stateFormat {
		return nil, fmt.Errorf("hash state of an unknown format")
	}
	h := NewHasher(Algorithm(state[1]))
	if byte(h.algorithm) != state[1] {
		return nil, fmt.Errorf("hash state of unknown algorithm %d", state[1])
	}
	if err := h.hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(state[2:]); err != nil {
		return nil, fmt.Errorf("resume hash state: %w", err)
	}
	return h, nil
}

// Of returns the digest of b.
func Of(a Algorithm, b []byte) Digest {
	if a == SHA512 {
		sum := sha512.Sum512(b)
		return Digest("sha512:" + hex.EncodeToString(sum[:]))
	}
	sum := sha256.Sum256(b)
	return Digest("sha256:" + hex.EncodeToString(sum[:]))
}
