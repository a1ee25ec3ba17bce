package main

import (
	"context"
	"fmt"
	"strings"
)

// W15: a registry of 100,000 repositories more.

func (b *bench) manyRepo(i int) string { return fmt.Sprintf("%s/many/r%06d", b.repo, i) }

func (g *registry) createRepository(ctx context.Context, name string) error {
	return unlessMade(g.call(ctx, "CreateRepository", input(map[string]any{"repositoryName": name}), nil))
}

// unlessMade takes away the error of a repository that is there.
func unlessMade(err error) error {
	if err != nil && strings.Contains(err.Error(), "RepositoryAlreadyExistsException") {
		return nil
	}
	return err
}

// W15a: they are made.
func createRepositories(ctx context.Context, b *bench) *result {
	workers := b.clients(16)
	m := b.meter()
	m.count(workers, b.many, func(i int) error { return b.reg.createRepository(ctx, b.manyRepo(i)) })
	r := m.done(workers, "")
	if r.Ops < b.many {
		r.Errors++
		r.ErrSample = fmt.Sprintf("%d of %d repositories within the cap; %s", r.Ops, b.many, r.ErrSample)
	}
	return r
}

// W15b and W15c: pages of the catalogue among the first and the last of them.
func listFirstRepositories(ctx context.Context, b *bench) *result { return b.listRepositories(ctx, 1) }
func listLastRepositories(ctx context.Context, b *bench) *result {
	return b.listRepositories(ctx, b.many-11*b.pageSize)
}

func (b *bench) listRepositories(ctx context.Context, from int) *result {
	return b.listPages(ctx, "/v2/_catalog", from, b.manyRepo)
}

// imaged is the repository of the many that has the image of the number.
func (b *bench) imaged(i int) string { return b.manyRepo(i * (b.many / b.images)) }

// W15d: small images into some of them, evenly.
func pushToMany(ctx context.Context, b *bench) *result {
	images, workers := b.smallImages(150), b.clients(8)
	m := b.meter()
	m.count(workers, len(images), func(i int) error {
		return b.reg.pushImage(ctx, b.imaged(i), "latest", images[i])
	})
	return m.done(workers, "")
}

// W15e: HEAD of these images.
func headAmongMany(ctx context.Context, b *bench) *result {
	return b.heads(b.headAny(ctx, b.images, func(i int) (string, string) { return b.imaged(i), "latest" }))
}
