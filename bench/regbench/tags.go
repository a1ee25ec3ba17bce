package main

import (
	"context"
	"fmt"
	"slices"
)

func (b *bench) tagRepo() string { return b.repo + "/tags" }

// W7, and W7x over the tags of an earlier W7: one manifest under many tags.
func putTags(ctx context.Context, b *bench) *result {
	im := makeImage(1, 1<<10, b.seed, 70)
	for i, blob := range im.blobs {
		if err := b.reg.pushWhole(ctx, b.tagRepo(), blob, im.digests[i]); err != nil {
			return failure(err)
		}
	}
	workers := b.clients(8)
	m := b.meter()
	m.count(workers, b.tags, func(i int) error {
		return b.reg.putManifest(ctx, b.tagRepo(), fmt.Sprintf("t%05d", i), im.manifest)
	})
	r := m.done(workers, "")
	if r.Ops < b.tags {
		r.Note = fmt.Sprintf("%d of %d tags within the cap", r.Ops, b.tags)
	}
	return r
}

// W6a: all tags in one request, as far as the server goes.
func listTagsAtOnce(ctx context.Context, b *bench) *result {
	seen, more := 0, false
	m := b.meter()
	m.count(1, 10, func(int) error {
		tags, next, err := b.reg.tagPage(ctx, "/v2/"+b.tagRepo()+"/tags/list")
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
			tags, next, err := b.reg.tagPage(ctx, at)
			if err == nil {
				all, at = append(all, tags...), next
			}
			return true, err
		}
	})
	return m.done(1, fmt.Sprintf("op = page; %d tags, sorted=%v", len(all), slices.IsSorted(all)))
}
