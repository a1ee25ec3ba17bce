package audit_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/audit"
)

// TestLinesAreThoseOfTheStandardLibrary fills every field, so that none is
// forgotten, and asks encoding/json.
func TestLinesAreThoseOfTheStandardLibrary(t *testing.T) {
	for _, text := range []string{"plain", "", "<&>", "a\"b\\c", "line\nbreak\x00", "\u2028 \xff é 漢", "\x7f"} {
		for _, items := range []int{0, 1, 2} {
			var e audit.Event
			fill(reflect.ValueOf(&e).Elem(), text, items)
			got, err := audit.AppendLine(&e)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			var want bytes.Buffer
			enc := json.NewEncoder(&want)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(&e); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want.Bytes()) {
				t.Errorf("got  %s\nwant %s", got, want.Bytes())
			}
		}
	}
}

// fill sets every text in v to text, every list to as many items, and the rest
// to something.
func fill(v reflect.Value, text string, items int) {
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = time.Date(2026, 11, 21, 7, 0, 0, 0, time.UTC)
		return
	case *json.RawMessage:
		if items > 0 {
			*p = json.RawMessage("{ \"a\" : [ 1, \"<\u2028\" ]\n}")
		}
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(items > 0)
	case reflect.Pointer:
		if items > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), text, items)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), items, items))
		for i := range items {
			fill(v.Index(i), text, items)
		}
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{text: text}))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), text, items)
		}
	}
}
