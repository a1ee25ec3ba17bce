package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/audit"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
)

// event is the audit event of a request.
func (a *auditor) event(answer edge.Answer) audit.Event {
	r, e := answer.HTTP, answer.Event
	service, action, _ := strings.Cut(e.Action, ":")
	if e.Service != "" {
		service = e.Service
	}
	if e.Operation != "" {
		action = e.Operation
	}
	out := audit.Event{
		Identity: identityOf(e, r), Time: a.clock(), Source: source(service), Name: action,
		Region: string(a.config.Region), SourceIP: e.Client.String(), UserAgent: r.UserAgent(),
		ErrorCode: e.Code, ErrorMessage: e.Message, RequestID: e.ID, ReadOnly: readOnly(action),
		ManagementEvent: true, RecipientAccountID: string(a.config.Account),
	}
	if cancels(r, e) {
		out.Name = "CancelLayerUpload"
	}
	if out.Name == "" {
		out.Name = unnamed(r)
		out.ReadOnly = true
	}
	if out.ErrorCode == "" && answer.Status >= http.StatusBadRequest {
		out.ErrorCode = http.StatusText(answer.Status)
	}
	if c := callerOf(e); !nobody(c) {
		out.RecipientAccountID = string(c.Account)
		if c.Region != "" {
			out.Region = string(c.Region)
		}
	}
	if part, ok := splitARN(e.Resource); ok {
		if part[4] != "" {
			out.RecipientAccountID = part[4]
		}
		if part[3] != "" {
			out.Region = part[3]
		}
		out.Resources = []audit.Resource{{AccountID: part[4], Type: resourceType(part[2], part[5]), ARN: e.Resource}}
	}
	if failed(answer) {
		bound(&out, answer)
		return out
	}
	if r.URL.Path == "/" {
		out.RequestParameters = chosen(e.Input, whole)
		if !out.ReadOnly || issues[e.Action] {
			out.ResponseElements = chosen(e.Output, whole)
		}
		return out
	}
	out.RequestParameters = pathParameters(r.URL.Path)
	if d := answer.Header.Get("Docker-Content-Digest"); d != "" {
		out.ResponseElements = audit.Object([2]string{"imageDigest", short(d)})
	}
	return out
}

// Bounds of the line of a call that failed, in bytes. What a stranger sends is
// not told beyond that: nobody was asked whether it may be.
const (
	failedAgent      = 256
	failedMessage    = 512
	strangersMessage = 256
	failedParameters = 1024
)

// bound fills what the event of a call that failed tells of the request.
func bound(out *audit.Event, answer edge.Answer) {
	r, e := answer.HTTP, answer.Event
	out.UserAgent = clean(out.UserAgent, failedAgent)
	if stranger(callerOf(e)) {
		out.ErrorMessage = clean(out.ErrorMessage, strangersMessage)
		out.Identity.PrincipalID = clean(out.Identity.PrincipalID, strangersMessage)
		return
	}
	out.ErrorMessage = clean(out.ErrorMessage, failedMessage)
	told := pathParameters(r.URL.Path)
	if r.URL.Path == "/" {
		told = chosen(e.Input, brief)
	}
	if len(told) <= failedParameters {
		out.RequestParameters = told
	}
}

// clean cuts a text, and leaves out what JSON writes with more than twice its
// bytes.
func clean(s string, length int) string {
	if len(s) > length {
		s = s[:length]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// creation is the event of a repository that a push created, which stays
// whatever becomes of the push, or was not allowed to create.
func (a *auditor) creation(answer edge.Answer) audit.Event {
	made := *answer.Event
	made.Service, made.Operation, made.Action, made.Resource = "ecr", "CreateRepository", "ecr:CreateRepository", made.Created
	made.Err, made.Code, made.Message = made.Withheld, "", ""
	status := http.StatusCreated
	if denial, ok := errors.AsType[*fault.Error](made.Withheld); ok {
		made.Code, made.Message, status = "AccessDenied", denial.Denial(), http.StatusForbidden
	}
	_, repository, _ := strings.Cut(made.Created, ":repository/")
	out := a.event(edge.Answer{HTTP: answer.HTTP, Event: &made, Status: status})
	out.RequestParameters, out.ResponseElements = audit.Object([2]string{"repositoryName", short(repository)}), nil
	return out
}

// cancels reports whether a request ends an upload, which has no name at AWS.
func cancels(r *http.Request, e *edge.Request) bool {
	return e.Operation == "InitiateLayerUpload" && r.Method == http.MethodDelete
}

// splitARN returns the parts of an ARN. False: it is none, such as *.
func splitARN(arn string) (part [6]string, ok bool) {
	for i := range 5 {
		if part[i], arn, ok = strings.Cut(arn, ":"); !ok {
			return part, false
		}
	}
	part[5] = arn
	return part, true
}

// unnamed is what a request is called that is no operation.
func unnamed(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, "/v2") {
		return "RegistryLogin"
	}
	return "UnknownOperation"
}

// source is the name of a service as CloudTrail has it.
func source(service string) string {
	if service == "" {
		service = "ecr"
	}
	return service + ".amazonaws.com"
}

// resourceTypes are CloudTrail's, by the service and the first word of the
// resource in an ARN.
var resourceTypes = map[string]string{
	"ecr:repository": "AWS::ECR::Repository", "lightsail:ContainerService": "AWS::Lightsail::Container",
	"iam:user": "AWS::IAM::User", "iam:group": "AWS::IAM::Group", "iam:role": "AWS::IAM::Role",
	"iam:policy": "AWS::IAM::Policy", "iam:oidc-provider": "AWS::IAM::OIDCProvider",
}

func resourceType(service, resource string) string {
	kind, _, _ := strings.Cut(resource, "/")
	return resourceTypes[service+":"+kind]
}

func callerOf(e *edge.Request) *identity.Caller {
	c, _ := e.Caller.(*identity.Caller)
	return c
}

// nobody reports whether the caller is none, or anybody.
func nobody(c *identity.Caller) bool { return c == nil || c.Kind == identity.Anonymous }

// stranger reports whether the caller is nobody whom an account knows. An OIDC
// provider may vouch for all the world.
func stranger(c *identity.Caller) bool { return nobody(c) || c.Kind == identity.WebIdentity }

// anonymous is the identity of whoever reads without a login.
var anonymous = audit.Identity{Type: "AWSAccount", AccountID: audit.AnonymousAccount}

// identityOf is the identity block of the caller, or of nobody.
func identityOf(e *edge.Request, r *http.Request) audit.Identity {
	c := callerOf(e)
	if c == nil {
		return audit.Identity{Type: "Unknown", AccessKeyID: claimedKey(r.Header.Get("Authorization"))}
	}
	if nobody(c) {
		return anonymous
	}
	id := audit.Identity{
		Type: identityTypes[c.Kind], PrincipalID: c.UserID, ARN: c.ARN, AccountID: string(c.Account),
		AccessKeyID: c.KeyID, UserName: c.Name,
	}
	s := c.Session
	if s == nil {
		return id
	}
	id.SessionContext = &audit.SessionContext{Attributes: audit.SessionAttributes{MFAAuthenticated: "false"}}
	if !s.Issued.IsZero() {
		id.SessionContext.Attributes.CreationDate = s.Issued.UTC().Format(time.RFC3339)
	}
	if c.Kind == identity.RoleSession {
		unique, _, _ := strings.Cut(c.UserID, ":")
		id.UserName = ""
		id.SessionContext.Issuer = &audit.Issuer{Type: "Role", PrincipalID: unique, ARN: s.RoleARN, AccountID: string(c.Account), UserName: c.Name}
	}
	if s.Provider != "" {
		id.SessionContext.WebIdentity = &audit.WebIdentity{
			Provider: s.Provider, Attributes: map[string]string{"sub": cut(s.Subject, toldVouched), "aud": cut(s.Audience, toldVouched)},
		}
	}
	return id
}

// toldVouched is how much is told of what an OIDC provider says, in bytes.
const toldVouched = 256

var identityTypes = map[identity.Kind]string{
	identity.NoKind: "Unknown", identity.Root: "Root", identity.User: "IAMUser", identity.RoleSession: "AssumedRole",
	identity.WebIdentity: "WebIdentityUser",
}

// claimedKey is the access key id that a signature names, which is no secret.
func claimedKey(header string) string {
	_, rest, ok := strings.Cut(header, "Credential=")
	id, _, whole := strings.Cut(rest, "/")
	if !ok || !whole || len(id) > 128 || strings.Trim(id, keyLetters) != "" {
		return ""
	}
	return id
}

const keyLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

// pathParameters are what a path under /v2/ names.
func pathParameters(p string) json.RawMessage {
	rest := strings.TrimPrefix(p, "/v2/")
	for _, word := range []string{"/manifests/", "/blobs/", "/referrers/", "/tags/"} {
		i := strings.LastIndex(rest, word)
		if i < 0 {
			continue
		}
		last := rest[i+len(word):]
		pairs := [][2]string{{"repositoryName", short(rest[:i])}}
		switch {
		case word == "/tags/" || path.Dir(last) != ".":
		case word == "/blobs/":
			pairs = append(pairs, [2]string{"layerDigest", short(last)})
		case strings.Contains(last, ":"):
			pairs = append(pairs, [2]string{"imageDigest", short(last)})
		default:
			pairs = append(pairs, [2]string{"imageTag", short(last)})
		}
		return audit.Object(pairs...)
	}
	return nil
}
