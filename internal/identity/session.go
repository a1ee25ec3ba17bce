package identity

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
)

// The limits of sessions (STS API Reference: AssumeRole, GetSessionToken).
const (
	minSession     = 15 * time.Minute
	roleSession    = time.Hour // unless asked otherwise
	chainedSession = time.Hour // at most, of a role that a role session takes on
	ownSession     = 12 * time.Hour
	maxOwnSession  = 36 * time.Hour
	maxRootSession = time.Hour

	maxSessionPolicy     = 2048 // characters
	maxSessionPolicyARNs = 10
	// maxPacked bounds what session policies and tags may add to a token,
	// compressed. AWS's own limit is not told.
	maxPacked = 2 << 10
)

// RoleSessionSpec says what is asked for with a role.
type RoleSessionSpec struct {
	Role           string // ARN
	Name           string
	Duration       time.Duration // an hour if zero
	Policy         string        // a document that narrows the session; empty: none
	PolicyARNs     []string      // managed policies that narrow it
	Tags           [][2]string
	Transitive     []string // keys of tags that pass on to roles taken on from the session
	SourceIdentity string
}

// SessionCredentials are temporary credentials.
type SessionCredentials struct {
	KeyID   string
	Secret  Secret
	Token   string
	Caller  Caller // as whom they call
	Packed  int    // percentage of the room for session policies and tags; 0 if there are none
	Expires time.Time
}

// tagsOf returns the tags that a session of the role would have if the caller
// took it on: those asked for, and those that the caller's own session passes
// on.
func (s RoleSessionSpec) tagsOf(c Caller) (tags [][2]string, transitive []string, err error) {
	seen := map[string]bool{}
	if c.Session != nil {
		for _, t := range c.Session.Tags {
			if slices.ContainsFunc(c.Session.Transitive, func(key string) bool { return strings.EqualFold(key, t[0]) }) {
				tags = append(tags, t)
				transitive = append(transitive, t[0])
				seen[strings.ToLower(t[0])] = true
			}
		}
	}
	passed := len(tags)
	for _, t := range s.Tags {
		key := strings.ToLower(t[0])
		if strings.HasPrefix(key, "aws:") {
			return nil, nil, refused("System tags cannot be added: keys must not begin with aws:.")
		}
		if slices.ContainsFunc(tags[:passed], func(p [2]string) bool { return strings.EqualFold(p[0], t[0]) }) {
			return nil, nil, refused("One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		}
		if seen[key] {
			return nil, nil, refused("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		seen[key] = true
		tags = append(tags, t)
	}
	for _, key := range s.Transitive {
		if !slices.ContainsFunc(s.Tags, func(t [2]string) bool { return strings.EqualFold(t[0], key) }) {
			return nil, nil, refused("The specified transitive tag key must be included in the requested tags.")
		}
		transitive = append(transitive, key)
	}
	return tags, transitive, nil
}

func refused(sentence string) error {
	return &fault.Error{Reason: fault.InputRefused, Detail: sentence}
}

// IssueRoleSession returns credentials of the role for the caller, who may be a
// web identity. That the caller may take it on was decided before. Faults:
// AccessDenied for a role that is not there, and for what nobody may; InputRefused,
// PolicyMalformed, PolicyTooLarge.
func (a *Authority) IssueRoleSession(ctx context.Context, c Caller, spec RoleSessionSpec) (SessionCredentials, error) {
	if c.Kind == Root {
		return SessionCredentials{}, &fault.Error{Reason: fault.AccessDenied, Principal: c.ARN, Detail: "Roles may not be assumed by root accounts."}
	}
	s, packed, err := a.narrowed(c, spec)
	if err != nil {
		return SessionCredentials{}, err
	}
	var role meta.Principal
	err = a.config.Store.View(ctx, func(tx meta.Tx) error {
		if role, err = roleOf(tx, spec.Role); err != nil {
			return err
		}
		return policiesExist(tx, role.Key.Account, spec.PolicyARNs)
	})
	if errors.Is(err, errGone) {
		action := "sts:AssumeRole"
		if c.Kind == WebIdentity {
			action = "sts:AssumeRoleWithWebIdentity"
		}
		return SessionCredentials{}, &fault.Error{Reason: fault.AccessDenied, Principal: c.ARN, Action: action, Resource: spec.Role}
	}
	if err != nil {
		return SessionCredentials{}, meta.Fault(err)
	}
	lasts := spec.Duration
	switch {
	case lasts == 0:
		lasts = roleSession
	case lasts < minSession:
		return SessionCredentials{}, refused("The requested DurationSeconds is less than 15 minutes.")
	case c.Kind == RoleSession && lasts > chainedSession:
		return SessionCredentials{}, refused("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	case lasts > max(role.MaxSession, roleSession):
		return SessionCredentials{}, refused("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	s.Issued, s.Expires = a.lasting(lasts)
	return a.issue(roleCaller(role, newSessionKeyID(role.Key.Account), s), packed)
}

// IssueOwnSession returns temporary credentials of the caller's own: a user or
// root with a long-term key. They end with that key. 12 hours if lasts is zero.
// Faults: AccessDenied for a session, InputRefused, CredentialUnknown.
func (a *Authority) IssueOwnSession(ctx context.Context, c Caller, lasts time.Duration) (SessionCredentials, error) {
	if c.Session != nil || c.Kind != User && c.Kind != Root {
		return SessionCredentials{}, &fault.Error{Reason: fault.AccessDenied, Principal: c.ARN, Detail: "Cannot call GetSessionToken with session credentials"}
	}
	if lasts == 0 {
		lasts = ownSession
	}
	if lasts < minSession || lasts > maxOwnSession {
		return SessionCredentials{}, refused("The requested DurationSeconds is not between 15 minutes and 36 hours.")
	}
	if c.Kind == Root {
		lasts = min(lasts, maxRootSession)
	}
	version, err := a.config.Store.RecentAccessVersion(ctx)
	if err != nil {
		return SessionCredentials{}, meta.Fault(err)
	}
	source, err := a.current(ctx, c.KeyID, version)
	if err == nil && source.caller.Account != c.Account {
		err = errGone
	}
	if err != nil {
		return SessionCredentials{}, unknown(err)
	}
	own := source.caller
	own.Session = &Session{SourceKey: own.KeyID}
	own.KeyID = newSessionKeyID(own.Account)
	own.Session.Issued, own.Session.Expires = a.lasting(lasts)
	return a.issue(own, 0)
}

// lasting returns from when to when a session of now lasts. Its end is one that
// every spelling can say.
func (a *Authority) lasting(d time.Duration) (issued, expires time.Time) {
	now := a.config.Clock().UTC()
	return now.Truncate(time.Millisecond), now.Add(d).Truncate(time.Second)
}

// issue makes the credentials by which the caller, who has a session and its
// key id, will call.
func (a *Authority) issue(c Caller, packed int) (SessionCredentials, error) {
	r := recordOf(c)
	r.Nonce = make([]byte, 16)
	_, _ = rand.Read(r.Nonce) // never fails: it ends the process instead
	token, err := a.sealRecord(r, asCredential, c.KeyID)
	if err != nil {
		return SessionCredentials{}, fault.Wrap(fault.Unexpected, err)
	}
	return SessionCredentials{
		KeyID: c.KeyID, Secret: a.sessionSecret(c.KeyID, r.Nonce), Token: token, Caller: c, Packed: packed, Expires: c.Session.Expires,
	}, nil
}

// narrowed returns a session as the spec asks for it, without its role and
// time, and which part of the room for policies and tags it takes.
func (a *Authority) narrowed(c Caller, spec RoleSessionSpec) (*Session, int, error) {
	tags, transitive, err := spec.tagsOf(c)
	if err != nil {
		return nil, 0, err
	}
	s := &Session{Name: spec.Name, PolicyARNs: spec.PolicyARNs, Tags: tags, Transitive: transitive, SourceIdentity: spec.SourceIdentity}
	if from := c.Session; from != nil {
		if from.SourceIdentity != "" && spec.SourceIdentity != "" && spec.SourceIdentity != from.SourceIdentity {
			return nil, 0, &fault.Error{Reason: fault.AccessDenied, Principal: c.ARN, Action: "sts:SetSourceIdentity", Resource: spec.Role, Detail: "because the session has a source identity already"}
		}
		if from.SourceIdentity != "" {
			s.SourceIdentity = from.SourceIdentity
		}
		if c.Kind == WebIdentity {
			s.Provider, s.Subject, s.Audience = from.Provider, from.Subject, from.Audience
		}
	}
	if spec.Policy != "" {
		if n := len([]rune(spec.Policy)); n > maxSessionPolicy {
			return nil, 0, &fault.Error{Reason: fault.ParameterInvalid, Member: "policy", Value: spec.Policy, Constraint: fmt.Sprintf("Member must have length less than or equal to %d", maxSessionPolicy)}
		}
		if _, err := policy.Parse(policy.Identity, spec.Policy); err != nil {
			return nil, 0, &fault.Error{Reason: fault.PolicyMalformed, Detail: err.Error(), Err: err}
		}
		s.Policies = []string{spec.Policy}
	}
	if len(spec.PolicyARNs) > maxSessionPolicyARNs {
		return nil, 0, &fault.Error{Reason: fault.ParameterInvalid, Member: "policyArns", Constraint: fmt.Sprintf("Member must have length less than or equal to %d", maxSessionPolicyARNs)}
	}
	packed, err := percent(s)
	return s, packed, err
}

// percent returns how much of the room for them a session's policies and tags
// take. PolicyTooLarge.
func percent(s *Session) (int, error) {
	if !s.Narrowed() && len(s.Tags) == 0 {
		return 0, nil
	}
	packed, err := pack(record{Policies: s.Policies, PolicyARNs: s.PolicyARNs, Tags: s.Tags, Transitive: s.Transitive})
	if err != nil {
		return 0, fault.Wrap(fault.Unexpected, err)
	}
	part := (100*len(packed) + maxPacked - 1) / maxPacked
	if part > 100 {
		return 0, &fault.Error{Reason: fault.PolicyTooLarge, Detail: fmt.Sprintf("Packed policy consumes %d%% of allotted space, please use smaller policy.", part)}
	}
	return part, nil
}

// roleOf finds the role of an ARN. errGone.
func roleOf(tx meta.Tx, arn string) (meta.Principal, error) {
	account, kind, path, role, ok := name.ParseDirectoryARN(arn)
	if !ok || kind != "role" {
		return meta.Principal{}, errGone
	}
	p, err := tx.Principal(meta.PrincipalKey{Account: account, Kind: meta.Role, Name: role}, meta.NoLock)
	if err != nil {
		return meta.Principal{}, absent(err)
	}
	if p.Path != path || p.Key.Name != role {
		return meta.Principal{}, errGone
	}
	return p, nil
}

// policiesExist reports the first ARN that is not of a managed policy which the
// account has.
func policiesExist(tx meta.Tx, account name.AccountID, arns []string) error {
	for _, arn := range arns {
		if _, ok := policy.ManagedDocument(arn); ok {
			continue
		}
		missing := refused("The policy " + arn + " does not exist.")
		owner, kind, path, managed, ok := name.ParseDirectoryARN(arn)
		if !ok || kind != "policy" || owner != account {
			return missing
		}
		p, err := tx.Policy(account, managed, meta.NoLock)
		if errors.Is(err, meta.ErrNotFound) || err == nil && (p.Path != path || p.Name != managed) {
			return missing
		}
		if err != nil {
			return err
		}
	}
	return nil
}
