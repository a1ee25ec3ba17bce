package audit

import (
	"encoding/json"
	"time"
)

// Event is one record, in the shape and spelling of a CloudTrail record
// (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html),
// so that what reads CloudTrail's logs reads these.
//
// Callers leave secrets out: nothing here looks for them. A layer, a manifest
// or a policy document belongs in it by its digest, name or ARN.
type Event struct {
	Version            string          `json:"eventVersion"` // "1.11" if empty
	Identity           Identity        `json:"userIdentity"`
	Time               time.Time       `json:"eventTime"`   // when the call came; written in UTC, to the second
	Source             string          `json:"eventSource"` // "ecr.amazonaws.com"
	Name               string          `json:"eventName"`   // "PutImage"
	Region             string          `json:"awsRegion"`
	SourceIP           string          `json:"sourceIPAddress"`
	UserAgent          string          `json:"userAgent"`
	ErrorCode          string          `json:"errorCode,omitempty"` // empty: it succeeded
	ErrorMessage       string          `json:"errorMessage,omitempty"`
	RequestParameters  json.RawMessage `json:"requestParameters"` // an object; null if nil
	ResponseElements   json.RawMessage `json:"responseElements"`  // an object; null if nil
	RequestID          string          `json:"requestID"`
	ID                 string          `json:"eventID"` // made if empty
	ReadOnly           bool            `json:"readOnly"`
	Resources          []Resource      `json:"resources,omitempty"`
	Type               string          `json:"eventType"` // "AwsApiCall" if empty
	ManagementEvent    bool            `json:"managementEvent"`
	RecipientAccountID string          `json:"recipientAccountId"`            // whose resource it is
	ServiceDetails     json.RawMessage `json:"serviceEventDetails,omitempty"` // an object, of what the server did by itself
	Category           string          `json:"eventCategory"`                 // "Management" or "Data"; made of ManagementEvent if empty
}

// AnonymousAccount is the account of whoever reads without a login, where that
// is allowed (Amazon S3 user guide, CloudTrail events).
const AnonymousAccount = "ANONYMOUS_PRINCIPAL"

// Identity says who called.
type Identity struct {
	Type           string          `json:"type"`        // Root, IAMUser, AssumedRole, FederatedUser, WebIdentityUser, AWSAccount, AWSService, Unknown
	PrincipalID    string          `json:"principalId"` // empty for nobody
	ARN            string          `json:"arn,omitempty"`
	AccountID      string          `json:"accountId,omitempty"`
	AccessKeyID    string          `json:"accessKeyId,omitempty"`
	UserName       string          `json:"userName,omitempty"`
	SessionContext *SessionContext `json:"sessionContext,omitempty"` // of temporary credentials
	InvokedBy      string          `json:"invokedBy,omitempty"`      // what of the service did it, if nobody called
}

// SessionContext says where temporary credentials come from.
type SessionContext struct {
	Issuer      *Issuer           `json:"sessionIssuer,omitempty"`
	WebIdentity *WebIdentity      `json:"webIdFederationData,omitempty"`
	Attributes  SessionAttributes `json:"attributes"`
}

// Issuer is the role or user that a session was made of.
type Issuer struct {
	Type        string `json:"type"` // Role or User
	PrincipalID string `json:"principalId"`
	ARN         string `json:"arn"`
	AccountID   string `json:"accountId"`
	UserName    string `json:"userName"`
}

// WebIdentity is the provider that vouched for a session, and what it said.
type WebIdentity struct {
	Provider   string            `json:"federatedProvider"`
	Attributes map[string]string `json:"attributes,omitempty"`
}

// SessionAttributes are strings on the wire, the boolean too.
type SessionAttributes struct {
	CreationDate     string `json:"creationDate,omitempty"`
	MFAAuthenticated string `json:"mfaAuthenticated,omitempty"` // "true" or "false"
}

// Resource is one thing that the call touched.
type Resource struct {
	AccountID string `json:"accountId,omitempty"`
	Type      string `json:"type,omitempty"` // "AWS::ECR::Repository"
	ARN       string `json:"ARN"`
}

// Outcome is what became of a call.
type Outcome string

// The outcomes. Denied is a refusal for who or what the caller is, Failed any
// other error.
const (
	OK     Outcome = "ok"
	Denied Outcome = "denied"
	Failed Outcome = "error"
)

// refusals are the error codes that say who or what the caller is did not
// suffice, as the AWS protocols and the OCI distribution protocol spell them.
var refusals = map[string]bool{
	"AccessDenied": true, "AccessDeniedException": true, "Client.UnauthorizedOperation": true, "UnauthorizedOperation": true,
	"AuthFailure": true, "ExpiredToken": true, "ExpiredTokenException": true, "ExpiredTokenIdentity": true,
	"IDPRejectedClaim": true, "IncompleteSignature": true, "IncompleteSignatureException": true, "InvalidAccessKeyId": true,
	"InvalidClientTokenId": true, "InvalidIdentityToken": true, "InvalidSignatureException": true,
	"MissingAuthenticationToken": true, "MissingAuthenticationTokenException": true, "NotAuthorized": true,
	"SignatureDoesNotMatch": true, "UnauthenticatedException": true, "UnrecognizedClientException": true,
	"DENIED": true, "UNAUTHORIZED": true,
}

// throttled are the error codes of who asks too often. Of somebody unproven
// that is a refusal: it failed too often to show who it is.
var throttled = map[string]bool{"Throttling": true, "ThrottlingException": true, "TOOMANYREQUESTS": true}

// Outcome tells a refusal from other errors by the error code.
func (e *Event) Outcome() Outcome {
	switch {
	case e.ErrorCode == "" && e.ErrorMessage == "":
		return OK
	case refusals[e.ErrorCode], throttled[e.ErrorCode] && !e.Identity.proven():
		return Denied
	}
	return Failed
}
