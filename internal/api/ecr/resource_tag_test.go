package ecr_test

import (
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

func pairs(kv ...string) []types.Tag {
	out := []types.Tag{}
	for i := 0; i < len(kv); i += 2 {
		out = append(out, types.Tag{Key: &kv[i], Value: &kv[i+1]})
	}
	return out
}

func TestResourceTags(t *testing.T) {
	w := newWorld(t)
	arn := arnOf(w.repository(func(in *sdk.CreateRepositoryInput) { in.Tags = pairs("team", "a", "stage", "dev") }))
	list := func(want []types.Tag) {
		t.Helper()
		same(t, must2[*sdk.ListTagsForResourceOutput](t)(w.ListTagsForResource(w.ctx, &sdk.ListTagsForResourceInput{ResourceArn: &arn})).Tags, want)
	}
	list(pairs("stage", "dev", "team", "a"))

	_, err := w.TagResource(w.ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: pairs("team", "b", "cost", "")})
	w.must(err)
	list(pairs("cost", "", "stage", "dev", "team", "b"))

	_, err = w.UntagResource(w.ctx, &sdk.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"cost", "team", "absent"}})
	w.must(err)
	list(pairs("stage", "dev"))

	_, err = w.UntagResource(w.ctx, &sdk.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"stage"}})
	w.must(err)
	list(pairs())
}

func tagging(tags []types.Tag) func(*world) error {
	return func(w *world) error {
		_, err := w.TagResource(w.ctx, &sdk.TagResourceInput{ResourceArn: new(arnOf(w.repository())), Tags: tags})
		return err
	}
}

const elsewhere = "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'The resource must be in the region us-east-1'"

// arnRefusals are ARNs that name nothing which can be asked for here.
func arnRefusals(act func(w *world, arn string) error) []refused {
	const invalid = "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'"
	var out []refused
	for name, arn := range map[string]string{
		"no ARN":                        "team/app",
		"an ARN of another service":     "arn:aws:s3:us-east-1:123456789012:repository/team/app",
		"an ARN of another resource":    "arn:aws:ecr:us-east-1:123456789012:template/team/app",
		"an ARN without a region":       "arn:aws:ecr::123456789012:repository/team/app",
		"an ARN without an account":     "arn:aws:ecr:us-east-1::repository/team/app",
		"an ARN of all repositories":    "arn:aws:ecr:us-east-1:123456789012:repository/*",
		"an ARN without its repository": "arn:aws:ecr:us-east-1:123456789012:repository/",
	} {
		out = append(out, refused{name: name, code: "InvalidParameterException", text: invalid, act: func(w *world) error { return act(w, arn) }})
	}
	return append(out, refused{name: "an ARN of another region", code: "InvalidParameterException", text: elsewhere, act: func(w *world) error {
		return act(w, "arn:aws:ecr:eu-west-1:123456789012:repository/team/app")
	}})
}

var tagResourceRefusals = append(arnRefusals(func(w *world, arn string) error {
	_, err := w.TagResource(w.ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: pairs("k", "v")})
	return err
}), []refused{
	{name: "an empty key", code: "InvalidTagParameterException", text: tagsInvalid, act: tagging(pairs("", "v"))},
	{name: "a key of AWS's own", code: "InvalidTagParameterException", text: tagsInvalid, act: tagging(pairs("aws:k", "v"))},
	{name: "a key too long", code: "InvalidTagParameterException", text: tagsInvalid, act: tagging(pairs(strings.Repeat("k", 129), "v"))},
	{name: "a value too long", code: "InvalidTagParameterException", text: tagsInvalid, act: tagging(pairs("k", strings.Repeat("v", 257)))},
	{name: "a key twice", code: "InvalidTagParameterException", text: tagsInvalid, act: tagging(pairs("k", "v", "k", "w"))},
	{name: "51 tags", code: "TooManyTagsException", text: tooManyTags, act: tagging(resourceTags(51))},
	{name: "a tag more on a repository with 50", code: "TooManyTagsException", text: tooManyTags, act: func(w *world) error {
		repository := w.repository(func(in *sdk.CreateRepositoryInput) { in.Tags = resourceTags(50) })
		_, err := w.TagResource(w.ctx, &sdk.TagResourceInput{ResourceArn: new(arnOf(repository)), Tags: pairs("key-0", "changed")})
		w.must(err)
		_, err = w.TagResource(w.ctx, &sdk.TagResourceInput{ResourceArn: new(arnOf(repository)), Tags: pairs("one", "more")})
		return err
	}},
}...)

var untagResourceRefusals = append(arnRefusals(func(w *world, arn string) error {
	_, err := w.UntagResource(w.ctx, &sdk.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"k"}})
	return err
}), refused{name: "a key that no tag can have", code: "InvalidTagParameterException", text: tagsInvalid, act: func(w *world) error {
	_, err := w.UntagResource(w.ctx, &sdk.UntagResourceInput{ResourceArn: new(arnOf(w.repository())), TagKeys: []string{"k", ""}})
	return err
}})

var listTagsForResourceRefusals = arnRefusals(func(w *world, arn string) error {
	_, err := w.ListTagsForResource(w.ctx, &sdk.ListTagsForResourceInput{ResourceArn: &arn})
	return err
})
