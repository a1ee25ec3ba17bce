package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/blob/disk"
	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
)

// StoreError is a store or directory that cannot be used.
type StoreError struct{ Err error }

// Error is one line.
func (e *StoreError) Error() string { return strings.Join(strings.Fields(e.Err.Error()), " ") }

// Unwrap returns the cause.
func (e *StoreError) Unwrap() error { return e.Err }

// Stores is the two stores with the locks on their directories and database.
type Stores struct {
	Meta  meta.Store
	Blobs blob.Store

	directories []*config.DirectoryLock
	database    io.Closer // nil: the database is in a directory
}

// StoreOptions is what stores need beside the configuration. Every field must
// be set.
type StoreOptions struct {
	Clock  func() time.Time
	Logger *slog.Logger
	// Fatal is told that nobody can say any more what is durable, or that
	// another server has taken the database. The process must end.
	Fatal func(error)
}

// OpenStores locks the stores' directories and database, opens them, and makes sure that
// they belong together. Its errors are *StoreError; then a directory that was not
// there before is not there after, unless something was made in it.
func OpenStores(ctx context.Context, c config.Config, o StoreOptions) (*Stores, error) {
	s := &Stores{}
	if err := s.open(ctx, c, o); err != nil {
		s.undo()
		return nil, &StoreError{err}
	}
	return s, nil
}

// Close closes the stores and lets their directories and database go.
func (s *Stores) Close() error {
	failed := s.release()
	for _, l := range slices.Backward(s.directories) {
		failed = errors.Join(failed, l.Close())
	}
	return failed
}

// undo is Close where there is another error to tell; Close after it does
// nothing.
func (s *Stores) undo() {
	_ = s.release()
	for _, l := range slices.Backward(s.directories) {
		_ = l.Undo()
	}
	*s = Stores{}
}

// release closes all but the directories.
func (s *Stores) release() error {
	var failed error
	if s.Blobs != nil {
		failed = errors.Join(failed, s.Blobs.Close())
	}
	if s.Meta != nil {
		failed = errors.Join(failed, s.Meta.Close())
	}
	if s.database != nil {
		failed = errors.Join(failed, s.database.Close())
	}
	return failed
}

func (s *Stores) open(ctx context.Context, c config.Config, o StoreOptions) error {
	for _, dir := range directories(c) {
		l, err := config.Lock(dir)
		if err != nil {
			return err
		}
		s.directories = append(s.directories, l)
	}
	if c.Database.Scheme == "postgres" {
		l, err := sqlstore.HoldPostgres(ctx, c.Database.URL.Reveal(), o.Logger, o.Fatal)
		if err != nil {
			return err
		}
		s.database = l
	}
	db, err := openMeta(ctx, c.Database, sqlstore.Options{Clock: o.Clock, Logger: o.Logger, Fatal: o.Fatal, AllowUnsafePostgres: c.AllowUnsafePostgres})
	if err != nil {
		return err
	}
	s.Meta = db
	id, at, err := s.identity(ctx)
	if err != nil {
		return fmt.Errorf("read the database's identity: %w", err)
	}
	if at != nil && !config.Exists(c.Storage.Path) {
		return fmt.Errorf("layer store %s %w", c.Storage.Path, errStranger)
	}
	blobs, err := disk.Open(c.Storage.Path, disk.Options{Fatal: o.Fatal, Logger: o.Logger})
	if err != nil {
		return err
	}
	s.Blobs = blobs
	return s.bind(ctx, c, id, at)
}

// directories are those that one server has for itself: the data directory,
// and those of stores that lie outside it.
func directories(c config.Config) []string {
	dirs := []string{c.DataDir}
	if c.Database.Scheme == "sqlite" {
		dirs = append(dirs, filepath.Dir(c.Database.Path))
	}
	dirs = append(dirs, c.Storage.Path)
	var out []string
	for _, d := range dirs {
		in, err := filepath.Rel(c.DataDir, d)
		if inside := err == nil && filepath.IsLocal(in); len(out) == 0 || !inside && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out
}

func openMeta(ctx context.Context, p config.Place, o sqlstore.Options) (meta.Store, error) {
	switch p.Scheme {
	case "sqlite":
		if err := config.Private(p.Path); err != nil {
			return nil, err
		}
		return sqlstore.OpenSQLite(ctx, p.Path, o)
	case "postgres":
		return sqlstore.OpenPostgres(ctx, p.URL.Reveal(), o)
	}
	return nil, fmt.Errorf("no metadata store is called %q", p.Scheme)
}

// witness is the purpose under which the metadata store keeps the location of
// a blob that proves which blob store is its own. Claim alone would take an
// empty directory, such as a volume that is not mounted, for the store.
const witness = "blob-store-witness"

var errStranger = errors.New("is not the one that belongs to the database: it is empty or not there, another one's, or not mounted")

// identity returns what the metadata store calls itself, and the location of
// its witness, nil if it has none.
func (s *Stores) identity(ctx context.Context) (id string, at []byte, err error) {
	err = s.Meta.View(ctx, func(tx meta.Tx) error {
		store, generation, err := tx.Identity()
		id = fmt.Sprintf("%s %d", store, generation)
		if err != nil {
			return err
		}
		if at, err = tx.Secret(witness); errors.Is(err, meta.ErrNotFound) {
			return nil
		}
		return err
	})
	return id, at, err
}

// bind refuses two stores of which one belongs to another, or was restored
// without the other; two new ones it binds to each other.
func (s *Stores) bind(ctx context.Context, c config.Config, id string, at []byte) error {
	if at != nil {
		r, err := s.Blobs.Open(ctx, name.Location(at))
		if errors.Is(err, blob.ErrNotFound) {
			return fmt.Errorf("layer store %s %w", c.Storage.Path, errStranger)
		}
		if err != nil {
			return fmt.Errorf("layer store %s: %w", c.Storage.Path, err)
		}
		r.Close()
	}
	recorded, err := s.Blobs.Claim(ctx, id)
	if err != nil {
		return err
	}
	if recorded != id {
		return fmt.Errorf("layer store %s %w (it says %q, the database %q)", c.Storage.Path, errStranger, recorded, id)
	}
	if at != nil {
		return nil
	}
	return s.placeWitness(ctx, id)
}

// placeWitness writes the blob first: a crash in between leaves a few bytes
// and no claim that they exist.
func (s *Stores) placeWitness(ctx context.Context, id string) error {
	at := s.Blobs.NewLocation()
	u, err := s.Blobs.Create(ctx, at)
	if err != nil {
		return err
	}
	defer u.Close()
	if _, err := io.WriteString(u, id); err != nil {
		return err
	}
	if err := u.Seal(ctx); err != nil {
		return err
	}
	err = s.Meta.Update(ctx, func(tx meta.Tx) error { return tx.PutSecret(witness, []byte(at)) })
	if errors.Is(err, meta.ErrExists) { // another replica was first
		return s.Blobs.Remove(ctx, at)
	}
	return err
}
