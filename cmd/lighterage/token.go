package main

import (
	"context"

	"github.com/spf13/cobra"
)

func newToken() *cobra.Command {
	return group("token", "End registry tokens and sessions", newTokenRevoke)
}

func newTokenRevoke(r *remote) *cobra.Command {
	var account string
	cmd := r.command("revoke", "End every registry login and session of an account that was issued until now", nil,
		func(ctx context.Context, s *session, _ []string) error {
			in := map[string]string{}
			if account != "" {
				in["accountId"] = account
			}
			var out accountRow
			if err := s.call(ctx, "RevokeTokens", in, &out); err != nil {
				return err
			}
			view := struct {
				ID        string `json:"accountId"`
				RevokedAt string `json:"tokensRevokedAt"`
			}{out.ID, timeOf(seconds(out.RevokedAt))}
			return s.show(view, table{rows: [][]string{{"account", view.ID}, {"tokens revoked", view.RevokedAt}}})
		})
	cmd.Flags().StringVar(&account, "account", "", "12 `digits` (default: the server's own account)")
	return cmd
}
