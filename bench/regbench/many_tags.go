package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
)

// W14: one repository of 100,000 tags, each of an image of its own.

func (b *bench) manyTagsRepo() string { return b.repo + "/many-tags" }

func manyTag(i int) string { return fmt.Sprintf("t%06d", i) }

func (b *bench) manyTagsImage() *image { return makeImage(1, 1<<10, b.seed, 140) }

// W14a: the repository is filled.
func fillTags(ctx context.Context, b *bench) *result {
	im := b.manyTagsImage()
	if err := b.reg.pushBlobs(ctx, b.manyTagsRepo(), im); err != nil {
		return failure(err)
	}
	return b.putManyTags(ctx, im, b.many, 0)
}

// W14c: a tenth of the tags move to their neighbours' images.
func moveTags(ctx context.Context, b *bench) *result {
	return b.putManyTags(ctx, b.manyTagsImage(), b.many/10, 1)
}

// putManyTags gives each of the first n tags the manifest that is so many
// after its own.
func (b *bench) putManyTags(ctx context.Context, im *image, n, shift int) *result {
	manifests := make([][]byte, n)
	for i := range manifests {
		manifests[i] = im.variant(i + shift)
	}
	workers := b.clients(16)
	m := b.meter()
	m.count(workers, n, func(i int) error {
		return b.reg.putManifest(ctx, b.manyTagsRepo(), manyTag(i), im.mediaType, manifests[i])
	})
	r := m.done(workers, "")
	if r.Ops < n {
		r.Errors++
		r.ErrSample = fmt.Sprintf("%d of %d tags within the cap; %s", r.Ops, n, r.ErrSample)
	}
	return r
}

// W14b: HEAD of any of them.
func headManyTags(ctx context.Context, b *bench) *result {
	return b.heads(b.headAny(ctx, b.many, func(i int) (string, string) { return b.manyTagsRepo(), manyTag(i) }))
}

// W14d and W14e: pages of tags near the beginning and near the end.
func listFirstTags(ctx context.Context, b *bench) *result { return b.listManyTags(ctx, 1) }
func listLastTags(ctx context.Context, b *bench) *result {
	return b.listManyTags(ctx, b.many-11*b.pageSize)
}

func (b *bench) listManyTags(ctx context.Context, from int) *result {
	return b.listPages(ctx, "/v2/"+b.manyTagsRepo()+"/tags/list", from, manyTag)
}

// listPages reads full pages that begin behind one of the names of the numbers
// from on.
func (b *bench) listPages(ctx context.Context, list string, from int, name func(int) string) *result {
	if from < 1 {
		return failure(fmt.Errorf("%d are too few for pages of %d", b.many, b.pageSize))
	}
	workers := b.clients(4)
	m := b.meter()
	m.last(workers, b.duration/2, func(r *rand.Rand) error {
		first := from + r.IntN(10*b.pageSize)
		q := url.Values{"n": {fmt.Sprint(b.pageSize)}, "last": {name(first - 1)}}
		names, _, err := b.reg.namesPage(ctx, list+"?"+q.Encode())
		if err == nil && (len(names) != b.pageSize || names[0] != name(first)) {
			err = fmt.Errorf("page of %s after %s: %d names", list, name(first-1), len(names))
		}
		return err
	})
	return m.done(workers, fmt.Sprintf("pages of %d", b.pageSize))
}

// W14f: DescribeImages of it.
func describeManyTags(ctx context.Context, b *bench) *result {
	return b.describePages(ctx, b.manyTagsRepo(), 10)
}
