package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go/logging"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/transfer"
)

// elastic is an Amazon ECR registry: its images come over /v2/, and what else it
// has by the API.
type elastic struct {
	*transfer.Remote
	client          *ecr.Client
	account, region string

	mu           sync.Mutex
	repositories map[string]types.Repository
}

func (i *importing) openECR(ctx context.Context, jobs int, ca []byte, secret string) (*opened, error) {
	options := []func(*awsconfig.LoadOptions) error{
		awsconfig.WithRegion(i.region), awsconfig.WithLogger(logging.Nop{}), awsconfig.WithEC2IMDSClientEnableState(imds.ClientDefaultEnableState),
	}
	if i.profile != "" {
		options = append(options, awsconfig.WithSharedConfigProfile(i.profile))
	}
	if i.username != "" {
		options = append(options, awsconfig.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(i.username, secret, "")))
	}
	if len(ca) > 0 {
		options = append(options, awsconfig.WithCustomCABundle(bytes.NewReader(ca)))
	}
	c, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("AWS configuration for %s.%s: %w", i.account, i.region, err)
	}
	// What AWS_ENDPOINT_URL_ECR says is the target's, as lighterage env sets it.
	endpoint := cmp.Or(i.endpoint, ecrEndpoint(i.region))
	e := &elastic{
		client:  ecr.NewFromConfig(c, func(o *ecr.Options) { o.BaseEndpoint = &endpoint }),
		account: i.account, region: i.region, repositories: map[string]types.Repository{},
	}
	l := &login{client: e.client, registry: []string{i.account}}
	_, url, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	if e.Remote, err = transfer.NewRemote(transfer.Access{URL: url, CA: ca, Jobs: jobs, Authorization: l.authorization}); err != nil {
		return nil, err
	}
	return &opened{images: e, close: e.Close, repositories: e.list, settings: e.settings, after: e.after, finish: e.finish}, nil
}

// ecrEndpoint is AWS's own, whatever the environment says.
func ecrEndpoint(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return "https://api.ecr." + region + ".amazonaws.com.cn"
	}
	return "https://api.ecr." + region + ".amazonaws.com"
}

func (e *elastic) list(ctx context.Context) ([]string, error) {
	var names []string
	for p := ecr.NewDescribeRepositoriesPaginator(e.client, &ecr.DescribeRepositoriesInput{RegistryId: &e.account}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		e.mu.Lock()
		for _, r := range page.Repositories {
			e.repositories[aws.ToString(r.RepositoryName)] = r
			names = append(names, aws.ToString(r.RepositoryName))
		}
		e.mu.Unlock()
	}
	return names, nil
}

// Images lists all, the oldest first: what counts by age goes on to do so.
func (e *elastic) Images(ctx context.Context, repository string) ([]transfer.Image, error) {
	var details []types.ImageDetail
	for p := ecr.NewDescribeImagesPaginator(e.client, &ecr.DescribeImagesInput{
		RegistryId: &e.account, RepositoryName: &repository, Filter: &types.DescribeImagesFilter{ImageStatus: types.ImageStatusFilterAny},
	}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		details = append(details, page.ImageDetails...)
	}
	slices.SortStableFunc(details, func(a, b types.ImageDetail) int {
		return aws.ToTime(a.ImagePushedAt).Compare(aws.ToTime(b.ImagePushedAt))
	})
	images := make([]transfer.Image, len(details))
	for i, d := range details {
		parsed, err := digest.Parse(aws.ToString(d.ImageDigest))
		if err != nil {
			return nil, err
		}
		images[i] = transfer.Image{Digest: parsed, Tags: d.ImageTags}
	}
	return images, nil
}

// settings is what the repository is created with. A key of AWS's is not to be
// had elsewhere: the kind of encryption stays, with a key of the target's.
func (e *elastic) settings(ctx context.Context, repository string) (*ecr.CreateRepositoryInput, error) {
	e.mu.Lock()
	r := e.repositories[repository]
	e.mu.Unlock()
	in := &ecr.CreateRepositoryInput{
		ImageTagMutability: r.ImageTagMutability, ImageTagMutabilityExclusionFilters: r.ImageTagMutabilityExclusionFilters,
		ImageScanningConfiguration: r.ImageScanningConfiguration,
	}
	if c := r.EncryptionConfiguration; c != nil {
		in.EncryptionConfiguration = &types.EncryptionConfiguration{EncryptionType: c.EncryptionType}
	}
	out, err := e.client.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: r.RepositoryArn})
	if err != nil {
		return nil, fmt.Errorf("list the repository's tags at the source: %w", err)
	}
	for _, t := range out.Tags {
		if !strings.HasPrefix(aws.ToString(t.Key), "aws:") { // AWS's own cannot be set
			in.Tags = append(in.Tags, t)
		}
	}
	return in, nil
}

// text is a policy, of which one side may have none.
type text func(ctx context.Context) (string, error)

// none turns the errors that say that there is no policy into "".
func none(p *string, err error) (string, error) {
	switch {
	case err == nil:
		return aws.ToString(p), nil
	case is[*types.RepositoryPolicyNotFoundException](err), is[*types.LifecyclePolicyNotFoundException](err), is[*types.RegistryPolicyNotFoundException](err):
		return "", nil
	}
	return "", err
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// set gives the target a policy that it does not have.
func (w *work) set(ctx context.Context, repository, what string, from, to text, put func(ctx context.Context, text string) error) {
	want, err := from(ctx)
	if err != nil {
		w.fail(repository, "read the "+what+" at the source", err)
		return
	}
	if want == "" {
		return
	}
	has, err := to(ctx)
	switch {
	case err != nil:
		w.fail(repository, "read the "+what, w.friendly(err))
	case has != "" && !sameJSON(has, want):
		w.remark("%s: the target has another %s, which is left as it is", cmp.Or(repository, "the registry"), what)
	case has == "":
		if err := put(ctx, want); err != nil {
			w.fail(repository, "set the "+what, w.friendly(err))
			return
		}
		w.mu.Lock()
		w.done.Settings++
		w.mu.Unlock()
	}
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// after brings a repository's policies.
func (e *elastic) after(ctx context.Context, w *work, from, to string) {
	w.set(ctx, from, "repository policy",
		func(ctx context.Context) (string, error) {
			out, err := e.client.GetRepositoryPolicy(ctx, &ecr.GetRepositoryPolicyInput{RegistryId: &e.account, RepositoryName: &from})
			if err != nil {
				return none(nil, err)
			}
			return none(out.PolicyText, nil)
		},
		func(ctx context.Context) (string, error) {
			out, err := w.settings.GetRepositoryPolicy(ctx, &ecr.GetRepositoryPolicyInput{RepositoryName: &to})
			if err != nil {
				return none(nil, err)
			}
			return none(out.PolicyText, nil)
		},
		func(ctx context.Context, text string) error {
			_, err := w.settings.SetRepositoryPolicy(ctx, &ecr.SetRepositoryPolicyInput{RepositoryName: &to, PolicyText: &text})
			return err
		})
	w.set(ctx, from, "lifecycle policy",
		func(ctx context.Context) (string, error) {
			out, err := e.client.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{RegistryId: &e.account, RepositoryName: &from})
			if err != nil {
				return none(nil, err)
			}
			return none(out.LifecyclePolicyText, nil)
		},
		func(ctx context.Context) (string, error) {
			out, err := w.settings.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{RepositoryName: &to})
			if err != nil {
				return none(nil, err)
			}
			return none(out.LifecyclePolicyText, nil)
		},
		func(ctx context.Context, text string) error {
			_, err := w.settings.PutLifecyclePolicy(ctx, &ecr.PutLifecyclePolicyInput{RepositoryName: &to, LifecyclePolicyText: &text})
			return err
		})
}

// finish brings the registry's policy. It is the caller's registry of which the
// API tells, and so of an account that is another's it does not come.
func (e *elastic) finish(ctx context.Context, w *work) {
	own, err := e.client.DescribeRegistry(ctx, &ecr.DescribeRegistryInput{})
	if err != nil {
		w.fail("", "ask the source whose registry it is", err)
		return
	}
	if aws.ToString(own.RegistryId) != e.account {
		w.remark("the registry policy of %s can only be read with credentials of that account; it was left out", e.account)
		return
	}
	here, err := w.settings.DescribeRegistry(ctx, &ecr.DescribeRegistryInput{})
	if err != nil {
		w.fail("", "ask the target whose registry it is", w.friendly(err))
		return
	}
	w.set(ctx, "", "registry policy",
		func(ctx context.Context) (string, error) {
			out, err := e.client.GetRegistryPolicy(ctx, &ecr.GetRegistryPolicyInput{})
			if err != nil {
				return none(nil, err)
			}
			return e.rewritten(aws.ToString(out.PolicyText), w.aws.Region, aws.ToString(here.RegistryId), w.to), nil
		},
		func(ctx context.Context) (string, error) {
			out, err := w.settings.GetRegistryPolicy(ctx, &ecr.GetRegistryPolicyInput{})
			if err != nil {
				return none(nil, err)
			}
			return none(out.PolicyText, nil)
		},
		func(ctx context.Context, text string) error {
			_, err := w.settings.PutRegistryPolicy(ctx, &ecr.PutRegistryPolicyInput{PolicyText: &text})
			return err
		})
}

// rewritten turns the ARNs of the source's repositories into those of the target's.
func (e *elastic) rewritten(policy, region, account, prefix string) string {
	of := regexp.MustCompile(`arn:aws[a-z-]*:ecr:` + regexp.QuoteMeta(e.region) + `:` + e.account + `:repository/`)
	to := "arn:aws:ecr:" + region + ":" + account + ":repository/"
	if p := strings.Trim(prefix, "/"); p != "" {
		to += p + "/"
	}
	return of.ReplaceAllLiteralString(policy, to)
}
