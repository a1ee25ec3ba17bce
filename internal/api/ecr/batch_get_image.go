package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/registry"
)

// manifestsMax bounds the bytes of the manifests in one answer: a hundred of
// the largest, each as often as it has tags, would fill the memory.
const manifestsMax = 32 << 20

// batchGetImage answers for each id on its own, with the exact bytes that were
// put, and notes the pulls.
func (f *front) batchGetImage(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.BatchGetImageRequest) (*ecrmodel.BatchGetImageResponse, error) {
	found, err := f.Catalogue.FindImages(ctx, key, idsIn(in.ImageIds))
	if err != nil {
		return nil, err
	}
	out := &ecrmodel.BatchGetImageResponse{Images: []ecrmodel.Image{}, Failures: []ecrmodel.ImageFailure{}}
	bodies, size := map[digest.Digest]*string{}, int64(0)
	for _, m := range found {
		if m.Err == nil {
			if size += m.Image.ManifestSize; size > manifestsMax {
				return nil, &fault.Error{Reason: fault.LimitExceeded, Quota: "bytes of manifests in one answer", Limit: manifestsMax}
			}
			m.Err, err = f.readManifest(ctx, key, m.Image, bodies)
		}
		if err != nil {
			return nil, err
		}
		if m.Err != nil {
			out.Failures = append(out.Failures, imageFailure(m))
			continue
		}
		out.Images = append(out.Images, ecrmodel.Image{
			RegistryId: accountOf(key), RepositoryName: nameOf(key), ImageId: idOut(string(m.Tag), string(m.Image.Digest)),
			ImageManifest: bodies[m.Image.Digest], ImageManifestMediaType: &m.Image.MediaType,
		})
	}
	return out, nil
}

// readManifest adds the image's manifest to the bodies that were read before.
// The first result is that of an image deleted meanwhile.
func (f *front) readManifest(ctx context.Context, key registry.RepositoryKey, i registry.Image, bodies map[digest.Digest]*string) (*fault.Error, error) {
	if bodies[i.Digest] != nil {
		return nil, nil
	}
	body, err := f.Catalogue.Manifest(ctx, key, i)
	if fault.Is(err, fault.ImageNotFound) {
		return fault.Of(err), nil
	}
	if err != nil {
		return nil, err
	}
	bodies[i.Digest] = new(string(body))
	f.Catalogue.RecordPull(i.ID)
	return nil, nil
}
