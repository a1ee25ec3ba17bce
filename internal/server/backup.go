package server

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"time"

	"github.com/lighterage/lighterage/internal/backup"
	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/gc"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/move"
)

var errNoSnapshots = errors.New("this catalogue cannot be copied while it is used")

// backups runs backups of the stores; Parts.Catalogue is what is read.
func backups(p Parts) *backup.Runner {
	return backup.New(backup.Config{
		Take: func(ctx context.Context, path string) (backup.Snapshot, error) {
			if p.Catalogue == nil {
				return nil, errNoSnapshots
			}
			s, err := p.Catalogue.Snapshot(ctx, path, sqlstore.Options{Clock: p.Clock, Logger: p.Logger})
			if err != nil {
				return nil, err
			}
			return s, nil
		},
		Bytes:   move.Store{Store: p.Blobs},
		Storage: storageText(p.Config),
		Hold:    func(ctx context.Context, until time.Time) error { return gc.Hold(ctx, p.Meta, until) },
		Release: func(ctx context.Context, until time.Time) error { return gc.Release(ctx, p.Meta, until) },
		Lock:    func(dir string) (io.Closer, error) { return config.Lock(dir) },
		Clock:   p.Clock,
		Logger:  p.Logger,
	})
}

// storageText is where the layers are, for people.
func storageText(c config.Config) string {
	if c.Storage.Scheme != "file" {
		return c.Redacted()["storage"]
	}
	path, err := filepath.Abs(c.Storage.Path)
	if err != nil {
		path = c.Storage.Path
	}
	return "file:" + path
}
