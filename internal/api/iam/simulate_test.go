package iam_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/name"
)

const (
	app      = "arn:aws:ecr:eu-west-1:123456789012:repository/app"
	theirApp = "arn:aws:ecr:eu-west-1:210987654321:repository/app"
	bobARN   = "arn:aws:iam::123456789012:user/bob"
)

// says is a document of one statement.
func says(effect, action, resource, rest string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":%q,"Action":%q,"Resource":%q%s}]}`, effect, action, resource, rest)
}

func brief(r types.EvaluationResult) string {
	var matched []string
	for _, s := range r.MatchedStatements {
		matched = append(matched, *s.SourcePolicyId)
	}
	return fmt.Sprintf("%s %s %s %v %v", *r.EvalActionName, *r.EvalResourceName, r.EvalDecision, matched, r.MissingContextValues)
}

func TestACustomPolicyIsSimulated(t *testing.T) {
	w := newWorld(t)
	onlyHere := `,"Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}`
	tests := []struct {
		name string
		in   sdk.SimulateCustomPolicyInput
		want []string
	}{
		{"an action on everything", sdk.SimulateCustomPolicyInput{
			PolicyInputList: []string{says("Allow", "ecr:*", "*", "")}, ActionNames: []string{"ecr:PutImage", "iam:GetUser"},
		}, []string{"ecr:PutImage * allowed [PolicyInputList.1] []", "iam:GetUser * implicitDeny [] []"}},
		{"every action on every resource", sdk.SimulateCustomPolicyInput{
			PolicyInputList: []string{says("Allow", "ecr:*", app, "")}, ActionNames: []string{"ecr:PutImage", "ecr:GetX"}, ResourceArns: []string{app, app + "2"},
		}, []string{
			"ecr:PutImage " + app + " allowed [PolicyInputList.1] []", "ecr:PutImage " + app + "2 implicitDeny [] []",
			"ecr:GetX " + app + " allowed [PolicyInputList.1] []", "ecr:GetX " + app + "2 implicitDeny [] []",
		}},
		{"a denial wins, and is what matched", sdk.SimulateCustomPolicyInput{
			PolicyInputList: []string{says("Allow", "ecr:*", "*", ""), says("Deny", "ecr:Put*", "*", "")}, ActionNames: []string{"ecr:PutImage"},
		}, []string{"ecr:PutImage * explicitDeny [PolicyInputList.2] []"}},
		{"a condition without its key", sdk.SimulateCustomPolicyInput{
			PolicyInputList: []string{says("Allow", "ecr:*", "*", onlyHere)}, ActionNames: []string{"ecr:PutImage"},
		}, []string{"ecr:PutImage * implicitDeny [] [aws:RequestedRegion]"}},
		{"a condition with its key", sdk.SimulateCustomPolicyInput{
			PolicyInputList: []string{says("Allow", "ecr:*", "*", onlyHere)}, ActionNames: []string{"ecr:PutImage"},
			ContextEntries: []types.ContextEntry{{ContextKeyName: aws.String("AWS:requestedregion"), ContextKeyValues: []string{"eu-west-1"}, ContextKeyType: types.ContextKeyTypeEnumString}},
		}, []string{"ecr:PutImage * allowed [PolicyInputList.1] []"}},
		{"a boundary that does not allow", sdk.SimulateCustomPolicyInput{
			PolicyInputList: []string{says("Allow", "*", "*", "")}, PermissionsBoundaryPolicyInputList: []string{says("Allow", "ecr:Get*", "*", "")}, ActionNames: []string{"ecr:PutImage", "ecr:GetX"},
		}, []string{"ecr:PutImage * implicitDeny [] []", "ecr:GetX * allowed [PolicyInputList.1] []"}},
		{"a resource's policy that names the caller", sdk.SimulateCustomPolicyInput{
			PolicyInputList: []string{says("Allow", "iam:*", "*", "")}, ResourcePolicy: aws.String(says("Allow", "ecr:*", "*", `,"Principal":{"AWS":"`+bobARN+`"}`)),
			CallerArn: aws.String(bobARN), ActionNames: []string{"ecr:PutImage"}, ResourceArns: []string{app},
		}, []string{"ecr:PutImage " + app + " allowed [ResourcePolicy] []"}},
		{"another account's resource needs both sides", sdk.SimulateCustomPolicyInput{
			PolicyInputList: []string{says("Allow", "ecr:Put*", "*", "")}, ResourcePolicy: aws.String(says("Allow", "ecr:*", "*", `,"Principal":{"AWS":"`+bobARN+`"}`)),
			CallerArn: aws.String(bobARN), ActionNames: []string{"ecr:PutImage", "ecr:GetX"}, ResourceArns: []string{theirApp},
		}, []string{"ecr:PutImage " + theirApp + " allowed [ResourcePolicy PolicyInputList.1] []", "ecr:GetX " + theirApp + " implicitDeny [] []"}},
		{"an owner for resources that name none", sdk.SimulateCustomPolicyInput{
			PolicyInputList: []string{says("Allow", "iam:*", "*", "")}, ResourcePolicy: aws.String(says("Allow", "ecr:*", "*", `,"Principal":"*"`)),
			CallerArn: aws.String(bobARN), ResourceOwner: aws.String("arn:aws:iam::210987654321:root"), ActionNames: []string{"ecr:PutImage"},
		}, []string{"ecr:PutImage * implicitDeny [] []"}},
		{"variables of the caller", sdk.SimulateCustomPolicyInput{
			PolicyInputList: []string{says("Allow", "ecr:*", "arn:aws:ecr:eu-west-1:123456789012:repository/${aws:username}/*", "")}, CallerArn: aws.String(bobARN),
			ActionNames: []string{"ecr:PutImage"}, ResourceArns: []string{"arn:aws:ecr:eu-west-1:123456789012:repository/bob/x"},
		}, []string{"ecr:PutImage arn:aws:ecr:eu-west-1:123456789012:repository/bob/x allowed [PolicyInputList.1] []"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int32{1, 100} {
				tt.in.MaxItems = &size
				var got []string
				p := sdk.NewSimulateCustomPolicyPaginator(w.Client, &tt.in)
				for p.HasMorePages() {
					for _, r := range must2[*sdk.SimulateCustomPolicyOutput](t)(p.NextPage(w.ctx)).EvaluationResults {
						got = append(got, brief(r))
					}
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("in pages of %d (-want +got):\n%s", size, diff)
				}
			}
		})
	}
}

func TestWhatASimulationTellsOfADecision(t *testing.T) {
	w := newWorld(t)
	document := "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": {\n    \"Effect\": \"Allow\", \"Action\": \"ecr:*\", \"Resource\": \"*\"\n  }\n}"
	out := must2[*sdk.SimulateCustomPolicyOutput](t)(w.SimulateCustomPolicy(w.ctx, &sdk.SimulateCustomPolicyInput{
		PolicyInputList: []string{document}, PermissionsBoundaryPolicyInputList: []string{document}, ActionNames: []string{"ecr:PutImage"}, ResourceArns: []string{theirApp},
		ResourcePolicy: aws.String(says("Deny", "ecr:*", "*", `,"Principal":"*"`)), CallerArn: aws.String(bobARN),
	}))
	deny := []types.Statement{{
		SourcePolicyId: aws.String("ResourcePolicy"), SourcePolicyType: types.PolicySourceTypeResource,
		StartPosition: &types.Position{Line: 1, Column: 38}, EndPosition: &types.Position{Line: 1, Column: 103},
	}}
	details := map[string]types.PolicyEvaluationDecisionType{"IAM Policy": "allowed", "Resource Policy": "explicitDeny"}
	boundary := &types.PermissionsBoundaryDecisionDetail{AllowedByPermissionsBoundary: true}
	want := []types.EvaluationResult{{
		EvalActionName: aws.String("ecr:PutImage"), EvalResourceName: aws.String(theirApp), EvalDecision: "explicitDeny",
		MatchedStatements: deny, MissingContextValues: []string{}, EvalDecisionDetails: details, PermissionsBoundaryDecisionDetail: boundary,
		ResourceSpecificResults: []types.ResourceSpecificResult{{
			EvalResourceName: aws.String(theirApp), EvalResourceDecision: "explicitDeny", MatchedStatements: deny, MissingContextValues: []string{},
			EvalDecisionDetails: details, PermissionsBoundaryDecisionDetail: boundary,
		}},
	}}
	if diff := cmp.Diff(want, out.EvaluationResults, plain); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	out = must2[*sdk.SimulateCustomPolicyOutput](t)(w.SimulateCustomPolicy(w.ctx, &sdk.SimulateCustomPolicyInput{PolicyInputList: []string{document}, ActionNames: []string{"ecr:PutImage"}}))
	s := out.EvaluationResults[0].MatchedStatements[0]
	if s.StartPosition.Line != 3 || s.StartPosition.Column != 16 || s.EndPosition.Line != 5 || s.EndPosition.Column != 4 {
		t.Errorf("it stands from %+v to %+v", *s.StartPosition, *s.EndPosition)
	}
}

// company is a user with policies of every kind, and a role.
func company(w *world) {
	w.user("bob")
	w.group("dev")
	w.role("r")
	_, err := w.AddUserToGroup(w.ctx, &sdk.AddUserToGroupInput{GroupName: aws.String("dev"), UserName: aws.String("bob")})
	w.must(err)
	user, group, role := holders[0], holders[1], holders[2]
	w.must(user.put(w, "bob", "mine", says("Allow", "ecr:PutImage", app, "")))
	w.must(user.attach(w, "bob", w.policy("p"))) // ecr:BatchGetImage
	w.must(group.put(w, "dev", "ours", says("Deny", "ecr:DeleteRepository", "*", "")))
	w.must(group.attach(w, "dev", readOnly))
	w.must(role.put(w, "r", "its", says("Allow", "ecr:*", "*", `,"Condition":{"StringEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/r"}}`)))
}

func TestAPrincipalsPoliciesAreSimulated(t *testing.T) {
	w := newWorld(t)
	company(w)
	tests := []struct {
		name, source string
		edit         func(*sdk.SimulatePrincipalPolicyInput)
		action       string
		want         string // decision and sources with their types
	}{
		{"a user's inline policy", "user/bob", nil, "ecr:PutImage", "allowed user_bob_mine:user"},
		{"a managed policy of the account", "user/bob", nil, "ecr:BatchGetImage", "allowed p:user-managed ReadOnlyAccess:aws-managed"},
		{"a group's managed policy of AWS's", "user/bob", nil, "ecr:DescribeImages", "allowed ReadOnlyAccess:aws-managed"},
		{"a group's inline policy", "user/bob", func(in *sdk.SimulatePrincipalPolicyInput) { in.PolicyInputList = []string{says("Allow", "*", "*", "")} },
			"ecr:DeleteRepository", "explicitDeny group_dev_ours:group"},
		{"what nobody allows", "user/bob", nil, "ecr:CreateRepository", "implicitDeny"},
		{"a group by itself", "group/dev", nil, "ecr:PutImage", "implicitDeny"},
		{"a role, with its keys", "role/r", nil, "ecr:PutImage", "allowed role_r_its:role"},
		{"a user, with another caller's keys", "role/r", func(in *sdk.SimulatePrincipalPolicyInput) { in.CallerArn = aws.String(bobARN) }, "ecr:PutImage", "implicitDeny"},
		{"a boundary for once", "user/bob", func(in *sdk.SimulatePrincipalPolicyInput) {
			in.PermissionsBoundaryPolicyInputList = []string{says("Allow", "iam:*", "*", "")}
		}, "ecr:PutImage", "implicitDeny"},
		{"the caller is the source if it is a user", "user/bob", func(in *sdk.SimulatePrincipalPolicyInput) {
			in.ResourcePolicy = aws.String(says("Allow", "ecr:*", "*", `,"Principal":{"AWS":"`+bobARN+`"}`))
		}, "ecr:CreateRepository", "allowed ResourcePolicy:resource"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := &sdk.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String("arn:aws:iam::123456789012:" + tt.source), ActionNames: []string{tt.action}, ResourceArns: []string{app}}
			if tt.edit != nil {
				tt.edit(in)
			}
			r := must2[*sdk.SimulatePrincipalPolicyOutput](t)(w.SimulatePrincipalPolicy(w.ctx, in)).EvaluationResults[0]
			got := []string{string(r.EvalDecision)}
			for _, s := range r.MatchedStatements {
				got = append(got, *s.SourcePolicyId+":"+string(s.SourcePolicyType))
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got  %v\nwant %s", got, tt.want)
			}
		})
	}
}

func TestABoundaryTakesPartInASimulation(t *testing.T) {
	w := newWorld(t)
	must2[*sdk.CreateUserOutput](t)(w.CreateUser(w.ctx, &sdk.CreateUserInput{UserName: aws.String("bob"), PermissionsBoundary: aws.String(readOnly), Tags: []types.Tag{{Key: aws.String("Team"), Value: aws.String("a")}}}))
	w.must(holders[0].put(w, "bob", "p", says("Allow", "*", "*", `,"Condition":{"StringEquals":{"aws:PrincipalTag/team":"a"}}`)))
	out := must2[*sdk.SimulatePrincipalPolicyOutput](t)(w.SimulatePrincipalPolicy(w.ctx, &sdk.SimulatePrincipalPolicyInput{
		PolicySourceArn: aws.String(bobARN), ActionNames: []string{"ecr:DescribeImages", "ecr:PutImage"},
	})).EvaluationResults
	for i, allowed := range []bool{true, false} {
		if r := out[i]; r.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary != allowed || (r.EvalDecision == "allowed") != allowed || len(r.MissingContextValues) > 0 {
			t.Errorf("%s, boundary %v", brief(r), r.PermissionsBoundaryDecisionDetail)
		}
	}
}

func TestWhatCannotBeSimulated(t *testing.T) {
	w := newWorld(t)
	w.user("bob")
	custom := func(edit func(*sdk.SimulateCustomPolicyInput)) error {
		in := &sdk.SimulateCustomPolicyInput{PolicyInputList: []string{pull}, ActionNames: []string{"ecr:PutImage"}}
		edit(in)
		_, err := w.SimulateCustomPolicy(w.ctx, in)
		return err
	}
	principal := func(arn string, edit func(*sdk.SimulatePrincipalPolicyInput)) error {
		in := &sdk.SimulatePrincipalPolicyInput{PolicySourceArn: &arn, ActionNames: []string{"ecr:PutImage"}}
		edit(in)
		_, err := w.SimulatePrincipalPolicy(w.ctx, in)
		return err
	}
	as := func(*sdk.SimulatePrincipalPolicyInput) {}
	group := "arn:aws:iam::123456789012:group/dev"
	w.group("dev")
	theirs := name.UserARN(foreign, "/", "eve")
	tests := []struct {
		name          string
		err           error
		code, message string
	}{
		{"a policy that is no JSON", custom(func(in *sdk.SimulateCustomPolicyInput) { in.PolicyInputList = []string{pull, "x"} }),
			"InvalidInput", "The policy PolicyInputList.2 is not valid: Syntax errors in policy."},
		{"a boundary with a principal", custom(func(in *sdk.SimulateCustomPolicyInput) {
			in.PermissionsBoundaryPolicyInputList = []string{says("Allow", "*", "*", `,"Principal":"*"`)}
		}), "InvalidInput", "The policy PermissionsBoundaryPolicyInputList.1 is not valid: Policy document should not specify a principal."},
		{"two boundaries", custom(func(in *sdk.SimulateCustomPolicyInput) { in.PermissionsBoundaryPolicyInputList = []string{pull, pull} }),
			"InvalidInput", "Only one permissions boundary can be simulated at a time."},
		{"an action with a wildcard", custom(func(in *sdk.SimulateCustomPolicyInput) { in.ActionNames = []string{"ecr:*"} }),
			"InvalidInput", "Invalid action name: ecr:*"},
		{"a resource that is no ARN", custom(func(in *sdk.SimulateCustomPolicyInput) { in.ResourceArns = []string{"app"} }),
			"InvalidInput", "Invalid resource ARN: app"},
		{"a caller that is no user", custom(func(in *sdk.SimulateCustomPolicyInput) { in.CallerArn = &group }),
			"InvalidInput", "Invalid caller ARN: " + group + ". It must be the ARN of a user."},
		{"a resource's policy without a caller", custom(func(in *sdk.SimulateCustomPolicyInput) { in.ResourcePolicy = aws.String(pull) }),
			"InvalidInput", "A CallerArn is required to simulate a resource policy."},
		{"a resource's policy without a principal", custom(func(in *sdk.SimulateCustomPolicyInput) {
			in.ResourcePolicy, in.CallerArn = aws.String(pull), aws.String(bobARN)
		}), "InvalidInput", "The policy ResourcePolicy is not valid: Missing required field Principal"},
		{"an owner that is no account", custom(func(in *sdk.SimulateCustomPolicyInput) { in.ResourceOwner = aws.String("arn:aws:iam::1:root") }),
			"InvalidInput", "Invalid resource owner: arn:aws:iam::1:root"},
		{"a Marker of another question", custom(func(in *sdk.SimulateCustomPolicyInput) {
			in.ActionNames, in.MaxItems = []string{"ecr:PutImage", "ecr:GetX"}, aws.Int32(1)
			out := must2[*sdk.SimulateCustomPolicyOutput](t)(w.SimulateCustomPolicy(w.ctx, in))
			in.Marker, in.ActionNames = out.Marker, []string{"ecr:GetX", "ecr:PutImage"}
		}), "ValidationError", "Invalid Marker."},

		{"a user who is not there", principal("arn:aws:iam::123456789012:user/eve", as), "NoSuchEntity", "The user with name eve cannot be found."},
		{"a user under another path", principal("arn:aws:iam::123456789012:user/x/bob", as), "NoSuchEntity", "The user with name bob cannot be found."},
		{"a source that has no policies", principal("arn:aws:iam::123456789012:policy/p", as), "InvalidInput", "Invalid Entity Arn: arn:aws:iam::123456789012:policy/p"},
		{"a user of another account", principal(theirs, as), "AccessDenied", "User: arn:aws:iam::123456789012:root is not authorized to perform: iam:SimulatePrincipalPolicy on resource: " + theirs},
		{"a resource's policy and no user", principal(group, func(in *sdk.SimulatePrincipalPolicyInput) { in.ResourcePolicy = aws.String(pull) }),
			"InvalidInput", "A CallerArn is required to simulate a resource policy."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantRefusal(t, tt.err, tt.code, tt.message) })
	}
}

// TestWhatPolicyOperationsAreDecidedOn: the resources of the Service
// Authorization Reference, with the paths of what is there.
func TestWhatPolicyOperationsAreDecidedOn(t *testing.T) {
	w := newWorld(t)
	must2[*sdk.CreateRoleOutput](t)(w.CreateRole(w.ctx, &sdk.CreateRoleInput{RoleName: aws.String("r"), Path: aws.String("/x/"), AssumeRolePolicyDocument: aws.String(trust)}))
	must2[*sdk.GetRoleOutput](t)(w.GetRole(w.ctx, &sdk.GetRoleInput{RoleName: aws.String("R")}))
	must2[*sdk.ListRolesOutput](t)(w.ListRoles(w.ctx, &sdk.ListRolesInput{}))
	w.policy("p")
	must2[*sdk.ListPoliciesOutput](t)(w.ListPolicies(w.ctx, &sdk.ListPoliciesInput{PathPrefix: aws.String("/x/")}))
	must2[*sdk.GetPolicyOutput](t)(w.GetPolicy(w.ctx, &sdk.GetPolicyInput{PolicyArn: aws.String(readOnly)}))
	must2[*sdk.SimulateCustomPolicyOutput](t)(w.SimulateCustomPolicy(w.ctx, &sdk.SimulateCustomPolicyInput{PolicyInputList: []string{pull}, ActionNames: []string{"ecr:GetX"}}))
	must2[*sdk.SimulatePrincipalPolicyOutput](t)(w.SimulatePrincipalPolicy(w.ctx, &sdk.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String("arn:aws:iam::123456789012:role/x/r"), ActionNames: []string{"ecr:GetX"}}))
	arn := must2[*string](t)(w.provider(issuer))
	must2[*sdk.ListOpenIDConnectProvidersOutput](t)(w.ListOpenIDConnectProviders(w.ctx, &sdk.ListOpenIDConnectProvidersInput{}))
	must2[*sdk.GetOpenIDConnectProviderOutput](t)(w.GetOpenIDConnectProvider(w.ctx, &sdk.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn}))
	want := []string{
		"iam:CreateRole arn:aws:iam::123456789012:role/x/r",
		"iam:GetRole arn:aws:iam::123456789012:role/x/r",
		"iam:ListRoles arn:aws:iam::123456789012:role/",
		"iam:CreatePolicy arn:aws:iam::123456789012:policy/p",
		"iam:ListPolicies arn:aws:iam::123456789012:policy/x/",
		"iam:GetPolicy " + readOnly,
		"iam:SimulateCustomPolicy *",
		"iam:SimulatePrincipalPolicy arn:aws:iam::123456789012:role/x/r",
		"iam:CreateOpenIDConnectProvider " + *arn,
		"iam:ListOpenIDConnectProviders *",
		"iam:GetOpenIDConnectProvider " + *arn,
	}
	if got := w.gate.questions(); !slices.Equal(got, want) {
		t.Errorf("asked (-want +got):\n%s", cmp.Diff(want, got))
	}
}
