package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
)

// W12d and W12e: layers in parts, sent as base64 in JSON. Only the parts are
// timed, not the calls before and after them.

const (
	partUploads = 4 // at once
	partsBytes  = 100 << 20
)

func uploadParts10(ctx context.Context, b *bench) *result { return b.uploadParts(ctx, 10<<20) }
func uploadParts20(ctx context.Context, b *bench) *result { return b.uploadParts(ctx, 20<<20) }

// partedLayer is a layer whose parts are all alike, so that their text is made
// once.
type partedLayer struct {
	repo, id, digest string
	size, parts      int
	inputs           []payload
}

func (b *bench) uploadParts(ctx context.Context, size int) *result {
	layers := make([]*partedLayer, partUploads)
	for i := range layers {
		layer, err := b.newPartedLayer(ctx, size, i)
		if err != nil {
			return failure(err)
		}
		layers[i] = layer
	}
	m := b.meter()
	m.work(len(layers), func(worker int) func() (bool, error) {
		layer, sent := layers[worker], 0
		return func() (bool, error) {
			if sent == layer.parts {
				return false, nil
			}
			sent++
			return true, b.reg.sendPart(ctx, layer, sent)
		}
	})
	r := m.done(len(layers), "op = part")
	for _, layer := range layers {
		if err := b.reg.completeLayer(ctx, layer); err != nil {
			r.Errors, r.ErrSample = r.Errors+1, err.Error()
		}
	}
	return r
}

// newPartedLayer begins an upload and makes what it sends.
func (b *bench) newPartedLayer(ctx context.Context, size, number int) (*partedLayer, error) {
	part := content(size, b.seed, uint64(b.round), uint64(size), uint64(number)+121)
	l := &partedLayer{repo: b.awsRepo(), size: size, parts: partsBytes / size}
	l.digest = digestOf(bytes.Repeat(part, l.parts))
	// The first part of a layer makes the repository if W12c did not.
	if err := b.reg.createRepository(ctx, l.repo); err != nil {
		return nil, err
	}
	var upload struct{ UploadID string }
	if err := b.reg.call(ctx, "InitiateLayerUpload", input(map[string]any{"repositoryName": l.repo}), &upload); err != nil {
		return nil, err
	}
	l.id = upload.UploadID
	text := []byte(`{"layerPartBlob":"` + base64.StdEncoding.EncodeToString(part) + `"`)
	for i := range l.parts {
		l.inputs = append(l.inputs, newPayload(text, fmt.Appendf(nil,
			`,"partFirstByte":%d,"partLastByte":%d,"repositoryName":%q,"uploadId":%q}`, i*size, (i+1)*size-1, l.repo, l.id)))
	}
	return l, nil
}

// sendPart sends the part of the number, from 1.
func (g *registry) sendPart(ctx context.Context, l *partedLayer, number int) error {
	var answer struct{ LastByteReceived int }
	if err := g.call(ctx, "UploadLayerPart", l.inputs[number-1], &answer); err != nil {
		return err
	}
	g.bytes.Add(int64(l.size))
	if answer.LastByteReceived != number*l.size-1 {
		return fmt.Errorf("UploadLayerPart: last byte %d, want %d", answer.LastByteReceived, number*l.size-1)
	}
	return nil
}

func (g *registry) completeLayer(ctx context.Context, l *partedLayer) error {
	return g.call(ctx, "CompleteLayerUpload", input(map[string]any{
		"repositoryName": l.repo, "uploadId": l.id, "layerDigests": []string{l.digest},
	}), nil)
}
