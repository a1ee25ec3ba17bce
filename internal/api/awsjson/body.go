package awsjson

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"

	"github.com/lighterage/lighterage/internal/fault"
)

// body is a request's body as it is read: counted against its limit, and
// hashed for the signature.
type body struct {
	src   io.Reader
	sum   hash.Hash
	n     int64
	limit int64
	err   error // what ended it; io.EOF is its end
}

// newBody returns the body that src delivers.
func newBody(src io.Reader, limit int64) *body {
	return &body{src: src, sum: sha256.New(), limit: limit}
}

// Read implements io.Reader. One byte more than the limit is a fault of the
// reason BodyTooLarge.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.src.Read(p)
	b.sum.Write(p[:n])
	if b.n += int64(n); b.n > b.limit {
		n, err = 0, tooLarge(b.limit)
	} else if err != nil && err != io.EOF {
		err = fault.Wrap(fault.BodyMalformed, err)
	}
	b.err = err
	return n, err
}

// drain reads on to the end. It returns nil if all of the body was read.
func (b *body) drain(buffer []byte) error {
	for b.err == nil {
		_, _ = b.Read(buffer)
	}
	if b.err == io.EOF {
		return nil
	}
	return b.err
}

// payloadHash returns the hex SHA-256 of what was read.
func (b *body) payloadHash() string { return hex.EncodeToString(b.sum.Sum(nil)) }

func tooLarge(limit int64) error {
	return &fault.Error{Reason: fault.BodyTooLarge, Limit: limit}
}
