package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// keys are AWS credentials; the zero value is a registry without a login.
type keys struct {
	id, secret, region string
}

func keysFromEnv() keys {
	region := os.Getenv("AWS_REGION")
	if region == "" {
		region = "us-east-1"
	}
	return keys{os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), region}
}

// login exchanges the keys for a registry token, once.
func (g *registry) login(ctx context.Context) error {
	if g.keys.id == "" || g.authorization != "" {
		return nil
	}
	const body = "{}"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.base.String()+"/", bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken")
	sum := sha256.Sum256([]byte(body))
	creds := aws.Credentials{AccessKeyID: g.keys.id, SecretAccessKey: g.keys.secret}
	if err := v4.NewSigner().SignHTTP(ctx, creds, req, hex.EncodeToString(sum[:]), "ecr", g.keys.region, time.Now()); err != nil {
		return fmt.Errorf("sign the login: %w", err)
	}
	resp, err := g.http.Do(req)
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	defer drain(resp)
	if err := expect(resp, http.StatusOK); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	var answer struct {
		AuthorizationData []struct{ AuthorizationToken string }
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	if len(answer.AuthorizationData) != 1 {
		return fmt.Errorf("log in: %d tokens in the answer", len(answer.AuthorizationData))
	}
	// The token is already what Basic carries: base64 of AWS:password.
	token := answer.AuthorizationData[0].AuthorizationToken
	if plain, err := base64.StdEncoding.DecodeString(token); err != nil || !strings.HasPrefix(string(plain), "AWS:") {
		return fmt.Errorf("log in: the token is not base64 of AWS:password")
	}
	g.authorization = "Basic " + token
	return nil
}
