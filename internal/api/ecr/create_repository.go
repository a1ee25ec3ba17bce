package ecr

import (
	"context"
	"strings"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

func (f *front) createRepository(ctx context.Context, c *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.CreateRepositoryRequest) (*ecrmodel.CreateRepositoryResponse, error) {
	if len(in.Tags) > 0 { // ECR user guide, tags: creating with tags takes both permissions
		r := resourceOf(key)
		creationTags(in, &r)
		if err := f.Access.Authorize(ctx, c.Caller, "ecr:TagResource", r); err != nil {
			return nil, err
		}
	}
	settings := registry.Defaults()
	if in.ImageTagMutability != nil {
		settings.Mutability = string(*in.ImageTagMutability)
	}
	settings.MutabilityFilters = filtersIn(in.ImageTagMutabilityExclusionFilters)
	if s := in.ImageScanningConfiguration; s != nil {
		settings.ScanOnPush = value(s.ScanOnPush)
	}
	if e := in.EncryptionConfiguration; e != nil {
		var err error
		settings.EncryptionType = string(*e.EncryptionType)
		if settings.KMSKey, err = keyARN(key.Registry, *e.EncryptionType, value(e.KmsKey)); err != nil {
			return nil, err
		}
	}
	r, err := f.Catalogue.CreateRepository(ctx, key, settings, tagsIn(in.Tags))
	if err != nil {
		return nil, err
	}
	return &ecrmodel.CreateRepositoryResponse{Repository: f.repositoryOut(ctx, r)}, nil
}

// keyARN is the ARN of the KMS key that is meant by an ARN, an alias, an id,
// or by none (ECR user guide, encryption at rest).
func keyARN(id name.RegistryID, kind ecrmodel.EncryptionType, key string) (string, error) {
	front := "arn:aws:kms:" + string(id.Region) + ":" + string(id.Account) + ":"
	switch {
	case kind == ecrmodel.EncryptionTypeAes256 && key != "":
		return "", &fault.Error{
			Reason: fault.ParameterInvalid, Member: "encryptionConfiguration.kmsKey", Value: key,
			Constraint: "must be null when encryptionType is AES256",
		}
	case kind == ecrmodel.EncryptionTypeAes256, strings.HasPrefix(key, "arn:"):
		return key, nil
	case key == "":
		return front + registry.DefaultKey, nil
	case strings.HasPrefix(key, "alias/"), strings.HasPrefix(key, "key/"):
		return front + key, nil
	}
	return front + "key/" + key, nil
}
