package main

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/spf13/cobra"
)

func newKey() *cobra.Command {
	return group("key", "Make, list, switch off and delete access keys",
		newKeyCreate, newKeyList, newKeyActivate, newKeyDeactivate, newKeyDelete)
}

const ofUser = "`name` of the user (default: whoever calls)"

func newKeyCreate(r *remote) *cobra.Command {
	var user string
	cmd := r.command("create", "Make an access key, whose secret is shown this once", nil,
		func(ctx context.Context, s *session, _ []string) error {
			out, err := s.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: optional(user)})
			if err != nil {
				return err
			}
			k := out.AccessKey
			v := keyView{aws.ToString(k.UserName), aws.ToString(k.AccessKeyId), aws.ToString(k.SecretAccessKey)}
			if err := s.show(v, table{rows: [][]string{{"user", v.User}, {"access key", v.ID}, {"secret", v.Secret}}}); err != nil {
				return err
			}
			s.note("The secret access key is shown this once.")
			return nil
		})
	cmd.Flags().StringVar(&user, "user", "", ofUser)
	return cmd
}

func newKeyList(r *remote) *cobra.Command {
	var user string
	cmd := r.command("list", "List the access keys of a user", nil, func(ctx context.Context, s *session, _ []string) error {
		type view struct {
			User      string `json:"user,omitempty"`
			ID        string `json:"accessKeyId"`
			Status    string `json:"status"`
			CreatedAt string `json:"createdAt"`
			UsedAt    string `json:"lastUsedAt,omitempty"`
			UsedFor   string `json:"lastUsedService,omitempty"`
		}
		views, t := []view{}, table{head: []string{"KEY", "USER", "STATUS", "CREATED", "LAST USED", "FOR"}}
		pages := iam.NewListAccessKeysPaginator(s.iam, &iam.ListAccessKeysInput{UserName: optional(user)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return err
			}
			for _, k := range page.AccessKeyMetadata {
				v := view{User: aws.ToString(k.UserName), ID: aws.ToString(k.AccessKeyId), Status: string(k.Status), CreatedAt: timeOf(k.CreateDate)}
				used, err := s.iam.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: k.AccessKeyId})
				if err != nil {
					return err
				}
				if v.UsedAt = timeOf(used.AccessKeyLastUsed.LastUsedDate); v.UsedAt != "" {
					v.UsedFor = aws.ToString(used.AccessKeyLastUsed.ServiceName)
				}
				views = append(views, v)
				t.rows = append(t.rows, []string{v.ID, v.User, v.Status, v.CreatedAt, v.UsedAt, v.UsedFor})
			}
		}
		return s.show(views, t)
	})
	cmd.Flags().StringVar(&user, "user", "", ofUser)
	return cmd
}

func newKeyActivate(r *remote) *cobra.Command {
	return keyCommand(r, "activate", "Let an access key work again", "activated", switchTo(types.StatusTypeActive))
}

func newKeyDeactivate(r *remote) *cobra.Command {
	return keyCommand(r, "deactivate", "Refuse an access key, and every registry login made with it", "deactivated", switchTo(types.StatusTypeInactive))
}

func newKeyDelete(r *remote) *cobra.Command {
	return keyCommand(r, "delete", "Delete an access key", "deleted", func(ctx context.Context, s *session, user, id *string) error {
		_, err := s.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: user, AccessKeyId: id})
		return err
	})
}

func switchTo(status types.StatusType) func(context.Context, *session, *string, *string) error {
	return func(ctx context.Context, s *session, user, id *string) error {
		_, err := s.iam.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: user, AccessKeyId: id, Status: status})
		return err
	}
}

// keyCommand is a command on one key. Whose it is is asked of the server, if
// nobody says it; who may not ask, means a key of their own.
func keyCommand(r *remote, use, short, done string, do func(ctx context.Context, s *session, user, id *string) error) *cobra.Command {
	var user string
	cmd := r.command(use, short, []string{"KEY"}, func(ctx context.Context, s *session, args []string) error {
		owner := optional(user)
		if owner == nil {
			used, err := s.iam.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: &args[0]})
			if err == nil {
				owner = optional(aws.ToString(used.UserName))
			} else if _, refused := errors.AsType[refusal](err); !refused {
				return err
			}
		}
		if err := do(ctx, s, owner, &args[0]); err != nil {
			return err
		}
		return s.show(map[string]string{done: args[0]}, table{rows: [][]string{{done, args[0]}}})
	})
	cmd.Flags().StringVar(&user, "user", "", "`name` of the user (default: whoever has the key)")
	return cmd
}
