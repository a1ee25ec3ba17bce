package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"unicode"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/lighterage/lighterage/internal/client"
)

// refusal is what all services' errors tell.
type refusal interface {
	error
	ErrorCode() string
	ErrorMessage() string
}

// friendly says an error in one line that tells what can be done about it.
func (s *session) friendly(err error) error {
	if _, ok := errors.AsType[usageError](err); ok || err == nil {
		return err
	}
	if r, ok := errors.AsType[refusal](err); ok && r.ErrorCode() != "" && r.ErrorCode() != unknownError {
		return errors.New(oneLine(advice(r)))
	}
	if status := statusOf(err); status != 0 {
		if status == badRequest && strings.HasPrefix(s.endpoint, "http://") {
			return fmt.Errorf("the server at %s does not understand plain HTTP: begin its address with https://", s.endpoint)
		}
		return fmt.Errorf("%s: %w", s.endpoint, &client.Error{Status: status})
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("the certificate of %s is not trusted (%w); name its CA with AWS_CA_BUNDLE", s.endpoint, e.Err)
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
		return fmt.Errorf("no server answers at %s (%w); start one with lighterage serve, or name its address with --endpoint", s.endpoint, e.Err)
	}
	if strings.Contains(err.Error(), "server gave HTTP response to HTTPS client") {
		return fmt.Errorf("the server at %s speaks HTTP and not HTTPS: begin its address with http://", s.endpoint)
	}
	if e, ok := errors.AsType[*smithy.OperationError](err); ok {
		err = e.Err
	}
	return errors.New(oneLine(err.Error()))
}

// badRequest is what a server for HTTPS answers to HTTP.
const badRequest = 400

// unknownError is the SDK's code of an answer that is none of the service's.
const unknownError = "UnknownError"

// statusOf returns the status of an answer that is an error and none of an AWS
// service's; 0 if that is not what went wrong.
func statusOf(err error) int {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e.Status
	}
	if e, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return e.HTTPStatusCode()
	}
	return 0
}

// The sentence about an input that the service's model does not allow, and what
// it says of lengths.
var (
	notAllowed = regexp.MustCompile(`^1 validation error detected: Value '(.*)' at '([A-Za-z]+)' failed to satisfy constraint: Member must (.*)$`)
	tooLong    = regexp.MustCompile(`^have length less than or equal to (\d+)$`)
	tooShort   = regexp.MustCompile(`^have length greater than or equal to (\d+)$`)
)

// inWords says what is wrong with an input, if that is what the sentence says.
func inWords(sentence string) string {
	m := notAllowed.FindStringSubmatch(sentence)
	if m == nil {
		return sentence
	}
	value, member, must := m[1], m[2], m[3]
	must = tooLong.ReplaceAllString(must, "have at most $1 characters")
	must = tooShort.ReplaceAllString(must, "have at least $1 characters")
	must = strings.Replace(must, "satisfy regular expression pattern:", "match", 1)
	if member == "path" {
		must = "begin and end with a slash"
	}
	var words strings.Builder
	for _, r := range member {
		if unicode.IsUpper(r) {
			words.WriteByte(' ')
		}
		words.WriteRune(unicode.ToLower(r))
	}
	return fmt.Sprintf("%q is no %s: it must %s", value, &words, must)
}

// advice words a refusal of the server's.
func advice(r refusal) string {
	switch r.ErrorCode() {
	case "InvalidClientTokenId", "UnrecognizedClientException":
		return "the server does not know the access key, or it is inactive: see AWS_ACCESS_KEY_ID and AWS_PROFILE, or take the root key of the server's directory with --data-dir"
	case "SignatureDoesNotMatch", "InvalidSignatureException":
		return "the signature is wrong: either the secret access key is not the key's, or this machine's clock is far from the server's"
	case "DeleteConflict":
		return r.ErrorMessage() + " --force removes what it has."
	case "UnknownOperationException":
		return "the server does not offer this: it is older than this program, or no Lighterage"
	}
	if r.ErrorMessage() == "" {
		return r.ErrorCode()
	}
	return inWords(r.ErrorMessage())
}
