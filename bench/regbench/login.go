package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
)

// as makes another client of the same registry, with its own login.
func (g *registry) as(k keys) *registry {
	return &registry{base: g.base, http: g.http, keys: k, aws: newAWSClient(k)}
}

// login exchanges the keys for a registry token, once.
func (g *registry) login(ctx context.Context) error {
	if g.keys.id == "" || g.authorization != "" {
		return nil
	}
	token, err := g.authorizationToken(ctx, input(map[string]any{}))
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	// The token is already what Basic carries: base64 of AWS:password.
	if plain, err := base64.StdEncoding.DecodeString(token); err != nil || !strings.HasPrefix(string(plain), "AWS:") {
		return fmt.Errorf("log in: the token is not base64 of AWS:password")
	}
	g.authorization = "Basic " + token
	return nil
}

func (g *registry) authorizationToken(ctx context.Context, in payload) (string, error) {
	var answer struct {
		AuthorizationData []struct{ AuthorizationToken string }
	}
	if err := g.call(ctx, "GetAuthorizationToken", in, &answer); err != nil {
		return "", err
	}
	if len(answer.AuthorizationData) != 1 {
		return "", fmt.Errorf("%d tokens in the answer", len(answer.AuthorizationData))
	}
	return answer.AuthorizationData[0].AuthorizationToken, nil
}
