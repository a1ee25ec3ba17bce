package s3

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// partSize is that of every part but the last: some servers want them alike.
	// 10,000 of them hold what ECR takes as a layer and half as much again.
	partSize = 8 << 20
	maxParts = 10_000
)

// sum is a SHA-256.
type sum = [sha256.Size]byte

// part is what S3 holds as a part of an upload.
type part struct {
	etag string // with its quotes, as S3 gave it
	sum  sum
}

// state is an upload as Checkpoint returns it.
type state struct {
	id    string // of the multipart upload; empty: there is none yet
	parts []part
	tail  tail
	older int // number of the part whose tail object is the one before; 0: none
}

// tail is what the tail object holds: the bytes after the parts.
type tail struct {
	size int
	sum  sum
}

func (s state) offset() int64 { return int64(len(s.parts))*partSize + int64(s.tail.size) }

// version begins every state; another one is not read.
const version = 1

func (s state) encode() []byte {
	b := []byte{version}
	b = appendText(b, s.id)
	b = binary.AppendUvarint(b, uint64(s.tail.size))
	if s.tail.size > 0 {
		b = append(b, s.tail.sum[:]...)
	}
	b = binary.AppendUvarint(b, uint64(s.older))
	b = binary.AppendUvarint(b, uint64(len(s.parts)))
	for _, p := range s.parts {
		b = appendText(b, shorten(p.etag))
		b = append(b, p.sum[:]...)
	}
	return b
}

// shorten makes an ETag that is an MD5 in hexadecimal, as most are, 16 bytes.
func shorten(etag string) string {
	if raw, ok := rawMD5(etag); ok {
		return string(raw)
	}
	return etag
}

// lengthen undoes shorten: no ETag of a text is as short, for want of quotes.
func lengthen(short string) string {
	if len(short) == md5.Size {
		return `"` + hex.EncodeToString([]byte(short)) + `"`
	}
	return short
}

func rawMD5(etag string) ([]byte, bool) {
	digits := strings.Trim(etag, `"`)
	if len(etag) != 2*md5.Size+2 || len(digits) != 2*md5.Size || digits != strings.ToLower(digits) {
		return nil, false
	}
	raw, err := hex.DecodeString(digits)
	return raw, err == nil
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

var errState = errors.New("the state of the upload cannot be read")

// decode reads a state back. Its bounds are checked before anything is made.
func decode(text []byte) (state, error) {
	r := reader{bytes.NewReader(text), nil}
	var s state
	if r.byte() != version {
		return s, errState
	}
	s.id = r.text()
	if s.tail.size = r.number(partSize); s.tail.size > 0 {
		s.tail.sum = r.sum()
	}
	s.older = r.number(maxParts)
	n := r.number(maxParts)
	for range n {
		p := part{etag: lengthen(r.text()), sum: r.sum()}
		if r.err != nil {
			break
		}
		s.parts = append(s.parts, p)
	}
	if r.err != nil || r.Len() != 0 || n > 0 && s.id == "" {
		return state{}, errState
	}
	return s, nil
}

// reader reads until the first error.
type reader struct {
	*bytes.Reader
	err error
}

func (r *reader) byte() byte {
	b, err := r.ReadByte()
	r.note(err)
	return b
}

func (r *reader) number(most int) int {
	n, err := binary.ReadUvarint(r)
	r.note(err)
	if r.err == nil && n > uint64(most) {
		r.err = errState
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

func (r *reader) text() string {
	b := make([]byte, r.number(4096))
	_, err := io.ReadFull(r, b)
	r.note(err)
	return string(b)
}

func (r *reader) sum() (s sum) {
	_, err := io.ReadFull(r, s[:])
	r.note(err)
	return s
}

func (r *reader) note(err error) {
	if r.err == nil {
		r.err = err
	}
}

// encoded is a sum as S3 writes it.
func encoded(s sum) string { return base64.StdEncoding.EncodeToString(s[:]) }

// wholeSum is what S3 calls the SHA-256 of an object of several parts: that of
// their sums, and their number. (API reference, checking object integrity.)
func wholeSum(parts []part) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p.sum[:])
	}
	return fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(h.Sum(nil)), len(parts))
}
