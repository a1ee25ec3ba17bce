package sqlstore_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
)

func putSecret(s *sqlstore.Store, purpose string, size int) error {
	secret := make([]byte, size)
	rand.Read(secret)
	return s.Update(context.Background(), func(t meta.Tx) error { return t.PutSecret(purpose, secret) })
}

func hasSecret(s *sqlstore.Store, purpose string) bool {
	return s.View(context.Background(), func(t meta.Tx) error {
		_, err := t.Secret(purpose)
		return err
	}) == nil
}

// A statement that finds no room rolls the whole transaction back without a
// word, with it what its neighbours did before.
func TestAFullStoreHurtsOnlyThoseThatNeedRoom(t *testing.T) {
	s := openSQLite(t, filepath.Join(t.TempDir(), "meta.db"))
	defer s.Close()
	if err := sqlstore.Exec(s, "PRAGMA max_page_count = 120"); err != nil { // about a megabyte
		t.Fatal(err)
	}
	const n = 60
	errs := make([]error, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			size := 10
			if i%5 == 2 {
				size = 4 << 20
			}
			errs[i] = putSecret(s, fmt.Sprint(i), size)
		})
	}
	wait.Wait()
	for i, err := range errs {
		big := i%5 == 2
		if big && !errors.Is(err, meta.ErrFull) || !big && err != nil {
			t.Errorf("update %d, big %v: %v", i, big, err)
		}
		if got := hasSecret(s, fmt.Sprint(i)); got != (err == nil) {
			t.Errorf("update %d: %v, stored %v", i, err, got)
		}
	}
}

// A log that cannot be written at COMMIT leaves nobody knowing what is
// durable.
func TestAFailedCommitIsFatal(t *testing.T) {
	fatal := make(chan error, 10)
	path := filepath.Join(t.TempDir(), "meta.db")
	s, err := sqlstore.OpenSQLite(context.Background(), path, sqlstore.Options{Clock: time.Now, Fatal: func(err error) { fatal <- err }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := putSecret(s, "before", 10); err != nil {
		t.Fatal(err)
	}
	log, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	limitFiles(t, uint64(log.Size())+20_000)
	for i := range 3 {
		want := meta.ErrInDoubt
		if i > 0 {
			want = meta.ErrUnavailable // nothing is tried again
		}
		if err := putSecret(s, fmt.Sprint("after ", i), 1<<20); !errors.Is(err, want) {
			t.Errorf("update %d: %v, want %v", i, err, want)
		}
	}
	select {
	case err := <-fatal:
		t.Logf("fatal: %v", err)
	default:
		t.Error("Fatal was not called")
	}
	if len(fatal) != 0 {
		t.Error("Fatal was called again")
	}
	if !hasSecret(s, "before") {
		t.Error("what was committed cannot be read")
	}
}

// limitFiles lets no file of this process grow beyond the size until the test
// ends. No test runs beside this one.
func limitFiles(t *testing.T, size uint64) {
	signal.Ignore(syscall.SIGXFSZ)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTheLogStaysShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	s := openSQLite(t, path)
	defer s.Close()
	var wait sync.WaitGroup
	for w := range 4 {
		wait.Go(func() {
			for i := range 350 {
				if err := putSecret(s, fmt.Sprintf("%d.%d", w, i), 100<<10); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	log, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if log.Size() > 80<<20 {
		t.Errorf("after 140 MB the log has %d bytes", log.Size())
	}
}

const crashVariable = "SQLSTORE_TEST_CRASH"

// TestMain is the process that is killed, when it is told to be.
func TestMain(m *testing.M) {
	path := os.Getenv(crashVariable)
	if path == "" {
		os.Exit(m.Run())
	}
	s, err := sqlstore.OpenSQLite(context.Background(), path, sqlstore.Options{Clock: time.Now})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var out sync.Mutex
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for {
				purpose := rand.Text()
				if err := putSecret(s, purpose, 1000); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				out.Lock()
				fmt.Println(purpose)
				out.Unlock()
			}
		})
	}
	wait.Wait()
}

func TestWhatWasAcknowledgedSurvivesAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	for range 3 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), crashVariable+"="+path)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		var acknowledged []string
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			acknowledged = append(acknowledged, lines.Text())
			if len(acknowledged) == 300 {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = child.Wait() // killed
		if len(acknowledged) < 300 {
			t.Fatalf("only %d updates were acknowledged", len(acknowledged))
		}
		s := openSQLite(t, path)
		for _, purpose := range acknowledged {
			if len(purpose) == len(rand.Text()) && !hasSecret(s, purpose) {
				t.Errorf("%s is lost", purpose)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnOlderProgramRefusesTheSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	s := openSQLite(t, path)
	for _, sql := range []string{"UPDATE schema SET version = 7", "INSERT INTO goose_db_version (version_id, is_applied) VALUES (7, 1)"} {
		if err := sqlstore.Exec(s, sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSQLite(t, path) // newer, but this program is enough
	if err := sqlstore.Exec(s, "UPDATE schema SET min_binary = 7"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err := sqlstore.OpenSQLite(context.Background(), path, sqlstore.Options{Clock: time.Now}); err == nil {
		t.Error("the store opened")
		_ = s.Close()
	} else {
		t.Log(err)
	}
}
