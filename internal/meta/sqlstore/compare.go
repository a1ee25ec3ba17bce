package sqlstore

import (
	"context"
	"crypto/sha256"
	bigendian "encoding/binary"
	"fmt"
	"hash"
	"slices"

	"github.com/lighterage/lighterage/internal/meta"
)

// BlobTotals counts the blobs with bytes outside of the catalogue, and theirs.
// It reads all of them.
func (s *Store) BlobTotals(ctx context.Context) (blobs, bytes int64, err error) {
	err = s.snapshot(ctx, func(t *tx) error {
		return t.row(func(r *row) { blobs, bytes = r.int(0), r.int(1) },
			`SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM blob WHERE location <> ?1`, meta.Inline)
	})
	return blobs, bytes, err
}

// RowCounts counts the rows of every table that a copy takes along.
func (s *Store) RowCounts(ctx context.Context) (map[string]int64, error) {
	counts := map[string]int64{}
	err := s.snapshot(ctx, func(t *tx) error {
		for _, c := range copied {
			sql := "SELECT COUNT(*) FROM " + c.name
			if c.where != "" {
				sql += " WHERE " + c.where
			}
			n, err := t.number(sql)
			if err != nil {
				return err
			}
			counts[c.name] = n
		}
		return nil
	})
	return counts, err
}

// CompareRows reads all rows of a source and of its copy and returns how many
// they are, or which table differs.
func CompareRows(ctx context.Context, from, to *Store) (rows int64, err error) {
	err = from.snapshot(ctx, func(src *tx) error {
		return to.snapshot(ctx, func(dst *tx) error {
			for _, c := range copied {
				columns, err := sameColumns(ctx, src, to, c.name)
				if err != nil {
					return err
				}
				columns = slices.DeleteFunc(columns, func(s string) bool { return slices.Contains(c.differ, s) })
				want, err := c.sum(src, columns)
				if err != nil {
					return err
				}
				got, err := c.sum(dst, columns)
				if err != nil {
					return err
				}
				if got != want {
					return fmt.Errorf("table %s has %d rows in the source and %d in the target, or rows that differ", c.name, want.rows, got.rows)
				}
				rows += got.rows
			}
			return nil
		})
	})
	return rows, err
}

type rowsSum struct {
	rows int64
	sum  [sha256.Size]byte
}

func (c copiedTable) sum(t *tx, columns []string) (rowsSum, error) {
	h := sha256.New()
	var s rowsSum
	err := t.rows(func(r *row) {
		s.rows++
		for _, v := range r.values {
			sumValue(h, v)
		}
	}, c.selects(columns, nil))
	h.Sum(s.sum[:0])
	return s, err
}

// sumValue adds a value with its kind and length, so that no two rows look alike.
func sumValue(h hash.Hash, v any) {
	var head [9]byte
	var body []byte
	switch v := v.(type) {
	case nil:
		head[0] = 'n'
	case int64:
		head[0] = 'i'
		bigendian.BigEndian.PutUint64(head[1:], uint64(v))
	case string:
		head[0], body = 's', []byte(v)
		bigendian.BigEndian.PutUint64(head[1:], uint64(len(v)))
	case []byte:
		head[0], body = 'b', v
		bigendian.BigEndian.PutUint64(head[1:], uint64(len(v)))
	default: // no schema of ours has another
		head[0], body = '?', fmt.Append(nil, v)
	}
	h.Write(head[:])
	h.Write(body)
}
