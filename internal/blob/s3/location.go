package s3

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"github.com/lighterage/lighterage/internal/name"
)

const (
	kind = "s3:"
	// The folders below the prefix.
	blobs = "blobs/"
	tails = "tails/"
	// claim is the object that says whose the store is.
	claim = "lighterage-store"
)

// location is the only form that is ever made a key of. A number at its end is
// that of the key that the bytes are encrypted with.
var location = regexp.MustCompile(`^s3:[0-9a-f]{34}(-[1-9][0-9]{0,18})?$`)

// draw returns a location of 136 random bits.
func draw() name.Location {
	var b [17]byte
	rand.Read(b[:])
	return name.Location(kind + hex.EncodeToString(b[:]))
}

// parse returns the digits of a location.
func parse(at name.Location) (string, bool) {
	if !location.MatchString(string(at)) {
		return "", false
	}
	return strings.TrimPrefix(string(at), kind), true
}

// locate returns the location whose object has the key.
func (s *Store) locate(key string) (name.Location, bool) {
	rest, ok := strings.CutPrefix(key, s.Prefix+blobs)
	if !ok || len(rest) < 3 || rest[2] != '/' {
		return "", false
	}
	at := name.Location(kind + rest[:2] + rest[3:])
	_, ok = parse(at)
	return at, ok
}

// tailKey is where the bytes of an upload are that begin the part of that number.
func (s *Store) tailKey(at name.Location, part int) string {
	return s.tailPrefix(at) + fmt.Sprint(part)
}

func (s *Store) tailPrefix(at name.Location) string {
	return s.Prefix + tails + strings.TrimPrefix(string(at), kind) + "."
}
