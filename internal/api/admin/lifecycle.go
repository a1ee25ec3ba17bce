package admin

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lighteragemodel"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/lifecycle"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// The bounds of one answer about a run. Who wants all of a long list asks for a
// preview.
const (
	runTime    = 40 * time.Second // clients wait for a minute
	resultsMax = 10_000
	tagsMax    = 100 // of one image
	tagsRoom   = 50_000
)

// listLifecyclePolicies lists by the age of the repositories; a page token is
// the id of the repository before it. With an account, pages have only what is
// the account's, and may be empty before the last.
func (f *front) listLifecyclePolicies(ctx context.Context, _ *awsjson.Call, in *lighteragemodel.ListLifecyclePoliciesRequest) (*lighteragemodel.ListLifecyclePoliciesResponse, error) {
	limit, after := pageDefault, int64(0)
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	if in.NextToken != nil {
		var err error
		if after, err = strconv.ParseInt(*in.NextToken, 10, 64); err != nil || after < 1 {
			return nil, fault.New(fault.PageTokenInvalid)
		}
	}
	found, more, err := f.Lifecycle.List(ctx, lifecycle.RepositoryID(after), limit)
	if err != nil {
		return nil, err
	}
	out := &lighteragemodel.ListLifecyclePoliciesResponse{LifecyclePolicies: []lighteragemodel.LifecyclePolicy{}}
	for _, l := range found {
		if in.AccountId != nil && *in.AccountId != string(l.Key.Registry.Account) {
			continue
		}
		out.LifecyclePolicies = append(out.LifecyclePolicies, lighteragemodel.LifecyclePolicy{
			AccountId: new(string(l.Key.Registry.Account)), Region: new(string(l.Key.Registry.Region)), RepositoryName: new(string(l.Key.Name)),
			SetAt: since(l.SetAt), LastEvaluatedAt: since(l.EvaluatedAt), NextEvaluationAt: since(l.DueAt),
		})
	}
	if more {
		out.NextToken = new(strconv.FormatInt(int64(found[len(found)-1].Repository), 10))
	}
	return out, nil
}

// runLifecyclePolicy does now what a repository's policy says, or tells what
// that would be. It is for the server's own account, and the region of the call,
// unless others are named. What takes long ends before it is complete: the next
// call begins with an evaluation of its own.
func (f *front) runLifecyclePolicy(ctx context.Context, c *awsjson.Call, in *lighteragemodel.RunLifecyclePolicyRequest) (*lighteragemodel.RunLifecyclePolicyResponse, error) {
	key, err := f.repositoryOf(c, in)
	if err != nil {
		return nil, err
	}
	dry := in.DryRun != nil && *in.DryRun
	text := ""
	if in.LifecyclePolicyText != nil {
		text = *in.LifecyclePolicyText
	}
	var report lifecycle.Report
	complete := true
	switch {
	case dry:
		report, err = f.Lifecycle.DryRun(ctx, key, text)
	case text != "":
		err = &fault.Error{Reason: fault.InputRefused, Detail: "A lifecyclePolicyText is for a dryRun; what runs is the repository's own policy."}
	default:
		short, cancel := context.WithTimeout(ctx, runTime)
		defer cancel()
		report, err = f.Lifecycle.Run(short, key)
		if err != nil && short.Err() != nil && ctx.Err() == nil {
			complete, err = false, nil
		}
	}
	if err != nil {
		return nil, inOneLine(err)
	}
	return reportOut(report, dry, complete), nil
}

func (f *front) repositoryOf(c *awsjson.Call, in *lighteragemodel.RunLifecyclePolicyRequest) (registry.RepositoryKey, error) {
	key := registry.RepositoryKey{Registry: name.RegistryID{Account: f.Account, Region: c.Registry.Region}, Space: registry.ECR}
	if in.AccountId != nil {
		key.Registry.Account = name.AccountID(*in.AccountId)
	}
	if in.Region != nil {
		key.Registry.Region = name.Region(*in.Region)
	}
	repository, err := name.ParseRepositoryName(*in.RepositoryName)
	if err != nil { // there is none of that name
		return key, &fault.Error{Reason: fault.RepositoryNotFound, Repository: *in.RepositoryName, Account: string(key.Registry.Account)}
	}
	key.Name = repository
	return key, nil
}

// inOneLine is the refusal of a policy, which ECR writes in lines, for people.
func inOneLine(err error) error {
	f := fault.Of(err)
	if f.Reason != fault.ParameterInvalid || f.Constraint == "" {
		return err
	}
	lines := strings.Split(strings.TrimSpace(f.Constraint), "\n")
	return &fault.Error{Reason: fault.InputRefused, Detail: strings.TrimSuffix(strings.Join(lines, "; "), ".") + ".", Err: err}
}

func reportOut(r lifecycle.Report, dry, complete bool) *lighteragemodel.RunLifecyclePolicyResponse {
	out := &lighteragemodel.RunLifecyclePolicyResponse{
		AccountId: new(string(r.Key.Registry.Account)), Region: new(string(r.Key.Registry.Region)), RepositoryName: new(string(r.Key.Name)),
		DryRun: &dry, Complete: &complete, EvaluatedAt: since(r.At), ImageCount: new(int32(r.Images)),
		SelectedCount: new(int32(len(r.Results))), ExpiredCount: new(int32(r.Count(lifecycle.Expired))), ArchivedCount: new(int32(r.Count(lifecycle.Archived))),
		Results: []lighteragemodel.LifecycleResult{},
	}
	room := tagsRoom
	for _, result := range r.Results[:min(len(r.Results), resultsMax)] {
		tags := result.Image.Tags[:min(len(result.Image.Tags), tagsMax, room)]
		room -= len(tags)
		out.Results = append(out.Results, lighteragemodel.LifecycleResult{
			ImageDigest: new(string(result.Image.Digest)), ImageTags: tags, ImagePushedAt: since(result.Image.PushedAt),
			RulePriority: new(int32(result.Priority)), Action: new(result.Action.String()), Outcome: new(result.Outcome.String()),
		})
	}
	return out
}
