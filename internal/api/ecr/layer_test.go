package ecr_test

import (
	"errors"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/blob/blobtest"
	"github.com/lighterage/lighterage/internal/registry"
)

func TestBatchCheckLayerAvailability(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	have, lack := w.layer(repository, "a layer"), sha("another")
	const foreignAlgorithm = "md5:0123456789abcdef0123456789abcdef"
	got := must2[*sdk.BatchCheckLayerAvailabilityOutput](t)(w.BatchCheckLayerAvailability(w.ctx, &sdk.BatchCheckLayerAvailabilityInput{
		RepositoryName: &repository, LayerDigests: []string{lack, "sha256", have, "", foreignAlgorithm, have},
	}))
	same(t, got, &sdk.BatchCheckLayerAvailabilityOutput{
		Layers: []types.Layer{
			{LayerDigest: &lack, LayerAvailability: types.LayerAvailabilityUnavailable},
			{LayerDigest: &have, LayerAvailability: types.LayerAvailabilityAvailable, LayerSize: new(int64(7))},
			{LayerDigest: new(foreignAlgorithm), LayerAvailability: types.LayerAvailabilityUnavailable},
		},
		Failures: []types.LayerFailure{
			{LayerDigest: new("sha256"), FailureCode: types.LayerFailureCodeInvalidLayerDigest,
				FailureReason: new("Invalid request parameters: layer digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'")},
			{LayerDigest: new(""), FailureCode: types.LayerFailureCodeMissingLayerDigest,
				FailureReason: new("Invalid request parameters: layer digest cannot be null")},
		},
	})
}

func TestALayerOfAnotherRepositoryIsUnavailable(t *testing.T) {
	w := newWorld(t)
	d := w.layer(w.repository(), "a layer")
	got := must2[*sdk.BatchCheckLayerAvailabilityOutput](t)(w.BatchCheckLayerAvailability(w.ctx, &sdk.BatchCheckLayerAvailabilityInput{
		RepositoryName: new(w.repository()), LayerDigests: []string{d},
	}))
	same(t, got.Layers, []types.Layer{{LayerDigest: &d, LayerAvailability: types.LayerAvailabilityUnavailable}})
}

var batchCheckLayerAvailabilityRefusals = []refused{
	{name: "no digest", code: "InvalidParameterException",
		text: "Invalid parameter at 'layerDigests' failed to satisfy constraint: 'Member must have length greater than or equal to 1'",
		act: func(w *world) error {
			_, err := w.BatchCheckLayerAvailability(w.ctx, &sdk.BatchCheckLayerAvailabilityInput{RepositoryName: new("team/app"), LayerDigests: []string{}})
			return err
		}},
}

func TestLayerUpload(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	started := must2[*sdk.InitiateLayerUploadOutput](t)(w.InitiateLayerUpload(w.ctx, &sdk.InitiateLayerUploadInput{RepositoryName: &repository}))
	if *started.PartSize != 10<<20 {
		t.Errorf("parts of %d bytes are wanted, want 10 MiB", *started.PartSize)
	}
	first, second := strings.Repeat("0123456789abcdef", 10_000), "the end"
	got := must2[*sdk.UploadLayerPartOutput](t)(w.UploadLayerPart(w.ctx, part(repository, *started.UploadId, 0, first)))
	same(t, got, &sdk.UploadLayerPartOutput{RegistryId: new(account), RepositoryName: &repository, UploadId: started.UploadId, LastByteReceived: new(int64(159_999))})
	got = must2[*sdk.UploadLayerPartOutput](t)(w.UploadLayerPart(w.ctx, part(repository, strings.ToUpper(*started.UploadId), 160_000, second)))
	same(t, got, &sdk.UploadLayerPartOutput{RegistryId: new(account), RepositoryName: &repository, UploadId: started.UploadId, LastByteReceived: new(int64(160_006))})

	d := sha(first + second)
	done := must2[*sdk.CompleteLayerUploadOutput](t)(w.CompleteLayerUpload(w.ctx, &sdk.CompleteLayerUploadInput{
		RepositoryName: &repository, UploadId: started.UploadId, LayerDigests: []string{"md5:00", sha("another"), d},
	}))
	same(t, done, &sdk.CompleteLayerUploadOutput{RegistryId: new(account), RepositoryName: &repository, UploadId: started.UploadId, LayerDigest: &d})
	found := must2[*sdk.BatchCheckLayerAvailabilityOutput](t)(w.BatchCheckLayerAvailability(w.ctx, &sdk.BatchCheckLayerAvailabilityInput{RepositoryName: &repository, LayerDigests: []string{d}}))
	same(t, found.Layers, []types.Layer{{LayerDigest: &d, LayerAvailability: types.LayerAvailabilityAvailable, LayerSize: new(int64(160_007))}})
}

var initiateLayerUploadRefusals = []refused{
	{name: "a key that works no more", code: "KmsException", text: keyNowOff, with: func(*world) {}, act: func(w *world) error {
		_, err := w.InitiateLayerUpload(w.ctx, &sdk.InitiateLayerUploadInput{RepositoryName: new(w.spoilKey())})
		return err
	}},
}

func uploading(in *sdk.UploadLayerPartInput) func(*world) error {
	return func(w *world) error {
		_, err := w.UploadLayerPart(w.ctx, in)
		return err
	}
}

const (
	partInvalid = "The layer part size is not valid, or the first byte specified is not consecutive to the last byte of a previous layer part upload."
	noUpload    = "The upload with id '01234567-89ab-cdef-0123-456789abcdef' does not exist in the repository with name 'uploads' in the registry with id '123456789012'"
)

// uploads makes sure of a repository that is called so.
func (w *world) uploads() string {
	_, _ = w.CreateRepository(w.ctx, &sdk.CreateRepositoryInput{RepositoryName: new("uploads")})
	return "uploads"
}

// adding starts an upload of ten bytes and adds a part of six.
func adding(at int64, change func(*sdk.UploadLayerPartInput)) func(*world) error {
	return func(w *world) error {
		repository := w.repository()
		in := part(repository, w.upload(repository, "ten bytes!"), at, "second")
		change(in)
		return uploading(in)(w)
	}
}

var uploadLayerPartRefusals = []refused{
	{name: "a part that begins too late", code: "InvalidLayerPartException", text: partInvalid, act: adding(11, func(*sdk.UploadLayerPartInput) {})},
	{name: "a part that begins too early", code: "InvalidLayerPartException", text: partInvalid, act: adding(9, func(*sdk.UploadLayerPartInput) {})},
	{name: "the part before again", code: "InvalidLayerPartException", text: partInvalid, act: adding(0, func(*sdk.UploadLayerPartInput) {})},
	{name: "a part of another size than said", code: "InvalidLayerPartException", text: partInvalid,
		act: adding(10, func(in *sdk.UploadLayerPartInput) { in.PartLastByte = new(int64(10)) })},
	{name: "an empty part", code: "InvalidLayerPartException", text: partInvalid,
		act: adding(10, func(in *sdk.UploadLayerPartInput) { in.LayerPartBlob, in.PartLastByte = []byte{}, new(int64(9)) })},
	{name: "a part larger than parts may be", code: "InvalidLayerPartException", text: partInvalid,
		with: func(w *world) { w.config.Limits.MaxPartSize = 10 },
		act: func(w *world) error {
			repository := w.repository()
			return uploading(part(repository, w.upload(repository), 0, "eleven bytes"))(w)
		}},
	{name: "a negative byte", code: "InvalidParameterException",
		text: "Invalid parameter at 'partFirstByte' failed to satisfy constraint: 'Member must have value greater than or equal to 0'",
		act:  adding(-1, func(*sdk.UploadLayerPartInput) {})},
	{name: "a part larger than the model allows", code: "InvalidParameterException",
		text: "Invalid parameter at 'layerPartBlob' failed to satisfy constraint: 'Member must have length less than or equal to 20971520'",
		act:  uploading(part("team/app", unknownUpload, 0, strings.Repeat("x", 20<<20+1)))},
	{name: "an upload id that is none", code: "InvalidParameterException",
		text: "Invalid parameter at 'uploadId' failed to satisfy constraint: 'Member must satisfy regular expression '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}''",
		act:  uploading(part("team/app", "upload", 0, "x"))},
	{name: "an unknown upload", code: "UploadNotFoundException", text: noUpload,
		act: func(w *world) error { return uploading(part(w.uploads(), unknownUpload, 0, "x"))(w) }},
	{name: "one part more than the quota", code: "LimitExceededException", text: "The quota of 2 layer parts has been reached",
		with: func(w *world) { w.config.Limits.LayerParts = 2 },
		act: func(w *world) error {
			repository := w.repository()
			return uploading(part(repository, w.upload(repository, "part one", "part two"), 16, "x"))(w)
		}},
	{name: "a layer larger than the quota", code: "LimitExceededException", text: "The layer is larger than the quota of 10 bytes",
		with: func(w *world) { w.config.Limits.LayerSize = 10 },
		act: func(w *world) error {
			repository := w.repository()
			return uploading(part(repository, w.upload(repository, "ten bytes!"), 10, "x"))(w)
		}},
	{name: "a key that works no more", code: "KmsException", text: keyNowOff, with: func(*world) {},
		act: func(w *world) error { return uploading(part(w.spoilKey(), unknownUpload, 0, "x"))(w) }},
}

func TestAnUploadOfAnotherRepositoryIsNotFound(t *testing.T) {
	w := newWorld(t)
	mine, other := w.repository(), w.repository()
	id := w.upload(mine, "ten bytes!")
	want := refusal{"UploadNotFoundException", "The upload with id '" + id + "' does not exist in the repository with name '" + other + "' in the registry with id '123456789012'"}
	_, err := w.UploadLayerPart(w.ctx, part(other, id, 10, "x"))
	wantRefusal(t, err, want)
	_, err = w.CompleteLayerUpload(w.ctx, &sdk.CompleteLayerUploadInput{RepositoryName: &other, UploadId: &id, LayerDigests: []string{sha("ten bytes!")}})
	wantRefusal(t, err, want)
}

func TestAnInvalidPartTellsWhereToGoOn(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	id := w.upload(repository)
	wantPart := func(at int64, last *int64) {
		t.Helper()
		_, err := w.UploadLayerPart(w.ctx, part(repository, id, at, "a part of a layer"))
		e := wantAs[*types.InvalidLayerPartException](t, err)
		same(t, []any{e.RegistryId, e.RepositoryName, e.UploadId, e.LastValidByteReceived}, []any{new(account), &repository, &id, last})
	}
	wantPart(5, nil)
	_, err := w.UploadLayerPart(w.ctx, part(repository, id, 0, "ten bytes!"))
	w.must(err)
	wantPart(5, new(int64(9)))
	_, err = w.UploadLayerPart(w.ctx, part(repository, id, 10, "the end"))
	w.must(err)
}

// completing completes the upload of the parts.
func completing(digests []string, parts ...string) func(*world) error {
	return func(w *world) error {
		repository := w.uploads()
		return completingUpload(repository, w.upload(repository, parts...), digests...)(w)
	}
}

func completingUpload(repository, id string, digests ...string) func(*world) error {
	return func(w *world) error {
		_, err := w.CompleteLayerUpload(w.ctx, &sdk.CompleteLayerUploadInput{RepositoryName: &repository, UploadId: &id, LayerDigests: digests})
		return err
	}
}

var completeLayerUploadRefusals = []refused{
	{name: "no digest that matches", code: "InvalidLayerException",
		text: "None of the provided layer digests match the calculated layer digest: " + sha("a layer"),
		act:  completing([]string{sha("another"), sha("one more")}, "a layer")},
	{name: "a digest of an unknown algorithm", code: "InvalidLayerException",
		text: "None of the provided layer digests match the calculated layer digest: " + sha("a layer"),
		act:  completing([]string{"md5:00"}, "a layer")},
	{name: "a small part that is not the last", code: "LayerPartTooSmallException", text: "All layer parts except the last part should be at least 5MB",
		with: func(w *world) { w.config.Limits.MinPartSize = 5 << 20 },
		act:  completing([]string{sha("a layer in parts")}, "a layer ", "in parts")},
	{name: "a layer that is there", code: "LayerAlreadyExistsException",
		text: "The layer with digest '" + sha("twice") + "' already exists in the repository with name 'uploads' in the registry with id '123456789012'",
		act: func(w *world) error {
			w.layer(w.uploads(), "twice")
			return completing([]string{sha("twice")}, "twice")(w)
		}},
	{name: "an unknown upload", code: "UploadNotFoundException", text: noUpload,
		act: func(w *world) error { return completingUpload(w.uploads(), unknownUpload, sha(""))(w) }},
	{name: "a digest that is none", code: "InvalidParameterException",
		text: "Invalid parameter at 'layerDigests.1.member' failed to satisfy constraint: 'Member must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+''",
		act:  completingUpload("team/app", unknownUpload, "latest")},
	{name: "a key that works no more", code: "KmsException", text: keyNowOff, with: func(*world) {}, act: func(w *world) error {
		w.config.Keys["alias/on"] = registry.KeyEnabled
		repository := w.repository(withKey("alias/on"))
		id := w.upload(repository, "a layer")
		w.config.Keys["alias/on"] = registry.KeyDisabled
		return completingUpload(repository, id, sha("a layer"))(w)
	}},
	{name: "an upload without parts", code: "EmptyUploadException", text: "The upload with id 'U' in the repository with name 'uploads' in registry with id '123456789012' cannot be completed because it does not have any parts",
		act: func(w *world) error {
			id := w.upload(w.uploads())
			return anonymous(completingUpload("uploads", id, sha(""))(w), id)
		}},
}

func TestAnUploadEndsWithItsLayer(t *testing.T) {
	w := newWorld(t)
	repository := w.uploads()
	for name, act := range map[string]func(id string) error{
		"that was completed": func(id string) error { return completingUpload(repository, id, sha("a layer"))(w) },
		"that was there":     func(id string) error { return completingUpload(repository, id, sha("a layer"))(w) },
		"that did not match": func(id string) error { return completingUpload(repository, id, sha("another"))(w) },
	} {
		t.Run(name, func(t *testing.T) {
			id := w.upload(repository, "a layer")
			_ = act(id)
			wantRefusal(t, completingUpload(repository, id, sha("a layer"))(w), refusal{"UploadNotFoundException", "The upload with id '" + id +
				"' does not exist in the repository with name 'uploads' in the registry with id '123456789012'"})
		})
	}
}

// A disk that fails costs one answer: what is sent again goes through.
func TestAFailingDiskIsTheServersFault(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	body := strings.Repeat("x", 200_000) // more than stays in memory
	push := func() error {
		id := w.upload(repository)
		if err := uploading(part(repository, id, 0, body))(w); err != nil {
			return err
		}
		return completingUpload(repository, id, sha(body))(w)
	}
	w.blobs.FailAt(-1, blobtest.NotApplied, nil)
	w.must(push())
	steps := w.blobs.Calls()
	for n, step := range steps {
		for _, mode := range blobtest.Modes {
			t.Run(string(step)+" "+mode.String(), func(t *testing.T) {
				body += "x"
				w.blobs.FailAt(n, mode, errors.New("a canary"))
				wantRefusal(t, push(), serverFailed)
				w.blobs.FailAt(-1, mode, nil)
				w.must(push())
			})
		}
		t.Run(string(step)+" on a full disk", func(t *testing.T) {
			body += "x"
			w.blobs.FailAt(n, blobtest.NotApplied, blob.ErrFull)
			wantRefusal(t, push(), serverFull)
			w.blobs.FailAt(-1, blobtest.NotApplied, nil)
			w.must(push())
		})
	}
}

func TestGetDownloadUrlForLayer(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	w.push(repository, "one")
	d := sha("layer of one")
	got := must2[*sdk.GetDownloadUrlForLayerOutput](t)(w.GetDownloadUrlForLayer(w.ctx, &sdk.GetDownloadUrlForLayerInput{RepositoryName: &repository, LayerDigest: &d}))
	parts := strings.Split(*got.DownloadUrl, "|")
	same(t, append(parts[:3:3], *got.LayerDigest), []string{"http://" + w.host, repository, d, d})
	grant, err := w.authority.VerifyDownload(parts[3])
	w.must(err)
	if grant.Registry != keyOf(repository).Registry || string(grant.Repository) != repository || string(grant.Digest) != d || grant.Space != byte(registry.ECR) {
		t.Errorf("the URL is good for %+v", grant)
	}
}

func downloading(repository func(*world) string, d string) func(*world) error {
	return func(w *world) error {
		_, err := w.GetDownloadUrlForLayer(w.ctx, &sdk.GetDownloadUrlForLayerInput{RepositoryName: new(repository(w)), LayerDigest: &d})
		return err
	}
}

var getDownloadURLForLayerRefusals = []refused{
	{name: "an unknown layer", code: "LayersNotFoundException",
		text: "The layer with digest " + sha("absent") + " does not exist within the repository with name 'uploads' in the registry with id '123456789012'",
		act:  downloading((*world).uploads, sha("absent"))},
	{name: "a digest of an unknown algorithm", code: "LayersNotFoundException",
		text: "The layer with digest md5:00 does not exist within the repository with name 'uploads' in the registry with id '123456789012'",
		act:  downloading((*world).uploads, "md5:00")},
	{name: "a digest of an unknown algorithm in an unknown repository", code: "RepositoryNotFoundException",
		text: "The repository with name 'absent' does not exist in the registry with id '123456789012'",
		act:  downloading(func(*world) string { return "absent" }, "md5:00")},
	{name: "a layer of no image", code: "LayerInaccessibleException",
		text: "The layer with digest " + sha("lonely") + " in the repository with name 'uploads' in the registry with id '123456789012' is not available because it is not associated with an image",
		act: func(w *world) error {
			w.layer(w.uploads(), "lonely")
			return downloading((*world).uploads, sha("lonely"))(w)
		}},
	{name: "a digest that is none", code: "InvalidParameterException",
		text: "Invalid parameter at 'layerDigest' failed to satisfy constraint: 'Member must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+''",
		act:  downloading((*world).uploads, "latest")},
}
