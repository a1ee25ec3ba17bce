package config

import (
	"fmt"
	"slices"
	"strings"
)

// Quotas is the server's quotas. Zero means unlimited where the table allows
// it. Defaults and ECR's own values: the service quotas pages of ECR's and
// Lightsail's user guides.
type Quotas struct {
	RepositoriesPerRegistry int64
	ImagesPerRepository     int64
	TagsPerImage            int64
	LayerParts              int64
	LayerPartMinBytes       int64
	LayerPartMaxBytes       int64
	LayerBytes              int64
	ManifestBytes           int64
	LayersPerImage          int64
	ResourceTags            int64
	ContainerServices       int64
	ServiceNodes            int64
	ImagesPerService        int64
}

// quota is one line of the table of all quotas.
type quota struct {
	name     string
	fallback int64
	strict   int64 // with ecr-strict
	least    int64 // smallest value; 0: may be unlimited
	most     int64 // largest value; 0: any
	of       func(*Quotas) *int64
}

var quotas = []quota{
	{"repositories-per-registry", 100_000, 100_000, 0, 0, func(q *Quotas) *int64 { return &q.RepositoriesPerRegistry }},
	{"images-per-repository", 0, 100_000, 0, 0, func(q *Quotas) *int64 { return &q.ImagesPerRepository }},
	{"tags-per-image", 0, 1_000, 0, 0, func(q *Quotas) *int64 { return &q.TagsPerImage }},
	{"layer-parts", 4_200, 4_200, 0, 0, func(q *Quotas) *int64 { return &q.LayerParts }},
	{"layer-part-min-bytes", 5 << 20, 5 << 20, 0, 0, func(q *Quotas) *int64 { return &q.LayerPartMinBytes }},
	{"layer-part-max-bytes", 20 << 20, 10 << 20, 1, 0, func(q *Quotas) *int64 { return &q.LayerPartMaxBytes }},
	{"layer-bytes", 52_000 << 20, 52_000 << 20, 0, 0, func(q *Quotas) *int64 { return &q.LayerBytes }},
	{"manifest-bytes", 4 << 20, 4 << 20, 1, 4 << 20, func(q *Quotas) *int64 { return &q.ManifestBytes }},
	{"layers-per-image", 0, 500, 0, 0, func(q *Quotas) *int64 { return &q.LayersPerImage }}, // measured: spinframework/spin#1787
	{"resource-tags", 50, 50, 0, 0, func(q *Quotas) *int64 { return &q.ResourceTags }},
	{"container-services", 100, 100, 0, 0, func(q *Quotas) *int64 { return &q.ContainerServices }},
	{"service-nodes", 20, 20, 0, 0, func(q *Quotas) *int64 { return &q.ServiceNodes }},
	{"images-per-service", 150, 150, 0, 0, func(q *Quotas) *int64 { return &q.ImagesPerService }},
}

// defaultQuotas returns the table's values.
func defaultQuotas(strict bool) Quotas {
	var all Quotas
	for _, q := range quotas {
		*q.of(&all) = q.fallback
		if strict {
			*q.of(&all) = q.strict
		}
	}
	return all
}

// set changes the named quotas.
func (all *Quotas) set(given map[string]string) error {
	for _, name := range sortedKeys(given) {
		i := slices.IndexFunc(quotas, func(q quota) bool { return q.name == name })
		if i < 0 {
			var names []string
			for _, q := range quotas {
				names = append(names, q.name)
			}
			return fmt.Errorf("there is no quota %q%s", name, didYouMean(name, names))
		}
		q := quotas[i]
		n, err := parseCount(given[name])
		if err != nil || n < q.least {
			return fmt.Errorf("%s: %q is not a whole number of at least %d", name, given[name], q.least)
		}
		if q.most > 0 && n > q.most {
			return fmt.Errorf("%s: %q is above %d, the most that is allowed", name, given[name], q.most)
		}
		*q.of(all) = n
	}
	return nil
}

// String lists every quota.
func (all Quotas) String() string {
	var list []string
	for _, q := range quotas {
		list = append(list, fmt.Sprintf("%s=%d", q.name, *q.of(&all)))
	}
	return strings.Join(list, ",")
}

// QuotaNames returns every quota with its default, for help.
func QuotaNames() []string { return strings.Split(defaultQuotas(false).String(), ",") }
