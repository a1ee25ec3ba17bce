package sts

import "github.com/lighterage/lighterage/internal/fault"

// codes are the model's errors that occur here, by reason. Their sentences are
// in the faults. Other reasons have the protocol's codes.
var codes = map[fault.Reason]string{
	fault.PolicyMalformed:       "MalformedPolicyDocument",
	fault.PolicyTooLarge:        "PackedPolicyTooLarge",
	fault.IdentityTokenInvalid:  "InvalidIdentityToken",
	fault.IdentityTokenExpired:  "ExpiredTokenException",
	fault.IdentityTokenRejected: "IDPRejectedClaim",
	fault.IssuerUnreachable:     "IDPCommunicationError",
}

// wordFault is the service's awsquery.ErrorMapper.
func wordFault(f *fault.Error) (code, message string, ok bool) {
	if f.Reason == fault.EntityNotFound { // the service has no error for what is not there
		return "ValidationError", "The " + f.Entity + " " + f.Name + " does not exist.", true
	}
	code, ok = codes[f.Reason]
	return code, f.Detail, ok
}
