package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Bucket is where a store in S3 is. No field holds a secret: credentials are
// found in the places of the AWS SDKs.
type Bucket struct {
	Name        string
	Prefix      string // of all keys; empty, or with a slash at its end
	Region      string // empty: that of the AWS settings
	Endpoint    string // URL; empty: AWS's own
	PathStyle   bool   // the bucket's name is in the path, not in the host name
	SSE         string // server-side encryption; empty: what the bucket does
	SSEKMSKeyID string
}

// String is the bucket as it is set.
func (b Bucket) String() string {
	q := url.Values{}
	for _, p := range []struct{ name, value string }{
		{"region", b.Region}, {"endpoint", redactURL(b.Endpoint)}, {"sse", b.SSE}, {"sse-kms-key-id", b.SSEKMSKeyID},
	} {
		if p.value != "" {
			q.Set(p.name, p.value)
		}
	}
	if b.PathStyle {
		q.Set("path-style", "true")
	}
	at := "s3://" + b.Name
	if b.Prefix != "" {
		at += "/" + strings.TrimSuffix(b.Prefix, "/")
	}
	if len(q) == 0 {
		return at
	}
	return at + "?" + q.Encode()
}

var (
	// What S3 allows as a name, and as characters of keys that need no care
	// (S3 user guide, general purpose bucket naming rules, object keys).
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	keyPrefix  = regexp.MustCompile(`^([A-Za-z0-9!_.*'()-]+/)*$`)

	bucketParameters = []string{"region", "endpoint", "path-style", "sse", "sse-kms-key-id"}
	sseKinds         = []string{"AES256", "aws:kms", "aws:kms:dsse"}
)

// parseBucket reads s3://NAME/PREFIX?region=…. It quotes nothing but names of
// parameters: somebody may have written a secret.
func parseBucket(s string) (Bucket, error) {
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" {
		return Bucket{}, errors.New("is not of the form s3://bucket/prefix?region=…")
	}
	if u.User != nil {
		return Bucket{}, errors.New("has credentials in it; they belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role")
	}
	b := Bucket{Name: u.Host, Prefix: strings.Trim(u.Path, "/")}
	if b.Prefix != "" {
		b.Prefix += "/"
	}
	if !bucketName.MatchString(b.Name) {
		return Bucket{}, errors.New("names no bucket after s3://: 3 to 63 small letters, digits, dots and hyphens")
	}
	if !keyPrefix.MatchString(b.Prefix) || len(b.Prefix) > 512 || slices.Contains(strings.Split(b.Prefix, "/"), "..") {
		return Bucket{}, errors.New("has a prefix that is not words with slashes between them, at most 512 characters")
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Fragment != "" {
		return Bucket{}, errors.New("has parameters after ? that are not name=value")
	}
	for name, values := range q {
		if !slices.Contains(bucketParameters, name) {
			return Bucket{}, fmt.Errorf("has a parameter that is none of %s%s", strings.Join(bucketParameters, ", "), didYouMean(name, bucketParameters))
		}
		if len(values) > 1 {
			return Bucket{}, fmt.Errorf("has the parameter %s twice", name)
		}
	}
	b.Region, b.Endpoint, b.SSE, b.SSEKMSKeyID = q.Get("region"), q.Get("endpoint"), q.Get("sse"), q.Get("sse-kms-key-id")
	switch q.Get("path-style") {
	case "true":
		b.PathStyle = true
	case "", "false":
	default:
		return Bucket{}, errors.New("has a path-style that is neither true nor false")
	}
	return b, b.check()
}

func (b Bucket) check() error {
	e, err := url.Parse(b.Endpoint)
	switch {
	case b.Endpoint != "" && (err != nil || e.Scheme != "https" && e.Scheme != "http" || e.Host == ""):
		return errors.New("has an endpoint that is no http or https URL")
	case b.Endpoint != "" && e.User != nil:
		return errors.New("has credentials in its endpoint; they belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role")
	case b.SSE != "" && !slices.Contains(sseKinds, b.SSE):
		return fmt.Errorf("has an sse that is none of %s", strings.Join(sseKinds, ", "))
	case b.SSEKMSKeyID != "" && !strings.HasPrefix(b.SSE, "aws:kms"):
		return errors.New("has an sse-kms-key-id without sse=aws:kms")
	}
	return nil
}
