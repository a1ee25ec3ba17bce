package ecr

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/registry"
)

// The sizes of pages that nobody chose one for (ECR API reference).
const (
	pageDefault          = 100
	referrersPageDefault = 20
)

// listing is what a list is of: the operation, the registry, the repository,
// the filter. A token of one listing is refused by all others.
type listing []string

// bindingSize is how much of a hash a token begins with, in bytes.
const bindingSize = 12

// token is where to go on, as clients hold it: a hash of listing and position,
// then the position, so that it goes to no other listing and is not changed by
// chance. The hash has no key: whoever makes a token up learns nothing that
// the first page would not tell.
func (l listing) token(position string) *string {
	return new(base64.RawURLEncoding.EncodeToString(append(l.binding(position), position...)))
}

// position returns what token was made from; empty for an absent token, which
// is the beginning. PageTokenInvalid.
func (l listing) position(token *string) (string, error) {
	if token == nil {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(*token)
	if err != nil || len(b) <= bindingSize {
		return "", badToken()
	}
	position := string(b[bindingSize:])
	if *l.token(position) != *token {
		return "", badToken()
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

func badToken() error { return fault.New(fault.PageTokenInvalid) }

// ofRepository is a listing of something in a repository.
func ofRepository(operation string, key registry.RepositoryKey, filter ...string) listing {
	return append(listing{operation, string(key.Registry.Account), string(key.Registry.Region), string(key.Name)}, filter...)
}

// afterImage and image are token and position of a listing by image.
func (l listing) afterImage(id registry.ImageID) *string {
	return l.token(strconv.FormatInt(int64(id), 10))
}

func (l listing) image(token *string) (registry.ImageID, error) {
	position, err := l.position(token)
	if err != nil || position == "" {
		return 0, err
	}
	return imageIn(position)
}

// imageIn reads what strconv.FormatInt wrote, and no other spelling of it.
func imageIn(s string) (registry.ImageID, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id < 0 || strconv.FormatInt(id, 10) != s {
		return 0, badToken()
	}
	return registry.ImageID(id), nil
}

// pageSize returns the number of results that was asked for.
func pageSize(maxResults *int32, otherwise int) int {
	if maxResults == nil {
		return otherwise
	}
	return int(*maxResults)
}

// refusePaging refuses paging beside named things, which are answered at once
// (ECR API reference, nextToken and maxResults).
func refusePaging(named string, nextToken *string, maxResults *int32) error {
	member := ""
	switch {
	case nextToken != nil:
		member = "nextToken"
	case maxResults != nil:
		member = "maxResults"
	default:
		return nil
	}
	return &fault.Error{Reason: fault.ParameterInvalid, Member: member, Constraint: "must be null when " + named + " is given"}
}
