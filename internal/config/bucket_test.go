package config_test

import (
	"testing"

	"github.com/lighterage/lighterage/internal/config"
)

func TestStorageInABucket(t *testing.T) {
	for _, c := range []struct {
		name, given string
		want        config.Bucket
		shown       string
		fault       string
	}{
		{"a bucket alone", "s3://layers", config.Bucket{Name: "layers"}, "s3://layers", ""},
		{"a prefix", "s3://layers/a/b.c/?region=eu-west-1", config.Bucket{Name: "layers", Prefix: "a/b.c/", Region: "eu-west-1"}, "s3://layers/a/b.c?region=eu-west-1", ""},
		{"a server that is not AWS's", "s3://layers?endpoint=http://127.0.0.1:9000&path-style=true", config.Bucket{Name: "layers", Endpoint: "http://127.0.0.1:9000", PathStyle: true}, "s3://layers?endpoint=http%3A%2F%2F127.0.0.1%3A9000&path-style=true", ""},
		{"encryption by a key", "s3://layers?sse=aws:kms&sse-kms-key-id=alias/a", config.Bucket{Name: "layers", SSE: "aws:kms", SSEKMSKeyID: "alias/a"}, "s3://layers?sse=aws%3Akms&sse-kms-key-id=alias%2Fa", ""},
		{"no bucket", "s3://", config.Bucket{}, "", "names no bucket after s3://: 3 to 63 small letters, digits, dots and hyphens"},
		{"no slashes", "s3:layers", config.Bucket{}, "", "is not of the form s3://bucket/prefix?region=…"},
		{"a name that is none", "s3://Layers", config.Bucket{}, "", "names no bucket after s3://: 3 to 63 small letters, digits, dots and hyphens"},
		{"credentials", "s3://AKIA:secret@layers", config.Bucket{}, "", "has credentials in it; they belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role"},
		{"credentials in the endpoint", "s3://layers?endpoint=http://a:b@host", config.Bucket{}, "", "has credentials in its endpoint; they belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role"},
		{"a parameter that is unknown", "s3://layers?regoin=x", config.Bucket{}, "", "has a parameter that is none of region, endpoint, path-style, sse, sse-kms-key-id; did you mean region?"},
		{"a parameter twice", "s3://layers?region=a&region=b", config.Bucket{}, "", "has the parameter region twice"},
		{"an endpoint that is none", "s3://layers?endpoint=localhost", config.Bucket{}, "", "has an endpoint that is no http or https URL"},
		{"a path style that is neither", "s3://layers?path-style=yes", config.Bucket{}, "", "has a path-style that is neither true nor false"},
		{"an encryption that is unknown", "s3://layers?sse=rot13", config.Bucket{}, "", "has an sse that is none of AES256, aws:kms, aws:kms:dsse"},
		{"a key without its encryption", "s3://layers?sse=AES256&sse-kms-key-id=a", config.Bucket{}, "", "has an sse-kms-key-id without sse=aws:kms"},
		{"a prefix that climbs", "s3://layers/a/../b", config.Bucket{}, "", "has a prefix that is not words with slashes between them, at most 512 characters"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := load(t, "", nil, []string{"--storage=" + c.given})
			if c.fault != "" {
				if want := "storage (from --storage): " + c.fault; err == nil || err.Error() != want {
					t.Errorf("got %v, want %s", err, want)
				}
				return
			}
			if err != nil || got.Storage != (config.Place{Scheme: "s3", Bucket: c.want}) {
				t.Fatalf("got %v, %v; want %v", got.Storage, err, c.want)
			}
			if shown := got.Redacted()["storage"]; shown != c.shown {
				t.Errorf("shown as %s, want %s", shown, c.shown)
			}
		})
	}
}

func TestOnlyABucketRedirects(t *testing.T) {
	_, err := load(t, "", nil, []string{"--redirect"})
	if want := "redirect (from --redirect): only layers in a bucket can be read there: it needs storage s3://…"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if c, err := load(t, "", nil, []string{"--redirect", "--storage=s3://layers"}); err != nil || !c.Redirect {
		t.Errorf("with a bucket: %v, %v", c.Redirect, err)
	}
}
