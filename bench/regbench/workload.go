package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// bench is what a workload runs with.
type bench struct {
	reg *registry
	options
}

type workload struct {
	name string
	what string // for the report
	run  func(context.Context, *bench) *result
	need need
}

// need is what a workload cannot do without.
type need int

const (
	server   need = iota // one that is up
	awsDoors             // and that has AWS's doors; skipped without keys
	none                 // it may not be up yet
)

// works by name. Those of small images read what W3 pushed, those of tags what
// W7 did, W14b to W14f what W14a, W15b to W15e what W15a: run them in this
// order on one server. W13 are W3, W5 and W2a again, on servers with TLS.
var works = byName([]workload{
	{"ping", "until it answers", ping, none},
	{"W1a", "push the big blob, PUT", pushBigWhole, server},
	{"W1b", "push it, PATCH and PUT", pushBigStreamed, server},
	{"W1c", "push 4 quarters of it at once", pushBigAtOnce, server},
	{"W2a", "pull it", pullBig, server},
	{"W2b", "pull ranges of 16 MiB", pullRanges, server},
	{"W3", "push small images", pushSmall, server},
	{"W3p", "push them as docker does", pushSmallStreamed, server},
	{"W4", "pull small images", pullSmall, server},
	{"W4l", "pull images of 50 layers", pullLayered, server},
	{"W5", "HEAD manifest by tag", headManifests, server},
	{"W5u", "the same as one of many users", headManifestsAsUser, awsDoors},
	{"W6a", "all tags at once", listTagsAtOnce, server},
	{"W6b", "pages of 100 tags", listTagsPaged, server},
	{"W7", "PUT manifest, new tags", putTags, server},
	{"W7x", "PUT manifest over tags", putTagsAgain, server},
	{"W8", "mount an image", mountImages, server},
	{"W9a", "HEAD blob, there", headBlobsThere, server},
	{"W9b", "HEAD blob, absent", headBlobsAbsent, server},
	{"seed", "repositories for W10", seedRepositories, server},
	{"W10", "start", startServer, none},
	{"W10x", "start with W15's repositories", startServerMany, none},
	{"W11", "DELETE manifest", deleteManifests, server},
	{"W12a", "DescribeImages, 100", describeSmallImages, awsDoors},
	{"W12b", "BatchGetImage, 1", getImages, awsDoors},
	{"W12c", "PutImage", putImages, awsDoors},
	{"W12d", "UploadLayerPart, 10 MiB", uploadParts10, awsDoors},
	{"W12e", "UploadLayerPart, 20 MiB", uploadParts20, awsDoors},
	{"W12f", "GetAuthorizationToken", getTokens, awsDoors},
	{"W13a", "TLS: push small images", pushSmall, server},
	{"W13b", "TLS: HEAD manifest by tag", headManifests, server},
	{"W13c", "TLS: pull the big blob", pullBig, server},
	{"W14a", "many tags: PUT of new ones", fillTags, server},
	{"W14b", "many tags: HEAD manifest", headManyTags, server},
	{"W14c", "many tags: PUT over some", moveTags, server},
	{"W14d", "many tags: first pages", listFirstTags, server},
	{"W14e", "many tags: last pages", listLastTags, server},
	{"W14f", "many tags: DescribeImages, 100", describeManyTags, awsDoors},
	{"W15a", "many repositories: CreateRepository", createRepositories, awsDoors},
	{"W15b", "many repositories: first pages", listFirstRepositories, awsDoors},
	{"W15c", "many repositories: last pages", listLastRepositories, awsDoors},
	{"W15d", "many repositories: push small images", pushToMany, awsDoors},
	{"W15e", "many repositories: HEAD manifest", headAmongMany, awsDoors},
	{"W16", "mixed load with deletes", mixedLoad, server},
})

func byName(list []workload) map[string]workload {
	m := map[string]workload{}
	for _, w := range list {
		m[w.name] = w
	}
	return m
}

func workNames() []string {
	var names []string
	for n := range works {
		names = append(names, n)
	}
	slices.SortFunc(names, compareWorks)
	return names
}

// compareWorks orders W1a < W2b < W10, words last.
func compareWorks(a, b string) int {
	na, nb := workNumber(a), workNumber(b)
	if na != nb {
		return na - nb
	}
	return strings.Compare(a, b)
}

func workNumber(name string) int {
	digits := strings.TrimRight(strings.TrimPrefix(name, "W"), "abcdefghijklmnopqrstuvwxyz")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 1 << 20
	}
	return n
}

// clients is how many work at once.
func (b *bench) clients(own int) int {
	if b.workers > 0 {
		return b.workers
	}
	return own
}
