package awsquery

import (
	"cmp"
	"encoding/xml"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/api/awsmodel"
	"github.com/lighterage/lighterage/internal/api/awsplan"
)

// spill is the size up to which an answer is held whole.
const spill = 64 << 10

// encoder writes an answer's XML. What it holds goes out whenever it is more
// than spill bytes; the rest is for who made it to send.
type encoder struct {
	to   io.Writer
	buf  []byte
	sent bool  // something went out
	err  error // of the writer
}

// Write implements io.Writer, for xml.EscapeText. It always succeeds.
func (e *encoder) Write(p []byte) (int, error) {
	e.buf = append(e.buf, p...)
	return len(p), nil
}

// flush makes room when the buffer is full.
func (e *encoder) flush(at int) {
	if len(e.buf) < at {
		return
	}
	if e.sent = true; e.err == nil {
		_, e.err = e.to.Write(e.buf)
	}
	e.buf = e.buf[:0]
}

func (e *encoder) raw(text ...string) {
	for _, t := range text {
		e.buf = append(e.buf, t...)
	}
}

// text appends a text. What XML cannot say becomes U+FFFD.
func (e *encoder) text(s string) { _ = xml.EscapeText(e, []byte(s)) } // Write succeeds

// leaf appends an element with a text.
func (e *encoder) leaf(name, text string) {
	e.raw("<", name, ">")
	e.text(text)
	e.raw("</", name, ">")
}

// element appends an element with a value.
func (e *encoder) element(name string, p *awsplan.Plan, v reflect.Value) {
	if p.Shape.Flat && p.Shape.Kind == awsmodel.List {
		e.elements(name, p, v)
		return
	}
	if p.Shape.Flat && p.Shape.Kind == awsmodel.Map {
		e.entries(name, p, v)
		return
	}
	e.raw("<", name, ">")
	e.value(p, v)
	e.raw("</", name, ">")
	e.flush(spill)
}

// value appends what stands in a value's element.
func (e *encoder) value(p *awsplan.Plan, v reflect.Value) {
	switch p.Shape.Kind {
	case awsmodel.Structure:
		e.members(p, v)
	case awsmodel.List:
		e.elements(cmp.Or(p.Shape.Entry, "member"), p, v)
	case awsmodel.Map:
		e.entries("entry", p, v)
	case awsmodel.String:
		if p.Shape.Document {
			e.raw(percentEncode(v.String()))
			return
		}
		e.text(v.String())
	case awsmodel.Integer, awsmodel.Long:
		e.buf = strconv.AppendInt(e.buf, v.Int(), 10)
	case awsmodel.Float, awsmodel.Double:
		e.buf = strconv.AppendFloat(e.buf, v.Float(), 'f', -1, v.Type().Bits())
	case awsmodel.Boolean:
		e.buf = strconv.AppendBool(e.buf, v.Bool())
	case awsmodel.Timestamp:
		// IAM and STS have no fractions of seconds.
		e.buf = v.Interface().(time.Time).UTC().AppendFormat(e.buf, time.RFC3339)
	}
}

func (e *encoder) members(p *awsplan.Plan, v reflect.Value) {
	for i, m := range p.Shape.Members {
		value := v.Field(i)
		if value.IsNil() {
			continue
		}
		if value.Kind() == reflect.Pointer {
			value = value.Elem()
		}
		e.element(m.Name, p.Members[i], value)
	}
}

func (e *encoder) elements(name string, p *awsplan.Plan, v reflect.Value) {
	for i := range v.Len() {
		e.element(name, p.Elem, v.Index(i))
	}
}

func (e *encoder) entries(name string, p *awsplan.Plan, v reflect.Value) {
	entries := map[string]reflect.Value{}
	for key, entry := range v.Seq2() {
		entries[key.String()] = entry
	}
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		e.raw("<", name, ">")
		e.leaf("key", key)
		e.element("value", p.Elem, entries[key])
		e.raw("</", name, ">")
	}
}

// percentEncode encodes all but the unreserved characters of RFC 3986, as IAM
// does with the policy documents of its answers.
func percentEncode(s string) string {
	const unreserved = "-._~"
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(unreserved, c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}
