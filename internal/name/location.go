package name

import (
	"strconv"
	"strings"
)

// Location is where stored bytes are, typed by its prefix: "file:<name>",
// "s3:<key>", or "inline:" for bytes that the metadata store itself keeps. A
// number at its end, "file:<name>-<number>", is that of the data key which the
// bytes are encrypted with.
type Location string

// WithKey returns the location of bytes that are encrypted with the data key of
// that number, which is positive.
func (l Location) WithKey(key int64) Location {
	return l + Location("-"+strconv.FormatInt(key, 10))
}

// Key returns the number of the data key; 0: the bytes are not encrypted.
func (l Location) Key() int64 {
	_, digits, ok := strings.Cut(string(l), "-")
	if !ok || digits == "" || digits[0] < '1' || digits[0] > '9' {
		return 0
	}
	key, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	return key
}
