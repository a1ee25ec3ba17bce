package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/google/uuid"
	"github.com/pressly/goose/v3"
)

// binary is the newest schema that this program knows. A schema says which
// program is the oldest that can serve it.
const binary = 6

//go:embed migrations
var migrations embed.FS

// migrate brings the schema up to date and draws the store's identity, once.
// A schema that is newer is left as it is, or refused.
func migrate(ctx context.Context, db *sql.DB, dialect goose.Dialect, folder string) error {
	if current(ctx, db) {
		return nil
	}
	source, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		return err
	}
	// Whether there is a schema at all is asked of goose, whose table comes first.
	provider, err := goose.NewProvider(dialect, db, source, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	version, err := provider.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if version > 0 {
		var needs int
		if err := db.QueryRowContext(ctx, `SELECT min_binary FROM schema`).Scan(&needs); err != nil {
			return fmt.Errorf("read the schema's version: %w", err)
		}
		if needs > binary {
			return fmt.Errorf("the database has schema %d, which this program is too old to serve: it knows schema %d", version, binary)
		}
	}
	if version < binary {
		if _, err := provider.Up(ctx); err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return fmt.Errorf("draw store id: %w", err)
	}
	// Not a parameter, because the two databases spell parameters differently.
	if _, err := db.ExecContext(ctx, `INSERT INTO store (one, id, generation) VALUES (1, '`+id.String()+`', 1) ON CONFLICT DO NOTHING`); err != nil {
		return fmt.Errorf("store the identity: %w", err)
	}
	return nil
}

// current reports whether there is nothing to do, as at nearly every start: the
// schema is this program's and the store has its identity. Any error is for the
// long way to meet, the first of all stores' having no table.
func current(ctx context.Context, db *sql.DB) bool {
	var version, needs, identities int
	err := db.QueryRowContext(ctx, `SELECT (SELECT MAX(version_id) FROM goose_db_version), (SELECT min_binary FROM schema), (SELECT COUNT(*) FROM store)`).
		Scan(&version, &needs, &identities)
	return err == nil && version == binary && needs <= binary && identities == 1
}
