package s3_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/blob/blobtest"
	"github.com/lighterage/lighterage/internal/blob/s3"
	"github.com/lighterage/lighterage/internal/blob/s3/s3server"
)

// settle gives the test the AWS settings of the servers, and then others.
func settle(t *testing.T, more ...string) {
	t.Helper()
	for _, line := range append(s3server.Environ(t.TempDir()), more...) {
		name, value, _ := strings.Cut(line, "=")
		t.Setenv(name, value)
	}
}

func config(s *s3server.Server, bucket string) s3.Config {
	return s3.Config{Bucket: bucket, Prefix: "layers/", Region: s3server.Region, Endpoint: s.Endpoint, PathStyle: true, Backoff: 10 * time.Millisecond}
}

func contract(t *testing.T, s *s3server.Server) {
	blobtest.Run(t, func(t *testing.T) blobtest.Opener {
		c := config(s, s.NewBucket(t))
		return func() (blob.Store, error) { return s3.Open(t.Context(), c) }
	})
}

func TestContractOnVersitygw(t *testing.T) {
	settle(t)
	contract(t, s3server.Versitygw(t))
}

func TestContractOnMinio(t *testing.T) {
	settle(t)
	contract(t, s3server.Minio(t))
}
