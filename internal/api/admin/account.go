package admin

import (
	"context"
	"time"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lighteragemodel"
	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
)

// pageDefault is the size of a page that nobody chose one for.
const pageDefault = 100

func (f *front) createAccount(ctx context.Context, _ *awsjson.Call, in *lighteragemodel.CreateAccountRequest) (*lighteragemodel.CreateAccountResponse, error) {
	id := name.AccountID("")
	if in.AccountId != nil {
		id = name.AccountID(*in.AccountId)
	}
	account, key, secret, err := f.Directory.CreateAccount(ctx, id, *in.AccountName)
	if err != nil {
		return nil, err
	}
	return &lighteragemodel.CreateAccountResponse{
		Account:   new(accountOut(account)),
		AccessKey: &lighteragemodel.AccessKey{AccessKeyId: new(key.ID), SecretAccessKey: new(secret.Reveal())},
	}, nil
}

// listAccounts lists by id; a page token is the id of the account before it.
func (f *front) listAccounts(ctx context.Context, _ *awsjson.Call, in *lighteragemodel.ListAccountsRequest) (*lighteragemodel.ListAccountsResponse, error) {
	page := directory.Page[name.AccountID]{Limit: pageDefault}
	if in.MaxResults != nil {
		page.Limit = int(*in.MaxResults)
	}
	if in.NextToken != nil {
		after, err := name.ParseAccountID(*in.NextToken)
		if err != nil {
			return nil, fault.New(fault.PageTokenInvalid)
		}
		page.After = after
	}
	accounts, more, err := f.Directory.ListAccounts(ctx, page)
	if err != nil {
		return nil, err
	}
	out := &lighteragemodel.ListAccountsResponse{Accounts: []lighteragemodel.Account{}}
	for _, a := range accounts {
		out.Accounts = append(out.Accounts, accountOut(a))
	}
	if more {
		out.NextToken = new(string(accounts[len(accounts)-1].ID))
	}
	return out, nil
}

// revokeTokens is for the server's own account unless another is named.
func (f *front) revokeTokens(ctx context.Context, _ *awsjson.Call, in *lighteragemodel.RevokeTokensRequest) (*lighteragemodel.RevokeTokensResponse, error) {
	id := f.Account
	if in.AccountId != nil {
		id = name.AccountID(*in.AccountId)
	}
	account, err := f.Directory.RevokeTokens(ctx, id)
	if err != nil {
		return nil, err
	}
	return &lighteragemodel.RevokeTokensResponse{AccountId: new(string(id)), TokensRevokedAt: &account.RevokedAt}, nil
}

func accountOut(a directory.Account) lighteragemodel.Account {
	return lighteragemodel.Account{
		AccountId: new(string(a.ID)), AccountName: new(a.Name), Alias: given(a.Alias),
		CreatedAt: since(a.CreatedAt), TokensRevokedAt: since(a.RevokedAt),
	}
}

// given is an optional text, since an optional time.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func since(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
