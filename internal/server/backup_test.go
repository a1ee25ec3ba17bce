package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/lightsail"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/client"
	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/server"
	"github.com/lighterage/lighterage/internal/sigv4"
	"github.com/lighterage/lighterage/internal/testkit"
)

// backupRow is a part of what the server's own API says of a backup.
type backupRow struct {
	Directory, State, Reason string
	BlobsTotal, BytesCopied  int64
	DamagedCount             int
}

// ownAPI calls an operation of the server's own API as the root.
func ownAPI(t *testing.T, s *testkit.Server, operation string, in, out any) error {
	t.Helper()
	c := client.Client{
		HTTP: http.DefaultClient, Endpoint: s.URL, Service: "lighterage", TargetPrefix: "Lighterage_20261101", Region: "us-east-1",
		Credentials: sigv4.Credentials{KeyID: s.Root.AccessKeyID, Secret: s.Root.SecretAccessKey.Reveal()}, Clock: time.Now,
	}
	return c.Call(t.Context(), operation, in, out)
}

// startBackup begins one by copy; endBackup waits for its end.
func startBackup(t *testing.T, s *testkit.Server, dir string) {
	t.Helper()
	must(t, ownAPI(t, s, "StartBackup", map[string]string{"directory": dir}, &struct{}{}))
}

func endBackup(t *testing.T, s *testkit.Server) backupRow {
	t.Helper()
	var out struct{ Backup backupRow }
	testkit.Eventually(t, "the backup ends", func() bool {
		must(t, ownAPI(t, s, "DescribeBackup", map[string]string{}, &out))
		return out.Backup.State != "running"
	})
	if out.Backup.State != "finished" {
		t.Fatalf("the backup %s: %s", out.Backup.State, out.Backup.Reason)
	}
	return out.Backup
}

func moveOptions(t *testing.T) server.MoveOptions {
	return server.MoveOptions{
		StoreOptions: server.StoreOptions{
			Clock: time.Now, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Fatal: func(err error) { t.Errorf("a store gave up: %v", err) },
		},
		Told: func(string, int64, int64) {},
	}
}

// storeAt is the settings of a store in a data directory.
func storeAt(t *testing.T, dir string, setting ...testkit.Option) config.Config {
	t.Helper()
	return testkit.Load(t, append([]testkit.Option{testkit.Setting("data-dir", dir)}, setting...)...)
}

// restored starts a server over what a backup has.
func restored(t *testing.T, from, masterKeyOf string) *testkit.Server {
	t.Helper()
	to := filepath.Join(t.TempDir(), "restored")
	_, _, err := server.Restore(t.Context(), server.BackupSource{Dir: from}, storeAt(t, to), moveOptions(t))
	must(t, err)
	_, err = config.CopyKeys(masterKeyOf, to)
	must(t, err)
	return testkit.Start(t, testkit.Setting("data-dir", to))
}

// layer is too large to be kept in the catalogue.
func layer(seed int) []byte {
	b := make([]byte, 200<<10)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	r.Read(b)
	return b
}

// TestABackupUnderLoadRestoresToAWholeStore: what it has of images is whole,
// though clients pushed and deleted all the time and garbage was collected.
func TestABackupUnderLoadRestoresToAWholeStore(t *testing.T) {
	databases := map[string][]testkit.Option{"SQLite": nil, "PostgreSQL": {testkit.Postgres(metatest.StartPostgres(t).NewDatabase(t))}}
	for kind, options := range databases {
		t.Run(kind, func(t *testing.T) {
			s := testkit.Start(t, append(options, testkit.Setting("layer-grace", "500ms"), testkit.Setting("trash", "0"))...)
			login := s.Login()
			for i := range 5 {
				s.PushImage(login, "team/app", fmt.Sprint("first", i), fmt.Appendf(nil, "{%d}", i), layer(i))
			}
			var pushed atomic.Int64
			ending := make(chan struct{})
			var load sync.WaitGroup
			for w := range 3 {
				load.Go(func() {
					for i := 0; ; i++ {
						select {
						case <-ending:
							return
						default:
						}
						seed := 1000*(w+1) + i
						config := fmt.Appendf(nil, "{%d}", seed)
						s.PushLayer(login, "team/app", config)
						s.PushLayer(login, "team/app", layer(seed))
						m := testkit.Manifest(config, layer(seed))
						d := testkit.Digest(m)
						if a := s.Do(login, "PUT", fmt.Sprint("/v2/team/app/manifests/t", seed), m, "Content-Type: "+testkit.ManifestType); a.Status != http.StatusCreated {
							continue // the layers' grace was over before; a client begins anew
						}
						pushed.Add(1)
						if i%3 > 0 {
							if a := s.Do(login, "DELETE", "/v2/team/app/manifests/"+d, nil); a.Status != http.StatusAccepted {
								t.Errorf("delete: %d %s", a.Status, a.Body)
							}
							s.Pass("collect garbage")
						}
					}
				})
			}
			dir := filepath.Join(t.TempDir(), "backup")
			for round := range 3 {
				was := pushed.Load()
				testkit.Eventually(t, "pushes go on", func() bool { return pushed.Load() > was+3 })
				startBackup(t, s, dir)
				b := endBackup(t, s)
				if b.DamagedCount != 0 || b.BlobsTotal < 5 {
					t.Errorf("round %d: %+v", round, b)
				}
			}
			close(ending)
			load.Wait()
			r := restored(t, dir, s.Config.DataDir)
			r.CheckInvariants(t)
			if a := r.Do(login, "GET", "/v2/team/app/blobs/"+testkit.Digest(layer(3)), nil); a.Status != http.StatusOK || !bytes.Equal(a.Body, layer(3)) {
				t.Errorf("with the old login a layer is %d, %d bytes", a.Status, len(a.Body))
			}
			r.PushImage(login, "team/app", "new", []byte("{}"), layer(7))
			r.CheckInvariants(t)
		})
	}
}

// gate is a layer store of which nothing is read while the gate is closed.
type gate struct {
	blob.Store
	open    chan struct{}
	waiting atomic.Int64
}

func (g *gate) Open(ctx context.Context, at name.Location) (blob.Reader, error) {
	g.waiting.Add(1)
	<-g.open
	return g.Store.Open(ctx, at)
}

// TestABackupHoldsTheBytesOfItsMoment, until it has ended.
func TestABackupHoldsTheBytesOfItsMoment(t *testing.T) {
	var ahead atomic.Int64
	g := &gate{open: make(chan struct{})}
	s := testkit.Start(t, testkit.Setting("layer-grace", "1s"), testkit.Setting("trash", "0"), testkit.WrapBlobs(func(b blob.Store) blob.Store {
		g.Store = b
		return g
	}), testkit.Clock(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }))
	login := s.Login()
	_, d := s.PushImage(login, "team/app", "v1", []byte("{}"), layer(1))
	dir := filepath.Join(t.TempDir(), "backup")
	startBackup(t, s, dir)
	testkit.Eventually(t, "the layer is read", func() bool { return g.waiting.Load() == 1 })
	if a := s.Do(login, "DELETE", "/v2/team/app/manifests/"+d, nil); a.Status != http.StatusAccepted {
		t.Fatalf("delete: %d %s", a.Status, a.Body)
	}
	collect := func(after time.Duration) (files int) {
		t.Helper()
		ahead.Store(int64(after))
		defer ahead.Store(0)
		s.Pass("collect garbage")
		s.Pass("collect garbage")
		return layerFiles(t, filepath.Join(s.Config.DataDir, "blobs"))
	}
	collect(10 * time.Minute) // the layer's grace is over, and its bytes have their own
	if n := collect(2 * time.Hour); n != 2 {
		t.Errorf("while the backup runs %d files are left, want the layer and the store's own", n)
	}
	close(g.open)
	if b := endBackup(t, s); b.DamagedCount != 0 || b.BlobsTotal != 1 || b.BytesCopied != 200<<10 {
		t.Errorf("the backup is %+v", b)
	}
	r := restored(t, dir, s.Dir)
	r.CheckInvariants(t)
	if a := r.Do(login, "GET", "/v2/team/app/blobs/"+testkit.Digest(layer(1)), nil); !bytes.Equal(a.Body, layer(1)) {
		t.Errorf("the layer is %d, %d bytes", a.Status, len(a.Body))
	}
}

// layerFiles counts the files of a layer store but for its identity and format.
func layerFiles(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && filepath.Dir(path) != dir {
			n++
		}
		return err
	})
	must(t, err)
	return n
}

// TestWhatIsWrongWithAStoreIsInItsBackup, and with a backup found by a check.
func TestWhatIsWrongWithAStoreIsInItsBackup(t *testing.T) {
	s := testkit.Start(t)
	login := s.Login()
	for i := range 3 {
		s.PushImage(login, "team/app", fmt.Sprint("v", i), fmt.Appendf(nil, "{%d}", i), layer(i))
	}
	breakLayer(t, s, testkit.Digest(layer(1)))
	dir := filepath.Join(t.TempDir(), "backup")
	startBackup(t, s, dir)
	if b := endBackup(t, s); b.DamagedCount != 1 || b.BlobsTotal != 3 {
		t.Errorf("the backup is %+v", b)
	}
	check := func() (damaged []string) {
		t.Helper()
		_, found, err := server.CheckBackup(t.Context(), server.BackupSource{Dir: dir}, moveOptions(t))
		must(t, err)
		for _, d := range found {
			damaged = append(damaged, string(d.Digest)+" "+d.Problem)
		}
		return damaged
	}
	if got := check(); len(got) != 1 || !strings.HasPrefix(got[0], testkit.Digest(layer(1))+" its bytes hash to") {
		t.Errorf("the check says %q", got)
	}
	hex := strings.TrimPrefix(testkit.Digest(layer(2)), "sha256:")
	must(t, os.Remove(filepath.Join(dir, "blobs", "sha256", hex[:2], hex)))
	if got := check(); len(got) != 2 {
		t.Errorf("the check says %q", got)
	}
	to := filepath.Join(t.TempDir(), "restored")
	_, _, err := server.Restore(t.Context(), server.BackupSource{Dir: dir}, storeAt(t, to), moveOptions(t))
	if err == nil || !strings.Contains(err.Error(), "sha256:") {
		t.Errorf("restore: %v", err)
	}
	if _, err := server.OpenStores(t.Context(), storeAt(t, to), moveOptions(t).StoreOptions); err == nil || !strings.Contains(err.Error(), "not whole") {
		t.Errorf("an unfinished store is opened: %v", err)
	}
	o := moveOptions(t)
	o.Damaged = true
	_, moved, err := server.Restore(t.Context(), server.BackupSource{Dir: dir}, storeAt(t, to), o)
	must(t, err)
	if len(moved.Lost) != 2 {
		t.Errorf("lost %v", moved.Lost)
	}
	_, err = config.CopyKeys(s.Config.DataDir, to)
	must(t, err)
	r := testkit.Start(t, testkit.Setting("data-dir", to))
	for i, want := range []int{http.StatusOK, http.StatusNotFound, http.StatusNotFound} {
		if a := r.Do(login, "GET", "/v2/team/app/blobs/"+testkit.Digest(layer(i)), nil); a.Status != want {
			t.Errorf("layer %d is %d, want %d", i, a.Status, want)
		}
		r.PushLayer(login, "team/app", layer(i)) // heals it
	}
	r.CheckInvariants(t)
	for _, damage := range []string{"catalogue-*.db", "blobs-*.jsonl", "backup.json"} {
		paths, err := filepath.Glob(filepath.Join(dir, damage))
		if err != nil || len(paths) != 1 {
			t.Fatalf("%s: %q, %v", damage, paths, err)
		}
		text, err := os.ReadFile(paths[0])
		must(t, err)
		must(t, os.WriteFile(paths[0], append([]byte("!"), text[1:]...), 0o600))
		if _, _, err := server.CheckBackup(t.Context(), server.BackupSource{Dir: dir}, moveOptions(t)); err == nil {
			t.Errorf("a damaged %s is not found", damage)
		}
		must(t, os.WriteFile(paths[0], text, 0o600))
	}
}

// breakLayer changes a stored byte.
func breakLayer(t *testing.T, s *testkit.Server, digest string) {
	t.Helper()
	path := filepath.Join(s.Config.DataDir, "blobs", strings.TrimPrefix(string(locationOf(t, s, digest)), "file:"))
	must(t, os.Chmod(path, 0o600))
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt([]byte{^layer(1)[9]}, 9)
	must(t, errors.Join(err, f.Close()))
}

func locationOf(t *testing.T, s *testkit.Server, digest string) name.Location {
	t.Helper()
	var after meta.BlobID
	for {
		page, err := s.Catalogue().BlobsAfter(t.Context(), after, 10)
		must(t, err)
		if len(page) == 0 {
			t.Fatalf("no blob %s", digest)
		}
		for _, b := range page {
			if after = b.ID; string(b.Digest) == digest {
				return b.Location
			}
		}
	}
}

func TestBackupsThatAreRefused(t *testing.T) {
	s := testkit.Start(t)
	full := t.TempDir()
	must(t, os.WriteFile(filepath.Join(full, "mine"), nil, 0o600))
	for _, tt := range []struct {
		name string
		in   map[string]any
		want string
	}{
		{"a relative directory", map[string]any{"directory": "backup"}, "not absolute"},
		{"a directory with something else", map[string]any{"directory": full}, "is not empty and no backup"},
		{"the data directory itself", map[string]any{"directory": s.Config.DataDir}, "in use"},
		{"a reference without a time", map[string]any{"directory": filepath.Join(full, "x"), "blobs": "reference"}, "holdSeconds"},
		{"a copy with a time", map[string]any{"directory": filepath.Join(full, "x"), "holdSeconds": 60}, "holdSeconds"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := ownAPI(t, s, "StartBackup", tt.in, &struct{}{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestAStoreMovesThereAndBack, with everything in it, and logins stay valid.
func TestAStoreMovesThereAndBack(t *testing.T) {
	s := testkit.Start(t)
	login := s.Login()
	for i := range 40 {
		s.PushImage(login, "team/app", fmt.Sprint("v", i), fmt.Appendf(nil, "{%d}", i), layer(i), fmt.Appendf(nil, "small %d", i))
	}
	service := "web"
	scale := int32(1)
	_, err := s.Lightsail().CreateContainerService(t.Context(), &lightsail.CreateContainerServiceInput{ServiceName: &service, Power: "nano", Scale: &scale})
	must(t, err)
	repository, text := "team/app", keepTwo
	_, err = s.ECR().PutLifecyclePolicy(t.Context(), &ecr.PutLifecyclePolicyInput{RepositoryName: &repository, LifecyclePolicyText: &text})
	must(t, err)
	root := s.Root
	s.Stop()
	if _, err := server.Move(t.Context(), storeAt(t, s.Config.DataDir), storeAt(t, s.Config.DataDir), moveOptions(t)); err == nil {
		t.Error("a store was moved onto itself")
	}

	dirs := []string{s.Config.DataDir, filepath.Join(t.TempDir(), "there"), filepath.Join(t.TempDir(), "back")}
	places := [][]testkit.Option{nil, {testkit.Postgres(metatest.StartPostgres(t).NewDatabase(t))}, nil}
	for i := range 2 {
		from, to := storeAt(t, dirs[i], places[i]...), storeAt(t, dirs[i+1], places[i+1]...)
		cuts := moveInPieces(t, from, to)
		if cuts < 3 {
			t.Errorf("the move was cut %d times only", cuts)
		}
		if _, err := server.Move(t.Context(), from, to, moveOptions(t)); err == nil || !strings.Contains(err.Error(), "is not empty") {
			t.Errorf("a second move into one store: %v", err)
		}
		m := testkit.Start(t, append(places[i+1], testkit.Setting("data-dir", dirs[i+1]))...)
		stored, err := config.StoredCredentials(dirs[i+1])
		if err != nil || stored != root {
			t.Errorf("the root key did not come along: %v", err)
		}
		m.CheckInvariants(t)
		for i := range 40 {
			if a := m.Do(login, "GET", "/v2/team/app/blobs/"+testkit.Digest(layer(i)), nil); !bytes.Equal(a.Body, layer(i)) {
				t.Errorf("layer %d is %d, %d bytes", i, a.Status, len(a.Body))
			}
			if a := m.Do(login, "GET", fmt.Sprint("/v2/team/app/manifests/v", i), nil); a.Status != http.StatusOK {
				t.Errorf("v%d is %d", i, a.Status)
			}
		}
		if n := layerFiles(t, filepath.Join(dirs[i+1], "blobs")); n != 41 {
			t.Errorf("%d files are in the layer store, want 40 layers and the store's own: cuts left some", n)
		}
		m.Stop()
	}
}

// moveInPieces cuts a move short at many places, and runs it to its end.
func moveInPieces(t *testing.T, from, to config.Config) (cuts int) {
	t.Helper()
	for steps := 7; ; steps = 7 {
		ctx, cancel := context.WithCancel(t.Context())
		o := moveOptions(t)
		layers := 0
		o.Told = func(act string, done, _ int64) {
			if strings.HasPrefix(act, "copying layers") {
				if layers++; layers == 1 && done < 40 {
					cancel()
				}
				return
			}
			if steps--; steps == 0 && cuts < 20 {
				cancel()
			}
		}
		_, err := server.Move(ctx, from, to, o)
		cancel()
		if err == nil {
			return cuts
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if cuts++; cuts > 100 {
			t.Fatal("the move never ends")
		}
	}
}
