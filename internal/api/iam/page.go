package iam

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"

	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/fault"
)

// pageDefault is the size of a page that nobody chose one for (IAM API
// reference, MaxItems).
const pageDefault = 100

// listing is what a list is of: the operation, the account, the filter. A
// Marker of one listing is refused by all others.
type listing []string

// listingOf is the listing of an operation in the caller's account.
func listingOf(c *awsquery.Call, operation string, filter ...string) listing {
	return append(listing{operation, string(c.Caller.Account)}, filter...)
}

// bindingSize is how much of a hash a Marker begins with, in bytes.
const bindingSize = 12

// marker is where to go on, as clients hold it: a hash of listing and position,
// then the position, so that it goes to no other listing and is not changed by
// chance. The hash has no key: whoever makes a Marker up learns nothing that
// the first page would not tell. A Marker has at most 320 characters, and so a
// position at most 228 bytes.
func (l listing) marker(position string) *string {
	return new(base64.RawURLEncoding.EncodeToString(append(l.binding(position), position...)))
}

// position returns what a Marker was made from; empty for an absent one, which
// is the beginning. PageTokenInvalid.
func (l listing) position(marker *string) (string, error) {
	if marker == nil {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(*marker)
	if err != nil || len(b) <= bindingSize {
		return "", fault.New(fault.PageTokenInvalid)
	}
	position := string(b[bindingSize:])
	if *l.marker(position) != *marker {
		return "", fault.New(fault.PageTokenInvalid)
	}
	return position, nil
}

func (l listing) binding(position string) []byte {
	h := sha256.New()
	for _, part := range append(l[:len(l):len(l)], position) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write([]byte(part))
	}
	return h.Sum(nil)[:bindingSize]
}

// cut returns a page of a list that is short and always read whole, as tags
// are. A Marker counts what came before: what is added or taken away meanwhile
// may be told twice, or not at all.
func cut[T any](l listing, all []T, marker *string, maxItems *int32) (page []T, next *string, err error) {
	from, err := l.number(marker)
	if err != nil {
		return nil, nil, err
	}
	all = all[min(from, int64(len(all))):]
	size := pageSize(maxItems)
	if len(all) <= size {
		return all, nil, nil
	}
	return all[:size], l.marker(strconv.FormatInt(from+int64(size), 10)), nil
}

// number is a position that is a number, as an id; 0 for the beginning.
func (l listing) number(marker *string) (int64, error) {
	position, err := l.position(marker)
	if err != nil || position == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(position, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != position {
		return 0, fault.New(fault.PageTokenInvalid)
	}
	return n, nil
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
