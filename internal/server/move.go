package server

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/lighterage/lighterage/internal/backup"
	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/move"
)

// Told is told how a move or restore goes: what is done now, and how much of it.
type Told func(act string, done, all int64)

// Moved is what has come into a new store.
type Moved struct {
	Rows, Blobs, Bytes int64
	Keys               []string        // files of the data directory that came along
	Lost               []backup.Damage // bytes that the source did not have as it should
}

// MoveOptions is what a move or restore needs. Every field but Prepare, which is
// not used, must be set.
type MoveOptions struct {
	StoreOptions
	Told Told
	// Damaged goes on without bytes that are missing or wrong: their layers are
	// absent until they are pushed again.
	Damaged bool
}

// Move makes a new store of all that a stopped one has. The source stays as it
// is, but for its schema, which is brought up to date as by any start. A move
// that was cut short goes on when it is called again. Its errors are *StoreError.
func Move(ctx context.Context, from, to config.Config, o MoveOptions) (Moved, error) {
	if !config.Exists(from.DataDir) && from.Database.Scheme == "sqlite" && !config.Exists(from.Database.Path) {
		return Moved{}, &StoreError{fmt.Errorf("there is no store in %s", from.DataDir)}
	}
	if from.Database.Scheme == "sqlite" && !config.Exists(from.Database.Path) {
		return Moved{}, &StoreError{fmt.Errorf("there is no catalogue %s", from.Database.Path)}
	}
	source, err := OpenStores(ctx, from, o.StoreOptions)
	if err != nil {
		return Moved{}, err
	}
	defer source.undo() // it was only read
	moved, err := take(ctx, source.Catalogue(), move.Store{Store: source.Blobs}, to, o)
	if err != nil {
		return moved, err
	}
	if moved.Keys, err = config.CopyKeys(from.DataDir, to.DataDir); err != nil {
		return moved, &StoreError{err}
	}
	return moved, nil
}

// BackupSource is a backup and where its layers are.
type BackupSource struct {
	Dir string
	// Storage is the layer store of a backup by reference; nil: it is by copy.
	Storage *config.Place
}

// restoreFile is the backup's catalogue, in the data directory while it is read:
// the backup itself may be on a medium that cannot be written.
const restoreFile = "restore.db"

// Restore makes a new store of a backup. A restore that was cut short goes on
// when it is called again. Its errors are *StoreError.
func Restore(ctx context.Context, from BackupSource, to config.Config, o MoveOptions) (backup.Manifest, Moved, error) {
	b, source, end, err := from.open(ctx, o.StoreOptions)
	if err != nil {
		return backup.Manifest{}, Moved{}, &StoreError{err}
	}
	defer end()
	lock, err := config.Lock(to.DataDir + ".restore")
	if err != nil {
		return b.Manifest, Moved{}, &StoreError{err}
	}
	defer lock.Undo() // what is made in it goes before
	path := filepath.Join(to.DataDir+".restore", restoreFile)
	if err := b.CopyCatalogue(ctx, path); err != nil {
		return b.Manifest, Moved{}, &StoreError{err}
	}
	defer backup.Drop(path) // the next run would, too
	catalogue, err := sqlstore.OpenSQLite(ctx, path, o.catalogue())
	if err != nil {
		return b.Manifest, Moved{}, &StoreError{fmt.Errorf("the backup's catalogue: %w", err)}
	}
	defer catalogue.Close() // it was only read
	moved, err := take(ctx, catalogue, source, to, o)
	return b.Manifest, moved, err
}

// CheckBackup reads all that a backup has, and returns what is not as it should
// be. Its errors are *StoreError.
func CheckBackup(ctx context.Context, from BackupSource, o MoveOptions) (backup.Manifest, []backup.Damage, error) {
	b, source, end, err := from.open(ctx, o.StoreOptions)
	if err != nil {
		return backup.Manifest{}, nil, &StoreError{err}
	}
	defer end()
	blobs := int64(0)
	damaged, err := b.Verify(ctx, source, func(n, _ int64) {
		blobs += n
		o.Told("checking layers", blobs, b.Blobs)
	})
	if err != nil {
		return b.Manifest, damaged, &StoreError{err}
	}
	return b.Manifest, damaged, nil
}

func (f BackupSource) open(ctx context.Context, o StoreOptions) (*backup.Backup, move.Source, func(), error) {
	b, err := backup.Open(ctx, f.Dir)
	if err != nil {
		return nil, nil, nil, err
	}
	if b.Mode == backup.Copy {
		return b, b.Source(), func() {}, nil
	}
	switch {
	case f.Storage == nil:
		return nil, nil, nil, fmt.Errorf("the backup only refers to its layers, which were in %s; name their store", b.Storage)
	case f.Storage.Scheme == "file" && !config.Exists(f.Storage.Path):
		return nil, nil, nil, fmt.Errorf("there is no layer store %s", f.Storage.Path)
	}
	blobs, err := openBlobs(ctx, *f.Storage, o)
	if err != nil {
		return nil, nil, nil, err
	}
	return b, move.Store{Store: blobs}, func() { blobs.Close() }, nil
}

func (o StoreOptions) catalogue() sqlstore.Options {
	return sqlstore.Options{Clock: o.Clock, Logger: o.Logger, Fatal: o.Fatal}
}

// take fills a new store with all of a source's content. The copy is the same
// store in its next generation: what belongs to the source does not belong to it.
func take(ctx context.Context, from *sqlstore.Store, bytes move.Source, to config.Config, o MoveOptions) (m Moved, err error) {
	id, generation, err := from.Identity(ctx)
	if err != nil {
		return m, &StoreError{err}
	}
	open := o.StoreOptions
	open.Prepare = func(ctx context.Context, s *sqlstore.Store) error {
		err := s.BeginCopy(ctx, id, generation+1)
		if errors.Is(err, sqlstore.ErrOtherContent) {
			return fmt.Errorf("the catalogue to fill %w", err)
		}
		return err
	}
	target, err := OpenStores(ctx, to, open)
	if err != nil {
		return m, err
	}
	defer func() {
		if closed := target.Close(); closed != nil && err == nil {
			err = &StoreError{closed}
		}
	}()
	if err := m.fill(ctx, from, bytes, target.Catalogue(), target.Blobs, o); err != nil {
		return m, &StoreError{err}
	}
	return m, nil
}

func (m *Moved) fill(ctx context.Context, from *sqlstore.Store, bytes move.Source, to *sqlstore.Store, blobs blob.Store, o MoveOptions) error {
	counts, err := from.RowCounts(ctx)
	if err != nil {
		return err
	}
	all := int64(0)
	for _, n := range counts {
		all += n
	}
	if err := sqlstore.CopyRows(ctx, from, to, func(table string, rows int64) { o.Told("copying rows: "+table, rows, all) }); err != nil {
		return fmt.Errorf("copy the catalogue: %w", err)
	}
	o.Told("comparing rows", 0, all)
	if m.Rows, err = sqlstore.CompareRows(ctx, from, to); err != nil {
		return fmt.Errorf("compare the catalogues: %w", err)
	}
	if m.Blobs, m.Bytes, err = from.BlobTotals(ctx); err != nil {
		return err
	}
	done := int64(0)
	err = move.Blobs(ctx, move.Config{
		To: to, Bytes: blobs, Source: bytes,
		Told: func(n, _ int64) {
			done += n
			o.Told("copying layers", done, m.Blobs)
		},
		Damaged: func(b meta.Blob, why error) error {
			if !o.Damaged {
				return fmt.Errorf("%s: %w", b.Digest, why)
			}
			m.Lost = append(m.Lost, backup.Damage{Digest: b.Digest, Problem: why.Error()})
			return nil
		},
	})
	if err != nil {
		return fmt.Errorf("copy layers: %w", err)
	}
	return to.EndCopy(ctx)
}
