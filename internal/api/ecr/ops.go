package ecr

import (
	"context"
	"fmt"
	"reflect"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// operations is the table of what is offered: the operation, its IAM action
// (Service Authorization Reference) and what the action is done to.
func (f *front) operations() []awsjson.Operation {
	return []awsjson.Operation{
		awsjson.Op("DescribeRegistry", "ecr:DescribeRegistry", awsjson.Everything, f.describeRegistry),
		awsjson.Op("GetAuthorizationToken", "ecr:GetAuthorizationToken", everyRegistry, f.getAuthorizationToken),

		onRepository("CreateRepository", "ecr:CreateRepository", f.createRepository),
		awsjson.Op("DescribeRepositories", "ecr:DescribeRepositories", everyRepository, f.describeRepositories),
		onRepository("DeleteRepository", "ecr:DeleteRepository", f.deleteRepository),
		onRepository("PutImageTagMutability", "ecr:PutImageTagMutability", f.putImageTagMutability),
		onRepository("PutImageScanningConfiguration", "ecr:PutImageScanningConfiguration", f.putImageScanningConfiguration),

		onARN("TagResource", "ecr:TagResource", f.tagResource),
		onARN("UntagResource", "ecr:UntagResource", f.untagResource),
		onARN("ListTagsForResource", "ecr:ListTagsForResource", f.listTagsForResource),

		onRepository("BatchCheckLayerAvailability", "ecr:BatchCheckLayerAvailability", f.batchCheckLayerAvailability),
		onRepository("InitiateLayerUpload", "ecr:InitiateLayerUpload", f.initiateLayerUpload),
		onRepository("UploadLayerPart", "ecr:UploadLayerPart", f.uploadLayerPart),
		onRepository("CompleteLayerUpload", "ecr:CompleteLayerUpload", f.completeLayerUpload),
		onRepository("GetDownloadUrlForLayer", "ecr:GetDownloadUrlForLayer", f.getDownloadURLForLayer),

		onRepository("PutImage", "ecr:PutImage", f.putImage),
		onRepository("BatchGetImage", "ecr:BatchGetImage", f.batchGetImage),
		onRepository("BatchDeleteImage", "ecr:BatchDeleteImage", f.batchDeleteImage),
		onRepository("ListImages", "ecr:ListImages", f.listImages),
		onRepository("DescribeImages", "ecr:DescribeImages", f.describeImages),
		// The model's note on the operation names this action.
		onRepository("ListImageReferrers", "ecr:BatchGetImage", f.listImageReferrers),
	}
}

// notOffered are all other operations of the model.
var notOffered = []string{
	// Policies.
	"DeleteLifecyclePolicy", "GetLifecyclePolicy", "GetLifecyclePolicyPreview", "PutLifecyclePolicy", "StartLifecyclePolicyPreview",
	"DeleteRegistryPolicy", "GetRegistryPolicy", "PutRegistryPolicy",
	"DeleteRepositoryPolicy", "GetRepositoryPolicy", "SetRepositoryPolicy",
	// Scanning.
	"BatchGetRepositoryScanningConfiguration", "DescribeImageScanFindings",
	"GetRegistryScanningConfiguration", "PutRegistryScanningConfiguration", "StartImageScan",
	// Replication, upstreams and templates.
	"DescribeImageReplicationStatus", "PutReplicationConfiguration",
	"CreatePullThroughCacheRule", "DeletePullThroughCacheRule", "DescribePullThroughCacheRules",
	"UpdatePullThroughCacheRule", "ValidatePullThroughCacheRule",
	"CreateRepositoryCreationTemplate", "DeleteRepositoryCreationTemplate",
	"DescribeRepositoryCreationTemplates", "UpdateRepositoryCreationTemplate",
	// Signing, archive and account settings.
	"DeleteSigningConfiguration", "DescribeImageSigningStatus", "GetSigningConfiguration", "PutSigningConfiguration",
	"UpdateImageStorageClass",
	"DeregisterPullTimeUpdateExclusion", "ListPullTimeUpdateExclusions", "RegisterPullTimeUpdateExclusion",
	"GetAccountSetting", "PutAccountSetting",
}

// onRepository is the row of an operation on the repository of its input's
// repositoryName.
func onRepository[In, Out any](
	operation, action string, handle func(context.Context, *awsjson.Call, registry.RepositoryKey, *In) (*Out, error),
) awsjson.Operation {
	repositoryName := member[In]("RepositoryName")
	return onKey(operation, action, handle, func(c *awsjson.Call, in *In) (registry.RepositoryKey, error) {
		return keyOf(c, repositoryName(in))
	})
}

// onARN is the row of an operation on the repository of its input's
// resourceArn.
func onARN[In, Out any](
	operation, action string, handle func(context.Context, *awsjson.Call, registry.RepositoryKey, *In) (*Out, error),
) awsjson.Operation {
	resourceARN := member[In]("ResourceArn")
	return onKey(operation, action, handle, func(c *awsjson.Call, in *In) (registry.RepositoryKey, error) {
		arn := resourceARN(in)
		id, repository, err := name.ParseRepositoryARN(arn)
		if err == nil && id.Region != c.Registry.Region {
			err = &fault.Error{
				Reason: fault.ParameterInvalid, Member: "resourceArn", Value: arn,
				Constraint: "The resource must be in the region " + string(c.Registry.Region),
			}
		}
		return registry.RepositoryKey{Registry: id, Space: registry.ECR, Name: repository}, err
	})
}

func onKey[In, Out any](
	operation, action string,
	handle func(context.Context, *awsjson.Call, registry.RepositoryKey, *In) (*Out, error),
	find func(*awsjson.Call, *In) (registry.RepositoryKey, error),
) awsjson.Operation {
	resource := func(c *awsjson.Call, in *In) (access.Resource, error) {
		key, err := find(c, in)
		return access.Resource{Account: key.Registry.Account, ARN: name.RepositoryARN(key.Registry, key.Name)}, err
	}
	return awsjson.Op(operation, action, resource, func(ctx context.Context, c *awsjson.Call, in *In) (*Out, error) {
		key, err := find(c, in)
		if err != nil {
			return nil, err
		}
		return handle(ctx, c, key, in)
	})
}

// member reads a string member that the model requires of the input. It panics
// for an input without it: that row of the table is a mistake.
func member[In any](name string) func(*In) string {
	f, ok := reflect.TypeFor[In]().FieldByName(name)
	if !ok || f.Type != reflect.TypeFor[*string]() {
		panic(fmt.Sprintf("ecr: %v has no string called %s", reflect.TypeFor[In](), name))
	}
	return func(in *In) string { return *reflect.ValueOf(in).Elem().FieldByIndex(f.Index).Interface().(*string) }
}

// everyRepository is the one repository that is named, else all.
func everyRepository(c *awsjson.Call, in *ecrmodel.DescribeRepositoriesRequest) (access.Resource, error) {
	r := access.Resource{Account: c.Registry.Account, ARN: name.RepositoryARN(c.Registry, "*")}
	if len(in.RepositoryNames) != 1 {
		return r, nil
	}
	key, err := keyOf(c, in.RepositoryNames[0])
	r.ARN = name.RepositoryARN(c.Registry, key.Name)
	return r, err
}

// everyRegistry is the first registry named that is not the caller's own:
// nobody gets a token for a part of what was asked.
func everyRegistry(c *awsjson.Call, in *ecrmodel.GetAuthorizationTokenRequest) (access.Resource, error) {
	r := access.Resource{Account: c.Registry.Account, ARN: "*"}
	for _, id := range in.RegistryIds {
		if account := name.AccountID(id); account != c.Caller.Account {
			r.Account = account
			break
		}
	}
	return r, nil
}
