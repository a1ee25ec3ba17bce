package awsplan

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"

	"github.com/lighterage/lighterage/internal/fault"
)

// Listing is what a list is of: the operation, where, the filter. A token of one
// listing is refused by all others.
type Listing []string

// bindingSize is how much of a hash a token begins with, in bytes.
const bindingSize = 12

// Token is where to go on, as clients hold it: a hash of listing and position,
// then the position, so that it goes to no other listing and is not changed by
// chance. The hash has no key: whoever makes a token up learns nothing that the
// first page would not tell. It has 16 characters, and 4 for each 3 bytes of the
// position.
func (l Listing) Token(position string) *string {
	return new(base64.RawURLEncoding.EncodeToString(append(l.binding(position), position...)))
}

// TokenAt is Token of a position that is a number, as an id.
func (l Listing) TokenAt(number int64) *string { return l.Token(strconv.FormatInt(number, 10)) }

// Position returns what a token was made from; empty for an absent token, which
// is the beginning. PageTokenInvalid.
func (l Listing) Position(token *string) (string, error) {
	if token == nil {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(*token)
	if err != nil || len(b) <= bindingSize {
		return "", fault.New(fault.PageTokenInvalid)
	}
	position := string(b[bindingSize:])
	if *l.Token(position) != *token {
		return "", fault.New(fault.PageTokenInvalid)
	}
	return position, nil
}

// Number is Position of a token of TokenAt; 0 for an absent token.
// PageTokenInvalid.
func (l Listing) Number(token *string) (int64, error) {
	position, err := l.Position(token)
	if err != nil || position == "" {
		return 0, err
	}
	return ParseNumber(position)
}

// ParseNumber reads a number of a position as TokenAt writes it, and no other
// spelling of it. PageTokenInvalid.
func ParseNumber(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		return 0, fault.New(fault.PageTokenInvalid)
	}
	return n, nil
}

func (l Listing) binding(position string) []byte {
	h := sha256.New()
	for _, part := range append(l[:len(l):len(l)], position) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write([]byte(part))
	}
	return h.Sum(nil)[:bindingSize]
}
