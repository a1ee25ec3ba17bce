package directory

import "github.com/lighterage/lighterage/internal/meta"

// Page asks for at most Limit entities after one; the zero After is the
// beginning.
type Page[K any] = meta.Page[K]

// listed asks list for one row more than the page has, and tells so whether
// there are more.
func listed[K, V any](page Page[K], list func(Page[K]) ([]V, error)) (rows []V, more bool, err error) {
	rows, err = list(Page[K]{After: page.After, Limit: page.Limit + 1})
	if err != nil || len(rows) <= page.Limit {
		return rows, false, err
	}
	return rows[:page.Limit], true, nil
}
