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
		awsjson.Op("GetAuthorizationToken", "ecr:GetAuthorizationToken", awsjson.Everything, f.getAuthorizationToken),

		onRepository("CreateRepository", "ecr:CreateRepository", f.createRepository, creationTags),
		awsjson.Op("DescribeRepositories", "ecr:DescribeRepositories", firstRepository, f.describeRepositories),
		onRepository("DeleteRepository", "ecr:DeleteRepository", f.deleteRepository),
		onRepository("PutImageTagMutability", "ecr:PutImageTagMutability", f.putImageTagMutability),
		onRepository("PutImageScanningConfiguration", "ecr:PutImageScanningConfiguration", f.putImageScanningConfiguration),

		onRepository("SetRepositoryPolicy", "ecr:SetRepositoryPolicy", f.setRepositoryPolicy),
		onRepository("GetRepositoryPolicy", "ecr:GetRepositoryPolicy", f.getRepositoryPolicy),
		onRepository("DeleteRepositoryPolicy", "ecr:DeleteRepositoryPolicy", f.deleteRepositoryPolicy),
		onRepository("PutLifecyclePolicy", "ecr:PutLifecyclePolicy", f.putLifecyclePolicy),
		onRepository("GetLifecyclePolicy", "ecr:GetLifecyclePolicy", f.getLifecyclePolicy),
		onRepository("DeleteLifecyclePolicy", "ecr:DeleteLifecyclePolicy", f.deleteLifecyclePolicy),
		onRepository("StartLifecyclePolicyPreview", "ecr:StartLifecyclePolicyPreview", f.startLifecyclePolicyPreview),
		onRepository("GetLifecyclePolicyPreview", "ecr:GetLifecyclePolicyPreview", f.getLifecyclePolicyPreview),
		awsjson.Op("PutRegistryPolicy", "ecr:PutRegistryPolicy", awsjson.Everything, f.putRegistryPolicy),
		awsjson.Op("GetRegistryPolicy", "ecr:GetRegistryPolicy", awsjson.Everything, f.getRegistryPolicy),
		awsjson.Op("DeleteRegistryPolicy", "ecr:DeleteRegistryPolicy", awsjson.Everything, f.deleteRegistryPolicy),
		awsjson.Op("PutAccountSetting", "ecr:PutAccountSetting", awsjson.Everything, f.putAccountSetting),
		awsjson.Op("GetAccountSetting", "ecr:GetAccountSetting", awsjson.Everything, f.getAccountSetting),

		onARN("TagResource", "ecr:TagResource", f.tagResource, addedTags),
		onARN("UntagResource", "ecr:UntagResource", f.untagResource, removedTags),
		onARN("ListTagsForResource", "ecr:ListTagsForResource", f.listTagsForResource),

		onRepository("BatchCheckLayerAvailability", "ecr:BatchCheckLayerAvailability", f.batchCheckLayerAvailability),
		onRepository("InitiateLayerUpload", "ecr:InitiateLayerUpload", f.initiateLayerUpload),
		onRepository("UploadLayerPart", "ecr:UploadLayerPart", f.uploadLayerPart),
		onRepository("CompleteLayerUpload", "ecr:CompleteLayerUpload", f.completeLayerUpload),
		onRepository("GetDownloadUrlForLayer", "ecr:GetDownloadUrlForLayer", f.getDownloadURLForLayer),

		onRepository("PutImage", "ecr:PutImage", f.putImage),
		onRepository("BatchGetImage", "ecr:BatchGetImage", f.batchGetImage),
		onRepository("BatchDeleteImage", "ecr:BatchDeleteImage", f.batchDeleteImage),
		onRepository("UpdateImageStorageClass", "ecr:UpdateImageStorageClass", f.updateImageStorageClass),
		onRepository("ListImages", "ecr:ListImages", f.listImages),
		onRepository("DescribeImages", "ecr:DescribeImages", f.describeImages),
		// The model's note on the operation names this action.
		onRepository("ListImageReferrers", "ecr:BatchGetImage", f.listImageReferrers),
	}
}

// notOffered are all other operations of the model.
var notOffered = []string{
	// Scanning.
	"BatchGetRepositoryScanningConfiguration", "DescribeImageScanFindings",
	"GetRegistryScanningConfiguration", "PutRegistryScanningConfiguration", "StartImageScan",
	// Replication, upstreams and templates.
	"DescribeImageReplicationStatus", "PutReplicationConfiguration",
	"CreatePullThroughCacheRule", "DeletePullThroughCacheRule", "DescribePullThroughCacheRules",
	"UpdatePullThroughCacheRule", "ValidatePullThroughCacheRule",
	"CreateRepositoryCreationTemplate", "DeleteRepositoryCreationTemplate",
	"DescribeRepositoryCreationTemplates", "UpdateRepositoryCreationTemplate",
	// Signing and pull times.
	"DeleteSigningConfiguration", "DescribeImageSigningStatus", "GetSigningConfiguration", "PutSigningConfiguration",
	"DeregisterPullTimeUpdateExclusion", "ListPullTimeUpdateExclusions", "RegisterPullTimeUpdateExclusion",
}

// onRepository is the row of an operation on the repository of its input's
// repositoryName. What else of the input policies may look at, with adds.
func onRepository[In, Out any](
	operation, action string, handle func(context.Context, *awsjson.Call, registry.RepositoryKey, *In) (*Out, error),
	with ...func(*In, *access.Resource),
) awsjson.Operation {
	repositoryName := member[In]("RepositoryName")
	return onKey(operation, action, handle, with, func(c *awsjson.Call, in *In) (registry.RepositoryKey, error) {
		return keyOf(c, repositoryName(in))
	})
}

// onARN is the row of an operation on the repository of its input's
// resourceArn.
func onARN[In, Out any](
	operation, action string, handle func(context.Context, *awsjson.Call, registry.RepositoryKey, *In) (*Out, error),
	with ...func(*In, *access.Resource),
) awsjson.Operation {
	resourceARN := member[In]("ResourceArn")
	return onKey(operation, action, handle, with, func(c *awsjson.Call, in *In) (registry.RepositoryKey, error) {
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
	with []func(*In, *access.Resource),
	find func(*awsjson.Call, *In) (registry.RepositoryKey, error),
) awsjson.Operation {
	resource := func(c *awsjson.Call, in *In) (access.Resource, error) {
		key, err := find(c, in)
		r := resourceOf(key)
		for _, add := range with {
			add(in, &r)
		}
		return r, err
	}
	return awsjson.Op(operation, action, resource, func(ctx context.Context, c *awsjson.Call, in *In) (*Out, error) {
		key, err := find(c, in)
		if err != nil {
			return nil, err
		}
		return handle(ctx, c, key, in)
	})
}

func resourceOf(key registry.RepositoryKey) access.Resource {
	return access.Resource{Account: key.Registry.Account, ARN: name.RepositoryARN(key.Registry, key.Name)}
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

// firstRepository is the first that is named; the handler asks about the
// others. Where none is named it is all of them.
func firstRepository(c *awsjson.Call, in *ecrmodel.DescribeRepositoriesRequest) (access.Resource, error) {
	if len(in.RepositoryNames) == 0 {
		return access.Resource{Account: c.Registry.Account, ARN: name.RepositoryARN(c.Registry, "*")}, nil
	}
	key, err := keyOf(c, in.RepositoryNames[0])
	return resourceOf(key), err
}

// The resource tags that policies may look at.

func creationTags(in *ecrmodel.CreateRepositoryRequest, r *access.Resource) {
	r.RequestTags = pairs(in.Tags)
}
func addedTags(in *ecrmodel.TagResourceRequest, r *access.Resource) { r.RequestTags = pairs(in.Tags) }

func removedTags(in *ecrmodel.UntagResourceRequest, r *access.Resource) { r.TagKeys = in.TagKeys }

func pairs(tags []ecrmodel.Tag) [][2]string {
	var out [][2]string
	for _, t := range tags {
		out = append(out, [2]string{value(t.Key), value(t.Value)})
	}
	return out
}
