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
	name   string
	starts bool // the server may not be up yet
	run    func(context.Context, *bench) *result
}

// works by name. Those of small images read what W3 pushed, those of tags what
// W7 did: run them in this order on one server.
var works = byName([]workload{
	{"ping", true, ping},
	{"W1a", false, pushBigWhole},
	{"W1b", false, pushBigStreamed},
	{"W2a", false, pullBig},
	{"W2b", false, pullRanges},
	{"W3", false, pushSmall},
	{"W3p", false, pushSmallStreamed},
	{"W4", false, pullSmall},
	{"W5", false, headManifests},
	{"W5u", false, headManifestsAsUser},
	{"W7", false, putTags},
	{"W6a", false, listTagsAtOnce},
	{"W6b", false, listTagsPaged},
	{"W7x", false, putTags},
	{"W8", false, mountImages},
	{"W9a", false, headBlobsThere},
	{"W9b", false, headBlobsAbsent},
	{"seed", false, seedRepositories},
	{"W10", true, startServer},
	{"W11", false, deleteManifests},
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
	digits := strings.TrimRight(strings.TrimPrefix(name, "W"), "abpux")
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
