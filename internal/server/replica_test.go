package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lightsail"
	lightsailtypes "github.com/aws/aws-sdk-go-v2/service/lightsail/types"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/blob/disk"
	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/server"
	"github.com/lighterage/lighterage/internal/testkit"
)

// several starts servers on one database and one layer store.
func several(t *testing.T, url string, n int, options ...testkit.Option) []*testkit.Server {
	t.Helper()
	blobs := layers(t)
	var servers []*testkit.Server
	for range n {
		servers = append(servers, testkit.Start(t, append(options[:len(options):len(options)], testkit.Shared(url, blobs))...))
	}
	return servers
}

func layers(t *testing.T) blob.Store {
	t.Helper()
	blobs, err := disk.Open(t.TempDir(), disk.Options{Logger: slog.New(slog.DiscardHandler), Fatal: func(err error) { t.Error(err) }})
	must(t, err)
	t.Cleanup(func() {
		if err := blobs.Close(); err != nil {
			t.Error(err)
		}
	})
	return blobs
}

// onward is a path at a server, of a Location that another gave.
func onward(s *testkit.Server, location string) string {
	if _, path, ok := strings.Cut(location, "/v2/"); ok {
		return s.URL + "/v2/" + path
	}
	return s.URL + location
}

func TestReplicas(t *testing.T) {
	postgres := metatest.StartPostgres(t)
	t.Run("four that start at once on nothing", func(t *testing.T) { startAtOnce(t, postgres.NewDatabase(t)) })
	servers := several(t, postgres.NewDatabase(t), 3, testkit.Setting("quotas", "layer-part-min-bytes=1"))
	a, b, c := servers[0], servers[1], servers[2]
	login := a.Login()
	t.Run("an upload goes on at any", func(t *testing.T) {
		for _, sizes := range [][]int{{10, 20, 30}, {0, 70 << 10, 70 << 10}, {200 << 10, 1, 300 << 10}, {100 << 10, 200 << 10, 0}} {
			t.Run(fmt.Sprint(sizes), func(t *testing.T) { uploadAcross(t, servers, login, sizes) })
		}
	})
	t.Run("a part of a layer goes to any", func(t *testing.T) { partsAcross(t, servers) })
	t.Run("an upload that was cancelled is gone everywhere", func(t *testing.T) {
		begin := a.Do(login, "POST", "/v2/team/app/blobs/uploads/", nil)
		at1 := begin.Header.Get("Location")
		if got := b.Do(login, "PATCH", onward(b, at1), []byte("some")); got.Status != http.StatusAccepted {
			t.Fatalf("PATCH: %d %s", got.Status, got.Body)
		}
		if got := c.Do(login, "DELETE", onward(c, at1), nil); got.Status != http.StatusNoContent {
			t.Errorf("DELETE: %d %s", got.Status, got.Body)
		}
		for _, s := range servers {
			if got := s.Do(login, "GET", onward(s, at1), nil); got.Status != http.StatusNotFound {
				t.Errorf("after it: %d %s", got.Status, got.Body)
			}
		}
	})
	t.Run("a tag that moved is read by the next request", func(t *testing.T) {
		for i := range 6 {
			from, to := servers[i%3], servers[(i+1)%3]
			_, d := from.PushImage(login, "moving", "latest", fmt.Appendf(nil, `{"n":%d}`, i), []byte("layer"))
			if got := to.Do(login, "HEAD", "/v2/moving/manifests/latest", nil); got.Header.Get("Docker-Content-Digest") != d {
				t.Errorf("%d: %d %s, want %s", i, got.Status, got.Header.Get("Docker-Content-Digest"), d)
			}
		}
	})
	t.Run("a key that is made inactive is refused everywhere within a second", func(t *testing.T) { revokedAcross(t, servers) })
	t.Run("numbers of registered images are given once", func(t *testing.T) { numbersAcross(t, servers) })
	for _, s := range servers {
		s.Pass("collect garbage")
		s.Pass("park uploads")
	}
	a.CheckInvariants(t)
}

// startAtOnce also has others come later, which were given other secrets.
func startAtOnce(t *testing.T, url string) {
	type part struct {
		store *sqlstore.Store
		root  config.Credentials
		err   error
	}
	blobs := layers(t)
	log := slog.New(slog.DiscardHandler)
	c := sharedConfig(t, url)
	start := func(key string, environ ...string) (p part) {
		environ = append(environ, "KEY="+key)
		if p.store, p.err = sqlstore.OpenPostgres(t.Context(), url, sqlstore.Options{Clock: time.Now}); p.err != nil {
			return p
		}
		keys, err := server.ReadMasterKeys(t.Context(), c, environ)
		if p.err = err; err != nil {
			return p
		}
		sealer, err := server.MasterKey(t.Context(), c, keys, p.store, log)
		if p.err = err; err != nil {
			return p
		}
		replica := server.ReplicaID(c)
		own := c
		own.DataDir = t.TempDir()
		if p.root, p.err = server.SharedRoot(t.Context(), own, environ, replica, p.store, sealer, log); p.err != nil {
			return p
		}
		_, p.err = server.Build(t.Context(), server.Parts{
			Config: own, Root: p.root, Meta: p.store, Blobs: blobs, Seal: sealer, Replica: replica, Clock: time.Now, Logger: log,
		})
		return p
	}
	right, wrong := strings.Repeat("0123", 16), strings.Repeat("4567", 16)
	parts := make([]part, 4)
	var wait sync.WaitGroup
	for i := range parts {
		wait.Go(func() { parts[i] = start(right) })
	}
	wait.Wait()
	parts = append(parts, start(right))
	for i, p := range parts {
		defer p.store.Close()
		if p.err != nil || p.root != parts[0].root {
			t.Errorf("server %d: %s, %v", i, p.root.AccessKeyID, p.err)
		}
	}
	for _, tt := range []struct {
		name, key string
		environ   []string
		want      string
	}{
		{"another master key", wrong, nil, "is not the key of this catalogue's secrets"},
		{"another root key", right, []string{"LIGHTERAGE_ROOT_ACCESS_KEY_ID=AKIAANOTHERANOTHER00", "LIGHTERAGE_ROOT_SECRET_ACCESS_KEY=another-secret"}, "are not those of the servers that run on the same database"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := start(tt.key, tt.environ...)
			defer p.store.Close()
			if _, ok := errors.AsType[*config.Error](p.err); !ok || !strings.Contains(p.err.Error(), tt.want) {
				t.Errorf("got %v", p.err)
			}
		})
	}
	t.Run("another root key when all are gone", func(t *testing.T) {
		err := parts[0].store.Update(t.Context(), func(tx meta.Tx) error {
			all, err := tx.Leases("server/")
			for _, l := range all {
				err = errors.Join(err, tx.EndLease(l.Name, l.Holder))
			}
			if len(all) != 5 {
				err = fmt.Errorf("%d servers are present, want 5", len(all))
			}
			return err
		})
		must(t, err)
		p := start(right, "LIGHTERAGE_ROOT_ACCESS_KEY_ID=AKIAANOTHERANOTHER00", "LIGHTERAGE_ROOT_SECRET_ACCESS_KEY=another-secret")
		defer p.store.Close()
		if p.err != nil || p.root.AccessKeyID != "AKIAANOTHERANOTHER00" {
			t.Errorf("got %s, %v", p.root.AccessKeyID, p.err)
		}
	})
}

func sharedConfig(t *testing.T, url string) config.Config {
	c := testkit.Start(t).Config
	c.Database, c.Storage = config.Place{Scheme: "postgres", URL: config.Secret(url)}, config.Place{Scheme: "s3"}
	c.MasterKeys = []config.KeySource{{Scheme: "env", Name: "KEY"}}
	return c
}

func uploadAcross(t *testing.T, servers []*testkit.Server, login testkit.Login, sizes []int) {
	a, b, c := servers[0], servers[1], servers[2]
	whole := make([]byte, sizes[0]+sizes[1]+sizes[2])
	for i := range whole {
		whole[i] = byte(rand.Int())
	}
	begin := a.Do(login, "POST", "/v2/team/app/blobs/uploads/", nil)
	location := begin.Header.Get("Location")
	if begin.Status != http.StatusAccepted {
		t.Fatalf("POST: %d %s", begin.Status, begin.Body)
	}
	sent := 0
	for i, s := range []*testkit.Server{b, a, c} {
		part := whole[sent : sent+sizes[i]]
		if len(part) > 0 {
			got := s.Do(login, "PATCH", onward(s, location), part, fmt.Sprintf("Content-Range: %d-%d", sent, sent+len(part)-1), "Content-Type: application/octet-stream")
			if got.Status != http.StatusAccepted {
				t.Fatalf("PATCH %d: %d %s", i, got.Status, got.Body)
			}
			location = got.Header.Get("Location")
		}
		sent += len(part)
		for _, other := range servers {
			got := other.Do(login, "GET", onward(other, location), nil)
			if want := fmt.Sprintf("0-%d", max(sent-1, 0)); got.Status != http.StatusNoContent || got.Header.Get("Range") != want {
				t.Errorf("after part %d: %d, %s, want %s", i, got.Status, got.Header.Get("Range"), want)
			}
		}
	}
	d := testkit.Digest(whole)
	end := b.Do(login, "PUT", onward(b, location)+"?digest="+d, nil)
	if end.Status != http.StatusCreated {
		t.Fatalf("PUT: %d %s", end.Status, end.Body)
	}
	if got := a.Do(login, "GET", "/v2/team/app/blobs/"+d, nil); !bytes.Equal(got.Body, whole) {
		t.Errorf("GET: %d and %d bytes, want %d", got.Status, len(got.Body), len(whole))
	}
}

func partsAcross(t *testing.T, servers []*testkit.Server) {
	ctx := t.Context()
	_, err := servers[0].ECR().CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("parts")})
	must(t, err)
	whole := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16)
	begin, err := servers[0].ECR().InitiateLayerUpload(ctx, &ecr.InitiateLayerUploadInput{RepositoryName: aws.String("parts")})
	must(t, err)
	for i := range 3 {
		first := i << 20
		_, err := servers[(i+1)%3].ECR().UploadLayerPart(ctx, &ecr.UploadLayerPartInput{
			RepositoryName: aws.String("parts"), UploadId: begin.UploadId, LayerPartBlob: whole[first : first+1<<20],
			PartFirstByte: aws.Int64(int64(first)), PartLastByte: aws.Int64(int64(first + 1<<20 - 1)),
		})
		must(t, err)
	}
	end, err := servers[1].ECR().CompleteLayerUpload(ctx, &ecr.CompleteLayerUploadInput{
		RepositoryName: aws.String("parts"), UploadId: begin.UploadId, LayerDigests: []string{testkit.Digest(whole)},
	})
	must(t, err)
	if *end.LayerDigest != testkit.Digest(whole) {
		t.Errorf("digest %s", *end.LayerDigest)
	}
}

func revokedAcross(t *testing.T, servers []*testkit.Server) {
	ctx := t.Context()
	admin := iam.NewFromConfig(servers[0].AWS())
	_, err := admin.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("eve")})
	must(t, err)
	key, err := admin.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String("eve")})
	must(t, err)
	allowed := func(s *testkit.Server) bool {
		cfg := s.AWS()
		cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: *key.AccessKey.AccessKeyId, SecretAccessKey: *key.AccessKey.SecretAccessKey}, nil
		})
		_, err := ecr.NewFromConfig(cfg).GetAuthorizationToken(context.Background(), &ecr.GetAuthorizationTokenInput{})
		return err == nil
	}
	_, err = admin.PutUserPolicy(ctx, &iam.PutUserPolicyInput{
		UserName: aws.String("eve"), PolicyName: aws.String("all"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`),
	})
	must(t, err)
	for _, s := range servers {
		testkit.Eventually(t, "the new key works", func() bool { return allowed(s) })
	}
	_, err = admin.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: aws.String("eve"), AccessKeyId: key.AccessKey.AccessKeyId, Status: "Inactive"})
	must(t, err)
	revoked := time.Now()
	if allowed(servers[0]) {
		t.Error("the server that was told lets it in")
	}
	for _, s := range servers[1:] {
		testkit.Eventually(t, "the key is refused", func() bool { return !allowed(s) })
	}
	if d := time.Since(revoked); d > time.Second {
		t.Errorf("it took %v", d)
	}
}

func numbersAcross(t *testing.T, servers []*testkit.Server) {
	ctx := t.Context()
	_, err := servers[0].Lightsail().CreateContainerService(ctx, &lightsail.CreateContainerServiceInput{
		ServiceName: aws.String("web"), Power: lightsailtypes.ContainerServicePowerNameNano, Scale: aws.Int32(1),
	})
	must(t, err)
	login := servers[0].LightsailLogin()
	var digests []string
	for i := range 6 {
		_, d := servers[i%3].PushImage(login, "sr", fmt.Sprint("push", i), fmt.Appendf(nil, `{"registered":%d}`, i), []byte("layer"))
		digests = append(digests, d)
	}
	names := make([]string, len(digests))
	var wait sync.WaitGroup
	for i, d := range digests {
		wait.Go(func() {
			out, err := servers[i%3].Lightsail().RegisterContainerImage(ctx, &lightsail.RegisterContainerImageInput{
				ServiceName: aws.String("web"), Label: aws.String("app"), Digest: aws.String(d),
			})
			if err != nil {
				t.Error(err)
				return
			}
			names[i] = *out.ContainerImage.Image
		})
	}
	wait.Wait()
	slices.Sort(names)
	if diff := cmp.Diff([]string{":web.app.1", ":web.app.2", ":web.app.3", ":web.app.4", ":web.app.5", ":web.app.6"}, names); diff != "" {
		t.Error(diff)
	}
}

// tagAct is what a client does with a tag, which is a register of digests.
type tagAct struct {
	tag, put string // put: digest; empty: it is read
}

var tagModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		by := map[string][]porcupine.Operation{}
		for _, o := range history {
			tag := o.Input.(tagAct).tag
			by[tag] = append(by[tag], o)
		}
		var all [][]porcupine.Operation
		for _, part := range by {
			all = append(all, part)
		}
		return all
	},
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		if in := input.(tagAct); in.put != "" {
			return true, in.put
		}
		return output.(string) == state.(string), state
	},
}

// Tags are read and moved by many through three servers: there is one order of
// all acts, which agrees with the time, in which every read sees the last move.
func TestTagsOfReplicasAreLinearizable(t *testing.T) {
	servers := several(t, metatest.StartPostgres(t).NewDatabase(t), 3)
	login := servers[0].Login()
	const images, clients, acts = 5, 6, 40
	var manifests [][]byte
	for i := range images {
		m, _ := servers[0].PushImage(login, "app", fmt.Sprint("image", i), fmt.Appendf(nil, `{"n":%d}`, i), []byte("layer"))
		manifests = append(manifests, m)
	}
	start := time.Now()
	histories := make([][]porcupine.Operation, clients)
	var wait sync.WaitGroup
	for client := range clients {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(uint64(start.UnixNano()), uint64(client)))
			for range acts {
				s, in := servers[r.IntN(3)], tagAct{tag: fmt.Sprint("tag", r.IntN(2))}
				o := porcupine.Operation{ClientId: client, Output: "", Call: int64(time.Since(start))}
				path := "/v2/app/manifests/" + in.tag
				if r.IntN(2) == 0 {
					m := manifests[r.IntN(images)]
					in.put = testkit.Digest(m)
					if got := s.Do(login, "PUT", path, m, "Content-Type: "+testkit.ManifestType); got.Status != http.StatusCreated {
						t.Errorf("PUT: %d %s", got.Status, got.Body)
					}
				} else {
					got := s.Do(login, "GET", path, nil)
					o.Output = got.Header.Get("Docker-Content-Digest")
					if got.Status == http.StatusNotFound {
						o.Output = ""
					} else if got.Status != http.StatusOK {
						t.Errorf("GET: %d %s", got.Status, got.Body)
					}
				}
				o.Input, o.Return = in, int64(time.Since(start))
				histories[client] = append(histories[client], o)
			}
		})
	}
	wait.Wait()
	all := slices.Concat(histories...)
	if result := porcupine.CheckOperationsTimeout(tagModel, all, time.Minute); result != porcupine.Ok {
		t.Errorf("%d acts: %s", len(all), result)
	}
	servers[0].CheckInvariants(t)
}

// Random acts at random servers, one after the other, against a model in maps.
func TestHistoriesOverReplicas(t *testing.T) {
	servers := several(t, metatest.StartPostgres(t).NewDatabase(t), 3)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	some := func() *testkit.Server { return servers[r.IntN(len(servers))] }
	login := some().Login()
	type halfway struct {
		location string
		body     []byte
	}
	tags, bodies, uploads := map[string]string{}, map[string][]byte{}, []halfway{}
	config := []byte("{}")
	some().PushLayer(login, "app", config)
	for step := range 250 {
		switch r.IntN(6) {
		case 0: // begin an upload
			got := some().Do(login, "POST", "/v2/app/blobs/uploads/", nil)
			if got.Status != http.StatusAccepted {
				t.Fatalf("step %d: POST %d %s", step, got.Status, got.Body)
			}
			uploads = append(uploads, halfway{location: got.Header.Get("Location")})
		case 1, 2: // go on with one
			if len(uploads) == 0 {
				continue
			}
			u, s := &uploads[r.IntN(len(uploads))], some()
			part := make([]byte, 1+r.IntN(90<<10))
			for i := range part {
				part[i] = byte(r.Int())
			}
			got := s.Do(login, "PATCH", onward(s, u.location), part, fmt.Sprintf("Content-Range: %d-%d", len(u.body), len(u.body)+len(part)-1))
			if got.Status != http.StatusAccepted {
				t.Fatalf("step %d: PATCH %d %s", step, got.Status, got.Body)
			}
			u.body, u.location = append(u.body, part...), got.Header.Get("Location")
			if r.IntN(4) == 0 {
				some().Pass("park uploads")
			}
		case 3: // finish one, and tag an image of it
			if len(uploads) == 0 {
				continue
			}
			i, s := r.IntN(len(uploads)), some()
			u := uploads[i]
			uploads = slices.Delete(uploads, i, i+1)
			d := testkit.Digest(u.body)
			if got := s.Do(login, "PUT", onward(s, u.location)+"?digest="+d, nil); got.Status != http.StatusCreated {
				t.Fatalf("step %d: PUT %d %s", step, got.Status, got.Body)
			}
			m, tag := testkit.Manifest(config, u.body), fmt.Sprint("t", r.IntN(5))
			if got := some().Do(login, "PUT", "/v2/app/manifests/"+tag, m, "Content-Type: "+testkit.ManifestType); got.Status != http.StatusCreated {
				t.Fatalf("step %d: PUT manifest %d %s", step, got.Status, got.Body)
			}
			tags[tag], bodies[d] = testkit.Digest(m), u.body
		case 4: // read a tag and a layer
			tag := fmt.Sprint("t", r.IntN(5))
			if got := some().Do(login, "HEAD", "/v2/app/manifests/"+tag, nil); got.Header.Get("Docker-Content-Digest") != tags[tag] {
				t.Fatalf("step %d: %s is %s, want %s", step, tag, got.Header.Get("Docker-Content-Digest"), tags[tag])
			}
			for d, body := range bodies {
				if got := some().Do(login, "GET", "/v2/app/blobs/"+d, nil); !bytes.Equal(got.Body, body) {
					t.Fatalf("step %d: layer %s: %d", step, d, got.Status)
				}
				break
			}
		case 5: // list
			var list struct{ Tags []string }
			got := some().Do(login, "GET", "/v2/app/tags/list", nil)
			if err := json.Unmarshal(got.Body, &list); err != nil {
				t.Fatalf("step %d: %s", step, got.Body)
			}
			want := []string{}
			for tag := range tags {
				want = append(want, tag)
			}
			slices.Sort(want)
			if !slices.Equal(list.Tags, want) {
				t.Fatalf("step %d: tags %v, want %v", step, list.Tags, want)
			}
			some().Pass("collect garbage")
		}
	}
	servers[0].CheckInvariants(t)
}
