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
func (b *bench) smallImages(part uint64) []*image {
	images := make([]*image, b.images)
	for i := range images {
		images[i] = makeImage(3, 64<<10, b.seed, uint64(b.round), part, uint64(i))
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
	images, workers := b.smallImages(31), b.clients(8)
	m := b.meter()
	m.count(workers, len(images), func(i int) error {
		return b.reg.pushImageStreamed(ctx, b.repo+"/docker", smallTag(i), images[i])
	})
	return m.done(workers, "POST, PATCH, PUT")
}

// W4: small images, pulled by tag.
func pullSmall(ctx context.Context, b *bench) *result {
	workers := b.clients(16)
	m := b.meter()
	m.last(workers, b.duration, func(r *rand.Rand) error {
		mf, err := b.reg.getManifest(ctx, b.smallRepo(), smallTag(r.IntN(b.images)))
		if err != nil {
			return err
		}
		for _, d := range mf.blobs() {
			if err := b.reg.getBlob(ctx, b.smallRepo(), d.Digest, d.Size, b.verify); err != nil {
				return err
			}
		}
		return nil
	})
	return m.done(workers, "op = image of 5 GETs")
}

// W5: HEAD of manifests by tag.
func headManifests(ctx context.Context, b *bench) *result {
	workers := b.clients(32)
	m := b.meter()
	m.last(workers, b.duration, b.headManifest(ctx))
	return m.done(workers, "")
}

// headManifest asks for one of the small images' manifests at random.
func (b *bench) headManifest(ctx context.Context) func(*rand.Rand) error {
	return func(r *rand.Rand) error {
		tag := smallTag(r.IntN(b.images))
		digest, err := b.reg.headManifest(ctx, b.smallRepo(), tag)
		if err == nil && digest == "" {
			err = fmt.Errorf("HEAD of manifest %s: absent", tag)
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
