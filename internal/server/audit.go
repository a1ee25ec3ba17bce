package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/audit"
	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
)

// Trail is where audit events go.
type Trail interface {
	Record(*audit.Event) error
	Retry() error
	Stats() audit.Stats
}

// OpenTrail opens the trail of the configuration, nil if there is none, which
// out is for if it is standard output. A file must be closed.
func OpenTrail(c config.Config, out io.Writer, clock func() time.Time) (Trail, io.Closer, error) {
	switch c.Audit.Scheme {
	case "off":
		return nil, io.NopCloser(nil), nil
	case "stdout":
		return audit.NewStream(out, clock), io.NopCloser(nil), nil
	}
	f, err := audit.OpenFile(audit.FileConfig{Dir: c.Audit.Path, MaxFile: c.AuditFileBytes, MaxTotal: c.AuditMaxBytes, Clock: clock})
	if err != nil {
		return nil, nil, &StoreError{err}
	}
	return f, f, nil
}

// auditor makes an audit event of each request that the trail is about. While
// the trail cannot be written, it refuses changes, and reads go on.
type auditor struct {
	trail  Trail // nil: nothing is recorded
	config config.Config
	clock  func() time.Time
	log    *slog.Logger
	floods *floods
}

func newAuditor(p Parts) *auditor {
	return &auditor{trail: p.Trail, config: p.Config, clock: p.Clock, log: p.Logger, floods: newFloods()}
}

// ready returns why the trail cannot be written. Once it could not, whoever
// asks tries.
func (a *auditor) ready() error {
	if a.trail == nil || a.trail.Stats().Err == nil {
		return nil
	}
	return a.trail.Retry()
}

// record is for edge.Options.Record.
func (a *auditor) record(answer edge.Answer) {
	if a.trail == nil {
		return
	}
	if answer.Event.Created != "" {
		e := a.creation(answer)
		a.write(&e)
	}
	if !kept(answer) {
		return
	}
	e := a.event(answer)
	if failed(answer) && stranger(callerOf(answer.Event)) && !a.floods.admit(address(answer.Event.Client).String(), &e, a.clock()) {
		return
	}
	a.write(&e)
}

// write logs what cannot be recorded, so that the event is at least there.
func (a *auditor) write(e *audit.Event) {
	if err := a.trail.Record(e); err != nil {
		a.log.Error("the audit trail cannot be written; changes are refused until it can", "error", err,
			"principal", e.Identity.ARN, "action", e.Source+":"+e.Name, "code", e.ErrorCode, "client", e.SourceIP, "request", e.RequestID)
	}
}

// kept reports whether the trail is about a request: every call of an API, and
// on /v2/ log-ins, manifests, lists, deletions, cancelled uploads and refusals.
// Layers are not in it, nor is what every client asks first, without credentials.
func kept(answer edge.Answer) bool {
	r, e := answer.HTTP, answer.Event
	switch {
	case r.URL.Path == "/" && r.Method == http.MethodPost:
		return true
	case !strings.HasPrefix(r.URL.Path, "/v2"):
		return false
	case fault.Is(e.Err, fault.CredentialMissing):
		return false
	case refused(e):
		return true
	}
	switch e.Operation {
	case "": // the front's own address, which is how clients log in
		return !nobody(callerOf(e))
	case "PutImage":
		return true
	case "BatchGetImage", "DescribeRepositories", "ListImages":
		return r.Method == http.MethodGet
	case "BatchDeleteImage":
		return r.Method == http.MethodDelete
	case "InitiateLayerUpload":
		return cancels(r, e)
	}
	return false
}

// refused reports whether the answer is no for who or what the caller is.
func refused(e *edge.Request) bool {
	if e.Err == nil {
		return false
	}
	kind := fault.Of(e.Err).Kind()
	return kind == fault.Unauthenticated || kind == fault.Denied || throttled(e)
}

// failed reports whether the answer is an error.
func failed(answer edge.Answer) bool {
	return answer.Event.Err != nil || answer.Status >= http.StatusBadRequest
}

func throttled(e *edge.Request) bool {
	f := fault.Of(e.Err)
	return f.Reason == fault.Overloaded && f.RetryAfter > 0
}

// summarise records how many refusals were not recorded one by one. What cannot
// be recorded now is next time.
func (a *auditor) summarise(context.Context) error {
	if err := a.ready(); err != nil || a.trail == nil {
		return err
	}
	var failed []error
	for _, f := range a.floods.sweep(a.clock()) {
		e := f.event(a.config)
		if err := a.trail.Record(&e); err != nil {
			a.floods.giveBack(f)
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// The wrappers of what the fronts ask.

// noting notes on the request whom a front found behind a credential, were it
// one that has ended.
type noting struct{ *identity.Authority }

func note(ctx context.Context, c *identity.Caller, err error) {
	if err == nil {
		edge.From(ctx).Caller = c
	} else if ended, ok := errors.AsType[*identity.Ended](err); ok {
		edge.From(ctx).Caller = &ended.Caller
	}
}

// Begin implements the AWS fronts' Authenticator.
func (n noting) Begin(r *http.Request, service string) (identity.Pending, error) {
	p, err := forwarded(n).Begin(r, service)
	if err != nil {
		return nil, err
	}
	return notingPending{p, r.Context()}, nil
}

type notingPending struct {
	identity.Pending
	ctx context.Context
}

func (p notingPending) Finish(payloadSHA256 string) (identity.Caller, error) {
	c, err := p.Pending.Finish(payloadSHA256)
	note(p.ctx, &c, err)
	return c, err
}

// VerifyBasic implements /v2/'s Authenticator.
func (n noting) VerifyBasic(ctx context.Context, header string) (identity.Caller, error) {
	c, err := n.Authority.VerifyBasic(ctx, header)
	note(ctx, &c, err)
	return c, err
}

// VerifyBearer implements it too. Behind anybody's token is Anonymous.
func (n noting) VerifyBearer(ctx context.Context, token string) (identity.Caller, error) {
	c, err := n.Authority.VerifyBearer(ctx, token)
	note(ctx, &c, err)
	return c, err
}

// IssueBearer implements it with anonymous pull. Anybody's token is nobody's log-in.
func (n noting) IssueBearer(ctx context.Context, header string) (identity.Token, error) {
	token, err := n.Authority.IssueBearer(ctx, header)
	if err != nil {
		note(ctx, nil, err)
		return token, err
	}
	if header != "" {
		_, err = n.VerifyBasic(ctx, header) // from the cache, for whose log-in it is
	}
	return token, err
}

// gate refuses changes that could not be recorded.
type gate struct {
	*access.Decider
	auditor *auditor
}

// Authorize implements the fronts' Authorizer.
func (g gate) Authorize(ctx context.Context, c identity.Caller, action string, r access.Resource) error {
	if err := g.Decider.Authorize(ctx, c, action, r); err != nil {
		return err
	}
	if err := g.auditor.ready(); err != nil && (!readOnly(action) || issues[action]) {
		return fault.Wrap(fault.StoreUnavailable, err)
	}
	return nil
}

// readOnly tells by an IAM action or an operation's name whether it changes
// nothing, as AWS's names do. Taking on a role changes nothing.
func readOnly(action string) bool {
	_, name, ok := strings.Cut(action, ":")
	if !ok {
		name = action
	}
	for _, verb := range []string{"Get", "List", "Describe", "BatchGet", "BatchCheck", "Simulate", "Generate", "Assume"} {
		if strings.HasPrefix(name, verb) {
			return true
		}
	}
	return false
}

// issues are the actions that read by their names and whose answers are
// credentials: nobody is to have one that the trail does not know of.
var issues = map[string]bool{
	"ecr:GetAuthorizationToken": true, "sts:GetSessionToken": true, "sts:GetFederationToken": true,
	"sts:AssumeRole": true, "sts:AssumeRoleWithWebIdentity": true,
}

// address counts an IPv6 /64 as one client.
func address(a netip.Addr) netip.Addr {
	if a.Is6() && !a.Is4In6() {
		p, _ := a.Prefix(64) // 64 is a length that every IPv6 address has
		return p.Addr()
	}
	return a
}
