package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
)

func TestSQLiteSchema1IsBroughtUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lighterage.db")
	testSchema1(t, "sqlite", "file:"+path+"?_pragma=foreign_keys(1)", goose.DialectSQLite3, "x'%x'",
		func() *sqlstore.Store { return openSQLite(t, path) })
}

func testPostgresSchema1(t *testing.T, server *metatest.Postgres) {
	url := server.NewDatabase(t)
	testSchema1(t, "pgx", url, goose.DialectPostgres, `'\x%x'`, func() *sqlstore.Store { return openPostgres(t, url) })
}

// testSchema1 makes a database as the first schema was, with images of which
// some have annotations, and opens it twice.
func testSchema1(t *testing.T, driver, dsn string, dialect goose.Dialect, literal string, open func() *sqlstore.Store) {
	subject := digest.Of(digest.SHA256, []byte("subject"))
	annotations := map[meta.ImageID]string{200: `{"a":"ü"}`, 201: "", 202: `{"long":"` + strings.Repeat("x", 3<<20) + `"}`}
	inDatabase(t, driver, dsn, func(db *sql.DB) error {
		folder := map[goose.Dialect]string{goose.DialectSQLite3: "sqlite", goose.DialectPostgres: "postgres"}[dialect]
		provider, err := goose.NewProvider(dialect, db, sqlstore.Migrations(folder), goose.WithDisableGlobalRegistry(true))
		if err != nil {
			return err
		}
		if _, err := provider.UpTo(context.Background(), 1); err != nil {
			return err
		}
		statements := []string{
			`INSERT INTO registry (id, account, region, space) VALUES (100, '123456789012', 'eu-west-1', ` + fmt.Sprint(meta.ECR) + `)`,
			`INSERT INTO repository VALUES (100, 100, 'app', 'MUTABLE', '[]', 0, 'AES256', '', 1)`,
			`INSERT INTO repository_name VALUES (100, 'app', 100)`,
		}
		for id, text := range annotations {
			statements = append(statements, fmt.Sprintf(`INSERT INTO image VALUES (%d, 100, `+literal+`, 'm', 'a', 'c', `+literal+`, 5, 6, 11, '%s', 1, 1)`,
				id, digest.Of(digest.SHA256, []byte{byte(id)}).Bytes(), subject.Bytes(), text),
				fmt.Sprintf(`INSERT INTO manifest VALUES (%d, `+literal+`)`, id, "bytes"),
				fmt.Sprintf(`INSERT INTO tag VALUES (100, 't%d', %d, 1)`, id, id))
		}
		for _, s := range statements {
			if _, err := db.Exec(s); err != nil {
				return fmt.Errorf("%.80s: %w", s, err)
			}
		}
		return nil
	})
	for range 2 {
		s := open()
		err := s.View(context.Background(), func(tx meta.Tx) error {
			list, err := tx.Referrers(100, subject, meta.ReferrerFilter{}, meta.Page[meta.ImageID]{Limit: 10})
			if len(list) != len(annotations) || err != nil {
				return fmt.Errorf("referrers %v, %w", list, err)
			}
			for _, r := range list {
				found, err := tx.Image(100, meta.Reference{Tag: name.Tag(fmt.Sprint("t", r.ID))})
				if found != r.Image || found.ManifestSize != 5 || found.ImageSize != 6 || found.PushedAt.UnixMilli() != 1 {
					return fmt.Errorf("image %+v, %w", found, err)
				}
				text, err := tx.Annotations(r.ID)
				if want := annotations[r.ID]; text != want || r.AnnotationsSize != int64(len(want)) || err != nil {
					return fmt.Errorf("image %d has annotations of %d bytes, is said to have %d, want %d, %w", r.ID, len(text), r.AnnotationsSize, len(want), err)
				}
				if body, err := tx.Manifest(r.ID); string(body) != "bytes" {
					return fmt.Errorf("manifest %q, %w", body, err)
				}
			}
			return nil
		})
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	inDatabase(t, driver, dsn, func(db *sql.DB) error {
		var version, needs, rows int
		err := db.QueryRow(`SELECT version, min_binary, (SELECT COUNT(*) FROM image_annotation) FROM schema`).Scan(&version, &needs, &rows)
		if version != 6 || needs != 3 || rows != 2 {
			t.Errorf("schema %d for programs from %d, %d rows of annotations; want 6, 3, 2", version, needs, rows)
		}
		return err
	})
}

func inDatabase(t *testing.T, driver, dsn string, use func(*sql.DB) error) {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(use(db), db.Close()); err != nil {
		t.Fatal(err)
	}
}
