package disk_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/lighterage/lighterage/internal/blob/disk"
)

// BenchmarkWrite streams into one file, begun anew every GiB, with and without
// the hash that every upload also costs.
func BenchmarkWrite(b *testing.B) {
	for _, hashed := range []bool{false, true} {
		for _, size := range []int{256 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("hashed=%t/chunk=%dKiB", hashed, size>>10), func(b *testing.B) {
				s := open(b, b.TempDir(), disk.Options{})
				at, u := create(b, s, "")
				chunk := make([]byte, size)
				hash := sha256.New()
				b.SetBytes(int64(size))
				for b.Loop() {
					if hashed {
						hash.Write(chunk)
					}
					if _, err := u.Write(chunk); err != nil {
						b.Fatal(err)
					}
					if u.Offset() >= 1<<30 {
						var err error
						if u, err = s.Resume(b.Context(), at, 0, nil); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}

// BenchmarkSeal is a blob from nothing to durable, by one and by many writers.
func BenchmarkSeal(b *testing.B) {
	body := string(make([]byte, 200<<10))
	b.Run("writers=1", func(b *testing.B) {
		s := open(b, b.TempDir(), disk.Options{})
		for b.Loop() {
			_, u := create(b, s, body)
			if err := u.Seal(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("writers=8", func(b *testing.B) {
		s := open(b, b.TempDir(), disk.Options{})
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, u := create(b, s, body)
				if err := u.Seal(b.Context()); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

func BenchmarkOpen(b *testing.B) {
	s := open(b, b.TempDir(), disk.Options{})
	at, u := create(b, s, "body")
	if err := u.Seal(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r, err := s.Open(b.Context(), at)
		if err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}

// BenchmarkStart is the cost of opening a store that was laid out before.
func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	open(b, dir, disk.Options{})
	for b.Loop() {
		open(b, dir, disk.Options{})
	}
}
