package backup

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/move"
)

// Snapshot is a catalogue's moment, in a file.
type Snapshot interface {
	Identity(ctx context.Context) (id string, generation int64, err error)
	RowCounts(ctx context.Context) (map[string]int64, error)
	BlobTotals(ctx context.Context) (blobs, bytes int64, err error)
	// BlobsAfter lists blobs with bytes outside of the catalogue, by id.
	BlobsAfter(ctx context.Context, after meta.BlobID, limit int) ([]meta.Blob, error)
	HasBlob(ctx context.Context, domain int64, d digest.Digest) (bool, error)
	// Close leaves all of it in the one file.
	Close() error
}

// Config is what a Runner is made of. Every field must be set.
type Config struct {
	// Take writes what the catalogue has now to a new file.
	Take func(ctx context.Context, path string) (Snapshot, error)
	// Bytes are the store's.
	Bytes   move.Source
	Storage string // where they are, for people
	// Hold keeps all bytes of the store until a time; Release ends that early.
	Hold, Release func(ctx context.Context, until time.Time) error
	// Lock makes a directory and keeps other writers out of it.
	Lock   func(dir string) (io.Closer, error)
	Clock  func() time.Time
	Logger *slog.Logger
}

// Request is what a backup is to be.
type Request struct {
	Dir  string // absolute
	Mode Mode
	Hold time.Duration // of Reference: how long the bytes stay in the store
}

// State is how far a backup is.
type State string

// The states.
const (
	Running  State = "running"
	Finished State = "finished"
	Failed   State = "failed"
)

// Status is what there is to tell of the latest backup.
type Status struct {
	Request
	State      State
	Phase      string // of Running, for people
	StartedAt  time.Time
	FinishedAt time.Time
	Blobs      int64 // done
	BlobsAll   int64
	Bytes      int64
	BytesAll   int64
	Copied     int64 // bytes that were not there before
	Damaged    int
	HeldUntil  time.Time
	Err        error // of Failed
}

// Runner runs one backup at a time. Its methods are safe for concurrent use.
type Runner struct {
	Config

	mu     sync.Mutex
	status Status
	cancel context.CancelFunc // nil: none was ever started
	done   chan struct{}
	closed bool
}

// New returns a runner, which Close ends.
func New(c Config) *Runner { return &Runner{Config: c} }

const (
	page    = 500
	copiers = 2 // beside what clients do
	// hold is how long bytes stay that a running backup refers to, unless it
	// says so again. It is far longer than one layer takes.
	hold = 3 * time.Hour
)

// Start begins a backup in the background. If the same one runs already, that is
// the one; another is refused.
func (r *Runner) Start(req Request) (Status, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return Status{}, fault.New(fault.StoreUnavailable)
	case r.status.State == Running && r.status.Request == req:
		return r.status, nil
	case r.status.State == Running:
		return Status{}, refuse("A backup into %s is under way.", r.status.Dir)
	}
	if !filepath.IsAbs(req.Dir) {
		return Status{}, refuse("The directory %s is not absolute.", req.Dir)
	}
	lock, err := r.Lock(req.Dir)
	if err == nil {
		if err = enter(req.Dir); err != nil {
			err = errors.Join(err, lock.Close())
		}
	}
	if err != nil {
		return Status{}, refuse("%s.", strings.Join(strings.Fields(err.Error()), " "))
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.status = Status{Request: req, State: Running, StartedAt: r.Clock().UTC().Truncate(time.Millisecond)}
	r.cancel, r.done = cancel, make(chan struct{})
	go r.run(ctx, req, lock, r.done)
	return r.status, nil
}

func refuse(format string, args ...any) error {
	return &fault.Error{Reason: fault.InputRefused, Detail: fmt.Sprintf(format, args...)}
}

// Status tells of the latest backup; false: this process began none.
func (r *Runner) Status() (Status, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status, r.cancel != nil
}

// Close ends a backup that runs: what it has copied stays for the next.
func (r *Runner) Close() {
	r.mu.Lock()
	r.closed = true
	cancel, done := r.cancel, r.done
	r.mu.Unlock()
	if cancel != nil {
		cancel()
		<-done
	}
}

func (r *Runner) tell(change func(*Status)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.status)
}

func (r *Runner) run(ctx context.Context, req Request, lock io.Closer, done chan struct{}) {
	defer close(done)
	j := &job{Runner: r, req: req}
	err := j.run(ctx)
	err = errors.Join(err, j.release(), lock.Close())
	if ctx.Err() != nil {
		err = errors.New("the server ended; begun again, it goes on")
	}
	r.tell(func(s *Status) {
		s.FinishedAt, s.State, s.Err = r.Clock().UTC(), Finished, err
		if err != nil {
			s.State = Failed
		}
	})
	now, _ := r.Status()
	if err != nil {
		r.Logger.Error("the backup failed", "directory", req.Dir, "err", err)
		return
	}
	r.Logger.Info("made a backup", "directory", req.Dir, "blobs", now.BlobsAll, "bytes", now.BytesAll, "copied", now.Copied, "damaged", now.Damaged)
}

// job is one backup.
type job struct {
	*Runner
	req     Request
	held    time.Time // of Copy: until when this job holds the bytes
	mu      sync.Mutex
	damaged []Damage
}

func (j *job) run(ctx context.Context) error {
	began := j.Clock().UTC()
	if err := j.hold(ctx); err != nil {
		return err
	}
	j.tell(func(s *Status) { s.Phase = "reading the catalogue" })
	stamp := began.Format("20060102T150405.000Z")
	m := Manifest{Format: format, StartedAt: began, Mode: j.req.Mode, Storage: j.Storage}
	m.Catalogue.Name, m.List.Name = "catalogue-"+stamp+".db", "blobs-"+stamp+".jsonl"
	path := filepath.Join(j.req.Dir, m.Catalogue.Name)
	snapshot, err := j.Take(ctx, path)
	if err != nil {
		return err
	}
	superfluous, err := j.fill(ctx, snapshot, &m)
	if err = errors.Join(err, snapshot.Close()); err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	j.tell(func(s *Status) { s.Phase = "writing it down" })
	for _, f := range []*File{&m.Catalogue, &m.List} {
		path := filepath.Join(j.req.Dir, f.Name)
		if *f, err = hashFile(ctx, path, io.Discard); err != nil {
			return err
		}
		if err := syncPath(path); err != nil {
			return err
		}
	}
	m.FinishedAt, m.Damaged = j.Clock().UTC(), j.damaged
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(j.req.Dir, manifestFile), append(text, '\n')); err != nil {
		return err
	}
	return tidy(j.req.Dir, m, superfluous)
}

// fill writes the list, and the bytes if they are to be copied. It returns the
// files of earlier backups that this one has no use for.
func (j *job) fill(ctx context.Context, s Snapshot, m *Manifest) (superfluous []string, err error) {
	if m.StoreID, m.Generation, err = s.Identity(ctx); err != nil {
		return nil, err
	}
	if m.Rows, err = s.RowCounts(ctx); err != nil {
		return nil, err
	}
	if m.Blobs, m.Bytes, err = s.BlobTotals(ctx); err != nil {
		return nil, err
	}
	j.tell(func(s *Status) { s.BlobsAll, s.BytesAll, s.Phase = m.Blobs, m.Bytes, "copying layers" })
	if j.req.Mode == Reference {
		until := j.Clock().Add(j.req.Hold).UTC().Truncate(time.Millisecond)
		if err := j.Hold(ctx, until); err != nil {
			return nil, err
		}
		m.HeldUntil = &until
		j.tell(func(s *Status) { s.HeldUntil = until })
	}
	f, err := os.OpenFile(filepath.Join(j.req.Dir, m.List.Name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriter(f)
	err = j.list(ctx, s, json.NewEncoder(w))
	if err = errors.Join(err, w.Flush(), f.Close()); err != nil {
		return nil, err
	}
	return stale(ctx, j.req.Dir, s)
}

func (j *job) list(ctx context.Context, s Snapshot, lines *json.Encoder) error {
	for after := meta.BlobID(0); ; {
		found, err := s.BlobsAfter(ctx, after, page)
		if err != nil || len(found) == 0 {
			return err
		}
		after = found[len(found)-1].ID
		for _, b := range found {
			if err := lines.Encode(line{b.ID, b.Domain, b.Digest, b.Size, b.Location}); err != nil {
				return err
			}
		}
		if j.req.Mode == Copy {
			if err := j.copyAll(ctx, found); err != nil {
				return err
			}
		}
	}
}

// copyAll copies blobs side by side, and makes their names durable.
func (j *job) copyAll(ctx context.Context, blobs []meta.Blob) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan meta.Blob)
	var all sync.WaitGroup
	for range copiers {
		all.Go(func() {
			for b := range next {
				if err := j.copy(ctx, b); err != nil {
					cancel(err)
				}
			}
		})
	}
	dirs := map[string]bool{}
	for _, b := range blobs {
		if err := j.hold(ctx); err != nil {
			cancel(err)
			break
		}
		dirs[filepath.Dir(blobPath(j.req.Dir, b))] = true
		next <- b
	}
	close(next)
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	for dir := range dirs {
		if err := syncPath(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// copy copies a blob unless it is there. Its file is whole, because it gets its
// name when its bytes are durable.
func (j *job) copy(ctx context.Context, b meta.Blob) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.Domain != 0 {
		return fmt.Errorf("copy %s: %w", b.Digest, move.ErrEncrypted)
	}
	path := blobPath(j.req.Dir, b)
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && info.Size() == b.Size {
		j.tell(func(s *Status) { s.Blobs, s.Bytes = s.Blobs+1, s.Bytes+b.Size })
		return nil
	}
	broken, err := j.write(ctx, b, path)
	if err != nil {
		return fmt.Errorf("copy %s: %w", b.Digest, err)
	}
	if broken != nil {
		j.mu.Lock()
		j.damaged = append(j.damaged, Damage{b.Digest, broken.Error()})
		j.mu.Unlock()
		j.Logger.Error("the store does not have a layer as it should; the backup is without it", "digest", b.Digest, "err", broken)
	}
	j.tell(func(s *Status) {
		s.Blobs, s.Bytes = s.Blobs+1, s.Bytes+b.Size
		if broken != nil {
			s.Damaged++
		} else {
			s.Copied += b.Size
		}
	})
	return nil
}

func (j *job) write(ctx context.Context, b meta.Blob, path string) (broken, err error) {
	r, broken, err := open(ctx, j.Bytes, b)
	if broken != nil || err != nil {
		return broken, err
	}
	defer r.Close()
	if err := makeDir(filepath.Dir(path), j.req.Dir); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "new-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name()) // after the rename there is none
	broken, err = move.Copy(ctx, f, r, b)
	if err == nil && broken == nil {
		err = errors.Join(f.Chmod(0o400), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil || broken != nil {
		return broken, err
	}
	return nil, os.Rename(f.Name(), path)
}

// hold says again that the bytes must stay, when half of the time is over.
func (j *job) hold(ctx context.Context) error {
	now := j.Clock()
	if now.Add(hold / 2).Before(j.held) {
		return nil
	}
	until := now.Add(hold).UTC().Truncate(time.Millisecond)
	if err := j.Hold(ctx, until); err != nil {
		return fmt.Errorf("hold the store's bytes: %w", err)
	}
	j.held = until
	return nil
}

func (j *job) release() error {
	if j.held.IsZero() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return j.Release(ctx, j.held)
}

// enter makes the directory a backup's, if it is empty or one already.
func enter(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, markerFile))
	if err == nil {
		if string(text) != markerText {
			return fmt.Errorf("the backup in %s is of an unknown format", dir)
		}
		return leftovers(dir)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot use directory %s: %w", dir, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cannot use directory %s: %w", dir, err)
	}
	for _, e := range entries {
		if e.Name() != lockFile {
			return fmt.Errorf("directory %s is not empty and no backup", dir)
		}
	}
	return writeFile(filepath.Join(dir, markerFile), []byte(markerText))
}

// leftovers removes what a run left that was cut short, but for bytes.
func leftovers(dir string) error {
	var m Manifest
	text, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read the backup in %s: %w", dir, err)
	}
	return tidy(dir, m, nil)
}

// tidy removes the catalogues and lists that the manifest does not name, and
// the given files.
func tidy(dir string, m Manifest, superfluous []string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		ours := strings.HasPrefix(e.Name(), "catalogue-") || strings.HasPrefix(e.Name(), "blobs-")
		if ours && e.Name() != m.Catalogue.Name && e.Name() != m.List.Name {
			superfluous = append(superfluous, filepath.Join(dir, e.Name()))
		}
	}
	for _, path := range superfluous {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// staleMost bounds what one run notes to remove.
const staleMost = 100_000

// stale lists files with bytes that the snapshot does not name.
func stale(ctx context.Context, dir string, s Snapshot) (found []string, err error) {
	err = filepath.WalkDir(filepath.Join(dir, blobsDir), func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() || len(found) == staleMost {
			return err
		}
		algorithm := filepath.Base(filepath.Dir(filepath.Dir(path)))
		digits, suffix, _ := strings.Cut(e.Name(), ".")
		domain, _ := strconv.ParseInt(suffix, 10, 64) // none: 0
		d, err := digest.Parse(algorithm + ":" + digits)
		named := err == nil
		if named {
			if named, err = s.HasBlob(ctx, domain, d); err != nil {
				return err
			}
		}
		if !named {
			found = append(found, path)
		}
		return ctx.Err()
	})
	return found, err
}

// makeDir makes a directory below top, which is there, and makes its name
// durable.
func makeDir(dir, top string) error {
	var missing []string
	for d := dir; d != top; d = filepath.Dir(d) {
		if _, err := os.Lstat(d); err == nil {
			break
		}
		missing = append(missing, d)
	}
	for _, d := range slices.Backward(missing) {
		if err := os.Mkdir(d, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := syncPath(filepath.Dir(d)); err != nil {
			return err
		}
	}
	return nil
}

// syncPath makes a file, or the names in a directory, survive power loss.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// writeFile replaces a file as a whole, durably.
func writeFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename there is none
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncPath(filepath.Dir(path))
}
