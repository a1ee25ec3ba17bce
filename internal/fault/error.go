// Package fault is the one error type that crosses floors.
//
// A fault carries a Reason and its subjects as data. Sentences and status
// codes are made at the border, by each front's errors.go, because AWS and OCI
// word and number the same fact differently. Floors that only pass an error on
// wrap it with %w; whoever needs the fact asks Of or Is.
package fault

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Error is a failure with its reason and subjects. The zero subjects are
// absent. It is immutable once returned.
type Error struct {
	Reason Reason

	Account    string   // 12 digits
	Repository string   // repository name
	Tag        string   // image tag
	Digest     string   // one digest, as the caller or the server wrote it
	Digests    []string // several digests
	Upload     string   // upload id
	Service    string   // Lightsail container service
	Image      string   // Lightsail image name, ":service.label.N"
	Entity     string   // what sort of thing of an account's directory: "user", "access key"
	Name       string   // the name, id or ARN of the entity

	Member     string // input member, as the wire names it
	Value      string // its offending value
	Constraint string // what it failed to satisfy
	LastByte   int64  // last valid byte received; -1 when none
	Quota      string // which limit
	Limit      int64  // its value
	KMSError   string // the key service's code

	Principal string // ARN of the caller
	Action    string // IAM action
	Resource  string // ARN, or *
	Detail    string // a safe sentence or half-sentence for the client

	RetryAfter time.Duration // when it is worth trying again; zero: not known

	Err error // cause, for logs only
}

// New returns a fault of the given reason with no subject.
func New(r Reason) *Error { return &Error{Reason: r} }

// Wrap returns a fault of the given reason that was caused by err.
func Wrap(r Reason, err error) *Error { return &Error{Reason: r, Err: err} }

// Kind returns the class of the error's reason.
func (e *Error) Kind() Kind { return e.Reason.Kind() }

// Error implements error with every subject, for logs.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Reason.String())
	for _, s := range []struct{ key, value string }{
		{"account", e.Account}, {"repository", e.Repository}, {"tag", e.Tag}, {"digest", e.Digest},
		{"digests", strings.Join(e.Digests, " ")}, {"upload", e.Upload}, {"service", e.Service}, {"image", e.Image},
		{"entity", e.Entity}, {"name", e.Name},
		{"member", e.Member}, {"constraint", e.Constraint}, {"quota", e.Quota}, {"kms", e.KMSError},
		{"principal", e.Principal}, {"action", e.Action}, {"resource", e.Resource}, {"detail", e.Detail},
	} {
		if s.value != "" {
			fmt.Fprintf(&b, " %s=%q", s.key, s.value)
		}
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Of returns the fault in err's chain, or one with the reason Unexpected that
// wraps err. It returns nil for nil.
func Of(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return Wrap(Unexpected, err)
}

// Is reports whether err is a fault of the given reason.
func Is(err error, r Reason) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Reason == r
}

// Denial is the sentence of a fault of the reason AccessDenied, as AWS has it.
func (e *Error) Denial() string {
	return strings.TrimSpace("User: " + e.Principal + " is not authorized to perform: " + e.Action + " on resource: " + e.Resource + " " + e.Detail)
}
