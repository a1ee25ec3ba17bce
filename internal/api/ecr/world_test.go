package ecr_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/apitest"
	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/api/ecr"
	"github.com/lighterage/lighterage/internal/blob/blobtest"
	"github.com/lighterage/lighterage/internal/blob/disk"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/lifecycle"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
	"github.com/lighterage/lighterage/internal/seal/sealtest"
)

const (
	account = "123456789012"
	foreign = "210987654321"
	region  = "us-east-1"
	keyID   = "AKIDEXAMPLE"
	// foreignKeyID is of the root of another account.
	foreignKeyID = "AKIDFOREIGN"
	secret       = "wJalrXUtnFEMI"
)

// Media types.
const (
	ociManifest    = "application/vnd.oci.image.manifest.v1+json"
	ociIndex       = "application/vnd.oci.image.index.v1+json"
	ociConfig      = "application/vnd.oci.image.config.v1+json"
	ociLayer       = "application/vnd.oci.image.layer.v1.tar+gzip"
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerConfig   = "application/vnd.docker.container.image.v1+json"
)

// instant is the catalogue's time; requests are signed with the machine's.
var instant = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)

// world is the front on real stores, and a client of it.
type world struct {
	*sdk.Client
	t         *testing.T
	ctx       context.Context
	host      string
	config    registry.Config
	catalogue *registry.Catalogue
	lifecycle *lifecycle.Runner
	strict    bool // what ECR refuses in lifecycle policies is refused
	authority *identity.Authority
	meta      *metatest.Faults
	blobs     *blobtest.Faulty
	made      int // repositories
}

type change func(*world)

// unwritten is the journal of lifecycle policies.
type unwritten struct{}

func (unwritten) Ready() error               { return nil }
func (unwritten) Record(lifecycle.Execution) {}

// newWorld serves the front with limits that small layers can reach.
func newWorld(t *testing.T, changes ...change) *world {
	t.Helper()
	w := &world{t: t, ctx: context.Background()}
	log := slog.New(slog.DiscardHandler)
	fatal := func(err error) { t.Errorf("a store failed for good: %v", err) }
	now := func() time.Time { return instant }
	store, err := sqlstore.OpenSQLite(w.ctx, filepath.Join(t.TempDir(), "catalogue.db"), sqlstore.Options{Clock: now, Logger: log, Fatal: fatal})
	w.must(err)
	files, err := disk.Open(t.TempDir(), disk.Options{Logger: log, Fatal: fatal})
	w.must(err)
	w.meta, w.blobs = metatest.NewFaults(store), blobtest.Wrap(files)
	w.must(store.Update(w.ctx, func(tx meta.Tx) error {
		return errors.Join(tx.InsertAccount(meta.Account{ID: account}), tx.InsertAccount(meta.Account{ID: foreign}))
	}))
	w.config = registry.Config{
		Meta: w.meta, Blobs: w.blobs, Clock: now, Logger: log, BootID: "boot",
		Limits: registry.Limits{ResourceTags: 50, ManifestSize: 4 << 20, MinPartSize: 8, MaxPartSize: 20 << 20},
		Keys: registry.Keys{
			"alias/on": registry.KeyEnabled, "alias/off": registry.KeyDisabled,
			"11111111-2222-3333-4444-555555555555":                                        registry.KeyPendingDeletion,
			"arn:aws:kms:us-east-1:123456789012:key/99999999-8888-7777-6666-555555555555": registry.KeyEnabled,
		},
		LayerGrace: time.Hour, UploadTTL: 24 * time.Hour, PushTTL: 24 * time.Hour, URLTTL: time.Hour,
	}
	for _, c := range changes {
		c(w)
	}
	w.catalogue = registry.New(w.config)
	w.lifecycle = lifecycle.New(lifecycle.Config{
		Meta: w.meta, Logger: log, LayerGrace: w.config.LayerGrace, Strict: w.strict, FlushPulls: w.catalogue.FlushPulls, Journal: unwritten{},
	})
	w.authority, err = identity.New(w.ctx, identity.Config{
		Keys: []identity.AccessKey{
			identity.RootKey(account, keyID, identity.NewSecret(secret)),
			identity.RootKey(foreign, foreignKeyID, identity.NewSecret(secret)),
		},
		Store: store, Seal: sealtest.New(t), Clock: time.Now, Logger: log,
		Regions: func(r name.Region) bool { return r == region || r == "eu-west-1" },
	})
	w.must(err)
	w.serve(log, store)
	t.Cleanup(func() {
		w.meta.Heal()
		w.must(errors.Join(w.catalogue.Close(w.ctx), store.Close(), files.Close()))
	})
	return w
}

// serve puts the front behind the protocol and the middleware.
func (w *world) serve(log *slog.Logger, store meta.Store) {
	addresses, err := edge.NewAddresses("", "")
	w.must(err)
	decider := access.New(access.Config{Store: store, Clock: time.Now})
	h, err := awsjson.New(awsjson.Config{
		Services: []awsjson.Service{ecr.New(ecr.Config{
			Catalogue: w.catalogue, Lifecycle: w.lifecycle, Issuer: w.authority, Access: decider, Addresses: addresses,
			DownloadURL: func(registryURL string, repository name.RepositoryName, d digest.Digest, token string) string {
				return strings.Join([]string{registryURL, string(repository), string(d), token}, "|")
			},
		})},
		Authenticator: w.authority, Authorizer: decider, Now: time.Now,
	})
	w.must(err)
	server := httptest.NewServer(edge.Handler(h, edge.Options{Logger: log, Clock: time.Now}))
	w.t.Cleanup(server.Close)
	w.host = strings.TrimPrefix(server.URL, "http://")
	w.Client = w.in(region)
}

// in is a client of another region.
func (w *world) in(region string) *sdk.Client { return w.client(region, keyID) }

// stranger is a client of another account's root.
func (w *world) stranger() *sdk.Client { return w.client(region, foreignKeyID) }

func (w *world) client(region, keyID string) *sdk.Client {
	return sdk.New(sdk.Options{
		Region:       region,
		BaseEndpoint: new("http://" + w.host),
		Credentials:  credentials.NewStaticCredentialsProvider(keyID, secret, ""),
		Retryer:      aws.NopRetryer{},
		HTTPClient:   apitest.NewClient(),
	})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// must2 returns the answer of a call that must succeed.
func must2[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// invoke calls an operation by the type of its input.
func (w *world) invoke(in any) (any, error) {
	operation := strings.TrimSuffix(reflect.TypeOf(in).Elem().Name(), "Input")
	out := reflect.ValueOf(w.Client).MethodByName(operation).Call([]reflect.Value{reflect.ValueOf(w.ctx), reflect.ValueOf(in)})
	err, _ := out[1].Interface().(error)
	return out[0].Interface(), err
}

// refusal is how a failed call looks: the code, the message, and the status
// that follows from the code.
type refusal struct{ code, message string }

// common are the codes that any operation may answer with.
var common = []string{"AccessDeniedException", "UnknownOperationException"}

// wantRefusal asserts code, message and status, and that the code is one that
// the model gives the operation.
func wantRefusal(t *testing.T, err error, want refusal) {
	t.Helper()
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		t.Fatalf("got %v, want %s", err, want.code)
	}
	if got := (refusal{api.ErrorCode(), api.ErrorMessage()}); got != want {
		t.Fatalf("got  %s: %s\nwant %s: %s", got.code, got.message, want.code, want.message)
	}
	status := http.StatusBadRequest
	if want.code == "ServerException" {
		status = http.StatusInternalServerError
	}
	if response, ok := errors.AsType[*awshttp.ResponseError](err); !ok || response.HTTPStatusCode() != status {
		t.Fatalf("%s came with %v, want the status %d", want.code, err, status)
	}
	operation, _ := errors.AsType[*smithy.OperationError](err)
	if o, _ := ecrmodel.Model.Operation(operation.OperationName); !slices.Contains(append(o.Errors, common...), want.code) {
		t.Errorf("%s has no %s in the model", operation.OperationName, want.code)
	}
}

// wantAs returns the error as one of the SDK's types.
func wantAs[E error](t *testing.T, err error) E {
	t.Helper()
	e, ok := errors.AsType[E](err)
	if !ok {
		t.Fatalf("got %v, want an error of the type %T", err, e)
	}
	return e
}

func wantKMSError(t *testing.T, err error, want string) {
	t.Helper()
	if e := wantAs[*types.KmsException](t, err); *e.KmsError != want {
		t.Errorf("the key's error is %s, want %s", *e.KmsError, want)
	}
}

// anonymous is an error whose message has U in the place of the drawn id.
func anonymous(err error, id string) error {
	if e, ok := errors.AsType[*types.EmptyUploadException](err); ok {
		e.Message = new(strings.ReplaceAll(*e.Message, id, "U"))
	}
	return err
}

// same compares SDK values without what the SDK adds.
func same(t *testing.T, got, want any) {
	t.Helper()
	ignored := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".ResultMetadata" }, cmp.Ignore())
	if diff := cmp.Diff(want, got, ignored, cmpopts.IgnoreUnexported(
		types.Repository{}, types.ImageIdentifier{}, types.Image{}, types.ImageDetail{}, types.ImageFailure{}, types.Layer{}, types.LayerFailure{},
		types.ImageReferrer{}, types.Tag{}, types.ImageScanningConfiguration{}, types.EncryptionConfiguration{},
		types.LifecyclePolicyPreviewResult{}, types.LifecyclePolicyRuleAction{}, types.LifecyclePolicyPreviewSummary{}, types.TransitioningImageTotalCount{},
		types.ImageTagMutabilityExclusionFilter{}, types.AuthorizationData{}, types.ReplicationConfiguration{},
		sdk.DescribeRegistryOutput{}, sdk.PutImageTagMutabilityOutput{}, sdk.PutImageScanningConfigurationOutput{},
		sdk.UploadLayerPartOutput{}, sdk.CompleteLayerUploadOutput{}, sdk.BatchGetImageOutput{}, sdk.BatchDeleteImageOutput{}, sdk.UpdateImageStorageClassOutput{},
		sdk.BatchCheckLayerAvailabilityOutput{},
	)); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
}

// repository makes one; each has its own name.
func (w *world) repository(settings ...func(*sdk.CreateRepositoryInput)) string {
	w.t.Helper()
	w.made++
	in := &sdk.CreateRepositoryInput{RepositoryName: new(fmt.Sprintf("team/app-%d", w.made))}
	for _, s := range settings {
		s(in)
	}
	_, err := w.CreateRepository(w.ctx, in)
	w.must(err)
	return *in.RepositoryName
}

func immutable(in *sdk.CreateRepositoryInput) {
	in.ImageTagMutability = types.ImageTagMutabilityImmutable
}

// spoilKey makes a repository whose key works no more.
func (w *world) spoilKey() string {
	repository := w.repository(func(in *sdk.CreateRepositoryInput) {
		in.EncryptionConfiguration = &types.EncryptionConfiguration{EncryptionType: types.EncryptionTypeKms, KmsKey: new("alias/on")}
	})
	w.config.Keys["alias/on"] = registry.KeyDisabled
	w.t.Cleanup(func() { w.config.Keys["alias/on"] = registry.KeyEnabled })
	return repository
}

func keyOf(repository string) registry.RepositoryKey {
	return registry.RepositoryKey{
		Registry: name.RegistryID{Account: account, Region: region}, Space: registry.ECR, Name: name.RepositoryName(repository),
	}
}

func arnOf(repository string) string {
	return "arn:aws:ecr:us-east-1:123456789012:repository/" + repository
}

func sha(body string) string {
	sum := sha256.Sum256([]byte(body))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// upload starts an upload and adds the parts.
func (w *world) upload(repository string, parts ...string) string {
	w.t.Helper()
	started := must2[*sdk.InitiateLayerUploadOutput](w.t)(w.InitiateLayerUpload(w.ctx, &sdk.InitiateLayerUploadInput{RepositoryName: &repository}))
	at := int64(0)
	for _, p := range parts {
		_, err := w.UploadLayerPart(w.ctx, part(repository, *started.UploadId, at, p))
		w.must(err)
		at += int64(len(p))
	}
	return *started.UploadId
}

func part(repository, upload string, at int64, body string) *sdk.UploadLayerPartInput {
	return &sdk.UploadLayerPartInput{
		RepositoryName: &repository, UploadId: &upload, LayerPartBlob: []byte(body),
		PartFirstByte: &at, PartLastByte: new(at + int64(len(body)) - 1),
	}
}

// layer puts a layer and returns its digest.
func (w *world) layer(repository, body string) string {
	w.t.Helper()
	id := w.upload(repository, body)
	_, err := w.CompleteLayerUpload(w.ctx, &sdk.CompleteLayerUploadInput{RepositoryName: &repository, UploadId: &id, LayerDigests: []string{sha(body)}})
	w.must(err)
	return sha(body)
}

// descriptor points to content in a manifest.
type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int    `json:"size"`
}

// document is a manifest or an index.
type document struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType,omitempty"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        *descriptor       `json:"config,omitempty"`
	Layers        []descriptor      `json:"layers,omitempty"`
	Manifests     []descriptor      `json:"manifests,omitzero"`
	Subject       *descriptor       `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

func (d document) String() string {
	text, err := json.MarshalIndent(d, "", "   ")
	if err != nil {
		panic(err)
	}
	return string(text)
}

// image is a manifest whose config and layer are the bodies.
func image(config, layer string) document {
	return document{
		SchemaVersion: 2, MediaType: ociManifest,
		Config: &descriptor{ociConfig, sha(config), len(config)},
		Layers: []descriptor{{ociLayer, sha(layer), len(layer)}},
	}
}

func index(children ...string) document {
	d := document{SchemaVersion: 2, MediaType: ociIndex, Manifests: []descriptor{}}
	for _, c := range children {
		d.Manifests = append(d.Manifests, descriptor{ociManifest, sha(c), len(c)})
	}
	return d
}

// push puts an image of its own layers under the tags, untagged if there are
// none, and returns its manifest.
func (w *world) push(repository, content string, tags ...string) string {
	w.t.Helper()
	w.layer(repository, "config of "+content)
	w.layer(repository, "layer of "+content)
	manifest := image("config of "+content, "layer of "+content).String()
	w.put(repository, manifest, tags...)
	return manifest
}

func (w *world) put(repository, manifest string, tags ...string) {
	w.t.Helper()
	in := &sdk.PutImageInput{RepositoryName: &repository, ImageManifest: &manifest}
	if len(tags) == 0 {
		_, err := w.PutImage(w.ctx, in)
		w.must(err)
	}
	for _, tag := range tags {
		in.ImageTag = &tag
		_, err := w.PutImage(w.ctx, in)
		w.must(err)
	}
}

func byTag(tag string) types.ImageIdentifier { return types.ImageIdentifier{ImageTag: &tag} }
func byDigest(digest string) types.ImageIdentifier {
	return types.ImageIdentifier{ImageDigest: &digest}
}
func byBoth(tag, digest string) types.ImageIdentifier {
	return types.ImageIdentifier{ImageTag: &tag, ImageDigest: &digest}
}
