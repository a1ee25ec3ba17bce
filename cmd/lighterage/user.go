package main

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/spf13/cobra"
)

func newUser() *cobra.Command {
	return group("user", "Make, list and delete users", newUserCreate, newUserList, newUserDelete)
}

// userView is a user as commands print it.
type userView struct {
	Name      string `json:"userName"`
	ARN       string `json:"arn"`
	ID        string `json:"userId"`
	CreatedAt string `json:"createdAt"`
}

func viewUser(u types.User) userView {
	return userView{aws.ToString(u.UserName), aws.ToString(u.Arn), aws.ToString(u.UserId), timeOf(u.CreateDate)}
}

func newUserCreate(r *remote) *cobra.Command {
	var path string
	var tags map[string]string
	cmd := r.command("create", "Make a user, who may do nothing until a policy is attached", []string{"NAME"},
		func(ctx context.Context, s *session, args []string) error {
			in := &iam.CreateUserInput{UserName: &args[0], Path: optional(path)}
			for key, value := range tags {
				in.Tags = append(in.Tags, types.Tag{Key: aws.String(key), Value: aws.String(value)})
			}
			out, err := s.iam.CreateUser(ctx, in)
			if err != nil {
				return err
			}
			v := viewUser(*out.User)
			return s.show(v, table{rows: [][]string{{"user", v.Name}, {"arn", v.ARN}}})
		})
	cmd.Flags().StringVar(&path, "path", "", "`path` that begins and ends with a slash (default: /)")
	cmd.Flags().StringToStringVar(&tags, "tag", nil, "`key=value`, may be given more than once")
	return cmd
}

func newUserList(r *remote) *cobra.Command {
	var prefix string
	cmd := r.command("list", "List the users", nil, func(ctx context.Context, s *session, _ []string) error {
		views, t := []userView{}, table{head: []string{"USER", "ARN", "CREATED"}}
		pages := iam.NewListUsersPaginator(s.iam, &iam.ListUsersInput{PathPrefix: optional(prefix)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return err
			}
			for _, u := range page.Users {
				v := viewUser(u)
				views = append(views, v)
				t.rows = append(t.rows, []string{v.Name, v.ARN, v.CreatedAt})
			}
		}
		return s.show(views, t)
	})
	cmd.Flags().StringVar(&prefix, "path-prefix", "", "only users whose path begins with `prefix`")
	return cmd
}

func newUserDelete(r *remote) *cobra.Command {
	var force bool
	cmd := r.command("delete", "Delete a user; its access keys and registry logins work no more", []string{"NAME"},
		func(ctx context.Context, s *session, args []string) error {
			if force {
				if err := s.strip(ctx, args[0]); err != nil {
					return err
				}
			}
			if _, err := s.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: &args[0]}); err != nil {
				return err
			}
			return s.show(map[string]string{"deleted": args[0]}, table{rows: [][]string{{"deleted", args[0]}}})
		})
	cmd.Flags().BoolVar(&force, "force", false, "delete its access keys and inline policies, detach its policies and take it out of its groups first")
	return cmd
}

// strip takes from a user all that keeps it from being deleted. Keys go first:
// whoever has one loses access at once. Each list is read anew until it is
// empty, because its pages move while entries go.
func (s *session) strip(ctx context.Context, user string) error {
	for _, take := range []func(context.Context, string) (bool, error){s.takeKeys, s.takeAttached, s.takeInline, s.takeGroups} {
		for {
			took, err := take(ctx, user)
			if err != nil {
				return err
			}
			if !took {
				break
			}
		}
	}
	return nil
}

func (s *session) takeKeys(ctx context.Context, user string) (bool, error) {
	out, err := s.iam.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &user})
	if err != nil {
		return false, err
	}
	for _, k := range out.AccessKeyMetadata {
		if _, err := s.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &user, AccessKeyId: k.AccessKeyId}); err != nil {
			return false, err
		}
	}
	return len(out.AccessKeyMetadata) > 0, nil
}

func (s *session) takeAttached(ctx context.Context, user string) (bool, error) {
	out, err := s.iam.ListAttachedUserPolicies(ctx, &iam.ListAttachedUserPoliciesInput{UserName: &user})
	if err != nil {
		return false, err
	}
	for _, p := range out.AttachedPolicies {
		if _, err := s.iam.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: &user, PolicyArn: p.PolicyArn}); err != nil {
			return false, err
		}
	}
	return len(out.AttachedPolicies) > 0, nil
}

func (s *session) takeInline(ctx context.Context, user string) (bool, error) {
	out, err := s.iam.ListUserPolicies(ctx, &iam.ListUserPoliciesInput{UserName: &user})
	if err != nil {
		return false, err
	}
	for _, p := range out.PolicyNames {
		if _, err := s.iam.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: &user, PolicyName: &p}); err != nil {
			return false, err
		}
	}
	return len(out.PolicyNames) > 0, nil
}

func (s *session) takeGroups(ctx context.Context, user string) (bool, error) {
	out, err := s.iam.ListGroupsForUser(ctx, &iam.ListGroupsForUserInput{UserName: &user})
	if err != nil {
		return false, err
	}
	for _, g := range out.Groups {
		if _, err := s.iam.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{UserName: &user, GroupName: g.GroupName}); err != nil {
			return false, err
		}
	}
	return len(out.Groups) > 0, nil
}

// optional is nil for an empty text.
func optional(s string) *string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	return &s
}
