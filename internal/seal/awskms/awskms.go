// Package awskms keeps a master key wrapped by a key of AWS KMS, so that the
// catalogue holds it and only who may use the KMS key can read it.
//
//  1. The KMS key never leaves KMS, and the master key is not sent anywhere
//     else: what is stored is KMS's ciphertext.
//  2. What is wrapped is bound to its use by an encryption context, which KMS
//     logs and checks.
//  3. KMS is asked at the start only, and for a bounded time.
//  4. An error says in one sentence whether KMS refuses, does not answer, or
//     cannot be asked for want of settings.
//
// Credentials are those of the AWS SDKs: environment, profile, container or
// machine role.
package awskms

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// patience is how long one question to KMS may take, with its retries.
const patience = 30 * time.Second

// Config is what a Vault is built from.
type Config struct {
	Key      string // ARN, id, or alias/name of a symmetric key
	Region   string // the ARN's, else that of the AWS settings, if empty
	Endpoint string // URL; AWS's own if empty
}

// Vault wraps with one KMS key. Its methods are safe for concurrent use.
type Vault struct {
	key    string
	place  string // of the service, for errors
	client *kms.Client
}

// encryptionContext is what every wrapped text is bound to.
func encryptionContext() map[string]string {
	return map[string]string{"purpose": "lighterage master key"}
}

// New returns a vault. It looks for AWS settings and credentials, and an error
// says which are missing or cannot be used; KMS is not asked yet.
func New(ctx context.Context, c Config) (*Vault, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var options []func(*awsconfig.LoadOptions) error
	if c.Region == "" {
		c.Region = regionOf(c.Key)
	}
	if c.Region != "" {
		options = append(options, awsconfig.WithRegion(c.Region))
	}
	settings, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("cannot read the AWS settings for KMS key %s: %w", c.Key, err)
	}
	if settings.Region == "" {
		return nil, fmt.Errorf("the region of KMS key %s is not known; add ?region=… or set AWS_REGION", c.Key)
	}
	if _, err := settings.Credentials.Retrieve(ctx); err != nil {
		return nil, fmt.Errorf("there are no AWS credentials for KMS key %s; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine or container a role (%w)", c.Key, err)
	}
	place := "KMS in " + settings.Region
	if c.Endpoint != "" {
		u, err := url.Parse(c.Endpoint)
		if err != nil {
			return nil, fmt.Errorf("the endpoint of KMS key %s is no URL", c.Key)
		}
		place = "KMS at " + u.Redacted()
	}
	return &Vault{c.Key, place, kms.NewFromConfig(settings, func(o *kms.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
	})}, nil
}

// regionOf is the region of an ARN, or empty.
func regionOf(key string) string {
	if parts := strings.Split(key, ":"); len(parts) >= 6 && parts[0] == "arn" {
		return parts[3]
	}
	return ""
}

// Wrap returns text as only Unwrap can read it, and the id of the key that
// wrapped it: the same for all spellings of the key, and for all regions of a
// multi-Region key.
func (v *Vault) Wrap(ctx context.Context, text string) (wrapped []byte, keyID string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := v.client.Encrypt(ctx, &kms.EncryptInput{
		KeyId: aws.String(v.key), Plaintext: []byte(text), EncryptionContext: encryptionContext(),
	})
	if err != nil {
		return nil, "", v.explain("encrypt", err)
	}
	keyARN := aws.ToString(out.KeyId)
	id := keyARN[strings.LastIndexByte(keyARN, '/')+1:]
	if id == "" || len(out.CiphertextBlob) == 0 {
		return nil, "", v.explain("encrypt", errors.New("its answer names no key, or holds nothing"))
	}
	return out.CiphertextBlob, id, nil
}

// Unwrap returns what Wrap was given. KMS refuses what another key wrapped.
func (v *Vault) Unwrap(ctx context.Context, wrapped []byte) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := v.client.Decrypt(ctx, &kms.DecryptInput{
		KeyId: aws.String(v.key), CiphertextBlob: wrapped, EncryptionContext: encryptionContext(),
	})
	if err != nil {
		return "", v.explain("decrypt", err)
	}
	return string(out.Plaintext), nil
}
