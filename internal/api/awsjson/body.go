package awsjson

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
)

// A body must arrive within arrivalGrace and the time its bytes take at
// arrivalRate, so that nobody holds memory by sending slowly. It is looked at
// after each read: that one returns at all is the edge's care.
const (
	arrivalGrace = 30 * time.Second
	arrivalRate  = 64 << 10 // bytes a second
)

// body is a request's body as it is read: counted against its limit, and
// hashed for the signature.
type body struct {
	src   io.Reader
	sum   hash.Hash
	n     int64
	limit int64
	now   func() time.Time
	until time.Time
	err   error // what ended it; io.EOF is its end
}

// newBody returns the body of at most size bytes that src delivers.
func newBody(src io.Reader, limit, size int64, now func() time.Time) *body {
	within := arrivalGrace + time.Duration(size/arrivalRate)*time.Second
	return &body{src: src, sum: sha256.New(), limit: limit, now: now, until: now().Add(within)}
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
	} else if err == nil && b.now().After(b.until) {
		err = fault.Wrap(fault.BodyMalformed, errLate)
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

var errLate = errors.New("body did not arrive in time")

// payloadHash returns the hex SHA-256 of what was read.
func (b *body) payloadHash() string { return hex.EncodeToString(b.sum.Sum(nil)) }

func tooLarge(limit int64) error {
	return &fault.Error{Reason: fault.BodyTooLarge, Limit: limit}
}
