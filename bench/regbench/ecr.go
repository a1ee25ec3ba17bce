package main

import (
	"context"
	"fmt"
	"math/rand/v2"
)

// What the AWS JSON door does. Every request is signed.

func (b *bench) awsRepo() string { return b.repo + "/aws" }

// W12a: the images that W3 pushed, in pages of 100.
func describeSmallImages(ctx context.Context, b *bench) *result {
	return b.describePages(ctx, b.smallRepo(), min(2, b.images/100))
}

// describePages has each client go through the first pages of a repository
// again and again; each page but the last asked for must be full.
func (b *bench) describePages(ctx context.Context, repo string, pages int) *result {
	const size = 100
	tokens := []string{""} // of the pages, from the first
	for len(tokens) < pages {
		_, next, err := b.reg.describePage(ctx, describeInput(repo, size, tokens[len(tokens)-1]))
		if err != nil {
			return failure(err)
		}
		tokens = append(tokens, next)
	}
	var inputs []payload
	for _, token := range tokens {
		inputs = append(inputs, describeInput(repo, size, token))
	}
	workers := b.clients(16)
	m := b.meter()
	m.last(workers, b.duration/2, func(r *rand.Rand) error {
		n, _, err := b.reg.describePage(ctx, inputs[r.IntN(len(inputs))])
		if err == nil && n != size {
			err = fmt.Errorf("DescribeImages of %s: a page of %d images, want %d", repo, n, size)
		}
		return err
	})
	return m.done(workers, fmt.Sprintf("pages of %d, the first %d", size, pages))
}

func describeInput(repo string, size int, token string) payload {
	members := map[string]any{"repositoryName": repo, "maxResults": size}
	if token != "" {
		members["nextToken"] = token
	}
	return input(members)
}

// describePage returns how many images the page has, and the token of the next.
func (g *registry) describePage(ctx context.Context, in payload) (int, string, error) {
	var page struct {
		ImageDetails []struct{ ImageDigest string }
		NextToken    string
	}
	err := g.call(ctx, "DescribeImages", in, &page)
	return len(page.ImageDetails), page.NextToken, err
}

// W12b: the manifests that W3 pushed, one by one.
func getImages(ctx context.Context, b *bench) *result {
	var inputs []payload
	for i := range b.images {
		inputs = append(inputs, input(map[string]any{
			"repositoryName":     b.smallRepo(),
			"imageIds":           []map[string]string{{"imageTag": smallTag(i)}},
			"acceptedMediaTypes": acceptHeader["Accept"],
		}))
	}
	workers := b.clients(16)
	m := b.meter()
	m.last(workers, b.duration/2, func(r *rand.Rand) error {
		var out struct {
			Images []struct{ ImageManifest string }
		}
		err := b.reg.call(ctx, "BatchGetImage", inputs[r.IntN(len(inputs))], &out)
		if err == nil && (len(out.Images) != 1 || out.Images[0].ImageManifest == "") {
			err = fmt.Errorf("BatchGetImage: %d images", len(out.Images))
		}
		return err
	})
	return m.done(workers, "one a request")
}

// W12c: new manifests of the same layers, each with a tag.
func putImages(ctx context.Context, b *bench) *result {
	im := makeImage(1, 1<<10, b.seed, uint64(b.round), 120)
	if err := b.reg.pushImage(ctx, b.awsRepo(), "base", im); err != nil {
		return failure(err)
	}
	inputs := make([]payload, b.tags/5)
	for i := range inputs {
		inputs[i] = input(map[string]any{
			"repositoryName": b.awsRepo(), "imageTag": fmt.Sprintf("p%05d", i),
			"imageManifest": string(im.variant(i)), "imageManifestMediaType": im.mediaType,
		})
	}
	workers := b.clients(8)
	m := b.meter()
	m.count(workers, len(inputs), func(i int) error { return b.reg.call(ctx, "PutImage", inputs[i], nil) })
	return m.done(workers, "new manifests and tags")
}

// W12f: logins.
func getTokens(ctx context.Context, b *bench) *result {
	in, workers := input(map[string]any{}), b.clients(16)
	m := b.meter()
	m.last(workers, b.duration/2, func(*rand.Rand) error {
		_, err := b.reg.authorizationToken(ctx, in)
		return err
	})
	return m.done(workers, "")
}
