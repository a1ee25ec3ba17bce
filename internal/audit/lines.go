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

var (
	errNoEvent = errors.New("the line is no event")
	errStop    = errors.New("stop")
)

// forward calls visit with each line between two offsets of a file, without
// its line break, and where it begins. A line over maxLine is nil. visit may
// not keep the line; errStop from it ends the walk without an error.
func forward(file io.ReaderAt, begin, end int64, visit func(offset int64, text []byte) error) error {
	line := make([]byte, 0, chunk)
	long := false
	at := begin // of the line being gathered
	flush := func(next int64) error {
		text := line
		if long {
			text = nil
		}
		err := visit(at, text)
		line, long, at = line[:0], false, next
		return err
	}
	buf := make([]byte, chunk)
	for offset := begin; offset < end; {
		n, err := file.ReadAt(buf[:min(chunk, end-offset)], offset)
		for rest := buf[:n]; len(rest) > 0; {
			i := bytes.IndexByte(rest, '\n')
			piece := rest
			if i >= 0 {
				piece = rest[:i]
			}
			if long = long || len(line)+len(piece) > maxLine; !long {
				line = append(line, piece...)
			}
			if i < 0 {
				offset += int64(len(rest))
				break
			}
			offset += int64(i + 1)
			rest = rest[i+1:]
			if err := flush(offset); err != nil {
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
	if at < end && (len(line) > 0 || long) {
		return stop(flush(end))
	}
	return nil
}

// backward is forward from the end.
func backward(file io.ReaderAt, begin, end int64, visit func(offset int64, text []byte) error) error {
	tail := make([]byte, 0, chunk) // what follows the chunk, up to the line break after it
	long := false
	emit := func(offset int64, head []byte) error {
		if long = long || len(head)+len(tail) > maxLine; long {
			long, tail = false, tail[:0]
			return visit(offset, nil)
		}
		tail = append(tail, head...) // grows the buffer, then the head moves to the front
		copy(tail[len(head):], tail[:len(tail)-len(head)])
		copy(tail, head)
		err := visit(offset, tail)
		tail = tail[:0]
		return err
	}
	buf := make([]byte, chunk)
	first := true // the last line need not end
	for offset := end; offset > begin; {
		size := min(chunk, offset-begin)
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
				if err := emit(offset+int64(i)+1, rest[i+1:]); err != nil {
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
		return stop(emit(begin, nil))
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
