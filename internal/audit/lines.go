package audit

import (
	"bytes"
	"errors"
	"io"
)

// maxLine is longer than any line Record writes.
const maxLine = 1 << 20

// chunk is how much of a file is read at once.
const chunk = 64 << 10

var lineBreak = []byte("\n")

var (
	errNoEvent = errors.New("the line is no event")
	errStop    = errors.New("stop")
)

// forward calls visit with each line of a file up to an offset, without its
// line break. A line over maxLine is nil. visit may not keep the line; errStop
// from it ends the walk without an error.
func forward(file io.ReaderAt, end int64, visit func(text []byte) error) error {
	line := make([]byte, 0, chunk)
	begun, long := false, false
	flush := func() error {
		text := line
		if long {
			text = nil
		}
		err := visit(text)
		line, begun, long = line[:0], false, false
		return err
	}
	buf := make([]byte, chunk)
	for offset := int64(0); offset < end; {
		n, err := file.ReadAt(buf[:min(chunk, end-offset)], offset)
		offset += int64(n)
		for rest := buf[:n]; len(rest) > 0; {
			piece, after, ended := bytes.Cut(rest, lineBreak)
			begun = true
			if long = long || len(line)+len(piece) > maxLine; !long {
				line = append(line, piece...)
			}
			rest = after
			if !ended {
				break
			}
			if err := flush(); err != nil {
				return stop(err)
			}
		}
		if errors.Is(err, io.EOF) { // cut meanwhile
			break
		}
		if err != nil {
			return err
		}
	}
	if begun {
		return stop(flush())
	}
	return nil
}

// backward is forward from the end.
func backward(file io.ReaderAt, end int64, visit func(text []byte) error) error {
	tail := make([]byte, 0, chunk) // what follows the chunk, up to the line break after it
	long := false
	emit := func(head []byte) error {
		if long = long || len(head)+len(tail) > maxLine; long {
			long, tail = false, tail[:0]
			return visit(nil)
		}
		tail = append(tail, head...) // grows the buffer, then the head moves to the front
		copy(tail[len(head):], tail[:len(tail)-len(head)])
		copy(tail, head)
		err := visit(tail)
		tail = tail[:0]
		return err
	}
	buf := make([]byte, chunk)
	first := true // the last line need not end
	for offset := end; offset > 0; {
		size := min(chunk, offset)
		offset -= size
		if _, err := file.ReadAt(buf[:size], offset); err != nil {
			if errors.Is(err, io.EOF) { // cut meanwhile
				continue
			}
			return err
		}
		rest := buf[:size]
		for {
			i := bytes.LastIndexByte(rest, '\n')
			if i < 0 {
				break
			}
			if !first || i+1 < len(rest) {
				if err := emit(rest[i+1:]); err != nil {
					return stop(err)
				}
			}
			first = false
			rest = rest[:i]
		}
		if len(rest) > 0 {
			first = false
			if long = long || len(rest)+len(tail) > maxLine; !long {
				tail = append(bytes.Clone(rest), tail...)
			}
		}
	}
	if !first {
		return stop(emit(nil))
	}
	return nil
}

func stop(err error) error {
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// ended returns where the last line of the file that has an end, ends: what is
// behind it is being written, or was when the process died.
func ended(file io.ReaderAt, end int64) (int64, error) {
	buf := make([]byte, chunk)
	for offset := end; offset > 0; {
		size := min(chunk, offset)
		offset -= size
		if _, err := file.ReadAt(buf[:size], offset); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:size], '\n'); i >= 0 {
			return offset + int64(i) + 1, nil
		}
	}
	return 0, nil
}
