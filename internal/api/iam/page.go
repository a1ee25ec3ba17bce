package iam

import (
	"github.com/lighterage/lighterage/internal/api/awsplan"
	"github.com/lighterage/lighterage/internal/api/awsquery"
)

// pageDefault is the size of a page that nobody chose one for (IAM API
// reference, MaxItems).
const pageDefault = 100

// listingOf is the listing of an operation in the caller's account. A Marker of
// the model has at most 320 characters, and so a position at most 228 bytes.
func listingOf(c *awsquery.Call, operation string, filter ...string) awsplan.Listing {
	return append(awsplan.Listing{operation, string(c.Caller.Account)}, filter...)
}

// cut returns a page of a list that is short and always read whole, as tags
// are. A Marker counts what came before: what is added or taken away meanwhile
// may be told twice, or not at all.
func cut[T any](l awsplan.Listing, all []T, marker *string, maxItems *int32) (page []T, next *string, err error) {
	from, err := l.Number(marker)
	if err != nil {
		return nil, nil, err
	}
	all = all[min(from, int64(len(all))):]
	size := pageSize(maxItems)
	if len(all) <= size {
		return all, nil, nil
	}
	return all[:size], l.TokenAt(from + int64(size)), nil
}

// pageSize returns the number of items that was asked for.
func pageSize(maxItems *int32) int {
	if maxItems == nil {
		return pageDefault
	}
	return int(*maxItems)
}

// pathOf returns an optional path, or path prefix, that is / if it is absent.
func pathOf(path *string) string {
	if path == nil {
		return "/"
	}
	return *path
}

// text returns the value of an optional member, empty if it is absent.
func text[S ~string](s *S) string {
	if s == nil {
		return ""
	}
	return string(*s)
}
