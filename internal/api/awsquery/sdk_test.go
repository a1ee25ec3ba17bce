package awsquery_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lighterage/lighterage/internal/api/apitest"
	"github.com/lighterage/lighterage/internal/api/awsmodel"
	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/awsmodel/stsmodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
)

// users is a few operations of IAM over a list.
type users struct{ all []iammodel.User }

const document = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"é <&> %41+/"}]}`

var created = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func (u *users) create(_ context.Context, c *awsquery.Call, in *iammodel.CreateUserRequest) (*iammodel.CreateUserResponse, error) {
	for _, other := range u.all {
		if *other.UserName == *in.UserName {
			return nil, &fault.Error{Reason: fault.RepositoryExists, Value: *in.UserName}
		}
	}
	user := iammodel.User{
		Path: new("/"), UserName: in.UserName, UserId: new("AIDA"), CreateDate: &created, Tags: in.Tags,
		Arn: new("arn:aws:iam::" + string(c.Caller.Account) + ":user/" + *in.UserName),
	}
	u.all = append(u.all, user)
	return &iammodel.CreateUserResponse{User: &user}, nil
}

func (u *users) list(_ context.Context, _ *awsquery.Call, in *iammodel.ListUsersRequest) (*iammodel.ListUsersResponse, error) {
	from := 0
	if in.Marker != nil {
		from, _ = strconv.Atoi(*in.Marker)
	}
	to := min(len(u.all), from+int(*in.MaxItems))
	out := &iammodel.ListUsersResponse{Users: u.all[from:to], IsTruncated: new(to < len(u.all))}
	if to < len(u.all) {
		out.Marker = new(strconv.Itoa(to))
	}
	return out, nil
}

func none[In, Out any](context.Context, *awsquery.Call, *In) (*Out, error) {
	return nil, &fault.Error{Reason: fault.RepositoryNotFound, Value: "it"}
}

func iamService(u *users) awsquery.Service {
	s := awsquery.Service{
		Model: iammodel.Model,
		Operations: []awsquery.Operation{
			awsquery.Op("CreateUser", "iam:CreateUser", awsquery.Everything[iammodel.CreateUserRequest], u.create),
			awsquery.Op("ListUsers", "iam:ListUsers", awsquery.Everything[iammodel.ListUsersRequest], u.list),
			awsquery.Op("GetPolicy", "iam:GetPolicy", awsquery.Everything[iammodel.GetPolicyRequest], none[iammodel.GetPolicyRequest, iammodel.GetPolicyResponse]),
			awsquery.Op("GetUserPolicy", "iam:GetUserPolicy", awsquery.Everything[iammodel.GetUserPolicyRequest],
				func(_ context.Context, _ *awsquery.Call, in *iammodel.GetUserPolicyRequest) (*iammodel.GetUserPolicyResponse, error) {
					return &iammodel.GetUserPolicyResponse{UserName: in.UserName, PolicyName: in.PolicyName, PolicyDocument: new(document)}, nil
				}),
			awsquery.Op("DeleteUser", "iam:DeleteUser", awsquery.Everything[iammodel.DeleteUserRequest],
				func(context.Context, *awsquery.Call, *iammodel.DeleteUserRequest) (*iammodel.DeleteUserResponse, error) {
					return &iammodel.DeleteUserResponse{}, nil
				}),
			awsquery.Op("GetAccountSummary", "iam:GetAccountSummary", awsquery.Everything[iammodel.GetAccountSummaryRequest],
				func(context.Context, *awsquery.Call, *iammodel.GetAccountSummaryRequest) (*iammodel.GetAccountSummaryResponse, error) {
					return &iammodel.GetAccountSummaryResponse{SummaryMap: map[iammodel.SummaryKeyType]int32{"Users": int32(len(u.all)), "Groups": 0}}, nil
				}),
			awsquery.Op("DeleteGroup", "iam:DeleteGroup", awsquery.Everything[iammodel.DeleteGroupRequest],
				func(context.Context, *awsquery.Call, *iammodel.DeleteGroupRequest) (*iammodel.DeleteGroupResponse, error) {
					return nil, errors.New("a cause")
				}),
		},
		Errors: func(f *fault.Error) (string, string, bool) {
			switch f.Reason {
			case fault.RepositoryExists:
				return "EntityAlreadyExists", "User with name " + f.Value + " already exists.", true
			case fault.RepositoryNotFound:
				return "NoSuchEntity", f.Value + " does not exist.", true
			}
			return "", "", false
		},
	}
	s.NotOffered = missing(s)
	return s
}

func stsService() awsquery.Service {
	s := awsquery.Service{
		Model: stsmodel.Model,
		Operations: []awsquery.Operation{
			awsquery.Open("AssumeRoleWithWebIdentity", "sts:AssumeRoleWithWebIdentity",
				func(_ context.Context, _ *awsquery.Call, in *stsmodel.AssumeRoleWithWebIdentityRequest) (*stsmodel.AssumeRoleWithWebIdentityResponse, error) {
					if *in.WebIdentityToken != "good" {
						return nil, fault.New(fault.RepositoryNotFound)
					}
					return &stsmodel.AssumeRoleWithWebIdentityResponse{Credentials: &stsmodel.Credentials{
						AccessKeyId: new("ASIA"), SecretAccessKey: new("secret"), SessionToken: new("token"), Expiration: &created,
					}}, nil
				}),
		},
		Errors: func(f *fault.Error) (string, string, bool) {
			return "InvalidIdentityToken", "No good.", f.Reason == fault.RepositoryNotFound
		},
	}
	s.NotOffered = missing(s)
	return s
}

// missing returns the modelled operations that are not in the table.
func missing(s awsquery.Service) []string {
	offered := map[string]bool{}
	for _, o := range s.Operations {
		offered[o.Name] = true
	}
	var names []string
	for _, o := range s.Model.Operations {
		if !offered[o.Name] {
			names = append(names, o.Name)
		}
	}
	return names
}

// address starts a server of both services and returns where it is.
func address(t *testing.T) string {
	t.Helper()
	h := front(t, &gate{}, stsService(), iamService(&users{}))
	server := httptest.NewServer(edge.Handler(h, edge.Options{Logger: slog.New(slog.DiscardHandler), Clock: time.Now, Idle: time.Minute}))
	t.Cleanup(server.Close)
	return server.URL
}

func iamClient(t *testing.T) *iam.Client {
	return iam.New(iam.Options{
		Region: "eu-west-1", BaseEndpoint: new(address(t)), Retryer: aws.NopRetryer{}, HTTPClient: apitest.NewClient(),
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})
}

func TestSDKReadsAnswers(t *testing.T) {
	client, ctx := iamClient(t), context.Background()
	tags := []types.Tag{{Key: new("team"), Value: new("a + b é")}, {Key: new("empty"), Value: new("")}}
	for _, name := range []string{"ann", "bob", "cyd"} {
		out, err := client.CreateUser(ctx, &iam.CreateUserInput{UserName: &name, Tags: tags})
		if err != nil {
			t.Fatal(err)
		}
		want := &types.User{Path: new("/"), UserName: &name, UserId: new("AIDA"), Arn: new("arn:aws:iam::123456789012:user/" + name), CreateDate: &created, Tags: tags}
		if diff := cmp.Diff(want, out.User, cmpopts.IgnoreUnexported(types.User{}, types.Tag{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if id, ok := middleware.GetRequestIDMetadata(out.ResultMetadata); !ok || len(id) != 36 {
			t.Errorf("the answer has no request id: %q", id)
		}
	}

	var names []string
	pages := iam.NewListUsersPaginator(client, &iam.ListUsersInput{MaxItems: new(int32(2))})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Users {
			names = append(names, *u.UserName)
		}
		names = append(names, "|")
	}
	if diff := cmp.Diff([]string{"ann", "bob", "|", "cyd", "|"}, names); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}

	policy, err := client.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: new("ann"), PolicyName: new("p")})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := url.PathUnescape(*policy.PolicyDocument); err != nil || got != document {
		t.Errorf("document %s: %v", *policy.PolicyDocument, err)
	}
	if _, err := client.DeleteUser(ctx, &iam.DeleteUserInput{UserName: new("ann")}); err != nil {
		t.Error(err)
	}
	summary, err := client.GetAccountSummary(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int32{"Users": 3, "Groups": 0}, summary.SummaryMap); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
}

func TestSDKReadsErrors(t *testing.T) {
	client, ctx := iamClient(t), context.Background()
	create := func(name string) error {
		_, err := client.CreateUser(ctx, &iam.CreateUserInput{UserName: &name})
		return err
	}
	if err := create("ann"); err != nil {
		t.Fatal(err)
	}

	err := create("ann")
	if e, ok := errors.AsType[*types.EntityAlreadyExistsException](err); !ok || e.ErrorMessage() != "User with name ann already exists." {
		t.Errorf("a name twice: %v", err)
	}
	wantStatus(t, err, 409, "EntityAlreadyExists")

	_, err = client.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: new("arn:aws:iam::123456789012:policy/it")})
	if e, ok := errors.AsType[*types.NoSuchEntityException](err); !ok || e.ErrorMessage() != "it does not exist." {
		t.Errorf("no policy: %v", err)
	}
	wantStatus(t, err, 404, "NoSuchEntity")

	_, err = client.DeleteGroup(ctx, &iam.DeleteGroupInput{GroupName: new("g")})
	if _, ok := errors.AsType[*types.ServiceFailureException](err); !ok {
		t.Errorf("a failure: %v", err)
	}
	wantStatus(t, err, 500, "ServiceFailure")

	wantStatus(t, create("a/b"), 400, "ValidationError")
	_, err = client.ListRoles(ctx, nil)
	wantStatus(t, err, 400, "UnknownOperationException")
	_, err = client.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: new("i")})
	wantStatus(t, err, 400, "InvalidAction")
}

func wantStatus(t *testing.T, err error, status int, code string) {
	t.Helper()
	api, isAPI := errors.AsType[smithy.APIError](err)
	response, isResponse := errors.AsType[*smithyhttp.ResponseError](err)
	if !isAPI || !isResponse {
		t.Fatalf("got %v, want an API error", err)
	}
	if api.ErrorCode() != code || response.HTTPStatusCode() != status {
		t.Errorf("got %d %s: %s, want %d %s", response.HTTPStatusCode(), api.ErrorCode(), api.ErrorMessage(), status, code)
	}
}

func TestSDKCallsWithoutASignature(t *testing.T) {
	client := sts.New(sts.Options{Region: "eu-west-1", BaseEndpoint: new(address(t)), Retryer: aws.NopRetryer{}, HTTPClient: apitest.NewClient()})
	assume := func(token string) (*sts.AssumeRoleWithWebIdentityOutput, error) {
		return client.AssumeRoleWithWebIdentity(context.Background(), &sts.AssumeRoleWithWebIdentityInput{
			RoleArn: new("arn:aws:iam::123456789012:role/r"), RoleSessionName: new("session"), WebIdentityToken: &token,
		})
	}
	out, err := assume("good")
	if err != nil {
		t.Fatal(err)
	}
	if *out.Credentials.AccessKeyId != "ASIA" || !out.Credentials.Expiration.Equal(created) {
		t.Errorf("%+v", out.Credentials)
	}
	_, err = assume("forged")
	if _, ok := errors.AsType[*ststypes.InvalidIdentityTokenException](err); !ok {
		t.Errorf("a forged token: %v", err)
	}
	wantStatus(t, err, 400, "InvalidIdentityToken")
}

// TestEveryModelledOperationCanBeServed compiles the plans of all inputs and
// outputs.
func TestEveryModelledOperationCanBeServed(t *testing.T) {
	for _, m := range []*awsmodel.Model{iammodel.Model, stsmodel.Model} {
		for _, o := range m.Operations {
			if _, err := awsquery.Decode(o.Input, o.In, ""); err != nil {
				t.Errorf("%s: %v", o.Name, err)
			}
			if _, err := awsquery.Decode(o.Output, o.Out, ""); err != nil {
				t.Errorf("%s: %v", o.Name, err)
			}
		}
	}
	if len(iammodel.Model.Operations) != 80 || len(stsmodel.Model.Operations) != 5 {
		t.Errorf("%d operations of IAM, %d of STS", len(iammodel.Model.Operations), len(stsmodel.Model.Operations))
	}
}
