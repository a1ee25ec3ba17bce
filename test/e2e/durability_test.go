//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/lightsail"
	lightsailtypes "github.com/aws/aws-sdk-go-v2/service/lightsail/types"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
)

// TestNoAnswerLeavesBeforeItsSyncs: kill -9 loses no page cache, so it proves
// little; here the order of system calls is read. Requests go one at a time
// over one connection, and every durable answer must find its log, its files
// and their directories synced, and a commit of its own behind it.
func TestNoAnswerLeavesBeforeItsSyncs(t *testing.T) {
	out := filepath.Join(t.TempDir(), "trace")
	s := start(t, launch{wrapper: []string{"strace", "-D", "-f", "-y", "-s", "200", "-o", out,
		"-e", "trace=openat,open,creat,mkdir,mkdirat,renameat,renameat2,linkat,unlink,unlinkat,write,writev,pwrite64,pwritev,pwritev2,splice,copy_file_range,sendfile,ftruncate,sendto,sendmsg,fsync,fdatasync,syncfs"}})
	asked := driveDurably(t, s)
	s.terminate(t)
	s.exit(t)
	text := finishedTrace(t, out)

	answers := readTrace(s.dir, text)
	// The harness asked for /readyz before; the requests are the last answers.
	if len(answers) < len(asked) {
		t.Fatalf("%d answers in the trace, want %d at least", len(answers), len(asked))
	}
	answers = answers[len(answers)-len(asked):]
	var syncs []string
	for i, a := range answers {
		syncs = append(syncs, fmt.Sprint(a.syncs, " ", uploadID.ReplaceAllString(asked[i].name, "…")))
		if !asked[i].durable {
			continue
		}
		if len(a.unsynced) > 0 {
			t.Errorf("%s: the answer %s left before these were synced: %q", asked[i].name, a.status, a.unsynced)
		}
		if a.commits == 0 {
			t.Errorf("%s: the answer %s left without a commit", asked[i].name, a.status)
		}
	}
	if diff := cmp.Diff(syncsOfAnswers, syncs); diff != "" {
		t.Errorf("syncs before the answers: %s", diff)
	}
}

var uploadID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// syncsOfAnswers is how many syncs each request of driveDurably waits for: one for
// a commit, one for a file and one for its directory. A body of more than 128 KiB
// takes a commit before its file is made, and one more when a request ends that
// does not finish it.
var syncsOfAnswers = []string{
	"0 GetAuthorizationToken",
	"1 CreateRepository",
	"0 POST /v2/durable/app/blobs/uploads/",
	"1 PUT /v2/durable/app/blobs/uploads/…",
	"0 POST /v2/durable/app/blobs/uploads/",
	"4 PUT /v2/durable/app/blobs/uploads/…",
	"0 POST /v2/durable/app/blobs/uploads/",
	"2 PATCH /v2/durable/app/blobs/uploads/…",
	"3 PUT /v2/durable/app/blobs/uploads/…",
	"0 POST /v2/durable/app/blobs/uploads/",
	"0 PATCH /v2/durable/app/blobs/uploads/…",
	"1 PUT /v2/durable/app/blobs/uploads/…",
	"1 PUT /v2/durable/app/manifests/one",
	"0 InitiateLayerUpload",
	"2 UploadLayerPart",
	"3 CompleteLayerUpload",
	"1 PutImage",
	"2 CreateContainerService", // the first one makes the repository of the pushes
	"0 CreateContainerServiceRegistryLogin",
	"0 POST /v2/sr/blobs/uploads/",
	"1 PUT /v2/sr/blobs/uploads/…",
	"0 POST /v2/sr/blobs/uploads/",
	"4 PUT /v2/sr/blobs/uploads/…",
	"1 PUT /v2/sr/manifests/1",
	"1 RegisterContainerImage",
	"1 DeleteRepository",
}

// asked is a request whose answer is in the trace.
type asked struct {
	name    string
	durable bool // its answer promises to survive power loss (docs/ARCHITECTURE.md, Storage)
}

// recorder is an HTTP client that notes each request; the last path element or
// the AWS operation names it.
type recorder struct {
	http  *http.Client
	asked []asked
}

func (r *recorder) Do(req *http.Request) (*http.Response, error) {
	name := req.Method + " " + req.URL.Path
	durable := req.Method == http.MethodPut
	if _, operation, ok := strings.Cut(req.Header.Get("X-Amz-Target"), "."); ok {
		name = operation
		durable = map[string]bool{
			"CreateRepository": true, "CompleteLayerUpload": true, "PutImage": true, "BatchDeleteImage": true,
			"CreateContainerService": true, "RegisterContainerImage": true, "DeleteRepository": true,
		}[operation]
	}
	r.asked = append(r.asked, asked{name, durable})
	return r.http.Do(req)
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) { return r.Do(req) }

// driveDurably sends one of each request that promises durability, with bodies
// on both sides of the inline limit, and returns what it sent.
func driveDurably(t *testing.T, s *server) []asked {
	t.Helper()
	ctx := context.Background()
	one := &recorder{http: &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}}
	config := s.config()
	config.HTTPClient = one
	images, services := ecr.NewFromConfig(config), lightsail.NewFromConfig(config)
	const repo = "durable/app"

	token, err := images.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	g := &registry{s.url(), "Basic " + aws.ToString(token.AuthorizationData[0].AuthorizationToken), &http.Client{Transport: one}}
	_, err = images.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String(repo)})
	if err != nil {
		t.Fatal(err)
	}
	small, large, streamed := random(3000), random(400<<10), random(3<<20)
	manifest := manifestOf(small, large, streamed)
	err = errors.Join(
		g.pushBlob(repo, small), g.pushBlob(repo, large), g.streamBlob(repo, streamed), g.streamBlob(repo, random(5000)),
		g.putManifest(repo, "one", manifest),
	)
	if err != nil {
		t.Fatal(err)
	}
	uploadByParts(t, images, repo, random(1<<20))
	_, err = images.PutImage(ctx, &ecr.PutImageInput{RepositoryName: aws.String(repo), ImageManifest: aws.String(string(manifest)), ImageTag: aws.String("two")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = services.CreateContainerService(ctx, &lightsail.CreateContainerServiceInput{
		ServiceName: aws.String("web"), Power: lightsailtypes.ContainerServicePowerNameNano, Scale: aws.Int32(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	login, err := services.CreateContainerServiceRegistryLogin(ctx, &lightsail.CreateContainerServiceRegistryLoginInput{})
	if err != nil {
		t.Fatal(err)
	}
	g.authorization = basic(aws.ToString(login.RegistryLogin.Username), aws.ToString(login.RegistryLogin.Password))
	layer := random(200 << 10)
	manifest = manifestOf(small, layer)
	if err := errors.Join(g.pushBlob("sr", small), g.pushBlob("sr", layer), g.putManifest("sr", "1", manifest)); err != nil {
		t.Fatal(err)
	}
	_, err = services.RegisterContainerImage(ctx, &lightsail.RegisterContainerImageInput{
		ServiceName: aws.String("web"), Label: aws.String("app"), Digest: aws.String(digest.FromBytes(manifest).String()),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = images.DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: aws.String(repo), Force: true})
	if err != nil {
		t.Fatal(err)
	}
	return one.asked
}

func uploadByParts(t *testing.T, client *ecr.Client, repo string, layer []byte) {
	t.Helper()
	ctx := context.Background()
	started, err := client.InitiateLayerUpload(ctx, &ecr.InitiateLayerUploadInput{RepositoryName: aws.String(repo)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.UploadLayerPart(ctx, &ecr.UploadLayerPartInput{
		RepositoryName: aws.String(repo), UploadId: started.UploadId,
		PartFirstByte: aws.Int64(0), PartLastByte: aws.Int64(int64(len(layer)) - 1), LayerPartBlob: layer,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.CompleteLayerUpload(ctx, &ecr.CompleteLayerUploadInput{
		RepositoryName: aws.String(repo), UploadId: started.UploadId, LayerDigests: []string{digest.FromBytes(layer).String()},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// finishedTrace reads the trace once the tracer, which outlives the server,
// has written its end.
func finishedTrace(t *testing.T, path string) string {
	t.Helper()
	var text []byte
	err := poll(func() error {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		last := bytes.TrimSpace(b[bytes.LastIndexByte(bytes.TrimSpace(b), '\n')+1:])
		if !bytes.HasSuffix(last, []byte("+++")) {
			return errors.New("the trace has no end yet")
		}
		text = b
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTraceIsReadStrictly: the reader of traces finds what it is for.
func TestTraceIsReadStrictly(t *testing.T) {
	const dir = "/data"
	const created = `7 openat(4</data/blobs/ab>, "x", O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600) = 9</data/blobs/ab/x>` + "\n" +
		`7 write(9</data/blobs/ab/x>, "bytes", 5) = 5` + "\n"
	const commit = `8 pwrite64(5</data/lighterage.db-wal>, "frame", 5, 0) = 5` + "\n"
	const (
		fileSync = `7 fsync(9</data/blobs/ab/x>) = 0` + "\n"
		dirSync  = `7 fsync(4</data/blobs/ab>) = 0` + "\n"
		logSync  = `8 fdatasync(5</data/lighterage.db-wal>) = 0` + "\n"
		created1 = `9 write(6<socket:[12]>, "HTTP/1.1 201 Created\r\n", 22) = 22` + "\n"
	)
	tests := []struct {
		name, trace string
		want        answer
	}{
		{"everything in order", created + fileSync + dirSync + commit + logSync + created1, answer{"201", nil, 1, 3}},
		{"an unsynced log", created + fileSync + dirSync + commit + created1, answer{"201", []string{"/data/lighterage.db-wal"}, 1, 2}},
		{"an unsynced file", created + dirSync + commit + logSync + created1, answer{"201", []string{"/data/blobs/ab/x"}, 1, 2}},
		{"a file made and removed", created + fileSync + `7 unlinkat(4</data/blobs/ab>, "x", 0) = 0` + "\n" + commit + logSync + created1, answer{"201", nil, 1, 2}},
		{"a trail that is not synced", `7 openat(4</data/audit>, "x", O_WRONLY|O_CREAT, 0600) = 9</data/audit/x>` + "\n" + commit + logSync + created1, answer{"201", nil, 1, 1}},
		{"an unsynced directory", created + fileSync + commit + logSync + created1, answer{"201", []string{"/data/blobs/ab"}, 1, 2}},
		{"a sync that failed", created + strings.Replace(fileSync, "= 0", "= -1 EIO (Input/output error)", 1) + dirSync + commit + logSync + created1,
			answer{"201", []string{"/data/blobs/ab/x"}, 1, 3}},
		{"a sync that is still running", commit + `8 fdatasync(5</data/lighterage.db-wal> <unfinished ...>` + "\n" + created1,
			answer{"201", []string{"/data/lighterage.db-wal"}, 1, 0}},
		{"a sync that ended", commit + `8 fdatasync(5</data/lighterage.db-wal> <unfinished ...>` + "\n" + `8 <... fdatasync resumed>) = 0` + "\n" + created1,
			answer{"201", nil, 1, 1}},
		{"a write during the sync", commit + `8 fdatasync(5</data/lighterage.db-wal> <unfinished ...>` + "\n" + commit + `8 <... fdatasync resumed>) = 0` + "\n" + created1,
			answer{"201", []string{"/data/lighterage.db-wal"}, 2, 1}},
		{"a file that was removed again", created + fileSync + dirSync + `7 write(9</data/blobs/probe>, "bytes", 5) = 5` + "\n" +
			`7 unlinkat(AT_FDCWD</home>, "/data/blobs/probe", 0) = 0` + "\n" + commit + logSync + created1, answer{"201", nil, 1, 3}},
		{"a file elsewhere", `7 write(9</var/log/x>, "bytes", 5) = 5` + "\n" + created1, answer{"201", nil, 0, 0}},
		{"an answer without a commit", created1, answer{"201", nil, 0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := readTrace(dir, tt.trace)
			if len(got) != 1 {
				t.Fatalf("%d answers, want 1", len(got))
			}
			if diff := cmp.Diff(tt.want, got[0], cmp.AllowUnexported(answer{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}
