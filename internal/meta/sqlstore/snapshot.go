package sqlstore

import (
	"context"
	"errors"
	"fmt"
)

// Snapshot writes one moment of the catalogue to a new SQLite file, while others
// read and write, and opens it. The one file has all of it when the snapshot is
// closed.
func (s *Store) Snapshot(ctx context.Context, path string, o Options) (*Store, error) {
	if err := s.writeSnapshot(ctx, path, o); err != nil {
		return nil, fmt.Errorf("write a snapshot of the catalogue: %w", err)
	}
	return OpenSQLite(ctx, path, o)
}

func (s *Store) writeSnapshot(ctx context.Context, path string, o Options) error {
	if e, ok := s.engine.(*sqliteEngine); ok {
		s.gate.RLock()
		defer s.gate.RUnlock()
		if err := s.ready(ctx); err != nil {
			return err
		}
		conn, err := e.db.Conn(ctx) // its own: a statement that ctx ends takes no other along
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
			return (&sqliteSession{}).translate("VACUUM INTO", err)
		}
		return nil
	}
	to, err := OpenSQLite(ctx, path, o)
	if err != nil {
		return err
	}
	return errors.Join(s.copyInto(ctx, to), to.Close())
}

func (s *Store) copyInto(ctx context.Context, to *Store) error {
	id, generation, err := s.Identity(ctx)
	if err != nil {
		return err
	}
	if err := to.BeginCopy(ctx, id, generation); err != nil {
		return err
	}
	if err := CopyRows(ctx, s, to, nil); err != nil {
		return err
	}
	return to.EndCopy(ctx)
}
