package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"
)

const (
	users     = 1000
	policies  = 50 // of the user that is measured
	ofGroup   = 10 // policies that a group can have attached
	turns     = 10 // of each login, within the duration
	userBench = "user-0000"
)

// W5u: W5 as one of many users, who has many policies, in turns with the login
// that made them. The speed is the user's; the share is what it is of the
// other's, so that it shows what the policies cost.
func headManifestsAsUser(ctx context.Context, b *bench) *result {
	keys, err := b.reg.makeUsers(ctx)
	if err != nil {
		return failure(err)
	}
	own := b.reg.as(keys)
	if err := own.login(ctx); err != nil {
		return failure(err)
	}
	workers := b.clients(32)
	sum, other := &result{}, 0
	for turn := range 2 * turns {
		part := *b
		part.seed += uint64(turn)
		if turn%2 == 1 {
			part.reg = own
		}
		m := part.meter()
		m.last(workers, b.duration/turns, part.headSmall(ctx))
		if one := m.done(workers, ""); turn%2 == 1 {
			sum.add(one)
		} else {
			other += one.Ops
		}
	}
	sum.Note = fmt.Sprintf("%d users, %d policies", users, policies)
	sum.Share = float64(sum.Ops) / float64(max(1, other))
	return sum
}

// add makes one result of two that were measured alike, one after the other;
// of the latencies it keeps the worse.
func (r *result) add(b *result) {
	r.Conc, r.Ops, r.Requests = b.Conc, r.Ops+b.Ops, r.Requests+b.Requests
	r.WallS, r.SrvCPUs, r.CliCPUs, r.SrvWrMB = r.WallS+b.WallS, r.SrvCPUs+b.SrvCPUs, r.CliCPUs+b.CliCPUs, r.SrvWrMB+b.SrvWrMB
	r.OpsPerS, r.SrvCPUus = float64(r.Ops)/r.WallS, r.SrvCPUs*1e6/float64(max(r.Ops, 1))
	r.P50ms, r.P95ms, r.P99ms, r.MaxMS = max(r.P50ms, b.P50ms), max(r.P95ms, b.P95ms), max(r.P99ms, b.P99ms), max(r.MaxMS, b.MaxMS)
	r.SrvHWMMB, r.Noise = max(r.SrvHWMMB, b.SrvHWMMB), max(r.Noise, b.Noise)
	r.Errors += b.Errors
	if r.ErrSample == "" {
		r.ErrSample = b.ErrSample
	}
}

// makeUsers makes the users and the policies of the first of them, and returns
// a key of that user's. What is there stays.
func (g *registry) makeUsers(ctx context.Context) (keys, error) {
	client := iam.New(iam.Options{
		BaseEndpoint: aws.String(g.base.String()), Region: g.keys.region,
		Credentials: credentials.NewStaticCredentialsProvider(g.keys.id, g.keys.secret, ""),
		HTTPClient:  g.http,
	})
	for i := range users {
		_, err := client.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String(fmt.Sprintf("user-%04d", i))})
		if err := unlessThere(err); err != nil {
			return keys{}, err
		}
	}
	for i := range policies {
		group := aws.String(fmt.Sprintf("group-%d", i/ofGroup))
		if i%ofGroup == 0 {
			_, err := client.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: group})
			if err := unlessThere(err); err != nil {
				return keys{}, err
			}
			if _, err := client.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: group, UserName: aws.String(userBench)}); err != nil {
				return keys{}, err
			}
		}
		if err := attach(ctx, client, group, i); err != nil {
			return keys{}, err
		}
	}
	made, err := client.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String(userBench)})
	if err != nil {
		return keys{}, fmt.Errorf("key of %s: %w", userBench, err)
	}
	return keys{*made.AccessKey.AccessKeyId, *made.AccessKey.SecretAccessKey, g.keys.region}, nil
}

// attach gives a group its policy of the number. Only the last one's allows
// what is measured.
func attach(ctx context.Context, client *iam.Client, group *string, number int) error {
	resource := fmt.Sprintf("arn:aws:ecr:*:*:repository/team-%d/*", number)
	if number == policies-1 {
		resource = "*"
	}
	name := fmt.Sprintf("policy-%d", number)
	made, err := client.CreatePolicy(ctx, &iam.CreatePolicyInput{
		PolicyName: &name,
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:Batch*","ecr:Get*"],"Resource":"` +
			resource + `"}]}`),
	})
	if err := unlessThere(err); err != nil {
		return err
	}
	if made == nil {
		return nil
	}
	_, err = client.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyInput{GroupName: group, PolicyArn: made.Policy.Arn})
	return err
}

// unlessThere takes away the error of what was made in an earlier round.
func unlessThere(err error) error {
	if refused, ok := errors.AsType[smithy.APIError](err); ok && refused.ErrorCode() == "EntityAlreadyExists" {
		return nil
	}
	return err
}
