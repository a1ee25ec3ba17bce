package ecr_test

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/meta"
)

// plain are inputs of all offered operations that pass validation.
var plain = []func(repository string) any{
	func(string) any { return &sdk.DescribeRegistryInput{} },
	func(string) any { return &sdk.GetAuthorizationTokenInput{} },
	func(r string) any { return &sdk.CreateRepositoryInput{RepositoryName: &r} },
	func(r string) any { return &sdk.DescribeRepositoriesInput{RepositoryNames: []string{r}} },
	func(r string) any { return &sdk.DeleteRepositoryInput{RepositoryName: &r} },
	func(r string) any {
		return &sdk.PutImageTagMutabilityInput{RepositoryName: &r, ImageTagMutability: types.ImageTagMutabilityMutable}
	},
	func(r string) any {
		return &sdk.PutImageScanningConfigurationInput{RepositoryName: &r, ImageScanningConfiguration: &types.ImageScanningConfiguration{}}
	},
	func(r string) any {
		return &sdk.SetRepositoryPolicyInput{RepositoryName: &r, PolicyText: new(pullForAll)}
	},
	func(r string) any { return &sdk.GetRepositoryPolicyInput{RepositoryName: &r} },
	func(r string) any { return &sdk.DeleteRepositoryPolicyInput{RepositoryName: &r} },
	func(r string) any {
		return &sdk.PutLifecyclePolicyInput{RepositoryName: &r, LifecyclePolicyText: new(keepTwo)}
	},
	func(r string) any { return &sdk.GetLifecyclePolicyInput{RepositoryName: &r} },
	func(r string) any { return &sdk.DeleteLifecyclePolicyInput{RepositoryName: &r} },
	func(r string) any {
		return &sdk.StartLifecyclePolicyPreviewInput{RepositoryName: &r, LifecyclePolicyText: new(keepTwo)}
	},
	func(r string) any { return &sdk.GetLifecyclePolicyPreviewInput{RepositoryName: &r} },
	func(string) any { return &sdk.PutRegistryPolicyInput{PolicyText: new(createForOthers)} },
	func(string) any { return &sdk.GetRegistryPolicyInput{} },
	func(string) any { return &sdk.DeleteRegistryPolicyInput{} },
	func(string) any {
		return &sdk.PutAccountSettingInput{Name: new("BLOB_MOUNTING"), Value: new("ENABLED")}
	},
	func(string) any { return &sdk.GetAccountSettingInput{Name: new("BLOB_MOUNTING")} },
	func(r string) any { return &sdk.TagResourceInput{ResourceArn: new(arnOf(r)), Tags: []types.Tag{}} },
	func(r string) any { return &sdk.UntagResourceInput{ResourceArn: new(arnOf(r)), TagKeys: []string{}} },
	func(r string) any { return &sdk.ListTagsForResourceInput{ResourceArn: new(arnOf(r))} },
	func(r string) any {
		return &sdk.BatchCheckLayerAvailabilityInput{RepositoryName: &r, LayerDigests: []string{sha("")}}
	},
	func(r string) any { return &sdk.InitiateLayerUploadInput{RepositoryName: &r} },
	func(r string) any { return part(r, unknownUpload, 0, "body") },
	func(r string) any {
		return &sdk.CompleteLayerUploadInput{RepositoryName: &r, UploadId: new(unknownUpload), LayerDigests: []string{sha("")}}
	},
	func(r string) any {
		return &sdk.GetDownloadUrlForLayerInput{RepositoryName: &r, LayerDigest: new(sha(""))}
	},
	func(r string) any {
		return &sdk.PutImageInput{RepositoryName: &r, ImageManifest: new(index().String())}
	},
	func(r string) any {
		return &sdk.BatchGetImageInput{RepositoryName: &r, ImageIds: []types.ImageIdentifier{byTag("v1")}}
	},
	func(r string) any {
		return &sdk.BatchDeleteImageInput{RepositoryName: &r, ImageIds: []types.ImageIdentifier{byTag("v1")}}
	},
	func(r string) any {
		return &sdk.UpdateImageStorageClassInput{RepositoryName: &r, ImageId: new(byTag("v1")), TargetStorageClass: types.TargetStorageClassArchive}
	},
	func(r string) any { return &sdk.ListImagesInput{RepositoryName: &r} },
	func(r string) any { return &sdk.DescribeImagesInput{RepositoryName: &r} },
	func(r string) any {
		return &sdk.ListImageReferrersInput{RepositoryName: &r, SubjectId: &types.SubjectIdentifier{ImageDigest: new(sha(""))}}
	},
}

const unknownUpload = "01234567-89ab-cdef-0123-456789abcdef"

// operationOf names the operation of an input.
func operationOf(in any) string {
	n := reflect.TypeOf(in).Elem().Name()
	return n[:len(n)-len("Input")]
}

// member returns a field of an input, invalid if it has none.
func member(in any, field string) reflect.Value { return reflect.ValueOf(in).Elem().FieldByName(field) }

// actions are the IAM actions that differ from their operation's name.
var actions = map[string]string{"ListImageReferrers": "BatchGetImage"}

func actionOf(operation string) string {
	if a, ok := actions[operation]; ok {
		return "ecr:" + a
	}
	return "ecr:" + operation
}

func TestAnotherAccountIsDeniedWhetherOrNotTheRepositoryIsThere(t *testing.T) {
	w := newWorld(t)
	for _, make := range plain {
		for _, repository := range []string{"absent", w.repository()} {
			in := make(repository)
			operation := operationOf(in)
			resource := "arn:aws:ecr:us-east-1:" + foreign + ":repository/" + repository
			switch {
			case !member(in, "ResourceArn").IsValid() && !member(in, "RegistryId").IsValid(): // is about the caller's own
				continue
			case member(in, "ResourceArn").IsValid():
				member(in, "ResourceArn").Set(reflect.ValueOf(&resource))
			default:
				member(in, "RegistryId").Set(reflect.ValueOf(new(foreign)))
			}
			t.Run(operation, func(t *testing.T) {
				_, err := w.invoke(in)
				wantRefusal(t, err, refusal{"AccessDeniedException", "User: arn:aws:iam::123456789012:root is not authorized to perform: " +
					actionOf(operation) + " on resource: " + resource + " because no resource-based policy allows the " + actionOf(operation) + " action"})
			})
		}
	}
}

func TestARegistryIDHasTwelveDigits(t *testing.T) {
	w := newWorld(t)
	for _, make := range plain {
		in := make("absent")
		if !member(in, "RegistryId").IsValid() {
			continue
		}
		t.Run(operationOf(in), func(t *testing.T) {
			member(in, "RegistryId").Set(reflect.ValueOf(new("1234")))
			_, err := w.invoke(in)
			wantRefusal(t, err, refusal{"InvalidParameterException", "Invalid parameter at 'registryId' failed to satisfy constraint: 'must satisfy regular expression [0-9]{12}'"})
		})
	}
}

// namedBy is the member by which an operation names a repository.
func namedBy(in any) string {
	for _, m := range []string{"RepositoryName", "RepositoryNames", "ResourceArn"} {
		if member(in, m).IsValid() {
			return m
		}
	}
	return ""
}

func TestABadNameIsRefused(t *testing.T) {
	const pattern = `'must satisfy regular expression '[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*''`
	w := newWorld(t)
	for _, make := range plain {
		in := make("Team/App")
		at := map[string]string{
			"RepositoryName":  "'repositoryName' failed to satisfy constraint: " + pattern,
			"RepositoryNames": "'repositoryNames.1.member' failed to satisfy constraint: 'Member " + pattern[1:],
			"ResourceArn":     "'resourceArn' failed to satisfy constraint: 'Invalid ARN'",
		}[namedBy(in)]
		if at == "" {
			continue
		}
		t.Run(operationOf(in), func(t *testing.T) {
			_, err := w.invoke(in)
			wantRefusal(t, err, refusal{"InvalidParameterException", "Invalid parameter at " + at})
		})
	}
}

func TestAnUnknownRepositoryIsNotFound(t *testing.T) {
	w := newWorld(t)
	for _, make := range plain {
		in := make("absent")
		if namedBy(in) == "" || operationOf(in) == "CreateRepository" {
			continue
		}
		t.Run(operationOf(in), func(t *testing.T) {
			_, err := w.invoke(in)
			wantRefusal(t, err, refusal{"RepositoryNotFoundException", "The repository with name 'absent' does not exist in the registry with id '123456789012'"})
		})
	}
}

func TestAFailingStoreIsTheServersFault(t *testing.T) {
	w := newWorld(t)
	repository := w.repository()
	for cause, tt := range map[string]struct {
		err  error
		want refusal
	}{
		"unforeseen": {errors.New("a canary"), serverFailed},
		"away":       {meta.ErrUnavailable, serverFailed},
		"full":       {meta.ErrFull, serverFull},
	} {
		w.meta.SetDown(tt.err)
		for _, make := range plain {
			in := make(repository)
			if storeless[operationOf(in)] {
				continue
			}
			t.Run(cause+"/"+operationOf(in), func(t *testing.T) {
				_, err := w.invoke(in)
				wantRefusal(t, err, tt.want)
			})
		}
		w.meta.Heal()
	}
}

var serverFailed = refusal{"ServerException", "The request failed because of an internal error of the server."}
var serverFull = refusal{"ServerException", "The storage of the server is full."}

// storeless operations read no store.
var storeless = map[string]bool{"DescribeRegistry": true, "GetAuthorizationToken": true}

// refused is a row of an operation's table of exceptions.
type refused struct {
	name string
	act  func(w *world) error
	code string
	text string // empty: act asserts it
	with change // nil: nothing special
}

// refusals are the exceptions of each operation beside those that the tests
// above provoke in all.
var refusals = map[string][]refused{
	"CreateRepository":              createRepositoryRefusals,
	"DescribeRepositories":          describeRepositoriesRefusals,
	"DeleteRepository":              deleteRepositoryRefusals,
	"PutImageTagMutability":         putImageTagMutabilityRefusals,
	"PutImageScanningConfiguration": putImageScanningConfigurationRefusals,
	"SetRepositoryPolicy":           setRepositoryPolicyRefusals,
	"GetRepositoryPolicy":           getRepositoryPolicyRefusals,
	"DeleteRepositoryPolicy":        deleteRepositoryPolicyRefusals,
	"PutLifecyclePolicy":            putLifecyclePolicyRefusals,
	"GetLifecyclePolicy":            getLifecyclePolicyRefusals,
	"DeleteLifecyclePolicy":         deleteLifecyclePolicyRefusals,
	"StartLifecyclePolicyPreview":   startLifecyclePolicyPreviewRefusals,
	"GetLifecyclePolicyPreview":     getLifecyclePolicyPreviewRefusals,
	"PutRegistryPolicy":             putRegistryPolicyRefusals,
	"GetRegistryPolicy":             getRegistryPolicyRefusals,
	"DeleteRegistryPolicy":          deleteRegistryPolicyRefusals,
	"PutAccountSetting":             putAccountSettingRefusals,
	"GetAccountSetting":             getAccountSettingRefusals,
	"TagResource":                   tagResourceRefusals,
	"UntagResource":                 untagResourceRefusals,
	"ListTagsForResource":           listTagsForResourceRefusals,
	"GetAuthorizationToken":         getAuthorizationTokenRefusals,
	"BatchCheckLayerAvailability":   batchCheckLayerAvailabilityRefusals,
	"InitiateLayerUpload":           initiateLayerUploadRefusals,
	"UploadLayerPart":               uploadLayerPartRefusals,
	"CompleteLayerUpload":           completeLayerUploadRefusals,
	"GetDownloadUrlForLayer":        getDownloadURLForLayerRefusals,
	"PutImage":                      putImageRefusals,
	"BatchGetImage":                 batchGetImageRefusals,
	"BatchDeleteImage":              batchDeleteImageRefusals,
	"UpdateImageStorageClass":       updateImageStorageClassRefusals,
	"ListImages":                    listImagesRefusals,
	"DescribeImages":                describeImagesRefusals,
	"ListImageReferrers":            listImageReferrersRefusals,
}

func TestRefusals(t *testing.T) {
	shared := newWorld(t)
	for _, operation := range slices.Sorted(maps.Keys(refusals)) {
		for _, r := range refusals[operation] {
			t.Run(operation+"/"+r.name, func(t *testing.T) {
				w := shared
				if r.with != nil {
					w = newWorld(t, r.with)
				}
				wantRefusal(t, r.act(w), refusal{r.code, r.text})
			})
		}
	}
}

// impossible are the modelled exceptions of offered operations that nothing
// can cause here, each with the reason.
var impossible = map[string]string{
	"DescribeRegistry InvalidParameterException":                     "it has no parameters",
	"DescribeRegistry ServerException":                               "it reads no store",
	"GetAuthorizationToken ServerException":                          "it reads no store: tokens are signed, not stored",
	"DescribeRegistry ValidationException":                           noValidation,
	"PutImageScanningConfiguration ValidationException":              noValidation,
	"ListImageReferrers ValidationException":                         noValidation,
	"PutLifecyclePolicy ValidationException":                         noValidation,
	"GetLifecyclePolicy ValidationException":                         noValidation,
	"DeleteLifecyclePolicy ValidationException":                      noValidation,
	"StartLifecyclePolicyPreview ValidationException":                noValidation,
	"GetLifecyclePolicyPreview ValidationException":                  noValidation,
	"UpdateImageStorageClass ValidationException":                    noValidation,
	"PutRegistryPolicy ValidationException":                          noValidation,
	"GetRegistryPolicy ValidationException":                          noValidation,
	"DeleteRegistryPolicy ValidationException":                       noValidation,
	"PutAccountSetting ValidationException":                          noValidation,
	"GetAccountSetting ValidationException":                          noValidation,
	"GetRegistryPolicy InvalidParameterException":                    "it has no parameters",
	"DeleteRegistryPolicy InvalidParameterException":                 "it has no parameters",
	"PutAccountSetting LimitExceededException":                       "there are no more settings than names",
	"DeleteRepository KmsException":                                  "no grant of the key has to be retired: bytes are not encrypted with it",
	"UntagResource TooManyTagsException":                             "removing tags cannot pass a limit",
	"BatchGetImage UnableToGetUpstreamImageException":                noUpstream,
	"GetDownloadUrlForLayer UnableToGetUpstreamLayerException":       noUpstream,
	"ListImageReferrers UnableToListUpstreamImageReferrersException": noUpstream,
}

const (
	noValidation = "parameters are refused with InvalidParameterException"
	noUpstream   = "there are no pull-through caches"
)

func TestEveryModelledExceptionIsCausedOrImpossible(t *testing.T) {
	caused := map[string]bool{}
	for operation, rows := range refusals {
		for _, r := range rows {
			caused[operation+" "+r.code] = true
		}
	}
	for _, make := range plain {
		in := make("x/y")
		operation := operationOf(in)
		if !storeless[operation] {
			caused[operation+" ServerException"] = true
		}
		if namedBy(in) != "" {
			caused[operation+" InvalidParameterException"] = true
			if operation != "CreateRepository" {
				caused[operation+" RepositoryNotFoundException"] = true
			}
		}
		o, _ := ecrmodel.Model.Operation(operation)
		for _, code := range o.Errors {
			row := operation + " " + code
			if _, not := impossible[row]; caused[row] == not {
				t.Errorf("%s: caused by a test: %t, said to be impossible: %t", row, caused[row], not)
			}
		}
	}
	offered := ecrOperations(t)
	for _, make := range plain {
		delete(offered, operationOf(make("x/y")))
	}
	for operation := range offered {
		t.Errorf("%s has no plain input", operation)
	}
}
