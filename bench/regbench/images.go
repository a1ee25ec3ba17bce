package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

func smallTag(i int) string { return fmt.Sprintf("i%d", i) }

// smallImages makes images of three layers of 64 KiB.
func (b *bench) smallImages(part uint64) []*image { return b.smallImagesOf(ociTypes, part) }

func (b *bench) smallImagesOf(types mediaTypes, part uint64) []*image {
	images := make([]*image, b.images)
	for i := range images {
		images[i] = makeImageOf(types, 3, 64<<10, b.seed, uint64(b.round), part, uint64(i))
	}
	return images
}

// W3: small images, pushed as containerd does.
func pushSmall(ctx context.Context, b *bench) *result {
	images, workers := b.smallImages(30), b.clients(8)
	m := b.meter()
	m.count(workers, len(images), func(i int) error {
		return b.reg.pushImage(ctx, b.smallRepo(), smallTag(i), images[i])
	})
	return m.done(workers, "")
}

// W3p: small images, pushed as docker does.
func pushSmallStreamed(ctx context.Context, b *bench) *result {
	images, workers := b.smallImagesOf(dockerTypes, 31), b.clients(8)
	m := b.meter()
	m.count(workers, len(images), func(i int) error {
		return b.reg.pushImageStreamed(ctx, b.repo+"/docker", smallTag(i), images[i])
	})
	return m.done(workers, "POST, PATCH in chunks, PUT, HEAD; schema 2")
}

// W4: small images, pulled by tag.
func pullSmall(ctx context.Context, b *bench) *result {
	workers := b.clients(16)
	m := b.meter()
	m.last(workers, b.duration, func(r *rand.Rand) error {
		return b.reg.pullImage(ctx, b.smallRepo(), smallTag(r.IntN(b.images)), b.verify)
	})
	return m.done(workers, "op = image of 5 GETs")
}

// W4l: images of many layers, pulled by tag.
func pullLayered(ctx context.Context, b *bench) *result {
	const layers, count = 50, 10
	repo := b.repo + "/layered"
	setup := b.meter()
	setup.count(4, count, func(i int) error {
		im := makeImage(layers, 16<<10, b.seed, uint64(b.round), 40, uint64(i))
		return b.reg.pushImage(ctx, repo, smallTag(i), im)
	})
	if len(setup.latencies) < count {
		return failure(fmt.Errorf("only %d of %d were pushed: %s", len(setup.latencies), count, setup.sample))
	}
	workers := b.clients(8)
	m := b.meter()
	m.last(workers, b.duration, func(r *rand.Rand) error {
		return b.reg.pullImage(ctx, repo, smallTag(r.IntN(count)), b.verify)
	})
	return m.done(workers, fmt.Sprintf("op = image of %d GETs", layers+2))
}

// W5: HEAD of manifests by tag.
func headManifests(ctx context.Context, b *bench) *result {
	return b.heads(b.headSmall(ctx))
}

// heads runs one of the functions that headAny makes.
func (b *bench) heads(head func(*rand.Rand) error) *result {
	workers := b.clients(32)
	m := b.meter()
	m.last(workers, b.duration, head)
	return m.done(workers, "")
}

// headSmall asks for one of the small images' manifests at random.
func (b *bench) headSmall(ctx context.Context) func(*rand.Rand) error {
	return b.headAny(ctx, b.images, func(i int) (string, string) { return b.smallRepo(), smallTag(i) })
}

// headAny asks for one of n manifests at random; name says where each is.
func (b *bench) headAny(ctx context.Context, n int, name func(int) (repo, tag string)) func(*rand.Rand) error {
	return func(r *rand.Rand) error {
		repo, tag := name(r.IntN(n))
		digest, err := b.reg.headManifest(ctx, repo, tag)
		if err == nil && digest == "" {
			err = fmt.Errorf("HEAD of manifest %s:%s: absent", repo, tag)
		}
		return err
	}
}

// W8: one image into many repositories, by mounts.
func mountImages(ctx context.Context, b *bench) *result {
	from := b.repo + "/mountsrc"
	im := makeImage(3, 64<<10, b.seed, uint64(b.round), 80)
	if err := b.reg.pushImage(ctx, from, "latest", im); err != nil {
		return failure(err)
	}
	workers := b.clients(8)
	var mounted atomic.Int64
	m := b.meter()
	m.count(workers, b.mounts, func(i int) error {
		n, err := b.reg.mountImage(ctx, fmt.Sprintf("%s/mnt-%03d", b.repo, i), from, im)
		mounted.Add(int64(n))
		return err
	})
	return m.done(workers, fmt.Sprintf("mounted %d of %d blobs", mounted.Load(), b.mounts*len(im.digests)))
}

// W11: images by digest, deleted; only the deletions are timed.
func deleteManifests(ctx context.Context, b *bench) *result {
	repo, images := b.repo+"/del", make([]*image, b.deletes)
	setup := b.meter()
	setup.count(8, len(images), func(i int) error {
		images[i] = makeImage(1, 64<<10, b.seed, uint64(b.round), 110, uint64(i))
		return b.reg.pushImage(ctx, repo, fmt.Sprintf("d%d", i), images[i])
	})
	if len(setup.latencies) < len(images) {
		return failure(fmt.Errorf("only %d of %d were pushed: %s", len(setup.latencies), len(images), setup.sample))
	}
	pushing := time.Since(setup.start)
	workers := b.clients(8)
	m := b.meter()
	m.count(workers, len(images), func(i int) error { return b.reg.deleteManifest(ctx, repo, images[i].digest) })
	r := m.done(workers, "")
	left := 0
	for i := 0; i < len(images); i += 10 {
		if digest, err := b.reg.headManifest(ctx, repo, images[i].digest); err != nil || digest != "" {
			left++
		}
	}
	r.Note = fmt.Sprintf("pushed in %.1f s; of a sample of %d, %d are still there", pushing.Seconds(), (len(images)+9)/10, left)
	return r
}
