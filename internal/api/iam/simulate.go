package iam

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
)

// onSimulated names whose policies a simulation reads. InputRefused.
func onSimulated(_ context.Context, _ *awsquery.Call, in *iammodel.SimulatePrincipalPolicyRequest) (access.Resource, error) {
	owner, kind, _, _, ok := name.ParseDirectoryARN(*in.PolicySourceArn)
	if !ok || kind != "user" && kind != "group" && kind != "role" {
		return access.Resource{}, &fault.Error{Reason: fault.InputRefused, Detail: "Invalid Entity Arn: " + *in.PolicySourceArn}
	}
	return access.Resource{Account: owner, ARN: *in.PolicySourceArn}, nil
}

func (f *front) simulateCustomPolicy(ctx context.Context, c *awsquery.Call, in *iammodel.SimulateCustomPolicyRequest) (*iammodel.SimulatePolicyResponse, error) {
	return f.simulate(ctx, c, "SimulateCustomPolicy", directory.Simulation{
		Policies: in.PolicyInputList, Boundary: in.PermissionsBoundaryPolicyInputList, Resource: text(in.ResourcePolicy),
		Owner: text(in.ResourceOwner), Caller: text(in.CallerArn), Actions: in.ActionNames, Resources: in.ResourceArns, Context: contextIn(in.ContextEntries),
	}, in.Marker, in.MaxItems)
}

func (f *front) simulatePrincipalPolicy(ctx context.Context, c *awsquery.Call, in *iammodel.SimulatePrincipalPolicyRequest) (*iammodel.SimulatePolicyResponse, error) {
	return f.simulate(ctx, c, "SimulatePrincipalPolicy", directory.Simulation{
		Source: *in.PolicySourceArn, Policies: in.PolicyInputList, Boundary: in.PermissionsBoundaryPolicyInputList, Resource: text(in.ResourcePolicy),
		Owner: text(in.ResourceOwner), Caller: text(in.CallerArn), Actions: in.ActionNames, Resources: in.ResourceArns, Context: contextIn(in.ContextEntries),
	}, in.Marker, in.MaxItems)
}

func contextIn(entries []iammodel.ContextEntry) []directory.ContextValue {
	out := make([]directory.ContextValue, len(entries))
	for i, e := range entries {
		out[i] = directory.ContextValue{Key: text(e.ContextKeyName), Values: e.ContextKeyValues}
	}
	return out
}

// simulate answers with a page of outcomes: one for each action and resource,
// as IAM does. Its Marker counts them, and is good for the same question.
func (f *front) simulate(ctx context.Context, c *awsquery.Call, operation string, s directory.Simulation, marker *string, maxItems *int32) (*iammodel.SimulatePolicyResponse, error) {
	question, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(question)
	l := listingOf(c, operation, hex.EncodeToString(hash[:]))
	first, err := l.Number(marker)
	if err != nil {
		return nil, err
	}
	outcomes, more, err := f.Directory.Simulate(ctx, c.Caller.Account, s, int(first), pageSize(maxItems))
	if err != nil {
		return nil, err
	}
	out := &iammodel.SimulatePolicyResponse{EvaluationResults: make([]iammodel.EvaluationResult, len(outcomes)), IsTruncated: new(more)}
	for i, o := range outcomes {
		out.EvaluationResults[i] = outcomeOut(o, len(s.Resources) > 0)
	}
	if more {
		out.Marker = l.TokenAt(first + int64(len(outcomes)))
	}
	return out, nil
}

// outcomeOut is one outcome. Where resources were asked for, it is told once
// more as that of the resource, where clients look that ask for several.
func outcomeOut(o directory.Outcome, named bool) iammodel.EvaluationResult {
	decision := decisionOf(o.Allowed, o.Explicit)
	out := iammodel.EvaluationResult{
		EvalActionName: new(o.Action), EvalResourceName: new(o.Resource), EvalDecision: new(decision),
		MatchedStatements: statementsOut(o.Matched), MissingContextValues: append([]string{}, o.Missing...),
	}
	if o.Boundary != nil {
		out.PermissionsBoundaryDecisionDetail = &iammodel.PermissionsBoundaryDecisionDetail{AllowedByPermissionsBoundary: o.Boundary}
	}
	if o.CrossAccount {
		out.EvalDecisionDetails = map[string]iammodel.PolicyEvaluationDecisionType{
			"IAM Policy":      decisionOf(o.ByIdentity == directory.Allows, o.ByIdentity == directory.Denies),
			"Resource Policy": decisionOf(o.ByResource == directory.Allows, o.ByResource == directory.Denies),
		}
	}
	if named {
		out.ResourceSpecificResults = []iammodel.ResourceSpecificResult{{
			EvalResourceName: new(o.Resource), EvalResourceDecision: new(decision), MatchedStatements: out.MatchedStatements,
			MissingContextValues: out.MissingContextValues, EvalDecisionDetails: out.EvalDecisionDetails,
			PermissionsBoundaryDecisionDetail: out.PermissionsBoundaryDecisionDetail,
		}}
	}
	return out
}

func decisionOf(allowed, explicit bool) iammodel.PolicyEvaluationDecisionType {
	switch {
	case allowed:
		return iammodel.PolicyEvaluationDecisionTypeAllowed
	case explicit:
		return iammodel.PolicyEvaluationDecisionTypeExplicitDeny
	}
	return iammodel.PolicyEvaluationDecisionTypeImplicitDeny
}

// sourceTypes are the model's words for where a statement stands.
var sourceTypes = map[directory.SourceKind]iammodel.PolicySourceType{
	directory.Given:         iammodel.PolicySourceTypeNone,
	directory.OfUser:        iammodel.PolicySourceTypeUser,
	directory.OfGroup:       iammodel.PolicySourceTypeGroup,
	directory.OfRole:        iammodel.PolicySourceTypeRole,
	directory.ManagedByAWS:  iammodel.PolicySourceTypeAwsManaged,
	directory.ManagedByUs:   iammodel.PolicySourceTypeUserManaged,
	directory.ResourcePart:  iammodel.PolicySourceTypeResource,
	directory.BoundarySpace: iammodel.PolicySourceTypeNone,
}

func statementsOut(matched []directory.Match) []iammodel.Statement {
	out := make([]iammodel.Statement, len(matched))
	for i, m := range matched {
		out[i] = iammodel.Statement{
			SourcePolicyId: new(m.Policy), SourcePolicyType: new(sourceTypes[m.Kind]),
			StartPosition: positionOut(m.Start), EndPosition: positionOut(m.End),
		}
	}
	return out
}

func positionOut(p directory.Position) *iammodel.Position {
	return &iammodel.Position{Line: new(int32(p.Line)), Column: new(int32(p.Column))}
}
