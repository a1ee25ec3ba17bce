package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/lighterage/lighterage/internal/transfer"
)

// login keeps a registry login, and gets another one before it ends.
type login struct {
	client   *ecr.Client
	registry []string // whose, if not the caller's own

	mu       sync.Mutex
	header   string
	endpoint string
	renew    time.Time
}

// get returns the header and the registry's address.
func (l *login) get(ctx context.Context) (header, endpoint string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Before(l.renew) {
		return l.header, l.endpoint, nil
	}
	out, err := l.client.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{RegistryIds: l.registry})
	if err != nil {
		return "", "", fmt.Errorf("log in: %w", err)
	}
	if len(out.AuthorizationData) == 0 || out.AuthorizationData[0].ExpiresAt == nil {
		return "", "", errors.New("log in: the answer has no login")
	}
	a := out.AuthorizationData[0]
	l.header, l.endpoint = "Basic "+aws.ToString(a.AuthorizationToken), aws.ToString(a.ProxyEndpoint)
	l.renew = now.Add(a.ExpiresAt.Sub(now) / 2)
	return l.header, l.endpoint, nil
}

func (l *login) authorization(ctx context.Context) (string, error) {
	header, _, err := l.get(ctx)
	return header, err
}

// registry is the server's registry, spoken to with a login of the session's.
func (s *session) registry(jobs int) (*transfer.Remote, error) {
	a := transfer.Access{URL: s.endpoint, Jobs: jobs, Only: true, Authorization: (&login{client: s.ecr()}).authorization}
	if c, ok := s.aws.HTTPClient.(*awshttp.BuildableClient); ok {
		a.Transport = c.GetTransport() // it trusts the CA that the session trusts
	}
	return transfer.NewRemote(a)
}
