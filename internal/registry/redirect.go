package registry

import (
	"context"
	"errors"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
)

// LayerURL returns where a layer's bytes can be read without us, for the time
// of Config.Redirect and with no other credential. Empty: nowhere, so they are to
// be had from OpenLayer. RepositoryNotFound, LayerNotFound.
func (c *Catalogue) LayerURL(ctx context.Context, key RepositoryKey, d digest.Digest) (string, error) {
	signer, ok := c.Blobs.(blob.Presigner)
	if !ok || c.Redirect == 0 {
		return "", nil
	}
	l, err := c.findLayer(ctx, key, d)
	if err != nil || l.Blob.Location == meta.Inline {
		return "", err
	}
	url, err := signer.Presign(ctx, l.Blob.Location, c.Redirect)
	if errors.Is(err, blob.ErrNotFound) { // of another kind of store: OpenLayer sees to it
		return "", nil
	}
	return url, storeFault(key, err)
}
