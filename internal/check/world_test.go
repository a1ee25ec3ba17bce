package check_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/blob/disk"
	"github.com/lighterage/lighterage/internal/check"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/gc"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

const hours = 24 * time.Hour

var (
	quiet = slog.New(slog.DiscardHandler)
	home  = name.RegistryID{Account: "000000000000", Region: "us-east-1"}
)

// clock is a time that tests move.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// world is a registry over real stores, with what checks and collects it.
type world struct {
	*registry.Catalogue
	t     *testing.T
	ctx   context.Context
	clock *clock
	meta  meta.Store
	db    *sqlstore.Store
	blobs *disk.Store
	dir   string
	check *check.Checker
	gc    *gc.Collector
	key   registry.RepositoryKey

	driver, dsn string
}

func open(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	at := &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	path := filepath.Join(t.TempDir(), "catalogue.db")
	db, err := sqlstore.OpenSQLite(context.Background(), path, sqlstore.Options{Clock: at.Now, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	w := over(t, db, at)
	w.driver, w.dsn = "sqlite", path
	return w
}

// openPostgres is open on PostgreSQL.
func openPostgres(t *testing.T, server *metatest.Postgres) *world {
	t.Helper()
	at := &clock{now: time.Now()} // the database has its own, too
	url := server.NewDatabase(t)
	db, err := sqlstore.OpenPostgres(context.Background(), url, sqlstore.Options{Clock: at.Now, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	w := over(t, db, at)
	w.driver, w.dsn = "pgx", url
	return w
}

func over(t *testing.T, db *sqlstore.Store, at *clock) *world {
	t.Helper()
	t.Cleanup(func() { db.Close() })
	w := &world{t: t, ctx: t.Context(), clock: at, db: db, meta: db, dir: filepath.Join(t.TempDir(), "blobs")}
	var err error
	w.blobs, err = disk.Open(w.dir, disk.Options{Logger: quiet})
	w.must(err)
	t.Cleanup(func() { w.blobs.Close() })
	w.Catalogue = registry.New(registry.Config{
		Meta: db, Blobs: w.blobs, Clock: at.Now, Logger: quiet, BootID: "boot",
		LayerGrace: time.Hour, UploadTTL: hours, PushTTL: hours, URLTTL: time.Hour,
	})
	w.gc = gc.New(gc.Config{Meta: db, Blobs: w.blobs, Logger: quiet, LayerGrace: time.Hour, URLTTL: time.Hour})
	w.through(db, w.blobs)
	w.key = w.create("app")
	return w
}

// through checks through stores that wrap the world's.
func (w *world) through(m meta.Store, b blob.Store) {
	w.check = check.New(check.Config{Meta: m, Blobs: b, Clock: w.clock.Now, Logger: quiet})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) create(repository string) registry.RepositoryKey {
	w.t.Helper()
	k := registry.RepositoryKey{Registry: home, Space: registry.ECR, Name: name.RepositoryName(repository)}
	_, err := w.CreateRepository(w.ctx, k, registry.Defaults(), nil)
	w.must(err)
	return k
}

// large is a body that does not fit into the catalogue.
func large(seed string) []byte { return bytes.Repeat([]byte(seed+" "), 150<<10/(len(seed)+1)) }

func (w *world) layer(k registry.RepositoryKey, body []byte) digest.Digest {
	w.t.Helper()
	d := digest.Of(digest.SHA256, body)
	id, err := w.StartUpload(w.ctx, k, digest.SHA256)
	w.must(err)
	w.must(w.FinishUpload(w.ctx, k, id, d, registry.Anywhere, bytes.NewReader(body)))
	return d
}

// image pushes a config in the catalogue, a layer in a file, and an image.
func (w *world) image(k registry.RepositoryKey, seed string, tags ...name.Tag) digest.Digest {
	w.t.Helper()
	return w.put(k, fmt.Sprintf(`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":1},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":1}]`,
		w.layer(k, []byte("small "+seed)), w.layer(k, large(seed))), "application/vnd.oci.image.manifest.v1+json", tags...)
}

func (w *world) index(k registry.RepositoryKey, child digest.Digest, tags ...name.Tag) digest.Digest {
	w.t.Helper()
	return w.put(k, fmt.Sprintf(`"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":1}]`, child),
		"application/vnd.oci.image.index.v1+json", tags...)
}

func (w *world) put(k registry.RepositoryKey, members, kind string, tags ...name.Tag) digest.Digest {
	w.t.Helper()
	i, err := w.PutImage(w.ctx, registry.Put{By: "arn:me", Key: k, Body: fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,%s}`, kind, members), Tags: tags, Repeatable: true})
	w.must(err)
	return i.Digest
}

// blobOf finds a layer's blob.
func (w *world) blobOf(d digest.Digest) (b meta.Blob) {
	w.t.Helper()
	w.must(w.db.View(w.ctx, func(tx meta.Tx) error {
		l, err := tx.FindLayer(w.key, d)
		b = l.Blob
		return err
	}))
	return b
}

// file is where a blob's file is.
func (w *world) file(d digest.Digest) string {
	w.t.Helper()
	return w.path(w.blobOf(d).Location)
}

func (w *world) path(at name.Location) string {
	return filepath.Join(w.dir, filepath.FromSlash(strings.TrimPrefix(string(at), "file:")))
}

// files are the locations that the store has.
func (w *world) files() (all []name.Location) {
	w.t.Helper()
	w.must(filepath.WalkDir(w.dir, func(path string, e fs.DirEntry, err error) error {
		if rest, _ := filepath.Rel(w.dir, path); err == nil && e.Type().IsRegular() && strings.Contains(rest, string(filepath.Separator)) {
			all = append(all, name.Location("file:"+filepath.ToSlash(rest)))
		}
		return err
	}))
	return all
}

// rewrite changes a file, which is sealed.
func (w *world) rewrite(path string, change func([]byte) []byte) {
	w.t.Helper()
	body, err := os.ReadFile(path)
	w.must(err)
	w.must(os.Chmod(path, 0o600))
	w.must(os.WriteFile(path, change(body), 0o600))
	w.must(os.Chmod(path, 0o400))
}

// sql changes the database as no program of ours does: nothing keeps anything.
func (w *world) sql(statements ...string) {
	w.t.Helper()
	db, err := sql.Open(w.driver, w.dsn)
	w.must(err)
	defer db.Close()
	unkeep := "PRAGMA foreign_keys = OFF"
	if w.driver == "pgx" {
		unkeep = "SET session_replication_role = replica"
	}
	conn, err := db.Conn(w.ctx)
	w.must(err)
	defer conn.Close()
	for _, statement := range append([]string{unkeep}, statements...) {
		if _, err := conn.ExecContext(w.ctx, statement); err != nil {
			w.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// all does a whole check in pieces, and returns what it found.
func (w *world) all(o check.Options) (found []check.Finding, t check.Tally) {
	w.t.Helper()
	for cursor, n := "", 0; ; n++ {
		r, err := w.check.Piece(w.ctx, cursor, o)
		w.must(err)
		found = append(found, r.Findings...)
		t.Add(r.Tally)
		if cursor = r.Next; cursor == "" {
			return found, t
		}
		if n > 10_000 {
			w.t.Fatalf("the check does not end; it is at %s", cursor)
		}
	}
}

// words is a finding without what differs from run to run.
func words(all []check.Finding) []string {
	out := []string{}
	for _, f := range all {
		s := string(f.Kind)
		for _, k := range f.Where {
			s += " in " + string(k.Name)
		}
		if f.Remedy != "" {
			s += ", " + string(f.Remedy)
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// finds compares what a check finds, in small pieces and in one.
func (w *world) finds(o check.Options, want ...string) {
	w.t.Helper()
	if want == nil {
		want = []string{}
	}
	if !o.Repair && !o.Mark {
		found, _ := w.all(o)
		if diff := cmp.Diff(want, words(found)); diff != "" {
			w.t.Errorf("found in small pieces (-want +got):\n%s", diff)
		}
	}
	o.For = hours
	found, _ := w.all(o)
	if diff := cmp.Diff(want, words(found)); diff != "" {
		w.t.Errorf("found (-want +got):\n%s", diff)
	}
}
