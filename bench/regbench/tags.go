package main

import (
	"context"
	"fmt"
	"slices"
)

func (b *bench) tagRepo() string { return b.repo + "/tags" }

// W7: one manifest under many new tags.
func putTags(ctx context.Context, b *bench) *result { return b.putTags(ctx, b.tags, 1) }

// W7x: the same, over some of the tags of an earlier W7.
func putTagsAgain(ctx context.Context, b *bench) *result { return b.putTags(ctx, b.tags/5, 5) }

// putTags puts n tags, each so many after the one before.
func (b *bench) putTags(ctx context.Context, n, step int) *result {
	im := makeImage(1, 1<<10, b.seed, 70)
	if err := b.reg.pushBlobs(ctx, b.tagRepo(), im); err != nil {
		return failure(err)
	}
	workers := b.clients(8)
	m := b.meter()
	m.count(workers, n, func(i int) error {
		return b.reg.putManifest(ctx, b.tagRepo(), fmt.Sprintf("t%05d", i*step), im.mediaType, im.manifest)
	})
	r := m.done(workers, "")
	if r.Ops < n {
		r.Note = fmt.Sprintf("%d of %d tags within the cap", r.Ops, n)
	}
	return r
}

// W6a: all tags in one request, as far as the server goes.
func listTagsAtOnce(ctx context.Context, b *bench) *result {
	seen, more := 0, false
	m := b.meter()
	m.count(1, 10, func(int) error {
		tags, next, err := b.reg.namesPage(ctx, "/v2/"+b.tagRepo()+"/tags/list")
		seen, more = len(tags), next != ""
		return err
	})
	return m.done(1, fmt.Sprintf("%d tags in one answer, more=%v", seen, more))
}

// W6b: all tags, in pages.
func listTagsPaged(ctx context.Context, b *bench) *result {
	at := fmt.Sprintf("/v2/%s/tags/list?n=%d", b.tagRepo(), b.pageSize)
	var all []string
	m := b.meter()
	m.work(1, func(int) func() (bool, error) {
		return func() (bool, error) {
			if at == "" {
				return false, nil
			}
			tags, next, err := b.reg.namesPage(ctx, at)
			if err == nil {
				all, at = append(all, tags...), next
			}
			return true, err
		}
	})
	return m.done(1, fmt.Sprintf("op = page; %d tags, sorted=%v", len(all), slices.IsSorted(all)))
}
