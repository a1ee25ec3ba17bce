package ecr_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/api/ecr"
	"github.com/lighterage/lighterage/internal/fault"
)

// framework are the codes of all AWS services that the front's fall-backs use.
var framework = []string{"UnrecognizedClientException", "AccessDeniedException", "UnknownOperationException", "ThrottlingException"}

func TestEveryReasonHasAnErrorOfTheModelAndAWholeSentence(t *testing.T) {
	s := ecr.New(ecr.Config{})
	for _, r := range fault.Reasons() {
		t.Run(r.String(), func(t *testing.T) {
			shape, message, extra, ok := s.Errors(&fault.Error{
				Reason: r, Account: account, Repository: "team/app", Tag: "v1", Digest: "sha256:00", Digests: []string{"sha256:01"}, Upload: "u",
				Member: "member", Value: "value", Constraint: "constraint", LastByte: 9, Quota: "things", Limit: 7, KMSError: "KMS", Detail: "detail",
				Err: errors.New("canary"),
			})
			e, modelled := ecrmodel.Model.Error(shape)
			switch {
			case !ok:
				t.Error("it has no error")
			case !modelled && !slices.Contains(framework, shape):
				t.Errorf("%s is neither in the model nor an error of all services", shape)
			case message == "" || strings.Contains(message, "canary") || regexp.MustCompile(`\{[a-z]+\}`).MatchString(message):
				t.Errorf("the message is %q", message)
			case e.Fault != (r.Kind() == fault.Internal || r.Kind() == fault.Unavailable):
				t.Errorf("a reason of this kind must not be %s", shape)
			}
			for member := range extra {
				if !slices.Contains(e.Members, member) {
					t.Errorf("%s has no member %s", shape, member)
				}
			}
		})
	}
}
