package s3

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/lighterage/lighterage/internal/name"
)

// The bounds of the connections.
const (
	workers   = 64  // connections that write and ask
	streams   = 512 // connections that are read from, as fast as clients read
	dialing   = 5 * time.Second
	answering = 30 * time.Second // until an answer begins
	tries     = 4
	backoff   = 3 * time.Second // see Config
)

// Open returns the store of a bucket, after it has asked S3 whether the bucket
// can be read and written. It looks for AWS settings and credentials in the
// places of the AWS SDKs: environment, profile, container or machine role. An
// error is one sentence that says what is missing or what S3 refuses.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Backoff == 0 {
		c.Backoff = backoff
	}
	settings, err := settings(ctx, &c)
	if err != nil {
		return nil, err
	}
	s := &Store{Config: c, pool: newPool(), writers: map[name.Location]*upload{}}
	s.life, s.end = context.WithCancel(context.Background())
	s.client = s.newClient(settings, workers)
	s.streams = s.newClient(settings, streams)
	s.signer = s3.NewPresignClient(s.client)
	if err := s.check(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func settings(ctx context.Context, c *Config) (aws.Config, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var options []func(*awsconfig.LoadOptions) error
	if c.Region != "" {
		options = append(options, awsconfig.WithRegion(c.Region))
	}
	settings, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return settings, fmt.Errorf("cannot read the AWS settings for bucket %s: %w", c.Bucket, err)
	}
	if settings.Region == "" && c.Endpoint != "" {
		settings.Region = "us-east-1" // servers that are not AWS's want any
	}
	if settings.Region == "" {
		return settings, fmt.Errorf("the region of bucket %s is not known; add ?region=… or set AWS_REGION", c.Bucket)
	}
	c.Region = settings.Region
	if _, err := settings.Credentials.Retrieve(ctx); err != nil {
		return settings, fmt.Errorf("there are no AWS credentials for bucket %s; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine or container a role (%w)", c.Bucket, err)
	}
	return settings, nil
}

// newClient returns a client with connections of its own: reads that last must
// not keep a write waiting.
func (s *Store) newClient(settings aws.Config, connections int) *s3.Client {
	dialer := &net.Dialer{Timeout: dialing, KeepAlive: 30 * time.Second}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, ForceAttemptHTTP2: false,
		TLSHandshakeTimeout: 2 * dialing, ResponseHeaderTimeout: answering, ExpectContinueTimeout: time.Second,
		MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections, MaxIdleConns: connections, IdleConnTimeout: 90 * time.Second,
		DisableCompression: true,
	}
	s.idle = append(s.idle, transport)
	return s3.NewFromConfig(settings, func(o *s3.Options) {
		o.HTTPClient = &http.Client{Transport: transport}
		o.UsePathStyle = s.PathStyle
		if s.Endpoint != "" {
			o.BaseEndpoint = aws.String(s.Endpoint)
		}
		// The sums that we send are our own; trailing ones are not known
		// everywhere.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = tries
			o.MaxBackoff = s.Backoff
			o.RateLimiter = ratelimit.None // each call has its own bound
		})
	})
}

// Place is the bucket as errors and logs name it.
func (c Config) Place() string {
	at := "s3://" + c.Bucket + "/" + c.Prefix
	if c.Endpoint == "" {
		return at
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil {
		return at
	}
	return at + " at " + u.Redacted()
}

// probe is the object that tells whether the bucket can be written.
const probe = "lighterage-probe"

// check writes a little object.
func (s *Store) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answering)
	defer cancel()
	body := []byte("lighterage\n")
	err := s.fault(ctx, "write", s.putObject(ctx, s.Prefix+probe, body, sha256.Sum256(body), nil))
	if err != nil {
		return fmt.Errorf("layer store %w", err)
	}
	return nil
}
