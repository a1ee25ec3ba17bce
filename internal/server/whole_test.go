package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/lightsail"
	lightsailtypes "github.com/aws/aws-sdk-go-v2/service/lightsail/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/blob/blobtest"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/testkit"
)

// large is content that the layer store keeps, and not the database.
func large(what string) []byte { return bytes.Repeat([]byte(what+" "), 100_000) }

func createRepository(s *testkit.Server, repository string) error {
	_, err := s.ECR().CreateRepository(context.Background(), &ecr.CreateRepositoryInput{RepositoryName: &repository})
	return err
}

func createService(s *testkit.Server, service string) error {
	_, err := s.Lightsail().CreateContainerService(context.Background(), &lightsail.CreateContainerServiceInput{
		ServiceName: &service, Power: lightsailtypes.ContainerServicePowerNameNano, Scale: aws.Int32(1),
	})
	return err
}

func register(s *testkit.Server, service, pushed string) (string, error) {
	out, err := s.Lightsail().RegisterContainerImage(context.Background(), &lightsail.RegisterContainerImageInput{
		ServiceName: &service, Label: aws.String("front"), Digest: &pushed,
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ContainerImage.Image), nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// checkAWS wants an error of the SDK; an empty code wants success.
func checkAWS(t *testing.T, err error, status int, code string) {
	t.Helper()
	if code == "" {
		if err != nil {
			t.Errorf("got %v, want success", err)
		}
		return
	}
	api, ok := errors.AsType[smithy.APIError](err)
	response, answered := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok || !answered || api.ErrorCode() != code || response.HTTPStatusCode() != status {
		t.Errorf("got %v, want %d %s", err, status, code)
	}
}

// checkOCI wants an error body of the /v2/ door.
func checkOCI(t *testing.T, a testkit.Answer, status int, code, message string) {
	t.Helper()
	var body struct {
		Errors []struct{ Code, Message string }
	}
	if err := json.Unmarshal(a.Body, &body); err != nil || len(body.Errors) != 1 {
		t.Fatalf("%d %q is no error of this door: %v", a.Status, a.Body, err)
	}
	if e := body.Errors[0]; a.Status != status || e.Code != code || e.Message != message {
		t.Errorf("got %d %s %q, want %d %s %q", a.Status, e.Code, e.Message, status, code, message)
	}
}

// TestTheMainJobOnPostgreSQL goes through every door with the metadata in
// PostgreSQL, and starts the server again.
func TestTheMainJobOnPostgreSQL(t *testing.T) {
	ctx := context.Background()
	s := testkit.Start(t, testkit.Postgres(metatest.StartPostgres(t).NewDatabase(t)))
	must(t, createRepository(s, "team/app"))
	manifest, pushedDigest := s.PushImage(s.Login(), "team/app", "one", []byte("{}"), []byte("small"), large("layer"))
	_, err := s.ECR().PutImage(ctx, &ecr.PutImageInput{
		RepositoryName: aws.String("team/app"), ImageManifest: aws.String(string(manifest)), ImageTag: aws.String("two"),
	})
	must(t, err)
	must(t, createService(s, "web"))
	_, serviceDigest := s.PushImage(s.LightsailLogin(), "sr", "1795233912982000000-0123456789abc", []byte("{}"), large("web"))
	image, err := register(s, "web", serviceDigest)
	if err != nil || image != ":web.front.1" {
		t.Fatalf("registered as %s, %v", image, err)
	}

	everything := func(t *testing.T) {
		got, err := s.ECR().BatchGetImage(ctx, &ecr.BatchGetImageInput{
			RepositoryName: aws.String("team/app"), ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String("one")}, {ImageTag: aws.String("two")}},
		})
		must(t, err)
		if len(got.Images) != 2 || len(got.Failures) != 0 {
			t.Fatalf("BatchGetImage: %d images, failures %v", len(got.Images), got.Failures)
		}
		for _, i := range got.Images {
			if aws.ToString(i.ImageManifest) != string(manifest) || aws.ToString(i.ImageId.ImageDigest) != pushedDigest {
				t.Errorf("%s is %s %s", aws.ToString(i.ImageId.ImageTag), aws.ToString(i.ImageId.ImageDigest), aws.ToString(i.ImageManifest))
			}
		}
		for _, layer := range [][]byte{[]byte("small"), large("layer")} {
			if a := s.Do(s.Login(), "GET", "/v2/team/app/blobs/"+testkit.Digest(layer), nil); a.Status != 200 || !bytes.Equal(a.Body, layer) {
				t.Errorf("pulled a layer of %d bytes: %d, %d bytes", len(layer), a.Status, len(a.Body))
			}
		}
		images, err := s.Lightsail().GetContainerImages(ctx, &lightsail.GetContainerImagesInput{ServiceName: aws.String("web")})
		must(t, err)
		if len(images.ContainerImages) != 1 || aws.ToString(images.ContainerImages[0].Digest) != serviceDigest {
			t.Errorf("the service has the images %v", images.ContainerImages)
		}
		for _, pass := range []string{"park uploads", "collect garbage", "record pulls"} {
			s.Pass(pass)
		}
		s.CheckInvariants(t)
	}
	t.Run("before the restart", everything)
	s.Restart()
	t.Run("after the restart", everything)
	if image, err := register(s, "web", serviceDigest); err != nil || image != ":web.front.2" {
		t.Errorf("registered again as %s, %v", image, err)
	}
}

// failing starts a server whose metadata store fails on demand.
func failing(t *testing.T) (*testkit.Server, *metatest.Faults) {
	var faults *metatest.Faults
	s := testkit.Start(t, testkit.Logger(slog.New(slog.DiscardHandler)), testkit.WrapMeta(func(m meta.Store) meta.Store {
		faults = metatest.NewFaults(m)
		return faults
	}))
	t.Cleanup(faults.Heal) // before the server writes down what it has
	return s, faults
}

// TestTheMetadataStoreGoesAndComesBack asks every door while it is away.
func TestTheMetadataStoreGoesAndComesBack(t *testing.T) {
	ctx := context.Background()
	s, faults := failing(t)
	login := s.Login()
	_, pushed := s.PushImage(login, "team/app", "one", []byte("{}"), []byte("layer"))
	must(t, createService(s, "web"))

	faults.SetDown(meta.ErrUnavailable)
	if status, _ := get(t, s.URL+"/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("readyz says %d while the store is away", status)
	}
	if status, _ := get(t, s.URL+"/healthz"); status != http.StatusOK {
		t.Errorf("healthz says %d: who restarts the server mends no store", status)
	}
	checkAWS(t, createRepository(s, "team/other"), 500, "ServerException")
	_, err := s.ECR().DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{})
	checkAWS(t, err, 500, "ServerException")
	checkAWS(t, createService(s, "other"), 500, "ServiceException")
	_, err = s.Lightsail().GetContainerServices(ctx, &lightsail.GetContainerServicesInput{})
	checkAWS(t, err, 500, "ServiceException")
	for _, request := range [][2]string{
		{"GET", "/v2/team/app/manifests/one"},
		{"GET", "/v2/team/app/tags/list"},
		{"GET", "/v2/team/app/blobs/" + testkit.Digest([]byte("layer"))},
		{"POST", "/v2/team/app/blobs/uploads/"},
	} {
		t.Run(request[0]+" "+request[1], func(t *testing.T) {
			a := s.Do(login, request[0], request[1], nil)
			checkOCI(t, a, 503, "UNAVAILABLE", "The registry cannot reach its store now; try again")
			if a.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		})
	}

	faults.Heal()
	if status, _ := get(t, s.URL+"/readyz"); status != http.StatusOK {
		t.Errorf("readyz says %d after the store came back", status)
	}
	checkAWS(t, createRepository(s, "team/other"), 200, "")
	checkAWS(t, createService(s, "other"), 200, "")
	if a := s.Do(login, "GET", "/v2/team/app/manifests/one", nil); a.Status != 200 || a.Header.Get("Docker-Content-Digest") != pushed {
		t.Errorf("the manifest is answered with %d %s", a.Status, a.Body)
	}
	s.CheckInvariants(t)
}

// TestACommitFails tells the client so, whatever became of the commit, and
// the client finds out by trying again.
func TestACommitFails(t *testing.T) {
	for _, tc := range []struct {
		name          string
		mode          metatest.Mode
		act           func(s *testkit.Server, name string) error
		failed, again string // the code; none for success
	}{
		{"a repository that was not created", metatest.NotApplied, createRepository, "ServerException", ""},
		{"a repository that was created", metatest.Applied, createRepository, "ServerException", "RepositoryAlreadyExistsException"},
		{"a service that was not created", metatest.NotApplied, createService, "ServiceException", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, faults := failing(t)
			faults.FailUpdate(1, tc.mode)
			checkAWS(t, tc.act(s, "web"), 500, tc.failed)
			checkAWS(t, tc.act(s, "web"), 400, tc.again)
			s.CheckInvariants(t)
		})
	}
}

// TestTheLayerStoreFails breaks the store below an upload, which the client
// then begins anew.
func TestTheLayerStoreFails(t *testing.T) {
	var faulty *blobtest.Faulty
	s := testkit.Start(t, testkit.Logger(slog.New(slog.DiscardHandler)), testkit.WrapBlobs(func(b blob.Store) blob.Store {
		faulty = blobtest.Wrap(b)
		return faulty
	}))
	login := s.Login()
	for n, tc := range []struct {
		name          string
		err           error
		status        int
		code, message string
	}{
		{"a full disk", blob.ErrFull, 507, "UNAVAILABLE", "The registry has no room left"},
		{"a disk that cannot be trusted", blob.ErrSync, 503, "UNAVAILABLE", "The registry cannot reach its store now; try again"},
		{"a defect", errors.New("canary"), 500, "UNKNOWN", "The registry failed to answer; its log says why"},
	} {
		for _, mode := range blobtest.Modes {
			t.Run(tc.name+", "+mode.String(), func(t *testing.T) {
				content := large(fmt.Sprint(n, mode))
				begin := s.Do(login, "POST", "/v2/team/app/blobs/uploads/", nil)
				faulty.FailAt(0, mode, tc.err)
				a := s.Do(login, "PUT", begin.Header.Get("Location")+"?digest="+testkit.Digest(content), content)
				if calls := faulty.Calls(); len(calls) == 0 {
					t.Fatal("the layer store was not asked")
				}
				faulty.FailAt(-1, mode, nil)
				checkOCI(t, a, tc.status, tc.code, tc.message)
				if a := s.Do(login, "HEAD", "/v2/team/app/blobs/"+testkit.Digest(content), nil); a.Status != 404 {
					t.Errorf("the layer that failed is answered with %d", a.Status)
				}
				s.PushImage(login, "team/app", fmt.Sprintf("t%d", n), []byte("{}"), content)
				s.CheckInvariants(t)
			})
		}
	}
}

// moved is a clock that a test moves away from the machine's. Requests signed
// by the machine's clock are good only while it is back.
type moved struct{ by atomic.Int64 }

func (c *moved) now() time.Time       { return time.Now().Add(time.Duration(c.by.Load())) }
func (c *moved) set(by time.Duration) { c.by.Store(int64(by)) }

func TestTokensAndDownloadURLsExpire(t *testing.T) {
	const expired = "Your authorization token has expired. Reauthenticate and try again."
	var clock moved
	s := testkit.Start(t, testkit.Clock(clock.now))
	must(t, createRepository(s, "team/app"))
	must(t, createService(s, "web"))
	login, serviceLogin := s.Login(), s.LightsailLogin()
	layer := large("layer")
	s.PushImage(login, "team/app", "one", []byte("{}"), layer)
	out, err := s.ECR().GetDownloadUrlForLayer(context.Background(), &ecr.GetDownloadUrlForLayerInput{
		RepositoryName: aws.String("team/app"), LayerDigest: aws.String(testkit.Digest(layer)),
	})
	must(t, err)
	for _, tc := range []struct {
		name  string
		login testkit.Login
		path  string
		ttl   time.Duration
	}{
		{"a registry token", login, "/v2/", 12 * time.Hour},
		{"a Lightsail login", serviceLogin, "/v2/", 12 * time.Hour},
		{"a download URL", testkit.Login{}, aws.ToString(out.DownloadUrl), time.Hour},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clock.set(tc.ttl - 2*time.Minute)
			if a := s.Do(tc.login, "GET", tc.path, nil); a.Status != 200 {
				t.Errorf("shortly before its end it is answered with %d %s", a.Status, a.Body)
			}
			clock.set(tc.ttl)
			a := s.Do(tc.login, "GET", tc.path, nil)
			checkOCI(t, a, 403, "DENIED", expired)
			if challenge := a.Header.Get("Www-Authenticate"); challenge != "" {
				t.Errorf("challenged with %s: the client would try the same token again", challenge)
			}
		})
	}
	clock.set(0)
	if a := s.Do(login, "GET", "/v2/", nil); a.Status != 200 {
		t.Errorf("back in its time the token is answered with %d", a.Status)
	}
}

// TestPushesThatNobodyRegistersGo pushes two images and registers one.
func TestPushesThatNobodyRegistersGo(t *testing.T) {
	ctx := context.Background()
	var clock moved
	s := testkit.Start(t, testkit.Clock(clock.now))
	must(t, createService(s, "web"))
	login := s.LightsailLogin()
	_, kept := s.PushImage(login, "sr", "kept", []byte("{}"), large("kept"))
	_, left := s.PushImage(login, "sr", "left", []byte("{}"), large("left"))
	if _, err := register(s, "web", kept); err != nil {
		t.Fatal(err)
	}
	key := meta.RepositoryKey{Registry: name.RegistryID{Account: s.Config.Account, Region: s.Config.Region}, Space: meta.Lightsail, Name: "sr"}
	find := func(d string) (found bool) {
		must(t, s.Meta.View(ctx, func(tx meta.Tx) error {
			r, err := tx.Repository(key, meta.NoLock)
			if err != nil {
				return err
			}
			_, err = tx.Image(r.ID, meta.Reference{Digest: digest.Digest(d)})
			if found = err == nil; errors.Is(err, meta.ErrNotFound) {
				err = nil
			}
			return err
		}))
		return found
	}
	locate := func(content []byte) (at name.Location) {
		must(t, s.Meta.View(ctx, func(tx meta.Tx) error {
			l, err := tx.FindLayer(key, digest.Digest(testkit.Digest(content)))
			at = l.Blob.Location
			return err
		}))
		return at
	}
	keptAt, leftAt := locate(large("kept")), locate(large("left"))

	clock.set(24*time.Hour - 2*time.Minute)
	s.Pass("collect garbage")
	if !find(kept) || !find(left) {
		t.Fatal("an image went before its day was over")
	}
	clock.set(24*time.Hour + 2*time.Minute)
	s.Pass("collect garbage")
	if !find(kept) || find(left) {
		t.Errorf("after a day the registered image is there: %v, the other: %v", find(kept), find(left))
	}
	clock.set(48 * time.Hour) // the layers' grace is over
	s.Pass("collect garbage")
	clock.set(72 * time.Hour) // and the time of download URLs to them
	s.Pass("collect garbage")
	if r, err := s.Blobs.Open(ctx, keptAt); err != nil {
		t.Errorf("a layer of the registered image: %v", err)
	} else {
		r.Close()
	}
	if _, err := s.Blobs.Open(ctx, leftAt); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("a layer of the image that went: %v", err)
	}
	clock.set(0)
	_, err := register(s, "web", left)
	checkAWS(t, err, 400, "NotFoundException")
	if !strings.Contains(fmt.Sprint(err), left) {
		t.Errorf("%v does not name %s", err, left)
	}
	s.CheckInvariants(t)
}
