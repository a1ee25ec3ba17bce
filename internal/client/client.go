// Package client calls the operations that are a server's own, which no SDK
// knows: AWS JSON 1.1 over HTTP, signed.
//
//  1. A credential is in the signature and nowhere else: no error, no log.
//  2. An answer is read up to a bound.
//
// It tries nothing twice: the caller knows whether that does harm.
package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/lighterage/lighterage/internal/sigv4"
)

// Doer sends requests; *http.Client is one, and so is the client of an AWS
// configuration, which knows the CA bundle that was chosen.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Client calls one service of one server. Every field must be set.
type Client struct {
	HTTP         Doer
	Endpoint     string // URL without a path
	Service      string // that is signed for
	TargetPrefix string // of the service's operations
	Region       string
	Credentials  sigv4.Credentials
	Clock        func() time.Time
}

// Error is an answer that is an error.
type Error struct {
	Status  int
	Code    string // the error's shape; empty if what answered is no such service
	Message string
}

func (e *Error) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("the answer is %d %s, not one of a Lighterage server", e.Status, http.StatusText(e.Status))
	}
	if e.Message == "" {
		return e.Code
	}
	return e.Code + ": " + e.Message
}

// ErrorCode and ErrorMessage are what the SDK's errors have too.
func (e *Error) ErrorCode() string { return e.Code }

// ErrorMessage is the sentence.
func (e *Error) ErrorMessage() string { return e.Message }

const (
	contentType = "application/x-amz-json-1.1"
	maxAnswer   = 32 << 20
)

// Call does an operation. in and out are marshalled by encoding/json: their
// members are named as the model names them, and a timestamp is a number of
// seconds. What the server refused is an *Error.
func (c *Client) Call(ctx context.Context, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode the input of %s: %w", operation, err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Endpoint, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("endpoint: %w", err)
	}
	if r.URL.Path == "" {
		r.URL.Path = "/"
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("User-Agent", "lighterage")
	r.Header.Set("X-Amz-Target", c.TargetPrefix+"."+operation)
	hash := sha256.Sum256(body)
	if err := sigv4.Sign(r, c.Credentials, c.Region, c.Service, c.Clock(), hex.EncodeToString(hash[:])); err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	answer, err := c.HTTP.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if answer.StatusCode != http.StatusOK { // what came of it tells enough
		return refusal(answer.StatusCode, text)
	}
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", operation, err)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return &Error{Status: answer.StatusCode}
	}
	return nil
}

func refusal(status int, text []byte) *Error {
	var said struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(text, &said) // what is no JSON has no code
	return &Error{Status: status, Code: said.Type, Message: said.Message}
}
