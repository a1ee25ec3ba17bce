package iam_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/iam"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
)

// protocol are the codes that query services share, beside a model's own.
var protocol = []string{
	"MissingAuthenticationToken", "InvalidClientTokenId", "IncompleteSignature", "SignatureDoesNotMatch", "ExpiredToken", "MalformedQueryString",
	"RequestEntityTooLarge", "MissingAction", "InvalidAction", "UnknownOperationException", "ValidationError", "AccessDenied", "Throttling", "ServiceUnavailable",
}

func TestEveryReasonHasACodeThatClientsKnow(t *testing.T) {
	service := iam.New(iam.Config{})
	for _, r := range fault.Reasons() {
		for _, f := range []*fault.Error{
			{Reason: r, Err: errors.New("a secret of the store")},
			{Reason: r, Entity: "user", Name: "bob", Detail: "A sentence.", Constraint: "wait", Quota: "Things", Limit: 7, Err: errors.New("a secret of the store")},
		} {
			a := service.Answer(f)
			e, modelled := iammodel.Model.ErrorCode(a.Code)
			if !modelled && !slices.Contains(protocol, a.Code) {
				t.Errorf("%s: unknown code %s", r, a.Code)
			}
			if modelled && a.Status != e.Status || (a.Status >= 500) != (r.Kind() == fault.Internal || r.Kind() == fault.Unavailable) {
				t.Errorf("%s: status %d with %s", r, a.Status, a.Code)
			}
			if strings.Contains(a.Message, "secret") || regexp.MustCompile(`\{[A-Za-z]+\}`).MatchString(a.Message) || f.Detail != "" && a.Message == "" {
				t.Errorf("%s: text %q", r, a.Message)
			}
		}
	}
}

func TestAStoreThatFailsIsToldWithoutItsCause(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		err  error
		want string
	}{
		{meta.ErrFull, "ServiceFailure: The storage of the server is full."},
		{meta.ErrUnavailable, "ServiceUnavailable: The request has failed due to a temporary failure of the server."},
		{errors.New("a secret path"), "ServiceFailure: The request processing has failed because of an unknown error, exception or failure."},
	} {
		w.store.SetDown(tt.err)
		_, err := w.CreateUser(w.ctx, &sdk.CreateUserInput{UserName: new("bob")})
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "path") {
			t.Errorf("%v: got %v", tt.err, err)
		}
		w.store.Heal()
	}
}
