package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
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

// payload is the body of a signed request. Its hash is part of the signature
// and is made once, however often the payload is sent.
type payload struct {
	parts [][]byte // sent one after the other
	hash  string
}

func newPayload(parts ...[]byte) payload {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return payload{parts, hex.EncodeToString(h.Sum(nil))}
}

// input is the payload of an operation's members.
func input(members map[string]any) payload {
	b, _ := json.Marshal(members)
	return newPayload(b)
}

func (p payload) length() (n int64) {
	for _, part := range p.parts {
		n += int64(len(part))
	}
	return n
}

func (p payload) reader() io.Reader {
	var readers []io.Reader
	for _, part := range p.parts {
		readers = append(readers, bytes.NewReader(part))
	}
	return io.MultiReader(readers...)
}

// awsClient signs requests of the ECR API. It does without the SDK's client,
// whose own work would be a good part of what is measured.
type awsClient struct {
	keys   aws.Credentials
	region string
	signer *v4.Signer
}

func newAWSClient(k keys) *awsClient {
	return &awsClient{aws.Credentials{AccessKeyID: k.id, SecretAccessKey: k.secret}, k.region, v4.NewSigner()}
}

const ecrTarget = "AmazonEC2ContainerRegistry_V20150921."

// call sends one signed operation and decodes its answer into out, unless that
// is nil.
func (g *registry) call(ctx context.Context, operation string, in payload, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.base.String()+"/", in.reader())
	if err != nil {
		return err
	}
	req.ContentLength = in.length()
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(in.reader()), nil }
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", ecrTarget+operation)
	if err := g.aws.signer.SignHTTP(ctx, g.aws.keys, req, in.hash, "ecr", g.aws.region, time.Now()); err != nil {
		return fmt.Errorf("sign %s: %w", operation, err)
	}
	g.requests.Add(1)
	resp, err := g.http.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	defer drain(resp)
	if err := expect(resp, http.StatusOK); err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<20)).Decode(out); err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	return nil
}
