package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

func newAccount() *cobra.Command {
	return group("account", "Make and list the accounts of a running server", newAccountCreate, newAccountList)
}

// accountRow is an account as the server tells it, with times in seconds.
type accountRow struct {
	ID        string  `json:"accountId"`
	Name      string  `json:"accountName"`
	Alias     string  `json:"alias"`
	CreatedAt float64 `json:"createdAt"`
	RevokedAt float64 `json:"tokensRevokedAt"`
}

// accountView is an account as commands print it.
type accountView struct {
	ID        string `json:"accountId"`
	Name      string `json:"accountName"`
	Alias     string `json:"alias,omitempty"`
	CreatedAt string `json:"createdAt"`
	RevokedAt string `json:"tokensRevokedAt,omitempty"`
}

func (a accountRow) view() accountView {
	return accountView{a.ID, a.Name, a.Alias, timeOf(seconds(a.CreatedAt)), timeOf(seconds(a.RevokedAt))}
}

// seconds is a time of the JSON protocol; nil if there is none.
func seconds(s float64) *time.Time {
	if s == 0 {
		return nil
	}
	return new(time.UnixMilli(int64(s * 1000)))
}

// keyView is an access key that was just made.
type keyView struct {
	User   string `json:"user,omitempty"`
	ID     string `json:"accessKeyId"`
	Secret string `json:"secretAccessKey"`
}

func newAccountCreate(r *remote) *cobra.Command {
	var id string
	cmd := r.command("create", "Make an account, with a root access key that is shown this once", []string{"NAME"},
		func(ctx context.Context, s *session, args []string) error {
			in := map[string]string{"accountName": args[0]}
			if id != "" {
				in["accountId"] = id
			}
			var out struct {
				Account   accountRow `json:"account"`
				AccessKey keyView    `json:"accessKey"`
			}
			if err := s.call(ctx, "CreateAccount", in, &out); err != nil {
				return err
			}
			view := struct {
				Account   accountView `json:"account"`
				AccessKey keyView     `json:"accessKey"`
			}{out.Account.view(), out.AccessKey}
			if err := s.show(view, table{rows: [][]string{
				{"account", out.Account.ID}, {"name", out.Account.Name},
				{"access key", out.AccessKey.ID}, {"secret", out.AccessKey.Secret},
			}}); err != nil {
				return err
			}
			s.note("The secret access key of the account's root is shown this once.")
			return nil
		})
	cmd.Flags().StringVar(&id, "id", "", "12 `digits` (default: drawn)")
	return cmd
}

func newAccountList(r *remote) *cobra.Command {
	return r.command("list", "List the accounts", nil, func(ctx context.Context, s *session, _ []string) error {
		views, t := []accountView{}, table{head: []string{"ACCOUNT", "NAME", "ALIAS", "CREATED", "TOKENS REVOKED"}}
		for in := map[string]string{}; ; {
			var out struct {
				Accounts  []accountRow `json:"accounts"`
				NextToken string       `json:"nextToken"`
			}
			if err := s.call(ctx, "ListAccounts", in, &out); err != nil {
				return err
			}
			for _, a := range out.Accounts {
				v := a.view()
				views = append(views, v)
				t.rows = append(t.rows, []string{v.ID, v.Name, v.Alias, v.CreatedAt, v.RevokedAt})
			}
			if out.NextToken == "" {
				return s.show(views, t)
			}
			in["nextToken"] = out.NextToken
		}
	})
}
