package check

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// ErrCursor is the error for a cursor that no piece has given.
var ErrCursor = errors.New("check: no such cursor")

// Phase is a part of a check.
type Phase string

// The phases in their order.
const (
	Blobs     Phase = "blobs"
	Images    Phase = "images"
	Tags      Phase = "tags"
	Locations Phase = "locations"

	end Phase = ""
)

// cursor is where a check goes on: after a row, or within the next blob.
type cursor struct {
	phase Phase
	after int64         // blob, image, or repository of a tag
	tag   name.Tag      // of Tags
	at    name.Location // of Locations; of a blob that was begun where its bytes are

	offset int64  // of a blob that was begun: how much was hashed
	state  string // with this outcome
}

// String is "" at the end.
func (c cursor) String() string {
	switch {
	case c.phase == end:
		return ""
	case c.phase == Blobs && c.offset > 0:
		return fmt.Sprintf("%s/%d/%d/%s/%s", c.phase, c.after, c.offset, base64.RawURLEncoding.EncodeToString([]byte(c.state)), c.at)
	case c.phase == Tags:
		return fmt.Sprintf("%s/%d/%s", c.phase, c.after, c.tag)
	case c.phase == Locations:
		return fmt.Sprintf("%s/%s", c.phase, c.at)
	}
	return fmt.Sprintf("%s/%d", c.phase, c.after)
}

func parseCursor(s string) (cursor, error) {
	if s == "" {
		return cursor{phase: Blobs}, nil
	}
	phase, rest, ok := strings.Cut(s, "/")
	c := cursor{phase: Phase(phase)}
	if c.phase == Locations && ok {
		c.at = name.Location(rest)
		return c, nil
	}
	number, rest, more := strings.Cut(rest, "/")
	var err error
	if c.after, err = strconv.ParseInt(number, 10, 64); err != nil || c.after < 0 || !ok {
		return cursor{}, ErrCursor
	}
	switch {
	case c.phase == Tags && more:
		c.tag = name.Tag(rest)
		return c, nil
	case c.phase == Blobs && more:
		return c.within(rest)
	case (c.phase == Blobs || c.phase == Images) && !more:
		return c, nil
	}
	return cursor{}, ErrCursor
}

func (c cursor) within(rest string) (cursor, error) {
	part := strings.SplitN(rest, "/", 3)
	if len(part) != 3 {
		return cursor{}, ErrCursor
	}
	state, err := base64.RawURLEncoding.DecodeString(part[1])
	if err != nil {
		return cursor{}, ErrCursor
	}
	if c.offset, err = strconv.ParseInt(part[0], 10, 64); err != nil || c.offset <= 0 {
		return cursor{}, ErrCursor
	}
	c.state, c.at = string(state), name.Location(part[2])
	return c, nil
}

func (c cursor) blob() meta.BlobID { return meta.BlobID(c.after) }
