package main

import (
	"context"
	"fmt"
	"math/rand/v2"
)

func (b *bench) bigRepo() string   { return b.repo + "/big" }
func (b *bench) smallRepo() string { return b.repo + "/small" }

// bigBlob makes the big blob of a workload; part tells them apart.
func (b *bench) bigBlob(part uint64) ([]byte, string) {
	blob := content(int(b.size), b.seed, uint64(b.round), part, 1)
	return blob, digestOf(blob)
}

const (
	wholePart    = 10
	streamedPart = 11
	atOncePart   = 12
)

// W1a: one big blob, POST and PUT.
func pushBigWhole(ctx context.Context, b *bench) *result {
	blob, digest := b.bigBlob(wholePart)
	m := b.meter()
	m.count(1, 1, func(int) error { return b.reg.pushWhole(ctx, b.bigRepo(), blob, digest) })
	return m.done(1, "")
}

// W1b: one big blob, POST, PATCH and PUT.
func pushBigStreamed(ctx context.Context, b *bench) *result {
	blob, digest := b.bigBlob(streamedPart)
	m := b.meter()
	m.count(1, 1, func(int) error { return b.reg.pushStreamed(ctx, b.bigRepo(), blob, digest) })
	return m.done(1, "")
}

// W1c: big blobs at once, which are a quarter as big each.
func pushBigAtOnce(ctx context.Context, b *bench) *result {
	blobs := make([][]byte, b.clients(4))
	digests := make([]string, len(blobs))
	for i := range blobs {
		blobs[i] = content(int(b.size/4), b.seed, uint64(b.round), atOncePart, uint64(i))
		digests[i] = digestOf(blobs[i])
	}
	m := b.meter()
	m.count(len(blobs), len(blobs), func(i int) error { return b.reg.pushWhole(ctx, b.bigRepo(), blobs[i], digests[i]) })
	return m.done(len(blobs), "POST and PUT")
}

// bigDigest is the digest of W1a's blob, which is pushed if it is not there.
func (b *bench) bigDigest(ctx context.Context) (string, error) {
	blob, digest := b.bigBlob(wholePart)
	there, err := b.reg.hasBlob(ctx, b.bigRepo(), digest)
	if err == nil && !there {
		err = b.reg.pushWhole(ctx, b.bigRepo(), blob, digest)
	}
	return digest, err
}

// W2a: the big blob, whole, one client. The first pull is verified and not
// timed, and warms the page cache.
func pullBig(ctx context.Context, b *bench) *result {
	digest, err := b.bigDigest(ctx)
	if err == nil {
		err = b.reg.getBlob(ctx, b.bigRepo(), digest, b.size, true)
	}
	if err != nil {
		return failure(err)
	}
	m := b.meter()
	m.count(1, 3, func(int) error { return b.reg.getBlob(ctx, b.bigRepo(), digest, b.size, b.verify) })
	return m.done(1, "page cache warm")
}

// W2b: the big blob in ranges.
func pullRanges(ctx context.Context, b *bench) *result {
	digest, err := b.bigDigest(ctx)
	if err != nil {
		return failure(err)
	}
	const part = 16 << 20
	workers := b.clients(4)
	m := b.meter()
	m.count(workers, int(b.size/part), func(i int) error {
		return b.reg.getRange(ctx, b.bigRepo(), digest, int64(i)*part, int64(i+1)*part-1)
	})
	return m.done(workers, "16 MiB ranges")
}

// W9a: HEAD of blobs that W3 pushed.
func headBlobsThere(ctx context.Context, b *bench) *result {
	var digests []string
	for i := range min(50, b.images) {
		m, err := b.reg.getManifest(ctx, b.smallRepo(), smallTag(i))
		if err != nil {
			return failure(err)
		}
		for _, d := range m.blobs() {
			digests = append(digests, d.Digest)
		}
	}
	return b.headBlobs(ctx, digests, true)
}

// W9b: HEAD of blobs that nobody pushed.
func headBlobsAbsent(ctx context.Context, b *bench) *result {
	var digests []string
	for i := range uint64(256) {
		digests = append(digests, digestOf(content(16, 90, i)))
	}
	return b.headBlobs(ctx, digests, false)
}

func (b *bench) headBlobs(ctx context.Context, digests []string, want bool) *result {
	workers := b.clients(16)
	m := b.meter()
	m.last(workers, b.duration/2, func(r *rand.Rand) error {
		digest := digests[r.IntN(len(digests))]
		there, err := b.reg.hasBlob(ctx, b.smallRepo(), digest)
		if err == nil && there != want {
			err = fmt.Errorf("HEAD of blob %s: there is %v, want %v", digest, there, want)
		}
		return err
	})
	return m.done(workers, "")
}
