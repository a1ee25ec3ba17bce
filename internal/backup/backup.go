// Package backup writes what a store has at one moment into a directory, while
// others push and delete, and reads such a directory again.
//
// A backup is a directory of:
//
//		lighterage-backup        says that the directory is one
//		backup.json              the manifest; written last
//		catalogue-TIME.db        the catalogue at the moment, an SQLite database
//		blobs-TIME.jsonl         the bytes that it names, a line each
//		blobs/sha256/ab/abcd…    those bytes, by digest, if they were copied
//
//	 1. The manifest names only what is whole and durable. Until a newer one is in
//	    its place the directory is the backup that it was.
//	 2. Bytes are hashed as they are copied. What the store does not have as it
//	    should is in the manifest, as damage, and never among the bytes.
//	 3. While a backup runs no bytes of its moment are removed from the store.
//	 4. Into a directory with anything else nothing is written.
//	 5. A run goes on where another one ended: bytes that are there are not
//	    copied again, be they of an earlier backup.
//
// It knows neither databases nor blob stores, nor how a store is made of a
// backup: packages server and move do.
package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/move"
	"github.com/lighterage/lighterage/internal/name"
)

// Mode says what becomes of the bytes outside of the catalogue.
type Mode string

// The modes.
const (
	Copy      Mode = "copy"
	Reference Mode = "reference" // they stay in the store, and are held there
)

const (
	markerFile   = "lighterage-backup"
	markerText   = "lighterage backup 1\n"
	manifestFile = "backup.json"
	lockFile     = "lock" // of whoever writes; package config makes it
	blobsDir     = "blobs"
	format       = 1
)

// Manifest is what backup.json says.
type Manifest struct {
	Format     int              `json:"format"`
	StoreID    string           `json:"storeId"`
	Generation int64            `json:"generation"`
	StartedAt  time.Time        `json:"startedAt"`
	FinishedAt time.Time        `json:"finishedAt"`
	Catalogue  File             `json:"catalogue"`
	Rows       map[string]int64 `json:"rows"` // of each table
	List       File             `json:"list"`
	Mode       Mode             `json:"blobs"`
	Storage    string           `json:"storage"` // where the bytes were, without passwords
	Blobs      int64            `json:"blobCount"`
	Bytes      int64            `json:"blobBytes"`
	HeldUntil  *time.Time       `json:"heldUntil,omitempty"` // of Reference: until when the bytes stay
	Damaged    []Damage         `json:"damaged,omitempty"`
}

// File is a file of a backup.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Damage is bytes that a store or a backup does not have as it should.
type Damage struct {
	Digest  digest.Digest `json:"digest"`
	Problem string        `json:"problem"`
}

// line is one of the list.
type line struct {
	ID       meta.BlobID   `json:"id"`
	Domain   int64         `json:"domain,omitempty"`
	Digest   digest.Digest `json:"digest"`
	Size     int64         `json:"size"`
	Location name.Location `json:"location"`
}

func (l line) blob() meta.Blob {
	return meta.Blob{ID: l.ID, Domain: l.Domain, Digest: l.Digest, Size: l.Size, Location: l.Location}
}

// Backup is a directory with a manifest.
type Backup struct {
	Manifest
	dir string
}

// Open reads a backup's manifest, and checks the catalogue and the list.
func Open(ctx context.Context, dir string) (*Backup, error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is no finished backup: it has no %s", dir, manifestFile)
	}
	if err != nil {
		return nil, fmt.Errorf("read backup: %w", err)
	}
	b := &Backup{dir: dir}
	if err := json.Unmarshal(text, &b.Manifest); err != nil {
		return nil, fmt.Errorf("read %s of the backup: %w", manifestFile, err)
	}
	if b.Format != format {
		return nil, fmt.Errorf("the backup is of format %d, and this program reads %d", b.Format, format)
	}
	for _, f := range []File{b.Catalogue, b.List} {
		if f.Name != filepath.Base(f.Name) {
			return nil, fmt.Errorf("the backup's %s names a file outside of it", manifestFile)
		}
		got, err := hashFile(ctx, filepath.Join(dir, f.Name), io.Discard)
		if err != nil {
			return nil, fmt.Errorf("read backup: %w", err)
		}
		if got.Size != f.Size || got.SHA256 != f.SHA256 {
			return nil, fmt.Errorf("the backup's %s is damaged: it has not the bytes that %s says", f.Name, manifestFile)
		}
	}
	return b, nil
}

// hashFile reads a file to its end.
func hashFile(ctx context.Context, path string, also io.Writer) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(h, also), reader{ctx, f})
	return File{filepath.Base(path), n, hex.EncodeToString(h.Sum(nil))}, err
}

// reader fails when the context has ended.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// CopyCatalogue writes the catalogue to a new file, in the place of one that an
// earlier run left.
func (b *Backup) CopyCatalogue(ctx context.Context, path string) error {
	if err := Drop(path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("copy the catalogue: %w", err)
	}
	got, err := hashFile(ctx, filepath.Join(b.dir, b.Catalogue.Name), f)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("copy the catalogue: %w", err)
	}
	if got.SHA256 != b.Catalogue.SHA256 {
		return fmt.Errorf("the backup's %s changed while it was read", b.Catalogue.Name)
	}
	return nil
}

// Drop removes an SQLite database's files, if they are there.
func Drop(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", path, err)
		}
	}
	return nil
}

// Source gives the bytes of a backup by copy.
func (b *Backup) Source() move.Source { return source{b.dir} }

type source struct{ dir string }

func (s source) Open(_ context.Context, b meta.Blob) (io.ReadCloser, error) {
	f, err := os.Open(blobPath(s.dir, b))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the backup has no bytes of it: %w", blob.ErrNotFound)
	}
	return f, err
}

// blobPath is where a backup has the bytes of a blob: by digest and, since
// encrypted bytes differ, by encryption domain.
func blobPath(dir string, b meta.Blob) string {
	_, digits, _ := strings.Cut(string(b.Digest), ":")
	file := digits
	if b.Domain != 0 {
		file += fmt.Sprintf(".%d", b.Domain)
	}
	return filepath.Join(dir, blobsDir, b.Digest.Algorithm().String(), digits[:2], file)
}

// Verify hashes all bytes that the list names, those of from. told is told of
// each.
func (b *Backup) Verify(ctx context.Context, from move.Source, told func(blobs, bytes int64)) ([]Damage, error) {
	f, err := os.Open(filepath.Join(b.dir, b.List.Name))
	if err != nil {
		return nil, fmt.Errorf("read backup: %w", err)
	}
	defer f.Close()
	known := map[digest.Digest]bool{}
	damaged := append([]Damage{}, b.Damaged...)
	for _, d := range b.Damaged {
		known[d.Digest] = true
	}
	lines := json.NewDecoder(bufio.NewReader(f))
	for lines.More() {
		var l line
		if err := lines.Decode(&l); err != nil {
			return damaged, fmt.Errorf("read the backup's %s: %w", b.List.Name, err)
		}
		if known[l.Digest] {
			continue
		}
		broken, err := verify(ctx, from, l.blob())
		if err != nil {
			return damaged, err
		}
		if broken != nil {
			damaged = append(damaged, Damage{l.Digest, broken.Error()})
		}
		told(1, l.Size)
	}
	return damaged, nil
}

func verify(ctx context.Context, from move.Source, b meta.Blob) (broken, err error) {
	r, broken, err := open(ctx, from, b)
	if broken != nil || err != nil {
		return broken, err
	}
	defer r.Close()
	return move.Copy(ctx, io.Discard, r, b)
}

// open tells bytes that are not there from a store that fails.
func open(ctx context.Context, from move.Source, b meta.Blob) (r io.ReadCloser, broken, err error) {
	r, err = from.Open(ctx, b)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, err, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", b.Digest, err)
	}
	return r, nil, nil
}
