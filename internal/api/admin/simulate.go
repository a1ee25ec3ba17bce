package admin

import (
	"context"
	"strings"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lighteragemodel"
	"github.com/lighterage/lighterage/internal/name"
)

// simulateDecision asks access as a request of the principal would, and tells
// of every statement that was looked at. Context keys that are given hold in
// the place of what the request would have.
func (f *front) simulateDecision(ctx context.Context, _ *awsjson.Call, in *lighteragemodel.SimulateDecisionRequest) (*lighteragemodel.SimulateDecisionResponse, error) {
	caller, err := f.Principals.CallerOf(ctx, *in.PrincipalArn)
	if err != nil {
		return nil, err
	}
	resource := access.Resource{Account: ownerOf(*in.ResourceArn, caller.Account), ARN: *in.ResourceArn, Keys: map[string][]string{}}
	for key, values := range in.Context {
		key = strings.ToLower(key) // keys have no letter case
		resource.Keys[key] = append(resource.Keys[key], values...)
	}
	e, err := f.Explainer.Explain(ctx, caller, *in.Action, resource)
	if err != nil {
		return nil, err
	}
	out := &lighteragemodel.SimulateDecisionResponse{
		Allowed: &e.Allowed, Decision: new(outcome(e)), Reason: new(reason(e, caller.ARN, *in.Action, *in.ResourceArn)),
		Statements: []lighteragemodel.Statement{},
	}
	for _, l := range e.Lines {
		effect := lighteragemodel.EffectDeny
		if l.Allow {
			effect = lighteragemodel.EffectAllow
		}
		out.Statements = append(out.Statements, lighteragemodel.Statement{
			Layer: new(l.Layer.String()), Policy: new(l.Policy), Index: new(int32(l.Statement)), Sid: given(l.Sid),
			Effect: &effect, Matched: &l.Matched, Why: new(l.Why), MissingContextKeys: l.Missing,
		})
	}
	return out, nil
}

// ownerOf is the account that the ARN names; what names none is the caller's.
func ownerOf(arn string, caller name.AccountID) name.AccountID {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) == 6 && parts[4] != "" {
		return name.AccountID(parts[4])
	}
	return caller
}

func outcome(e access.Explanation) lighteragemodel.Decision {
	switch {
	case e.Allowed:
		return lighteragemodel.DecisionAllowed
	case e.Explicit:
		return lighteragemodel.DecisionExplicitDeny
	}
	return lighteragemodel.DecisionImplicitDeny
}

// reason says in a sentence what decided.
func reason(e access.Explanation, principal, action, resource string) string {
	switch {
	case !e.Allowed:
		return e.Denial(principal, action, resource)
	case e.Exception:
		return "Allowed whatever the policies say."
	case e.Policy == "":
		return "Allowed because an account's root needs no policy in its own account."
	}
	text := "Allowed by the " + e.Layer.String() + " " + e.Policy
	if e.Sid != "" {
		text += ", statement " + e.Sid
	}
	return text + "."
}
