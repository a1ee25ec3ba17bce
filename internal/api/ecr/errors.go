package ecr

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/lighterage/lighterage/internal/fault"
)

// wording is how a reason looks on this wire: the model's error and a text in
// which subjects stand in braces.
type wording struct {
	shape, text string
	extra       func(*fault.Error) map[string]any // the error's further members; nil: none
}

// The ends of sentences about a subject.
const (
	inRegistry   = " in the registry with id '{account}'"
	inRepository = " in the repository with name '{repository}'" + inRegistry
	parameter    = "Invalid parameter at '{member}' failed to satisfy constraint: '{constraint}'"
	manifestAt   = "Invalid parameter at 'ImageManifest' failed to satisfy constraint: '{constraint}'"
)

// serverFailed is all that a client learns of a failure of ours, but for the
// one that somebody can do something about.
var serverFailed = wording{shape: "ServerException", text: "The request failed because of an internal error of the server."}

// wordings is the table of the reasons that come out of the registry. Texts of
// ECR that are known from issues and tests of its clients are kept to the
// letter, such as those of uploads from devcontainers/cli#814 and
// dotnet/sdk-container-builds#424; the others follow their tone.
var wordings = map[fault.Reason]wording{
	fault.ParameterInvalid:   {shape: "InvalidParameterException", text: parameter},
	fault.NameInvalid:        {shape: "InvalidParameterException", text: parameter},
	fault.TagInvalid:         {shape: "InvalidParameterException", text: parameter},
	fault.DigestInvalid:      {shape: "InvalidParameterException", text: "Invalid parameter at 'imageDigest' failed to satisfy constraint: 'must satisfy regular expression '" + digestPattern + "''"},
	fault.PageTokenInvalid:   {shape: "InvalidParameterException", text: "Invalid parameter at 'nextToken' failed to satisfy constraint: 'must be the nextToken of an answer to the same request'"},
	fault.FeatureNotOffered:  {shape: "InvalidParameterException", text: "Invalid parameter at '{member}' failed to satisfy constraint: '{detail}'"},
	fault.ResourceTagInvalid: {shape: "InvalidTagParameterException", text: "Tag parameters are invalid"},
	fault.TooManyTags:        {shape: "TooManyTagsException", text: "The list of tags on the repository is over the limit. The maximum number of tags that can be applied to a repository is {limit}."},

	fault.RepositoryNotFound: {shape: "RepositoryNotFoundException", text: "The repository with name '{repository}' does not exist" + inRegistry},
	fault.RepositoryExists:   {shape: "RepositoryAlreadyExistsException", text: "The repository with name '{repository}' already exists" + inRegistry},
	fault.RepositoryNotEmpty: {shape: "RepositoryNotEmptyException", text: "The repository with name '{repository}' in registry with id '{account}' cannot be deleted because it still contains images"},
	fault.KeyUnusable: {shape: "KmsException", text: "The KMS key '{value}' cannot be used: {kms}", extra: func(f *fault.Error) map[string]any {
		return map[string]any{"kmsError": f.KMSError}
	}},
	fault.RepositoryPolicyNotFound: {shape: "RepositoryPolicyNotFoundException", text: "Repository policy does not exist for the repository with name '{repository}'" + inRegistry},
	fault.RegistryPolicyNotFound:   {shape: "RegistryPolicyNotFoundException", text: "Registry policy does not exist" + inRegistry},
	fault.LifecyclePolicyNotFound:  {shape: "LifecyclePolicyNotFoundException", text: "Lifecycle policy does not exist for the repository with name '{repository}'" + inRegistry},
	fault.LifecyclePreviewNotFound: {shape: "LifecyclePolicyPreviewNotFoundException", text: "Lifecycle policy preview does not exist for the repository with name '{repository}'" + inRegistry},
	fault.LifecyclePreviewRunning:  {shape: "LifecyclePolicyPreviewInProgressException", text: "The previous lifecycle policy preview request for the repository with name '{repository}'" + inRegistry + " has not completed. Wait and try again."},
	fault.LimitExceeded:            {shape: "LimitExceededException", text: "The quota of {limit} {quota} has been reached"},

	fault.ImageNotFound:    {shape: "ImageNotFoundException", text: imageMissing},
	fault.TagMapsElsewhere: {shape: "ImageNotFoundException", text: imageMissing},
	fault.ImageBound:       {shape: "ImageStorageClassUpdateNotSupportedException", text: "The storage class of the image with digest '{digest}'" + inRepository + " cannot be updated, because it goes with {digests}"},
	fault.ImageExists:      {shape: "ImageAlreadyExistsException", text: imageThere},
	fault.TagImmutableSame: {shape: "ImageAlreadyExistsException", text: imageThere},
	fault.TagImmutable:     {shape: "ImageTagAlreadyExistsException", text: "The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten because the tag is immutable."},
	fault.ManifestInvalid:  {shape: "InvalidParameterException", text: manifestAt},
	fault.ManifestTooLarge: {shape: "InvalidParameterException", text: "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'must have length less than or equal to {limit}'"},
	fault.DigestMismatch:   {shape: "ImageDigestDoesNotMatchException", text: "The image with digest '{digest}' in repository '{repository}' and registry ID '{account}' does not match the image digest that Amazon ECR has calculated."},
	fault.LayersNotFound:   {shape: "LayersNotFoundException", text: "Layers with digests '{digests}' required for pushing image into repository with name '{repository}'" + inRegistry + " do not exist"},
	fault.ChildrenNotFound: {shape: "ReferencedImagesNotFoundException", text: "Images with digests '{digests}' required for pushing image into repository with name '{repository}'" + inRegistry + " do not exist"},

	fault.LayerNotFound:     {shape: "LayersNotFoundException", text: "The layer with digest {digest} does not exist within the repository with name '{repository}'" + inRegistry},
	fault.LayerInaccessible: {shape: "LayerInaccessibleException", text: "The layer with digest {digest}" + inRepository + " is not available because it is not associated with an image"},
	fault.LayerExists:       {shape: "LayerAlreadyExistsException", text: "The layer with digest '{digest}' already exists" + inRepository},
	fault.LayerMismatch:     {shape: "InvalidLayerException", text: "None of the provided layer digests match the calculated layer digest: {digest}"},
	fault.LayerTooLarge:     {shape: "LimitExceededException", text: "The layer is larger than the quota of {limit} bytes"},
	fault.UploadNotFound:    {shape: "UploadNotFoundException", text: "The upload with id '{upload}' does not exist" + inRepository},
	fault.UploadEmpty:       {shape: "EmptyUploadException", text: "The upload with id '{upload}' in the repository with name '{repository}' in registry with id '{account}' cannot be completed because it does not have any parts"},
	fault.UploadPartSmall:   {shape: "LayerPartTooSmallException", text: "All layer parts except the last part should be at least {size}"},
	fault.UploadPartCount:   {shape: "LimitExceededException", text: "The quota of {limit} {quota} has been reached"},
	fault.UploadPartInvalid: {shape: "InvalidLayerPartException", text: partInvalid, extra: partMembers},
	fault.RangeInvalid:      {shape: "InvalidLayerPartException", text: partInvalid, extra: partMembers},

	fault.StoreFull: {shape: "ServerException", text: "The storage of the server is full."},
}

const (
	imageMissing = "The image with imageId {imageDigest:'{digest}', imageTag:'{tag}'} does not exist within the repository with name '{repository}'" + inRegistry
	imageThere   = "Image with digest '{digest}' and tag '{tag}' already exists in the repository with name '{repository}' in registry with id '{account}'"
	partInvalid  = "The layer part size is not valid, or the first byte specified is not consecutive to the last byte of a previous layer part upload."
)

// partMembers tell a client where to go on. Nothing received has no last byte.
func partMembers(f *fault.Error) map[string]any {
	members := map[string]any{"registryId": f.Account, "repositoryName": f.Repository, "uploadId": f.Upload}
	if f.LastByte >= 0 {
		members["lastValidByteReceived"] = f.LastByte
	}
	return members
}

// byKind words the reasons that have no line of their own: those of other
// doors, and new ones.
var byKind = map[fault.Kind]wording{
	fault.Internal:        serverFailed,
	fault.Unavailable:     serverFailed,
	fault.Invalid:         {shape: "InvalidParameterException", text: "The request has an invalid parameter"},
	fault.Range:           {shape: "InvalidParameterException", text: "The request has an invalid range"},
	fault.TooLarge:        {shape: "InvalidParameterException", text: "The request is too large"},
	fault.Unauthenticated: {shape: "UnrecognizedClientException", text: "The security token included in the request is invalid."},
	fault.Denied:          {shape: "AccessDeniedException", text: "Access denied"},
	fault.NotFound:        {shape: "InvalidParameterException", text: "What the request names does not exist"},
	fault.Conflict:        {shape: "InvalidParameterException", text: "The request conflicts with the state of what it names"},
	fault.Exceeded:        {shape: "LimitExceededException", text: "A quota has been reached"},
	fault.Unsupported:     {shape: "UnknownOperationException", text: "The operation is not offered by this server"},
	fault.Throttled:       {shape: "ThrottlingException", text: "Rate exceeded"},
}

// wordFault is the service's awsjson.ErrorMapper; it words every fault.
func wordFault(f *fault.Error) (shape, message string, extra map[string]any, ok bool) {
	w, own := wordings[f.Reason]
	if !own {
		w = byKind[f.Kind()]
	}
	if w.extra != nil {
		extra = w.extra(f)
	}
	return w.shape, fill(w.text, f), extra, true
}

// fill puts a fault's subjects into a text. An image without tag or digest has
// 'null' there, as ECR prints it.
func fill(text string, f *fault.Error) string {
	return strings.NewReplacer(
		"{account}", f.Account, "{repository}", f.Repository, "{upload}", f.Upload,
		"{tag}", orNull(f.Tag), "{digest}", orNull(f.Digest), "{digests}", "["+strings.Join(f.Digests, ", ")+"]",
		"{member}", f.Member, "{constraint}", f.Constraint, "{value}", f.Value, "{detail}", f.Detail,
		"{quota}", f.Quota, "{limit}", strconv.FormatInt(f.Limit, 10), "{size}", size(f.Limit),
		"{kms}", f.KMSError,
	).Replace(text)
}

func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return s
}

// size spells a number of bytes as ECR's texts do.
func size(n int64) string {
	if n%(1<<20) == 0 {
		return fmt.Sprintf("%dMB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}
