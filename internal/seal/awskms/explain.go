package awskms

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// explain says in one sentence what came of an act. The SDK's own errors tell
// every layer that they went through.
func (v *Vault) explain(act string, err error) error {
	sentence := fmt.Sprintf("%s cannot %s with key %s", v.place, act, v.key)
	if e, ok := errors.AsType[smithy.APIError](err); ok && e.ErrorCode() != unknownCode {
		cause := e.ErrorCode()
		if e.ErrorMessage() != "" {
			cause += ": " + e.ErrorMessage()
		}
		return &explained{fmt.Sprintf("%s refuses to %s with key %s: %s", v.place, act, v.key, cause), err}
	}
	if _, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok || errors.Is(err, context.DeadlineExceeded) {
		return &explained{fmt.Sprintf("%s does not answer: %s", v.place, networkCause(err)), err}
	}
	if e, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return &explained{fmt.Sprintf("%s: the answer is not KMS's (HTTP status %d)", sentence, e.HTTPStatusCode()), err}
	}
	if e, ok := errors.AsType[*smithy.OperationError](err); ok {
		err = e.Err
	}
	return fmt.Errorf("%s: %w", sentence, err)
}

// unknownCode is the SDK's for an answer that is no AWS service's.
const unknownCode = "UnknownError"

// explained is an error whose text is shorter than its cause's.
type explained struct {
	sentence string
	cause    error
}

func (e *explained) Error() string { return strings.Join(strings.Fields(e.sentence), " ") }
func (e *explained) Unwrap() error { return e.cause }

// networkCause is the innermost of what the network said.
func networkCause(err error) string {
	if errors.Is(err, context.DeadlineExceeded) || os.IsTimeout(err) {
		return "it takes too long"
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Err != nil {
		if call, ok := errors.AsType[*os.SyscallError](e.Err); ok {
			return call.Err.Error()
		}
		return e.Err.Error()
	}
	for { // an x509 or TLS error, an end of file
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
