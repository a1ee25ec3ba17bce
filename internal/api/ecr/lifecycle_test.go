package ecr_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
)

const (
	keepTwo = `{"rules":[{"rulePriority":7,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":2},"action":{"type":"expire"}}]}`
	// retain is ours.
	retain = `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"tagged","tagPatternList":["*prod*"]},"action":{"type":"retain"}}]}`
	// archiving also expires.
	archiving = `{"rules":[
		{"rulePriority":1,"selection":{"tagStatus":"tagged","tagPrefixList":["v"],"countType":"imageCountMoreThan","countNumber":1},"action":{"type":"transition","targetStorageClass":"archive"}},
		{"rulePriority":2,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}`
)

// setLifecycle sets a repository's lifecycle policy.
func (w *world) setLifecycle(repository, text string) {
	w.t.Helper()
	_, err := w.PutLifecyclePolicy(w.ctx, &sdk.PutLifecyclePolicyInput{RepositoryName: &repository, LifecyclePolicyText: &text})
	w.must(err)
}

func TestLifecyclePolicies(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	text := keepTwo + "\n "
	put := must2[*sdk.PutLifecyclePolicyOutput](t)(w.PutLifecyclePolicy(w.ctx, &sdk.PutLifecyclePolicyInput{RepositoryName: &repository, LifecyclePolicyText: &text}))
	if *put.RegistryId != account || *put.RepositoryName != repository || *put.LifecyclePolicyText != text {
		t.Errorf("put: %s %s %s", *put.RegistryId, *put.RepositoryName, *put.LifecyclePolicyText)
	}
	get := func(want time.Time) {
		t.Helper()
		got := must2[*sdk.GetLifecyclePolicyOutput](t)(w.GetLifecyclePolicy(w.ctx, &sdk.GetLifecyclePolicyInput{RepositoryName: &repository}))
		if *got.RegistryId != account || *got.RepositoryName != repository || *got.LifecyclePolicyText != text || !got.LastEvaluatedAt.Equal(want) {
			t.Errorf("got: %s %s %s, evaluated at %v", *got.RegistryId, *got.RepositoryName, *got.LifecyclePolicyText, *got.LastEvaluatedAt)
		}
	}
	get(time.Unix(0, 0))
	_, err := w.lifecycle.Run(w.ctx, keyOf(repository))
	w.must(err)
	get(instant)
	gone := must2[*sdk.DeleteLifecyclePolicyOutput](t)(w.DeleteLifecyclePolicy(w.ctx, &sdk.DeleteLifecyclePolicyInput{RepositoryName: &repository}))
	if *gone.RegistryId != account || *gone.RepositoryName != repository || *gone.LifecyclePolicyText != text || !gone.LastEvaluatedAt.Equal(instant) {
		t.Errorf("deleted: %s %s %s, evaluated at %v", *gone.RegistryId, *gone.RepositoryName, *gone.LifecyclePolicyText, *gone.LastEvaluatedAt)
	}
	_, err = w.DeleteLifecyclePolicy(w.ctx, &sdk.DeleteLifecyclePolicyInput{RepositoryName: &repository})
	wantAs[*types.LifecyclePolicyNotFoundException](t, err)
}

func TestALifecyclePolicyGoesWithItsRepository(t *testing.T) {
	w := newWorld(t)
	for range 2 {
		_, err := w.CreateRepository(w.ctx, &sdk.CreateRepositoryInput{RepositoryName: new("again")})
		w.must(err)
		_, err = w.GetLifecyclePolicy(w.ctx, &sdk.GetLifecyclePolicyInput{RepositoryName: new("again")})
		wantAs[*types.LifecyclePolicyNotFoundException](t, err)
		_, err = w.GetLifecyclePolicyPreview(w.ctx, &sdk.GetLifecyclePolicyPreviewInput{RepositoryName: new("again")})
		wantAs[*types.LifecyclePolicyPreviewNotFoundException](t, err)
		w.setLifecycle("again", keepTwo)
		w.preview("again", "")
		_, err = w.DeleteRepository(w.ctx, &sdk.DeleteRepositoryInput{RepositoryName: new("again")})
		w.must(err)
	}
}

// preview starts a preview and waits for it as clients do.
func (w *world) preview(repository, text string) {
	w.t.Helper()
	in := &sdk.StartLifecyclePolicyPreviewInput{RepositoryName: &repository}
	if text != "" {
		in.LifecyclePolicyText = &text
	}
	started := must2[*sdk.StartLifecyclePolicyPreviewOutput](w.t)(w.StartLifecyclePolicyPreview(w.ctx, in))
	if *started.RegistryId != account || *started.RepositoryName != repository || started.Status != types.LifecyclePolicyPreviewStatusInProgress ||
		text != "" && *started.LifecyclePolicyText != text {
		w.t.Errorf("started: %s %s %s, %s", *started.RegistryId, *started.RepositoryName, *started.LifecyclePolicyText, started.Status)
	}
	waiter := sdk.NewLifecyclePolicyPreviewCompleteWaiter(w.Client)
	w.must(waiter.Wait(w.ctx, &sdk.GetLifecyclePolicyPreviewInput{RepositoryName: &repository}, 10*time.Second))
}

func TestAPreviewHasResultsAndASummary(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	w.push(repository, "a", "v1", "stable")
	b := sha(w.push(repository, "b", "v2"))
	c := sha(w.push(repository, "c"))
	a := sha(image("config of a", "layer of a").String())
	w.push(repository, "d")
	w.preview(repository, archiving)
	got := must2[*sdk.GetLifecyclePolicyPreviewOutput](t)(w.GetLifecyclePolicyPreview(w.ctx, &sdk.GetLifecyclePolicyPreviewInput{RepositoryName: &repository}))
	if *got.RegistryId != account || *got.RepositoryName != repository || *got.LifecyclePolicyText != archiving || got.Status != types.LifecyclePolicyPreviewStatusComplete || got.NextToken != nil {
		t.Errorf("got %s %s %s, %s", *got.RegistryId, *got.RepositoryName, *got.LifecyclePolicyText, got.Status)
	}
	pushed := new(instant.Truncate(time.Millisecond))
	want := []types.LifecyclePolicyPreviewResult{
		{
			ImageDigest: &a, ImageTags: []string{"stable", "v1"}, ImagePushedAt: pushed, AppliedRulePriority: new(int32(1)), StorageClass: types.LifecyclePolicyStorageClassStandard,
			Action: &types.LifecyclePolicyRuleAction{Type: types.ImageActionTypeTransition, TargetStorageClass: types.LifecyclePolicyTargetStorageClassArchive},
		},
		{
			ImageDigest: &c, ImagePushedAt: pushed, AppliedRulePriority: new(int32(2)), StorageClass: types.LifecyclePolicyStorageClassStandard,
			Action: &types.LifecyclePolicyRuleAction{Type: types.ImageActionTypeExpire},
		},
	}
	same(t, got.PreviewResults, want)
	same(t, got.Summary, &types.LifecyclePolicyPreviewSummary{
		ExpiringImageTotalCount: new(int32(1)),
		TransitioningImageTotalCounts: []types.TransitioningImageTotalCount{
			{TargetStorageClass: types.LifecyclePolicyTargetStorageClassArchive, ImageTotalCount: new(int32(1))},
		},
	})
	// Without a text it is the repository's own policy.
	w.setLifecycle(repository, keepTwo)
	w.preview(repository, "")
	got = must2[*sdk.GetLifecyclePolicyPreviewOutput](t)(w.GetLifecyclePolicyPreview(w.ctx, &sdk.GetLifecyclePolicyPreviewInput{RepositoryName: &repository}))
	if diff := cmp.Diff([]string{a, b}, resultDigests(got.PreviewResults)); diff != "" || *got.LifecyclePolicyText != keepTwo || *got.PreviewResults[0].AppliedRulePriority != 7 {
		t.Errorf("by the policy: %s", diff)
	}
	if n := len(got.Summary.TransitioningImageTotalCounts); n != 0 {
		t.Errorf("%d counts of transitions", n)
	}
}

func resultDigests(results []types.LifecyclePolicyPreviewResult) []string {
	var all []string
	for _, r := range results {
		all = append(all, *r.ImageDigest)
	}
	return all
}

func TestPreviewsAreReadInPagesByFilterAndByImage(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	var all, tagged, untagged []string
	for i := range 7 {
		content := fmt.Sprint("image ", i)
		if i%3 == 1 {
			tagged = append(tagged, sha(w.push(repository, content, fmt.Sprint("t", i))))
			all = append(all, tagged[len(tagged)-1])
			continue
		}
		d := sha(w.push(repository, content))
		all = append(all, d)
		if untagged = append(untagged, d); i > 4 { // the two that are kept
			all, untagged = all[:len(all)-1], untagged[:len(untagged)-1]
		}
	}
	w.preview(repository, keepTwo)
	for filter, want := range map[types.TagStatus][]string{"": all, types.TagStatusAny: all, types.TagStatusTagged: tagged, types.TagStatusUntagged: untagged} {
		for _, size := range []int32{1, 2, 100} {
			in := &sdk.GetLifecyclePolicyPreviewInput{RepositoryName: &repository, MaxResults: &size, Filter: &types.LifecyclePolicyPreviewFilter{TagStatus: filter}}
			var got []string
			for p := sdk.NewGetLifecyclePolicyPreviewPaginator(w.Client, in); p.HasMorePages(); {
				page := must2[*sdk.GetLifecyclePolicyPreviewOutput](t)(p.NextPage(w.ctx))
				if len(page.PreviewResults) > int(size) || *page.Summary.ExpiringImageTotalCount != int32(len(all)) {
					t.Errorf("a page of %d of %d, in pages of %d", len(page.PreviewResults), *page.Summary.ExpiringImageTotalCount, size)
				}
				got = append(got, resultDigests(page.PreviewResults)...)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("filter %q in pages of %d: %s", filter, size, diff)
			}
		}
	}
	for _, tt := range []struct {
		name   string
		ids    []types.ImageIdentifier
		filter types.TagStatus
		want   []string
	}{
		{"by digest and by tag", []types.ImageIdentifier{byDigest(all[0]), byTag("t1")}, "", []string{all[0], all[1]}},
		{"each once", []types.ImageIdentifier{byDigest(all[1]), byTag("t1"), byBoth("t1", all[1])}, "", []string{all[1]}},
		{"with a filter", []types.ImageIdentifier{byDigest(all[0]), byTag("t1")}, types.TagStatusTagged, []string{all[1]}},
		{"of others", []types.ImageIdentifier{byTag("t9"), byDigest(sha("x")), byTag("not/a/tag")}, "", nil},
	} {
		got := must2[*sdk.GetLifecyclePolicyPreviewOutput](t)(w.GetLifecyclePolicyPreview(w.ctx, &sdk.GetLifecyclePolicyPreviewInput{
			RepositoryName: &repository, ImageIds: tt.ids, Filter: &types.LifecyclePolicyPreviewFilter{TagStatus: tt.filter},
		}))
		if diff := cmp.Diff(tt.want, resultDigests(got.PreviewResults)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
	// A token is good for its own preview.
	in := &sdk.GetLifecyclePolicyPreviewInput{RepositoryName: &repository, MaxResults: new(int32(1))}
	in.NextToken = must2[*sdk.GetLifecyclePolicyPreviewOutput](t)(w.GetLifecyclePolicyPreview(w.ctx, in)).NextToken
	w.preview(repository, keepTwo)
	_, err := w.GetLifecyclePolicyPreview(w.ctx, in)
	wantRefusal(t, err, refusal{"InvalidParameterException", "Invalid parameter at 'nextToken' failed to satisfy constraint: 'must be the nextToken of an answer to the same request'"})
}

// begunPreview leaves a preview in a status that is about to end.
func (w *world) begunPreview(repository string, status meta.PreviewStatus) {
	w.t.Helper()
	w.must(w.meta.Update(w.ctx, func(tx meta.Tx) error {
		r, err := tx.Repository(keyOf(repository), meta.NoLock)
		if err != nil {
			return err
		}
		return tx.PutLifecyclePreview(meta.LifecyclePreview{Repository: r.ID, Attempt: 1, Text: keepTwo, Status: status, StartedAt: instant})
	}))
}

func TestAPreviewThatIsNotCompleteHasNoResults(t *testing.T) {
	w := newWorld(t)
	for stored, want := range map[meta.PreviewStatus]types.LifecyclePolicyPreviewStatus{
		meta.PreviewRunning: types.LifecyclePolicyPreviewStatusInProgress,
		meta.PreviewFailed:  types.LifecyclePolicyPreviewStatusFailed,
		meta.PreviewExpired: types.LifecyclePolicyPreviewStatusExpired,
	} {
		repository := w.repository()
		w.begunPreview(repository, stored)
		got := must2[*sdk.GetLifecyclePolicyPreviewOutput](t)(w.GetLifecyclePolicyPreview(w.ctx, &sdk.GetLifecyclePolicyPreviewInput{RepositoryName: &repository}))
		if got.Status != want || got.PreviewResults != nil || got.Summary != nil || got.NextToken != nil || *got.LifecyclePolicyText != keepTwo {
			t.Errorf("%s: %+v", want, got)
		}
	}
}

// invalidPolicy is what is said of a policy.
func invalidPolicy(why string) string {
	return "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy " + why + "'"
}

var (
	notJSON  = strings.Repeat("no JSON ", 20)
	tooShort = "Invalid parameter at 'lifecyclePolicyText' failed to satisfy constraint: 'Member must have length greater than or equal to 100'"
	tooLong  = "Invalid parameter at 'lifecyclePolicyText' failed to satisfy constraint: 'Member must have length less than or equal to 30720'"
)

// texts are the refusals of an operation that takes a policy.
func texts(act func(w *world, repository, text string) error) []refused {
	with := func(text string) func(*world) error {
		return func(w *world) error { return act(w, w.repository(), text) }
	}
	return []refused{
		{name: "a short text", act: with("{}"), code: "InvalidParameterException", text: tooShort},
		{name: "a long text", act: with(strings.Repeat(" ", 30_721)), code: "InvalidParameterException", text: tooLong},
		{name: "no JSON", act: with(notJSON), code: "InvalidParameterException", text: invalidPolicy("parsing failure: Could not map policyString into LifecyclePolicy.")},
		{name: "no rules", act: with(`{"x":"` + strings.Repeat("x", 100) + `"}`), code: "InvalidParameterException",
			text: invalidPolicy("validation failure: object instance has properties which are not allowed by the schema: [\"x\"]\nobject has missing required properties ([\"rules\"])\n")},
		{name: "what is ours, where ECR's word counts", act: with(retain), code: "InvalidParameterException",
			text: invalidPolicy("validation failure: instance failed to match exactly one schema (matched 0 out of 2)\nobject has missing required properties ([\"countNumber\",\"countType\"])\n"), with: strict},
	}
}

func strict(w *world) { w.strict = true }

var putLifecyclePolicyRefusals = texts(func(w *world, repository, text string) error {
	_, err := w.PutLifecyclePolicy(w.ctx, &sdk.PutLifecyclePolicyInput{RepositoryName: &repository, LifecyclePolicyText: &text})
	return err
})

// noneBare is a refusal about a repository that has nothing yet.
func noneBare(name, what, code string, act func(w *world, repository string) error) refused {
	return refused{name: name, code: code, act: without(act),
		text: what + " does not exist for the repository with name 'bare' in the registry with id '123456789012'"}
}

var getLifecyclePolicyRefusals = []refused{
	noneBare("there is none", "Lifecycle policy", "LifecyclePolicyNotFoundException", func(w *world, r string) error {
		_, err := w.GetLifecyclePolicy(w.ctx, &sdk.GetLifecyclePolicyInput{RepositoryName: &r})
		return err
	}),
}

var deleteLifecyclePolicyRefusals = []refused{
	noneBare("there is none", "Lifecycle policy", "LifecyclePolicyNotFoundException", func(w *world, r string) error {
		_, err := w.DeleteLifecyclePolicy(w.ctx, &sdk.DeleteLifecyclePolicyInput{RepositoryName: &r})
		return err
	}),
}

var startLifecyclePolicyPreviewRefusals = append(texts(func(w *world, repository, text string) error {
	_, err := w.StartLifecyclePolicyPreview(w.ctx, &sdk.StartLifecyclePolicyPreviewInput{RepositoryName: &repository, LifecyclePolicyText: &text})
	return err
}),
	noneBare("there is neither a text nor a policy", "Lifecycle policy", "LifecyclePolicyNotFoundException", func(w *world, r string) error {
		_, err := w.StartLifecyclePolicyPreview(w.ctx, &sdk.StartLifecyclePolicyPreviewInput{RepositoryName: &r})
		return err
	}),
	refused{name: "the one before goes on", code: "LifecyclePolicyPreviewInProgressException",
		text: "The previous lifecycle policy preview request for the repository with name 'bare' in the registry with id '123456789012' has not completed. Wait and try again.",
		act: without(func(w *world, r string) error {
			w.begunPreview(r, meta.PreviewRunning)
			_, err := w.StartLifecyclePolicyPreview(w.ctx, &sdk.StartLifecyclePolicyPreviewInput{RepositoryName: &r, LifecyclePolicyText: new(keepTwo)})
			return err
		})},
)

// reading is a request for the preview of a repository that has none.
func reading(change func(in *sdk.GetLifecyclePolicyPreviewInput)) func(w *world) error {
	return without(func(w *world, r string) error {
		in := &sdk.GetLifecyclePolicyPreviewInput{RepositoryName: &r}
		change(in)
		_, err := w.GetLifecyclePolicyPreview(w.ctx, in)
		return err
	})
}

var getLifecyclePolicyPreviewRefusals = []refused{
	noneBare("there is none", "Lifecycle policy preview", "LifecyclePolicyPreviewNotFoundException", func(w *world, r string) error {
		_, err := w.GetLifecyclePolicyPreview(w.ctx, &sdk.GetLifecyclePolicyPreviewInput{RepositoryName: &r})
		return err
	}),
	{name: "a page of named images", code: "InvalidParameterException",
		text: "Invalid parameter at 'maxResults' failed to satisfy constraint: 'must be null when imageIds is given'",
		act: reading(func(in *sdk.GetLifecyclePolicyPreviewInput) {
			in.ImageIds, in.MaxResults = []types.ImageIdentifier{byTag("v1")}, new(int32(1))
		})},
	{name: "the rest of named images", code: "InvalidParameterException",
		text: "Invalid parameter at 'nextToken' failed to satisfy constraint: 'must be null when imageIds is given'",
		act: reading(func(in *sdk.GetLifecyclePolicyPreviewInput) {
			in.ImageIds, in.NextToken = []types.ImageIdentifier{byTag("v1")}, new("x")
		})},
	{name: "an image without a name", code: "InvalidParameterException",
		text: "Invalid parameter at 'imageIds' failed to satisfy constraint: 'both tag and digest cannot be null'",
		act:  reading(func(in *sdk.GetLifecyclePolicyPreviewInput) { in.ImageIds = []types.ImageIdentifier{{}} })},
	{name: "a digest that is none", code: "InvalidParameterException",
		text: "Invalid parameter at 'imageDigest' failed to satisfy constraint: 'must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+''",
		act:  reading(func(in *sdk.GetLifecyclePolicyPreviewInput) { in.ImageIds = []types.ImageIdentifier{byDigest("x")} })},
	{name: "a page that is too long", code: "InvalidParameterException",
		text: "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value less than or equal to 100'",
		act:  reading(func(in *sdk.GetLifecyclePolicyPreviewInput) { in.MaxResults = new(int32(101)) })},
}
