package awsjson

import (
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/lighterage/lighterage/internal/api/awsmodel"
)

// spill is the size up to which an answer is held whole.
const spill = 64 << 10

// encoder writes one answer. Without a writer it keeps an answer of at most
// spill bytes and only measures a larger one.
type encoder struct {
	buf  []byte
	to   io.Writer
	size int64 // what went out of buf
	err  error // of the writer
}

// flush makes room when the buffer is full.
func (e *encoder) flush(at int) {
	if len(e.buf) < at {
		return
	}
	e.size += int64(len(e.buf))
	if e.to != nil && e.err == nil {
		_, e.err = e.to.Write(e.buf)
	}
	e.buf = e.buf[:0]
}

// value appends a value; what cannot be sent by the protocol was refused when
// the plan was compiled.
func (e *encoder) value(p *plan, v reflect.Value) {
	switch p.Shape.Kind {
	case awsmodel.Structure:
		e.structure(p, v)
	case awsmodel.List:
		e.buf = append(e.buf, '[')
		for i := range v.Len() {
			if i > 0 {
				e.buf = append(e.buf, ',')
			}
			e.value(p.Elem, v.Index(i))
		}
		e.buf = append(e.buf, ']')
	case awsmodel.Map:
		e.entries(p, v)
	case awsmodel.String:
		e.string(v.String())
	case awsmodel.Integer, awsmodel.Long:
		e.buf = strconv.AppendInt(e.buf, v.Int(), 10)
	case awsmodel.Float, awsmodel.Double:
		e.buf = strconv.AppendFloat(e.buf, v.Float(), 'f', -1, v.Type().Bits())
	case awsmodel.Boolean:
		e.buf = strconv.AppendBool(e.buf, v.Bool())
	case awsmodel.Timestamp:
		e.buf = appendMoment(e.buf, v.Interface().(time.Time))
	}
	e.flush(spill)
}

func (e *encoder) structure(p *plan, v reflect.Value) {
	e.buf = append(e.buf, '{')
	first := true
	for i, m := range p.Shape.Members {
		value := v.Field(i)
		if value.IsNil() {
			continue
		}
		if value.Kind() == reflect.Pointer {
			value = value.Elem()
		}
		if !first {
			e.buf = append(e.buf, ',')
		}
		first = false
		e.string(m.Name)
		e.buf = append(e.buf, ':')
		e.value(p.Members[i], value)
	}
	e.buf = append(e.buf, '}')
}

func (e *encoder) entries(p *plan, v reflect.Value) {
	entries := map[string]reflect.Value{}
	for key, entry := range v.Seq2() {
		entries[key.String()] = entry
	}
	e.buf = append(e.buf, '{')
	for i, key := range slices.Sorted(maps.Keys(entries)) {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		e.string(key)
		e.buf = append(e.buf, ':')
		e.value(p.Elem, entries[key])
	}
	e.buf = append(e.buf, '}')
}

// string appends a JSON string. Bytes that are not UTF-8 become U+FFFD, since
// JSON has no way to say them.
func (e *encoder) string(s string) {
	e.buf = append(e.buf, '"')
	start := 0 // of what was not appended yet
	for i := 0; i < len(s); {
		if i-start >= spill {
			e.buf = append(e.buf, s[start:i]...)
			e.flush(spill)
			start = i
		}
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				e.buf = append(append(e.buf, s[start:i]...), `\ufffd`...)
				start = i + 1
			}
			i += n
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			e.buf = appendEscape(append(e.buf, s[start:i]...), c)
			start = i + 1
		}
		i++
	}
	e.buf = append(append(e.buf, s[start:]...), '"')
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	case '"', '\\':
		return append(b, '\\', c)
	}
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
}

// appendMoment appends seconds since 1970 with three decimals, as ECR does.
func appendMoment(b []byte, t time.Time) []byte {
	return strconv.AppendFloat(b, float64(t.UnixMilli())/1000, 'f', 3, 64)
}
