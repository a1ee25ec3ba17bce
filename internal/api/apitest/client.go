// Package apitest has what the tests need that call a front with an AWS SDK.
//
//  1. A request of its client is whole before its first byte leaves.
//
// It is for tests alone.
package apitest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// NewClient returns a client with a transport of its own, for an SDK's client
// that makes no second attempts.
//
// The SDK closes the body of a request as soon as the answer begins. The
// transport writes a body that it does not know to be in memory as a piece of
// its own, and looks once more for its end when the server may have answered
// already; the closed body of smithy-go's then fails with io.EOF instead of
// ending, which the transport takes for a broken request: it closes the
// connection that the answer is being read from. The SDK's own remedy is to try
// again (aws/aws-sdk-go-v2#2737, #2949).
func NewClient() *http.Client {
	return &http.Client{
		Transport:     Whole(&http.Transport{}),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Whole returns a transport that hands its requests to next with their bodies in
// memory.
func Whole(next http.RoundTripper) http.RoundTripper { return whole{next} }

type whole struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (w whole) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return w.next.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err := errors.Join(err, r.Body.Close()); err != nil {
		return nil, err
	}
	inMemory := *r
	inMemory.Body = io.NopCloser(bytes.NewReader(body))
	return w.next.RoundTrip(&inMemory)
}
