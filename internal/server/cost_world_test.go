package server_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/blob/blobtest"
	"github.com/lighterage/lighterage/internal/blob/disk"
	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/server"
	"github.com/lighterage/lighterage/internal/sigv4"
	"github.com/lighterage/lighterage/internal/testkit"
)

// world is a server that is asked without a connection: what it costs to answer
// is then all of what happens.
type world struct {
	t       *testing.T
	config  config.Config
	root    config.Credentials
	stores  *server.Stores
	trail   server.Trail
	blobs   *blobtest.Faulty // counts
	sql     *metatest.Works
	server  *server.Server
	handler http.Handler
	login   string
	grown   int
}

func newWorld(t *testing.T, flags ...string) *world {
	ctx := context.Background()
	w := &world{t: t, config: settings(t, t.TempDir(), flags...), sql: metatest.WatchSQLite(t)}
	var err error
	w.stores, err = server.OpenStores(ctx, w.config, server.StoreOptions{
		Clock: time.Now, Logger: slog.New(slog.DiscardHandler), Fatal: func(err error) { t.Errorf("store gave up: %v", err) },
	})
	must(t, err)
	t.Cleanup(func() {
		if err := w.stores.Close(); err != nil {
			t.Error(err)
		}
	})
	w.blobs = blobtest.Wrap(w.stores.Blobs)
	w.root, err = config.RootCredentials(w.config.DataDir, nil)
	must(t, err)
	trail, closer, err := server.OpenTrail(w.config, io.Discard, time.Now)
	must(t, err)
	t.Cleanup(func() {
		if err := closer.Close(); err != nil {
			t.Error(err)
		}
	})
	w.trail = trail
	w.start()
	return w
}

// start builds the server anew, with nothing in its caches.
func (w *world) start() {
	ctx := context.Background()
	keys, err := server.ReadMasterKeys(ctx, w.config, nil)
	must(w.t, err)
	sealer, err := server.MasterKey(ctx, w.config, keys, w.stores.Meta, slog.New(slog.DiscardHandler))
	must(w.t, err)
	s, err := server.Build(ctx, server.Parts{
		Config: w.config, Root: w.root, Meta: w.stores.Meta, Blobs: w.blobs, Seal: sealer, Trail: w.trail,
		BootID: disk.BootID(), Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	must(w.t, err)
	w.server, w.handler = s, server.Handler(s)
	w.logIn()
}

func (w *world) logIn() {
	var out struct {
		AuthorizationData []struct{ AuthorizationToken string }
	}
	w.answer(w.ecr("GetAuthorizationToken", `{}`), 200, &out)
	w.login = "Basic " + out.AuthorizationData[0].AuthorizationToken
}

// sink is a response without a connection. It does not keep the body, unless it
// is to.
type sink struct {
	header http.Header
	status int
	keep   bool
	body   bytes.Buffer
}

func (s *sink) Header() http.Header                 { return s.header }
func (s *sink) WriteHeader(status int)              { s.status = status }
func (s *sink) SetReadDeadline(time.Time) error     { return nil }
func (s *sink) SetWriteDeadline(time.Time) error    { return nil }
func (s *sink) ReadFrom(r io.Reader) (int64, error) { return io.Copy(io.Discard, r) }

func (s *sink) Write(b []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	if s.keep || s.status >= 400 {
		s.body.Write(b)
	}
	return len(b), nil
}

func newSink() *sink { return &sink{header: make(http.Header, 16)} }

// ask has a request answered with the status wanted.
func (w *world) ask(r *http.Request, status int) *sink {
	w.t.Helper()
	s := newSink()
	s.keep = true
	w.handler.ServeHTTP(s, r)
	if s.status != status {
		w.t.Fatalf("%s %s %s: %d %s", r.Method, r.URL, r.Header.Get("X-Amz-Target"), s.status, s.body.Bytes())
	}
	return s
}

// answer is ask for a JSON answer.
func (w *world) answer(r *http.Request, status int, out any) {
	w.t.Helper()
	must(w.t, json.Unmarshal(w.ask(r, status).body.Bytes(), out))
}

func (w *world) request(method, path string, body []byte) *http.Request {
	r, err := http.NewRequest(method, "http://127.0.0.1:5000"+path, bytes.NewReader(body))
	must(w.t, err)
	r.RemoteAddr = "127.0.0.1:40000"
	r.RequestURI = path
	return r
}

// oci is a request to the /v2/ door.
func (w *world) oci(method, path string, body []byte) *http.Request {
	r := w.request(method, "/v2/"+path, body)
	r.Header.Set("Authorization", w.login)
	r.Header.Set("User-Agent", "docker/29.0.0")
	if body != nil {
		r.Header.Set("Content-Type", "application/octet-stream")
	}
	return r
}

func (w *world) putManifest(repository, reference string, manifest []byte) *http.Request {
	r := w.oci("PUT", repository+"/manifests/"+reference, manifest)
	r.Header.Set("Content-Type", testkit.ManifestType)
	return r
}

// ecr and lightsail are signed requests of the AWS doors.
func (w *world) ecr(operation, body string) *http.Request {
	return w.signed("ecr", "AmazonEC2ContainerRegistry_V20150921."+operation, body)
}

func (w *world) lightsail(operation, body string) *http.Request {
	return w.signed("lightsail", "Lightsail_20161128."+operation, body)
}

func (w *world) signed(service, target, body string) *http.Request {
	r := w.request("POST", "/", []byte(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", target)
	hash := sha256.Sum256([]byte(body))
	by := sigv4.Credentials{KeyID: w.root.AccessKeyID, Secret: w.root.SecretAccessKey.Reveal()}
	must(w.t, sigv4.Sign(r, by, string(w.config.Region), service, time.Now(), hex.EncodeToString(hash[:])))
	return r
}

// write commits something that no operation is about: what was answered before
// is then read anew.
func (w *world) write() {
	w.t.Helper()
	must(w.t, w.stores.Meta.Update(context.Background(), func(tx meta.Tx) error {
		err := tx.SetSecret("of a test", nil)
		if errors.Is(err, meta.ErrNotFound) {
			return tx.PutSecret("of a test", nil)
		}
		return err
	}))
}

// repository is where the operations happen.
const repository = "team/app"

func blobOf(kind string, n, size int) []byte {
	b := bytes.Repeat([]byte{'.'}, size)
	copy(b, fmt.Sprintf("%s %d ", kind, n))
	return b
}

// pushBlob pushes a blob in one request and returns its digest.
func (w *world) pushBlob(content []byte) string {
	w.t.Helper()
	d := testkit.Digest(content)
	w.ask(w.oci("POST", repository+"/blobs/uploads/?digest="+d, content), 201)
	return d
}

// begin begins an upload, and returns the path to go on at below /v2/.
func (w *world) begin() string {
	w.t.Helper()
	return below(w.ask(w.oci("POST", repository+"/blobs/uploads/", nil), 202))
}

// sent begins an upload of a body.
func (w *world) sent(body []byte) string {
	w.t.Helper()
	return below(w.ask(w.oci("PATCH", w.begin(), body), 202))
}

func below(s *sink) string {
	_, path, _ := strings.Cut(s.header.Get("Location"), "/v2/")
	return path
}

// initiate begins an upload by parts.
func (w *world) initiate() string {
	w.t.Helper()
	var out struct{ UploadID string }
	w.answer(w.ecr("InitiateLayerUpload", `{"repositoryName":"`+repository+`"}`), 200, &out)
	return out.UploadID
}

func part(upload string, content []byte) string {
	return fmt.Sprintf(`{"repositoryName":%q,"uploadId":%q,"partFirstByte":0,"partLastByte":%d,"layerPartBlob":%q}`,
		repository, upload, len(content)-1, base64.StdEncoding.EncodeToString(content))
}

// The content that images share, and the manifest of an image of its own.
var configBlob, layerBlob, largeBlob = []byte("{}"), blobOf("layer", 0, 1000), blobOf("large", 0, 300_000)

func manifestOf(kind string, n int) []byte {
	m := testkit.Manifest(configBlob, layerBlob, largeBlob)
	return append(m[:len(m)-1], fmt.Sprintf(`,"annotations":{"is":"%s %d"}}`, kind, n)...)
}

// image pushes an image of its own under a tag, and returns its digest.
func (w *world) image(kind string, n int) string {
	w.t.Helper()
	body := manifestOf(kind, n)
	w.ask(w.putManifest(repository, fmt.Sprint(kind, "-", n), body), 201)
	return testkit.Digest(body)
}

// removed pushes an image to a repository of its own, which it deletes.
func (w *world) removed(n int) {
	w.t.Helper()
	of := fmt.Sprint("removed/", n)
	w.ask(w.oci("POST", of+"/blobs/uploads/?digest="+testkit.Digest(configBlob), configBlob), 201)
	w.ask(w.putManifest(of, "latest", testkit.Manifest(configBlob)), 201)
	w.ask(w.ecr("DeleteRepository", `{"repositoryName":"`+of+`","force":true}`), 200)
}

func (w *world) service(n int) {
	w.t.Helper()
	w.ask(w.lightsail("CreateContainerService", fmt.Sprintf(`{"serviceName":"web-%d","power":"nano","scale":1}`, n)), 200)
}

// serviceImage makes a container service, and pushes an image for it.
func (w *world) serviceImage(n int) {
	w.t.Helper()
	w.service(n)
	var out struct {
		RegistryLogin struct{ Username, Password string }
	}
	w.answer(w.lightsail("CreateContainerServiceRegistryLogin", `{}`), 200, &out)
	other := w.login
	defer func() { w.login = other }()
	w.login = testkit.Login{User: out.RegistryLogin.Username, Password: out.RegistryLogin.Password}.Basic()
	for _, b := range [][]byte{configBlob, layerBlob, largeBlob} {
		w.ask(w.oci("POST", "sr/blobs/uploads/?digest="+testkit.Digest(b), b), 201)
	}
	w.ask(w.putManifest("sr", fmt.Sprint(n), manifestOf("service", n)), 201)
}

// user makes a user of its own.
func (w *world) user(n int) {
	w.t.Helper()
	w.ask(w.iam("CreateUser", fmt.Sprint("&UserName=user-", n)), 200)
}

// iam is a signed request of the IAM API, with what comes behind its action.
func (w *world) iam(action, parameters string) *http.Request {
	body := "Version=2010-05-08&Action=" + action + parameters
	r := w.request("POST", "/", []byte(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	hash := sha256.Sum256([]byte(body))
	by := sigv4.Credentials{KeyID: w.root.AccessKeyID, Secret: w.root.SecretAccessKey.Reveal()}
	must(w.t, sigv4.Sign(r, by, "us-east-1", "iam", time.Now(), hex.EncodeToString(hash[:])))
	return r
}

// grow adds to everything that grows with a registry, until there are so many.
func (w *world) grow(to int) {
	w.t.Helper()
	here := name.RegistryID{Account: w.config.Account, Region: w.config.Region}
	there := name.RegistryID{Account: "210987654321", Region: w.config.Region}
	key := meta.RepositoryKey{Registry: here, Space: meta.ECR, Name: repository}
	shared := digest.Digest(testkit.Digest(layerBlob))
	must(w.t, w.stores.Meta.Update(context.Background(), func(tx meta.Tx) error {
		r, err := tx.Repository(key, meta.NoLock)
		if err != nil {
			return err
		}
		kept, err := tx.FindLayer(key, shared)
		if err != nil {
			return err
		}
		for i := w.grown; i < to; i++ {
			g := growth{tx, i}
			if err := g.add(r, kept, here, there); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
		return nil
	}))
	w.grown = to
}

// growth is one more of everything.
type growth struct {
	meta.Tx
	n int
}

func (g growth) add(r meta.Repository, kept meta.Layer, here, there name.RegistryID) error {
	now, err := g.Now()
	if err != nil {
		return err
	}
	if err := g.image(r.ID, kept.ID, now); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	for _, registry := range []name.RegistryID{here, there} {
		of := meta.RepositoryKey{Registry: registry, Space: meta.ECR, Name: name.RepositoryName(fmt.Sprintf("grown/%06d", g.n))}
		id, err := g.InsertRepository(meta.Repository{Key: of, CreatedAt: now})
		if err != nil {
			return fmt.Errorf("repository: %w", err)
		}
		layer, err := g.PutLayer(id, kept.Blob.ID, now.Add(time.Hour))
		if err != nil {
			return err
		}
		if err := g.image(id, layer, now); err != nil {
			return err
		}
	}
	if err := g.InsertUpload(meta.Upload{
		ID: name.UploadID(fmt.Sprintf("00000000-0000-4000-8000-%012d", g.n)), Repository: r.ID, CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}); err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	if err := g.AddGarbage(name.Location(fmt.Sprintf("file:00/%032x", g.n)), now.Add(time.Hour)); err != nil {
		return err
	}
	return g.principal(here.Account, now)
}

// image adds a tagged image that shares a layer with all others, one that has no
// tag, one that is archived, and what a tag that moves has been.
func (g growth) image(repository meta.RepositoryID, shared meta.LayerID, now time.Time) error {
	own := []byte(fmt.Sprintf("blob %d of %d", g.n, repository))
	b, err := g.PutBlob(meta.Blob{Digest: digest.Of(digest.SHA256, own), Size: int64(len(own)), Location: meta.Inline}, own)
	if err != nil {
		return err
	}
	layer, err := g.PutLayer(repository, b.ID, now.Add(time.Hour))
	if err != nil {
		return err
	}
	var ids []meta.ImageID
	for _, kind := range []string{"tagged", "untagged", "archived"} {
		body := []byte(fmt.Sprintf("%s %d of %d", kind, g.n, repository))
		id, err := g.InsertImage(meta.Image{
			Repository: repository, Digest: digest.Of(digest.SHA256, body), MediaType: testkit.ManifestType, ConfigMediaType: testkit.ConfigType,
			ManifestSize: int64(len(body)), ImageSize: 100, PushedAt: now,
		}, body, []meta.LayerID{shared, layer}, nil)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	if err := g.ArchiveImage(ids[2], now); err != nil {
		return err
	}
	if err := g.PutTag(repository, "moving", ids[1], "grown"); err != nil {
		return err
	}
	return g.PutTag(repository, name.Tag(fmt.Sprintf("grown-%06d", g.n)), ids[0], "grown")
}

// principal adds a user, a policy and an attachment of it.
func (g growth) principal(account name.AccountID, now time.Time) error {
	user, err := g.InsertPrincipal(meta.Principal{
		Key: meta.PrincipalKey{Account: account, Kind: meta.User, Name: fmt.Sprintf("grown-%06d", g.n)}, Path: "/",
		UniqueID: fmt.Sprintf("AIDA%016d", g.n), CreatedAt: now,
	})
	if err != nil {
		return fmt.Errorf("principal: %w", err)
	}
	of := fmt.Sprintf("grown-%06d", g.n)
	policy, err := g.InsertPolicy(meta.Policy{Account: account, Name: of, Path: "/", UniqueID: fmt.Sprintf("ANPA%016d", g.n), CreatedAt: now, UpdatedAt: now}, "{}")
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	if err := g.AttachPolicy(user, meta.PolicyRef{ARN: "arn:aws:iam::" + string(account) + ":policy/" + of, ID: policy}); err != nil {
		return fmt.Errorf("attachment: %w", err)
	}
	return g.InsertAccessKey(meta.AccessKey{ID: fmt.Sprintf("AKIA%016d", g.n), Account: account, User: user, Sealed: []byte("sealed"), CreatedAt: now})
}
