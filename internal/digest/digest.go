// Package digest names content by its hash, and hashes streams.
//
// Only sha256 and sha512 exist here; anything else is refused before use. A
// Digest that came from Parse, FromBytes or a Hasher is canonical: lower-case
// algorithm and hex of the right length.
package digest

import (
	"encoding/hex"
	"fmt"
	"strings"

	godigest "github.com/opencontainers/go-digest"

	"github.com/lighterage/lighterage/internal/fault"
)

// Algorithm is a supported hash.
type Algorithm byte

// The supported algorithms. Their values are stored: never renumber.
const (
	SHA256 Algorithm = 1
	SHA512 Algorithm = 2
)

// String returns the algorithm as digests spell it.
func (a Algorithm) String() string {
	if a == SHA512 {
		return "sha512"
	}
	return "sha256"
}

// ParseAlgorithm takes the spelling of a digest's algorithm.
func ParseAlgorithm(s string) (Algorithm, error) {
	switch s {
	case "sha256":
		return SHA256, nil
	case "sha512":
		return SHA512, nil
	}
	return 0, &fault.Error{Reason: fault.DigestInvalid, Digest: s, Detail: "unsupported digest algorithm"}
}

// Digest is "algorithm:hex".
type Digest string

// Parse checks s: algorithm known, hex lower-case and of the right length.
func Parse(s string) (Digest, error) {
	algorithm, _, _ := strings.Cut(s, ":")
	if _, err := ParseAlgorithm(algorithm); err != nil {
		return "", &fault.Error{Reason: fault.DigestInvalid, Digest: s}
	}
	if err := godigest.Digest(s).Validate(); err != nil {
		return "", &fault.Error{Reason: fault.DigestInvalid, Digest: s, Err: err}
	}
	return Digest(s), nil
}

// Algorithm returns the digest's algorithm.
func (d Digest) Algorithm() Algorithm {
	if strings.HasPrefix(string(d), "sha512:") {
		return SHA512
	}
	return SHA256
}

// Bytes returns the stored form: the algorithm's byte, then the raw hash.
func (d Digest) Bytes() []byte {
	_, digits, _ := strings.Cut(string(d), ":")
	b := make([]byte, 1, 1+len(digits)/2)
	b[0] = byte(d.Algorithm())
	b, err := hex.AppendDecode(b, []byte(digits))
	if err != nil {
		return nil
	}
	return b
}

// FromBytes is the inverse of Bytes.
func FromBytes(b []byte) (Digest, error) {
	switch {
	case len(b) == 33 && b[0] == byte(SHA256):
		return Digest("sha256:" + hex.EncodeToString(b[1:])), nil
	case len(b) == 65 && b[0] == byte(SHA512):
		return Digest("sha512:" + hex.EncodeToString(b[1:])), nil
	}
	return "", fmt.Errorf("stored digest of %d bytes is not one", len(b))
}
