package oci_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/oci"
	"github.com/lighterage/lighterage/internal/blob/disk"
	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
	"github.com/lighterage/lighterage/internal/seal/sealtest"
	"github.com/lighterage/lighterage/internal/testkit"
)

const (
	account  = name.AccountID("123456789012")
	stranger = name.AccountID("999999999999")
	region   = name.Region("us-east-1")
	plain    = "registry.test:5000"
)

var regions = []name.Region{region, "eu-west-1"}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// decider refuses what a test forbids and leaves the rest to the real one.
type decider struct {
	*access.Decider
	mu        sync.Mutex
	forbidden []string // "action repository"; the repository may be *
	asked     []string
}

func (d *decider) forbid(rules ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forbidden = rules
}

// questions returns what was asked since the last call, sorted.
func (d *decider) questions() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	asked := d.asked
	d.asked = nil
	slices.Sort(asked)
	return asked
}

func (d *decider) Authorize(ctx context.Context, c identity.Caller, action string, r access.Resource) error {
	_, repository, _ := strings.Cut(r.ARN, ":repository/")
	d.mu.Lock()
	d.asked = append(d.asked, strings.TrimSpace(action+" "+repository))
	no := slices.Contains(d.forbidden, action+" "+repository) || slices.Contains(d.forbidden, action+" *")
	d.mu.Unlock()
	if no {
		return &fault.Error{Reason: fault.AccessDenied, Principal: c.ARN, Action: action, Resource: r.ARN, Detail: "because no identity-based policy allows the " + action + " action"}
	}
	return d.Decider.Authorize(ctx, c, action, r)
}

// world is the front over a catalogue on SQLite and a directory.
type world struct {
	t         testing.TB
	clock     *clock
	decider   *decider
	catalogue *registry.Catalogue
	authority *identity.Authority
	store     *sqlstore.Store
	handler   http.Handler
	token     string // of the account's root
	lightsail string // a login to its hidden registry
	foreign   string // of another account's root
}

// open builds a world. Changes are made before it is built.
func open(t testing.TB, changes ...func(*registry.Config, *oci.Config)) *world {
	t.Helper()
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	w := &world{t: t, clock: &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, decider: new(decider)}
	fatal := func(err error) { t.Errorf("store failed for good: %v", err) }
	meta, err := sqlstore.OpenSQLite(context.Background(), filepath.Join(dir, "catalogue.db"), sqlstore.Options{Clock: w.clock.Now, Logger: log, Fatal: fatal})
	w.must(err)
	w.store = meta
	t.Cleanup(func() { meta.Close() })
	w.decider.Decider = access.New(access.Config{Store: meta, Clock: w.clock.Now})
	blobs, err := disk.Open(filepath.Join(dir, "blobs"), disk.Options{Fatal: fatal, Logger: log})
	w.must(err)
	t.Cleanup(func() { blobs.Close() })
	t.Cleanup(func() {
		of := testkit.Server{Meta: meta, Blobs: blobs, Config: config.Config{Account: account, Regions: regions}}
		of.CheckInvariants(t)
	})
	rc := registry.Config{
		Meta: meta, Blobs: blobs, Clock: w.clock.Now, Logger: log, BootID: "boot-1", Limits: registry.Limits{ManifestSize: 4 << 20},
		LayerGrace: time.Hour, UploadTTL: 24 * time.Hour, PushTTL: 24 * time.Hour, URLTTL: time.Hour,
	}
	w.authority, err = identity.New(context.Background(), identity.Config{
		Keys: []identity.AccessKey{
			identity.RootKey(account, "AKIAOURS", identity.NewSecret("our secret")),
			identity.RootKey(stranger, "AKIATHEIRS", identity.NewSecret("their secret")),
		},
		Store: meta, Seal: sealtest.New(t), Regions: func(r name.Region) bool { return slices.Contains(regions, r) }, Clock: w.clock.Now, Logger: log,
	})
	w.must(err)
	addresses, err := edge.NewAddresses("", "")
	w.must(err)
	oc := oci.Config{Auth: w.authority, Access: w.decider, Addresses: addresses, Logger: log}
	for _, change := range changes {
		change(&rc, &oc)
	}
	w.catalogue = registry.New(rc)
	oc.Catalogue = w.catalogue
	w.handler = edge.Handler(oci.New(oc), edge.Options{Logger: log, Clock: time.Now, Idle: time.Minute})
	w.token = w.login("AKIAOURS", account, identity.FullScope, region)
	w.lightsail = w.login("AKIAOURS", account, identity.LightsailPush, region)
	w.foreign = w.login("AKIATHEIRS", stranger, identity.FullScope, region)
	return w
}

// with is the world as a subtest sees it.
func (w *world) with(t testing.TB) *world {
	of := *w
	of.t = t
	return &of
}

// strict is what --ecr-strict makes of the front.
func strict(r *registry.Config, c *oci.Config) { r.Limits.Strict, c.Strict = true, true }

func (w *world) login(key string, a name.AccountID, s identity.Scope, r name.Region) string {
	w.t.Helper()
	t, err := w.authority.IssueToken(w.t.Context(), identity.Caller{Account: a, KeyID: key, Region: r}, s, r)
	w.must(err)
	return basic("AWS", t.Password)
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// create makes repositories, as CreateRepository does.
func (w *world) create(names ...name.RepositoryName) {
	w.t.Helper()
	for _, n := range names {
		_, err := w.catalogue.CreateRepository(w.t.Context(), key(n), registry.Defaults(), nil)
		w.must(err)
	}
}

// drop deletes repositories with what is in them, if they are there.
func (w *world) drop(names ...name.RepositoryName) {
	w.t.Helper()
	for _, n := range names {
		if _, err := w.catalogue.DeleteRepository(w.t.Context(), key(n), true); !fault.Is(err, fault.RepositoryNotFound) {
			w.must(err)
		}
	}
}

// createLightsail makes the hidden repository, as a first login does.
func (w *world) createLightsail() {
	w.t.Helper()
	k := key(registry.LightsailRepository)
	k.Space = registry.Lightsail
	_, err := w.catalogue.EnsureRepository(w.t.Context(), k)
	w.must(err)
}

func key(n name.RepositoryName) registry.RepositoryKey {
	return registry.RepositoryKey{Registry: name.RegistryID{Account: account, Region: region}, Space: registry.ECR, Name: n}
}

// reply is an answer with its body.
type reply struct {
	t      testing.TB
	what   string
	status int
	header http.Header
	body   []byte
}

type option func(*http.Request)

func header(name, value string) option { return func(r *http.Request) { r.Header.Add(name, value) } }
func as(authorization string) option {
	return func(r *http.Request) { r.Header["Authorization"] = []string{authorization} }
}
func host(h string) option { return func(r *http.Request) { r.Host = h } }
func body(b []byte) option {
	return func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b)) }
}

// stream is a body of no announced length, as chunked encoding gives it.
func stream(b []byte) option {
	return func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), -1 }
}

var anonymous option = func(r *http.Request) { r.Header.Del("Authorization") }

// do sends a request as the account's root, unless options say otherwise.
func (w *world) do(method, target string, options ...option) reply {
	w.t.Helper()
	r := httptest.NewRequest(method, target, nil)
	r.Host = plain
	r.Header.Set("Authorization", w.token)
	for _, o := range options {
		o(r)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	a := reply{w.t, method + " " + shorten(target), rec.Code, rec.Result().Header, rec.Body.Bytes()}
	if method == "HEAD" && len(a.body) > 0 {
		w.t.Errorf("%s: answered with a body: %q", a.what, a.body)
	}
	if n := a.header.Get("Content-Length"); n != "" && method != "HEAD" && n != fmt.Sprint(len(a.body)) {
		w.t.Errorf("%s: Content-Length %s, but %d bytes", a.what, n, len(a.body))
	}
	if v := a.header.Get("Docker-Distribution-Api-Version"); v != "registry/2.0" {
		w.t.Errorf("%s: Docker-Distribution-Api-Version %q", a.what, v)
	}
	return a
}

func shorten(s string) string {
	if len(s) > 160 {
		return s[:120] + "…" + s[len(s)-30:]
	}
	return s
}

// is fails the test unless the answer has the status.
func (a reply) is(status int) reply {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: %d %s, want %d", a.what, a.status, a.body, status)
	}
	return a
}

// has checks headers, given as pairs.
func (a reply) has(pairs ...string) reply {
	a.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if got := strings.Join(a.header.Values(pairs[i]), ", "); got != pairs[i+1] {
			a.t.Errorf("%s: header %s is %q, want %q", a.what, pairs[i], got, pairs[i+1])
		}
	}
	return a
}

// holds checks the body.
func (a reply) holds(want []byte) reply {
	a.t.Helper()
	if !bytes.Equal(a.body, want) {
		a.t.Errorf("%s: body %q, want %q", a.what, a.body, want)
	}
	return a
}

// refuses fails the test unless the answer is the protocol's error body with
// the code; each of the parts must be in the message.
func (a reply) refuses(status int, code string, parts ...string) reply {
	a.t.Helper()
	a.is(status)
	a.has("Content-Type", "application/json; charset=utf-8")
	if strings.HasPrefix(a.what, "HEAD ") {
		return a
	}
	var got struct {
		Errors []struct{ Code, Message string }
	}
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&got); err != nil || len(got.Errors) != 1 {
		a.t.Fatalf("%s: no error body: %q (%v)", a.what, a.body, err)
	}
	if got.Errors[0].Code != code || got.Errors[0].Message == "" {
		a.t.Errorf("%s: error %+v, want code %s", a.what, got.Errors[0], code)
	}
	for _, p := range parts {
		if !strings.Contains(got.Errors[0].Message, p) {
			a.t.Errorf("%s: message %q lacks %q", a.what, got.Errors[0].Message, p)
		}
	}
	return a
}

// path is the answer's Location, which must be on the host that was asked.
func (a reply) path() string {
	a.t.Helper()
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil || u.Scheme != "http" || u.Host != plain || !strings.HasPrefix(u.Path, "/v2/") {
		a.t.Fatalf("%s: Location %q", a.what, a.header.Get("Location"))
	}
	return u.RequestURI()
}

func sha(b []byte) digest.Digest    { return digest.Of(digest.SHA256, b) }
func sha512(b []byte) digest.Digest { return digest.Of(digest.SHA512, b) }

// blob pushes a layer in one request and returns its digest.
func (w *world) blob(repository string, content []byte, options ...option) digest.Digest {
	w.t.Helper()
	d := sha(content)
	w.do("POST", "/v2/"+repository+"/blobs/uploads/?digest="+string(d), append(options, body(content))...).is(201)
	return d
}

// begin starts an upload and returns where it goes on.
func (w *world) begin(repository string, options ...option) string {
	w.t.Helper()
	return w.do("POST", "/v2/"+repository+"/blobs/uploads/", options...).is(202).path()
}

// put pushes a manifest by tag and returns its digest.
func (w *world) put(repository, tag string, manifest []byte) digest.Digest {
	w.t.Helper()
	w.do("PUT", "/v2/"+repository+"/manifests/"+tag, body(manifest)).is(201)
	return sha(manifest)
}

// The media types of what the tests push.
const (
	ociManifest    = "application/vnd.oci.image.manifest.v1+json"
	ociIndex       = "application/vnd.oci.image.index.v1+json"
	ociConfig      = "application/vnd.oci.image.config.v1+json"
	ociLayer       = "application/vnd.oci.image.layer.v1.tar"
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
)

type object = map[string]any

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func descriptor(mediaType string, content []byte) object {
	return object{"mediaType": mediaType, "digest": sha(content), "size": len(content)}
}

// manifestOf is an image of a config and layers that the seed makes unlike
// others; more are added members.
func manifestOf(seed string, more object) []byte {
	m := object{
		"schemaVersion": 2, "mediaType": ociManifest,
		"config": descriptor(ociConfig, configOf(seed)), "layers": []object{descriptor(ociLayer, layerOf(seed))},
	}
	for k, v := range more {
		if m[k] = v; v == nil {
			delete(m, k)
		}
	}
	return encode(m)
}

func configOf(seed string) []byte { return []byte(`{"seed":"` + seed + `"}`) }
func layerOf(seed string) []byte  { return []byte("layer of " + seed) }

// parts uploads what manifestOf(seed) needs.
func (w *world) parts(repository, seed string) {
	w.t.Helper()
	w.blob(repository, configOf(seed))
	w.blob(repository, layerOf(seed))
}

// image uploads the parts and the manifest of a seed.
func (w *world) image(repository, tag, seed string) ([]byte, digest.Digest) {
	w.t.Helper()
	w.parts(repository, seed)
	m := manifestOf(seed, nil)
	return m, w.put(repository, tag, m)
}

// indexOf is an index of image manifests.
func indexOf(more object, children ...[]byte) []byte {
	list := []object{}
	for _, c := range children {
		list = append(list, descriptor(ociManifest, c))
	}
	m := object{"schemaVersion": 2, "mediaType": ociIndex, "manifests": list}
	for k, v := range more {
		m[k] = v
	}
	return encode(m)
}
