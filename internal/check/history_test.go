package check_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/check"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/registry"
)

// Whatever pushes, deletions and the collector did: the check finds nothing.
func TestHistoriesAreClean(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := open(t)
			r := rand.New(rand.NewPCG(seed, 7))
			keys := []registry.RepositoryKey{w.key, w.create("b"), w.create("c")}
			images := map[registry.RepositoryKey][]digest.Digest{}
			for range 40 {
				k := keys[r.IntN(len(keys))]
				name := fmt.Sprint("s", r.IntN(6))
				switch r.IntN(9) {
				case 0, 1, 2:
					images[k] = append(images[k], w.image(k, name, "latest"))
				case 3:
					images[k] = append(images[k], w.index(k, w.image(k, name), "list"))
				case 4:
					if all := images[k]; len(all) > 0 {
						i := r.IntN(len(all))
						err := w.DeleteImage(w.ctx, "arn:me", k, registry.Reference{Digest: all[i]})
						if err != nil && !fault.Is(err, fault.ImageReferenced) && !fault.Is(err, fault.ImageNotFound) {
							t.Fatal(err)
						}
						images[k] = append(all[:i:i], all[i+1:]...)
					}
				case 5:
					if _, err := w.DeleteRepository(w.ctx, "arn:me", k, true); err != nil {
						t.Fatal(err)
					}
					delete(images, k)
					w.create(string(k.Name))
				case 6:
					id, err := w.StartUpload(w.ctx, k, digest.SHA256)
					w.must(err)
					_, err = w.AppendUpload(w.ctx, k, id, 0, bytes.NewReader(large(name)))
					w.must(err)
				case 7:
					w.layer(k, large(name))
				default:
					w.clock.now = w.clock.now.Add([]time.Duration{time.Minute, time.Hour, hours}[r.IntN(3)])
					w.must(w.collect())
				}
				w.finds(check.Options{For: hours})
			}
			w.finds(check.Options{Repair: true})
		})
	}
}
