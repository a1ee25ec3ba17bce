package disk

import "os"

// Reader reads a stored file. It is the file, with SyscallConn and WriteTo, so
// that net/http sends it without copying (sendfile).
type Reader struct {
	*os.File
	size int64
}

// Size is the number of bytes when the reader was opened.
func (r *Reader) Size() int64 { return r.size }
