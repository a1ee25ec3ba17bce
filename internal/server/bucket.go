package server

import (
	"context"
	"time"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/config"
)

// sweepMargin is how much longer than any upload lives what it left behind in
// a bucket stays: clocks differ, and --upload-ttl may have been longer.
const sweepMargin = 24 * time.Hour

// sweepUploads takes away what uploads left behind in a layer store that no
// location names. An upload has its row before it has anything in the store,
// and ends no later than the row.
func (s *Server) sweepUploads(ctx context.Context) error {
	store, ok := s.parts.Blobs.(blob.Sweeper)
	if !ok {
		return nil
	}
	n, err := store.Sweep(ctx, s.parts.Clock().Add(-s.parts.Config.UploadTTL-sweepMargin))
	if n > 0 {
		s.parts.Logger.Info("swept what uploads left behind", "objects", n)
	}
	return err
}

// bootID names what unsynced bytes of layers depend on: the machine's boot, or
// for a bucket nothing, since it has no such bytes.
func bootID(p Parts) string {
	if p.Config.Storage.Scheme == "s3" {
		return ""
	}
	return p.BootID
}

// redirectFor is how long the addresses of layers in a bucket are valid; 0: nobody
// is sent there.
func redirectFor(c config.Config) time.Duration {
	if !c.Redirect {
		return 0
	}
	return downloadTTL
}
