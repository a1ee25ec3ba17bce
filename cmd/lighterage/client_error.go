package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/aws/smithy-go"
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
	if r, ok := errors.AsType[refusal](err); ok && r.ErrorCode() != "" {
		return errors.New(oneLine(advice(r)))
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
	return r.ErrorMessage()
}
