package ecr_test

import (
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/lighterage/lighterage/internal/api/awsplan"
)

func TestATokenIsGoodForItsListingAlone(t *testing.T) {
	w := newWorld(t)
	repository, _, _ := w.gallery()
	other, _, _ := w.gallery()
	two := new(int32(2))
	list := func(in *sdk.ListImagesInput, at *string) (*string, error) {
		in.MaxResults, in.NextToken = two, at
		out, err := w.ListImages(w.ctx, in)
		if err != nil {
			return nil, err
		}
		return out.NextToken, nil
	}
	describe := func(at *string) (*string, error) {
		out, err := w.DescribeImages(w.ctx, &sdk.DescribeImagesInput{RepositoryName: &repository, MaxResults: two, NextToken: at})
		if err != nil {
			return nil, err
		}
		return out.NextToken, nil
	}
	listed := must2[*string](t)(list(&sdk.ListImagesInput{RepositoryName: &repository}, nil))
	described := must2[*string](t)(describe(nil))
	repositories := must2[*sdk.DescribeRepositoriesOutput](t)(w.DescribeRepositories(w.ctx, &sdk.DescribeRepositoriesInput{MaxResults: new(int32(1))})).NextToken
	must2[*string](t)(list(&sdk.ListImagesInput{RepositoryName: &repository}, listed))
	must2[*string](t)(describe(described))
	for name, act := range map[string]func() (*string, error){
		"of another operation": func() (*string, error) { return describe(listed) },
		"of repositories":      func() (*string, error) { return describe(repositories) },
		"of another repository": func() (*string, error) {
			return list(&sdk.ListImagesInput{RepositoryName: &other}, listed)
		},
		"of another filter": func() (*string, error) {
			return list(&sdk.ListImagesInput{RepositoryName: &repository, Filter: &types.ListImagesFilter{TagStatus: types.TagStatusTagged}}, listed)
		},
		"of another region": func() (*string, error) {
			_, err := w.in("eu-west-1").DescribeRepositories(w.ctx, &sdk.DescribeRepositoriesInput{NextToken: repositories})
			return nil, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := act()
			wantRefusal(t, err, refusal{"InvalidParameterException", badToken})
		})
	}
}

func TestATokenIsTakenAsItWasGiven(t *testing.T) {
	w := newWorld(t)
	repository, _, _ := w.gallery()
	first := must2[*sdk.ListImagesOutput](t)(w.ListImages(w.ctx, &sdk.ListImagesInput{RepositoryName: &repository, MaxResults: new(int32(4))}))
	list := awsplan.Listing{"ListImages", account, region, repository, "", ""}
	position, err := list.Position(first.NextToken)
	if err != nil || *list.Token(position) != *first.NextToken {
		t.Fatalf("the token %q is not of the form that this test spoils: %v", *first.NextToken, err)
	}
	good := *first.NextToken
	for name, token := range map[string]string{
		"empty":                  "",
		"padded":                 good + "=",
		"broken over lines":      good[:8] + "\n" + good[8:],
		"truncated":              good[:len(good)-2],
		"longer":                 good + "AA",
		"without a position":     *list.Token(""),
		"of another kind":        *list.Token("x1"),
		"with no number":         *list.Token("i"),
		"with a sign":            *list.Token("i+1"),
		"with a leading zero":    *list.Token("i01"),
		"with a negative":        *list.Token("i-1"),
		"with a number too big":  *list.Token("i99999999999999999999"),
		"with an impossible tag": *list.Token("t" + strings.Repeat("x", 129)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.ListImages(w.ctx, &sdk.ListImagesInput{RepositoryName: &repository, NextToken: &token})
			wantRefusal(t, err, refusal{"InvalidParameterException", badToken})
		})
	}
	t.Run("with an impossible repository", func(t *testing.T) {
		token := awsplan.Listing{"DescribeRepositories", account, region}.Token("Team")
		_, err := w.DescribeRepositories(w.ctx, &sdk.DescribeRepositoriesInput{NextToken: token})
		wantRefusal(t, err, refusal{"InvalidParameterException", badToken})
	})
}
