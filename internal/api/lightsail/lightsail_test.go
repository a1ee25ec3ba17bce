package lightsail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/lightsail"
	"github.com/aws/aws-sdk-go-v2/service/lightsail/types"
	"github.com/aws/smithy-go"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/apitest"
	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/lightsail"
	"github.com/lighterage/lighterage/internal/blob/disk"
	"github.com/lighterage/lighterage/internal/containers"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
	"github.com/lighterage/lighterage/internal/seal/sealtest"
)

const (
	account = "123456789012"
	region  = "eu-west-1"
	keyID   = "AKIAIOSFODNN7EXAMPLE"
	secret  = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

var home = name.RegistryID{Account: account, Region: region}

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

// world is the front over real rules and stores, and the SDK's client to it.
type world struct {
	*sdk.Client
	t         *testing.T
	ctx       context.Context
	server    *httptest.Server
	clock     *clock
	faults    *metatest.Faults
	catalogue *registry.Catalogue
	authority *identity.Authority
}

func open(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, ctx: t.Context(), clock: &clock{now: time.Now().UTC().Truncate(time.Second)}}
	log := slog.New(slog.DiscardHandler)
	store, err := sqlstore.OpenSQLite(context.Background(), filepath.Join(t.TempDir(), "catalogue.db"), sqlstore.Options{Clock: w.clock.Now, Logger: log})
	w.must(err)
	t.Cleanup(func() { store.Close() })
	w.faults = metatest.NewFaults(store)
	blobs, err := disk.Open(filepath.Join(t.TempDir(), "blobs"), disk.Options{Logger: log})
	w.must(err)
	t.Cleanup(func() { blobs.Close() })
	w.catalogue = registry.New(registry.Config{
		Meta: w.faults, Blobs: blobs, Clock: w.clock.Now, Logger: log, BootID: "boot-1",
		LayerGrace: time.Hour, UploadTTL: time.Hour, PushTTL: time.Hour, URLTTL: time.Hour,
	})
	w.authority, err = identity.New(w.ctx, identity.Config{
		Keys: []identity.AccessKey{identity.RootKey(account, keyID, identity.NewSecret(secret))}, Store: w.faults, Seal: sealtest.New(t),
		Regions: func(r name.Region) bool { return r == region || r == "us-east-1" }, Clock: w.clock.Now, Logger: log,
	})
	w.must(err)
	addresses, err := edge.NewAddresses("", "")
	w.must(err)
	handler, err := awsjson.New(awsjson.Config{
		Services: []awsjson.Service{lightsail.New(lightsail.Config{
			Services: containers.New(containers.Config{
				Meta: w.faults, Repositories: w.catalogue, PushTTL: time.Hour,
				Limits: containers.Limits{Services: 100, Nodes: 20, Images: 3, ResourceTags: 50},
			}),
			Issuer: w.authority, Access: access.New(access.Config{Store: w.faults, Clock: w.clock.Now}), Addresses: addresses,
		})},
		Authenticator: w.authority, Authorizer: access.New(access.Config{Store: w.faults, Clock: w.clock.Now}), Now: w.clock.Now,
	})
	w.must(err)
	w.server = httptest.NewServer(edge.Handler(handler, edge.Options{Logger: log, Clock: time.Now, Idle: time.Minute}))
	t.Cleanup(w.server.Close)
	w.Client = w.client(region, secret)
	return w
}

func (w *world) client(region, secret string) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: region, BaseEndpoint: &w.server.URL, RetryMaxAttempts: 1, HTTPClient: apitest.NewClient(),
		Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, ""),
	})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// want checks an error's code, status and text; an empty text is any.
func (w *world) want(err error, code string, status int, text string) {
	w.t.Helper()
	var coded smithy.APIError
	if !errors.As(err, &coded) || coded.ErrorCode() != code {
		w.t.Fatalf("got error %v, want %s", err, code)
	}
	if response, ok := errors.AsType[*awshttp.ResponseError](err); !ok || response.HTTPStatusCode() != status {
		w.t.Errorf("got error %v, want status %d", err, status)
	}
	if got := coded.ErrorMessage(); text != "" && !strings.Contains(got, text) || got == "" {
		w.t.Errorf("got text %q, want %q in it", got, text)
	}
}

func (w *world) create(service string) *types.ContainerService {
	w.t.Helper()
	out, err := w.CreateContainerService(w.ctx, &sdk.CreateContainerServiceInput{
		ServiceName: &service, Power: types.ContainerServicePowerNameNano, Scale: aws.Int32(1),
	})
	w.must(err)
	return out.ContainerService
}

// services are the names of all services.
func (w *world) services() []string {
	w.t.Helper()
	out, err := w.GetContainerServices(w.ctx, &sdk.GetContainerServicesInput{})
	w.must(err)
	names := []string{}
	for _, s := range out.ContainerServices {
		names = append(names, *s.ContainerServiceName)
	}
	return names
}

// push puts an image made from the seed into the account's hidden repository.
func (w *world) push(seed string) string {
	w.t.Helper()
	k := containers.HiddenRepository(home)
	config := []byte(`{"seed":"` + seed + `"}`)
	d := digest.Of(digest.SHA256, config)
	id, err := w.catalogue.StartUpload(w.ctx, k, digest.SHA256)
	w.must(err)
	w.must(w.catalogue.FinishUpload(w.ctx, k, id, d, registry.Anywhere, bytes.NewReader(config)))
	i, err := w.catalogue.PutImage(w.ctx, registry.Put{By: "arn:me", Key: k, Body: fmt.Appendf(nil,
		`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[]}`, d, len(config))})
	w.must(err)
	return string(i.Digest)
}

func (w *world) register(service, label, digest string) *types.ContainerImage {
	w.t.Helper()
	out, err := w.RegisterContainerImage(w.ctx, &sdk.RegisterContainerImageInput{ServiceName: &service, Label: &label, Digest: &digest})
	w.must(err)
	return out.ContainerImage
}

// images are the names of a service's registered images.
func (w *world) images(service string) []string {
	w.t.Helper()
	out, err := w.GetContainerImages(w.ctx, &sdk.GetContainerImagesInput{ServiceName: &service})
	w.must(err)
	names := []string{}
	for _, i := range out.ContainerImages {
		names = append(names, *i.Image)
	}
	return names
}
