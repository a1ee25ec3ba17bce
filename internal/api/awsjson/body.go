package awsjson

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
)

// A body must arrive within arrivalGrace and the time its bytes take at
// arrivalRate, so that nobody holds memory by sending slowly.
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
	err   error // what ended it; io.EOF is its end
}

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

// boundArrival ends the reading of a body that does not arrive in time; the
// caller calls done when it has read it. A connection that knows no deadlines,
// as in tests, is not bound.
func boundArrival(w http.ResponseWriter, size int64) (done func()) {
	within := arrivalGrace + time.Duration(size/arrivalRate)*time.Second
	connection := http.NewResponseController(w)
	ended := make(chan struct{})
	timer := time.AfterFunc(within, func() {
		defer close(ended)
		_ = connection.SetReadDeadline(time.Unix(1, 0)) // long ago: pending reads fail now
	})
	return func() {
		if timer.Stop() {
			return
		}
		<-ended
		_ = connection.SetReadDeadline(time.Time{})
	}
}
