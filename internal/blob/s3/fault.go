package s3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/lighterage/lighterage/internal/blob"
)

// is reports whether S3 answered with one of the codes.
func is(err error, codes ...string) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && slices.Contains(codes, api.ErrorCode())
}

// full are the codes of servers that have no room, or none for us.
var full = []string{"QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage", "ServiceQuotaExceeded", "NotEnoughSpace"}

// sentences say what a code means to whoever runs the server. They follow "the
// layer store s3://… ".
var sentences = map[string]string{
	"NoSuchBucket":          "does not exist: make the bucket first",
	"PermanentRedirect":     "is in another region: say which with ?region=…",
	"AccessDenied":          "may not be used that way with these credentials",
	"Forbidden":             "may not be used that way with these credentials",
	"AllAccessDisabled":     "may not be used by anybody",
	"MethodNotAllowed":      "is read-only",
	"InvalidAccessKeyId":    "does not know the access key",
	"XAdminUserNotFound":    "does not know the access key", // versitygw
	"SignatureDoesNotMatch": "refuses the secret access key",
	"ExpiredToken":          "refuses the session token, which has expired",
	"InvalidToken":          "refuses the session token",
	"RequestTimeTooSkewed":  "refuses a clock that differs from its own",
}

// fault says in one sentence what S3 would not do, and is ErrFull or
// ErrUnavailable, or of the context if that has ended.
func (s *Store) fault(ctx context.Context, act string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", act, ctx.Err())
	}
	status := 0
	if answer, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		status = answer.HTTPStatusCode()
	}
	api, answered := errors.AsType[smithy.APIError](err)
	switch {
	case answered && slices.Contains(full, api.ErrorCode()), status == http.StatusInsufficientStorage:
		return s.failure(blob.ErrFull, "has no room (cannot %s)", act)
	case answered && sentences[api.ErrorCode()] != "":
		return s.failure(blob.ErrUnavailable, "%s (cannot %s: %s)", sentences[api.ErrorCode()], act, api.ErrorCode())
	case answered && status != 0:
		return s.failure(blob.ErrUnavailable, "cannot %s (HTTP status %d, %s)", act, status, api.ErrorCode())
	case status != 0 && status != http.StatusOK:
		return s.failure(blob.ErrUnavailable, "cannot %s (HTTP status %d)", act, status)
	}
	return s.failure(blob.ErrUnavailable, "does not answer (cannot %s: %v)", act, bare(err))
}

// failure is a sentence about the bucket, of the kind of a sentinel of the
// contract.
type failure struct {
	sentence string
	kind     error
}

func (f *failure) Error() string { return f.sentence }
func (f *failure) Unwrap() error { return f.kind }

func (s *Store) failure(kind error, format string, args ...any) error {
	return &failure{s.Place() + " " + fmt.Sprintf(format, args...), kind}
}

// bare is the innermost cause that says something.
func bare(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("it takes too long")
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return errors.New(err.Error()) // a sentence, and none of our sentinels
		}
		err = inner
	}
}
