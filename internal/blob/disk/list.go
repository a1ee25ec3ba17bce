package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/name"
)

var _ blob.Lister = (*Store)(nil)

// List lists the files of one directory at a time, whose names it all reads.
func (s *Store) List(ctx context.Context, after name.Location, limit int) ([]blob.Item, name.Location, error) {
	begin := 0
	if path, ok := parse(after); ok {
		fmt.Sscanf(path[:2], "%02x", &begin)
	} else if after != "" {
		return nil, "", fmt.Errorf("location %q is none of a disk store: %w", after, blob.ErrNotFound)
	}
	var items []blob.Item
	for i := begin; i < 256; i++ {
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
		found, err := s.listBucket(fmt.Sprintf("%02x", i), after)
		if err != nil {
			return nil, "", fmt.Errorf("list blobs: %w", err)
		}
		if items = append(items, found...); len(items) >= limit {
			items = items[:limit]
			return items, items[limit-1].Location, nil
		}
	}
	return items, "", nil
}

func (s *Store) listBucket(bucket string, after name.Location) ([]blob.Item, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, bucket))
	if err != nil {
		return nil, err
	}
	var items []blob.Item
	for _, e := range entries {
		at := name.Location(prefix + bucket + "/" + e.Name())
		if _, ok := parse(at); !ok || at <= after || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		items = append(items, blob.Item{Location: at, Size: info.Size(), At: info.ModTime().UTC()})
	}
	slices.SortFunc(items, func(a, b blob.Item) int { return cmp.Compare(a.Location, b.Location) })
	return items, nil
}
