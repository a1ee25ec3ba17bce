package transfer

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/manifest"
)

// errMismatch is a layer that is not what its digest says.
var errMismatch = errors.New("the source gives other bytes than the digest says")

// checked opens a layer when it is first read, and ends in an error if the bytes
// are not those of the descriptor.
type checked struct {
	open  func() (io.ReadCloser, error)
	want  manifest.Descriptor
	count *atomic.Int64 // bytes of all

	body   io.ReadCloser
	hash   *digest.Hasher
	read   int64
	failed error // other than the end
}

func (c *checked) Read(p []byte) (int, error) {
	if c.failed != nil {
		return 0, c.failed
	}
	if c.body == nil {
		if c.body, c.failed = c.open(); c.failed != nil {
			return 0, c.failed
		}
		c.hash = digest.NewHasher(c.want.Digest.Algorithm())
	}
	n, err := c.body.Read(p)
	_, _ = c.hash.Write(p[:n])
	c.read += int64(n)
	c.count.Add(int64(n))
	switch {
	case c.read > c.want.Size:
		c.failed = fmt.Errorf("%w: more than %d bytes", errMismatch, c.want.Size)
	case errors.Is(err, io.EOF) || err == nil && c.read == c.want.Size:
		// The last bytes are held back until they are known to be right: a
		// target that counts bytes would take them for all.
		if err := c.end(err); c.failed != nil {
			return 0, err
		}
		return n, err
	case err != nil:
		c.failed = err
	}
	return n, c.failed
}

// end compares when there is nothing more to come.
func (c *checked) end(err error) error {
	switch {
	case c.read < c.want.Size:
		c.failed = io.ErrUnexpectedEOF
	case c.hash.Digest() != c.want.Digest:
		c.failed = errMismatch
	}
	if c.failed != nil {
		return c.failed
	}
	return err
}

func (c *checked) close() {
	if c.body != nil {
		_ = c.body.Close() // what was read has been checked
	}
}
