package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/registry"
)

// getDownloadURLForLayer gives a URL that needs no further credentials.
func (f *front) getDownloadURLForLayer(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.GetDownloadUrlForLayerRequest) (*ecrmodel.GetDownloadUrlForLayerResponse, error) {
	d, err := digest.Parse(*in.LayerDigest)
	if err != nil {
		return nil, f.noSuchLayer(ctx, key, *in.LayerDigest)
	}
	if err := f.Catalogue.LayerDownloadable(ctx, key, d); err != nil {
		return nil, err
	}
	token := f.Issuer.IssueDownload(identity.Download{
		Registry: key.Registry, Space: byte(key.Space), Repository: key.Name, Digest: d,
	})
	registryURL := f.Addresses.RegistryURL(edge.From(ctx), key.Registry)
	return &ecrmodel.GetDownloadUrlForLayerResponse{
		DownloadUrl: new(f.DownloadURL(registryURL, key.Name, d, token)), LayerDigest: new(string(d)),
	}, nil
}

// noSuchLayer is the fault of a digest that no layer can have.
func (f *front) noSuchLayer(ctx context.Context, key registry.RepositoryKey, d string) error {
	if _, err := f.Catalogue.Repository(ctx, key); err != nil {
		return err
	}
	return &fault.Error{Reason: fault.LayerNotFound, Account: string(key.Registry.Account), Repository: string(key.Name), Digest: d}
}
