package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/registry"
)

// An answer with more than matchesFree ids is a long one. answerMax bounds the
// bytes of any, with matchSize for each id beside its manifest: a hundred of
// the largest, each as often as it has tags, would fill the memory.
const (
	matchesFree = 200
	answerMax   = 32 << 20
	matchSize   = 1 << 10
)

// manifestHeld is how often a manifest is in memory while it is answered with:
// as text, and as what comes before or after: read, and escaped.
const manifestHeld = 2

// batchGetImage answers for each id on its own, with the exact bytes that were
// put, and notes the pulls.
func (f *front) batchGetImage(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.BatchGetImageRequest) (*ecrmodel.BatchGetImageResponse, error) {
	found, err := f.findImages(ctx, key, idsIn(in.ImageIds))
	if err != nil {
		return nil, err
	}
	out := &ecrmodel.BatchGetImageResponse{Images: []ecrmodel.Image{}, Failures: []ecrmodel.ImageFailure{}}
	bodies := map[digest.Digest]*string{}
	for _, m := range found {
		if m.Err == nil {
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

// findImages finds what is asked for, and holds the memory of the answer.
func (f *front) findImages(ctx context.Context, key registry.RepositoryKey, ids []registry.Asked) ([]registry.Match, error) {
	found, err := f.Catalogue.FindImages(ctx, key, ids, matchesFree+1)
	if err != nil {
		return nil, err
	}
	if len(found) <= matchesFree {
		held, err := f.weigh(found)
		if err != nil {
			return nil, err
		}
		return found, f.hold(ctx, held)
	}
	if err := f.hold(ctx, manifestHeld*answerMax); err != nil {
		return nil, err
	}
	if found, err = f.Catalogue.FindImages(ctx, key, ids, answerMax/matchSize+1); err != nil {
		return nil, err
	}
	_, err = f.weigh(found)
	return found, err
}

// weigh returns what the answer takes in memory, where a manifest is once for
// all of its tags. LimitExceeded for one that would be too large.
func (f *front) weigh(found []registry.Match) (held int64, err error) {
	seen, size := map[digest.Digest]bool{}, int64(0)
	for _, m := range found {
		if size += matchSize + m.Image.ManifestSize; size > answerMax {
			return 0, &fault.Error{Reason: fault.LimitExceeded, Quota: "bytes in one answer", Limit: answerMax}
		}
		if held += matchSize; !seen[m.Image.Digest] {
			seen[m.Image.Digest] = true
			held += manifestHeld * m.Image.ManifestSize
		}
	}
	return held, nil
}

// hold takes n bytes of the memory for long answers, once for a call, until
// this one was sent: then the request's context ends (net/http, Request.Context).
func (f *front) hold(ctx context.Context, n int64) error {
	release, err := f.Catalogue.HoldAnswer(ctx, n)
	if err == nil {
		context.AfterFunc(ctx, release)
	}
	return err
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
