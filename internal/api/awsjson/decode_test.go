package awsjson_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsplan"
	"github.com/lighterage/lighterage/internal/fault"
)

func decode(t testing.TB, text string) (*toyInput, error) {
	t.Helper()
	in, release, err := awsjson.Decode(toyIn, reflect.TypeFor[toyInput](), []byte(text))
	if release != nil {
		t.Cleanup(release)
	}
	return in.(*toyInput), err
}

func TestDecode(t *testing.T) {
	long := strings.Repeat("0123456789", 30)
	tests := []struct {
		name, text string
		want       toyInput
	}{
		{"nothing", "", toyInput{}},
		{"white space", " \r\n\t", toyInput{}},
		{"null", "null", toyInput{}},
		{"an empty object", " { } ", toyInput{}},
		{"a text", `{"text":"a"}`, toyInput{Text: new("a")}},
		{"an empty text", `{"text":""}`, toyInput{Text: new("")}},
		{"a long text", `{"text":"` + long + `"}`, toyInput{Text: &long}},
		{"escapes", `{"text":"\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00\u0000"}`, toyInput{Text: new("\"\\/\b\f\n\r\tAé€😀\x00")}},
		{"UTF-8", `{"text":"é€😀"}`, toyInput{Text: new("é€😀")}},
		{"null members", `{"text":null,"count":null,"names":null,"labels":null,"inner":null,"data":null}`, toyInput{}},
		{"unknown members", `{"x":{"y":[1,-2.5e+3,"\u12aB",{"z":[[]]}],"t":true,"f":false,"n":null},"text":"a","` + long + `":1}`, toyInput{Text: new("a")}},
		{"a known name in another case", `{"Text":"a"}`, toyInput{}},
		{"an escaped name", `{"te\u0078t":"a"}`, toyInput{Text: new("a")}},
		{"numbers", `{"count":-7,"big":9223372036854775807,"small":0.5,"wide":-1e-3,"at":1448875853.241}`, toyInput{
			Count: new(int32(-7)), Big: new(int64(9223372036854775807)), Small: new(float32(0.5)), Wide: new(-1e-3),
			At: new(time.UnixMilli(1448875853241).UTC()),
		}},
		{"whole numbers in other spellings", `{"count":5.0,"big":1.5e3}`, toyInput{Count: new(int32(5)), Big: new(int64(1500))}},
		{"a time with an exponent", `{"at":1.603389001E9}`, toyInput{At: new(time.Unix(1603389001, 0).UTC())}},
		{"true", `{"flag":true}`, toyInput{Flag: new(true)}},
		{"false", `{"flag":false}`, toyInput{Flag: new(false)}},
		{"a list", `{"names":["a","b"]}`, toyInput{Names: []string{"a", "b"}}},
		{"an empty list", `{"names":[]}`, toyInput{Names: []string{}}},
		{"one entry too many and then more", `{"names":["a","b","c","d","e",7]}`, toyInput{Names: []string{"a", "b", "c", "d"}}},
		{"structures", `{"inner":{"Key":"a","Value":"RED"},"inners":[{"Key":"b"},{}]}`, toyInput{
			Inner: &toyInner{new("a"), new(toyColor("RED"))}, Inners: []toyInner{{Key: new("b")}, {}},
		}},
		{"maps", `{"labels":{"a":"1","":"2"},"nested":{"RED":{"Key":"b"}}}`, toyInput{
			Labels: map[string]string{"a": "1", "": "2"}, Nested: map[toyColor]toyInner{"RED": {Key: new("b")}},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decode(t, tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	deep := func(n int) string { return `{"x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
	if _, err := decode(t, deep(31)); err != nil {
		t.Errorf("32 levels: %v", err)
	}
	tests := []struct {
		name, text string
		want       string // the detail; empty: malformed
	}{
		{"a number for a text", `{"text":1}`, "NUMBER_VALUE can not be converted to a String"},
		{"a truth for a text", `{"text":true}`, "TRUE_VALUE can not be converted to a String"},
		{"a list for a text", `{"text":[]}`, "Start of list found where not expected"},
		{"a structure for a text", `{"text":{}}`, "Start of structure or map found where not expected"},
		{"a text for a number", `{"count":"1"}`, "STRING_VALUE can not be converted to an Integer"},
		{"a text for a truth", `{"flag":"true"}`, "STRING_VALUE can not be converted to a Boolean"},
		{"a number for bytes", `{"data":1}`, "NUMBER_VALUE can not be converted to a Blob"},
		{"a text for a time", `{"at":"2020-01-01T00:00:00Z"}`, "STRING_VALUE can not be converted to a Timestamp"},
		{"a text for a list", `{"names":"a"}`, "STRING_VALUE can not be converted to a List"},
		{"a structure for a list", `{"names":{}}`, "Start of structure or map found where not expected"},
		{"a text for a structure", `{"inner":"a"}`, "STRING_VALUE can not be converted to a Structure"},
		{"a list for a map", `{"labels":[]}`, "Start of list found where not expected"},
		{"null in a list", `{"names":[null]}`, "NULL_VALUE can not be converted to a String"},
		{"null in a map", `{"labels":{"a":null}}`, "NULL_VALUE can not be converted to a String"},
		{"a list as the input", `[]`, "Start of list found where not expected"},
		{"a text as the input", `"a"`, "STRING_VALUE can not be converted to a Structure"},
		{"a fraction for an integer", `{"count":1.5}`, "NUMBER_VALUE can not be converted to an Integer"},
		{"too large for an integer", `{"count":2147483648}`, "NUMBER_VALUE can not be converted to an Integer"},
		{"too large for a long", `{"big":9223372036854775808}`, "NUMBER_VALUE can not be converted to a Long"},
		{"too large for a float", `{"small":1e60}`, "NUMBER_VALUE can not be converted to a Float"},
		{"a time after the end of times", `{"at":1e300}`, "NUMBER_VALUE can not be converted to a Timestamp"},
		{"a member twice", `{"text":"a","text":"b"}`, "Member text is given twice"},
		{"a member twice, first null", `{"text":null,"text":"b"}`, "Member text is given twice"},
		{"a key twice", `{"labels":{"a":"1","a":"2"}}`, "A key is given twice"},
		{"a very long number", `{"x":` + strings.Repeat("1", 65) + `}`, "Number longer than 64 characters"},
		{"33 levels", deep(32), "Nesting deeper than 32"},
		{"33 levels of objects", strings.Repeat(`{"x":`, 33), "Nesting deeper than 32"},
		{"base64 without padding", `{"data":"YQ"}`, notBase64},
		{"base64 cut short", `{"data":"YQ="}`, notBase64},
		{"base64 with bits to spare", `{"data":"YR=="}`, notBase64},
		{"base64 after its end", `{"data":"YQ==YQ=="}`, notBase64},
		{"base64 after its end, far away", `{"data":"` + strings.Repeat("YWFh", 100) + `YQ==` + strings.Repeat("YWFh", 100) + `"}`, notBase64},
		{"base64 of the URL alphabet", `{"data":"-_-_"}`, notBase64},
		{"base64 with line breaks", `{"data":"YWFh\nYWFh"}`, notBase64},
		{"base64 with four line breaks", `{"data":"YWFh\n\n\n\nYWFh"}`, notBase64},
		{"base64 with raw line breaks", "{\"data\":\"YWFh\n\n\n\nYWFh\"}", notBase64},
		{"only padding", `{"data":"===="}`, notBase64},

		{"half an object", `{`, ""},
		{"half a name", `{"te`, ""},
		{"half a text", `{"text":"a`, ""},
		{"half an escape", `{"text":"\u00`, ""},
		{"half a word", `{"flag":tru}`, ""},
		{"no colon", `{"text" "a"}`, ""},
		{"no comma", `{"text":"a" "count":1}`, ""},
		{"no name", `{:1}`, ""},
		{"a bare name", `{text:1}`, ""},
		{"a comma at the end", `{"text":"a",}`, ""},
		{"a comma alone", `{,}`, ""},
		{"a comma at a list's end", `{"names":["a",]}`, ""},
		{"no value", `{"text":}`, ""},
		{"a word", `{"text":undefined}`, ""},
		{"a comment", `{/**/}`, ""},
		{"something after the end", `{}{}`, ""},
		{"a byte order mark", "\ufeff{}", ""},
		{"a leading zero", `{"count":01}`, ""},
		{"a plus", `{"count":+1}`, ""},
		{"a minus alone", `{"count":-}`, ""},
		{"a point at the end", `{"count":1.}`, ""},
		{"a point at the start", `{"count":.5}`, ""},
		{"an exponent without digits", `{"count":1e}`, ""},
		{"an exponent in an unknown member", `{"x":1e+}`, ""},
		{"not a number", `{"wide":NaN}`, ""},
		{"an unknown escape", `{"text":"\x41"}`, ""},
		{"a bad hex digit", `{"text":"\u00g0"}`, ""},
		{"a control character", "{\"text\":\"a\nb\"}", ""},
		{"a control character in an unknown member", "{\"x\":\"a\x01b\"}", ""},
		{"the first half of a pair", `{"text":"\ud83d"}`, ""},
		{"the second half of a pair", `{"text":"\ude00"}`, ""},
		{"two first halves", `{"text":"\ud83d\ud83d"}`, ""},
		{"bytes that are not UTF-8", "{\"text\":\"a\xffb\"}", ""},
		{"UTF-8 cut short", "{\"text\":\"a\xe2\x82\"}", ""},
		{"a surrogate in UTF-8", "{\"text\":\"\xed\xa0\x80\"}", ""},
		{"a name that is not UTF-8", "{\"\xff\":1}", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := decode(t, tt.text)
			f := fault.Of(err)
			if f == nil || f.Reason != fault.BodyMalformed || f.Detail != tt.want {
				t.Errorf("got %v, want BodyMalformed with the detail %q", err, tt.want)
			}
		})
	}
}

const notBase64 = "STRING_VALUE can not be converted to a Blob: not base64"

func TestSerializationExceptionHasAMessageOnlyForTypes(t *testing.T) {
	for body, want := range map[string]string{
		`{"text":1}`: `{"__type":"SerializationException","message":"NUMBER_VALUE can not be converted to a String"}`,
		`{"text":`:   `{"__type":"SerializationException"}`,
	} {
		if w := new(stand).post(t, body); w.Code != 400 || w.Body.String() != want {
			t.Errorf("%s: got %d %s, want 400 %s", body, w.Code, w.Body, want)
		}
	}
}

func TestBlob(t *testing.T) {
	for _, size := range []int{0, 1, 2, 3, 4, 47, 48, 49, 192<<10 - 1, 192 << 10, 192<<10 + 1, 500_000} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i * 7 >> 3)
		}
		text := base64.StdEncoding.EncodeToString(data)
		for name, spelt := range map[string]string{
			"plain":           text,
			"escaped slashes": strings.ReplaceAll(text, "/", `\/`),
			"escaped":         strings.ReplaceAll(strings.ReplaceAll(text, "A", `\u0041`), "=", `\u003d`),
		} {
			in, release, err := awsjson.Decode(toyIn, reflect.TypeFor[toyInput](), []byte(`{"data":"`+spelt+`"}`))
			if err != nil {
				t.Fatalf("%d bytes, %s: %v", size, name, err)
			}
			blob := in.(*toyInput).Data
			var written bytes.Buffer
			if _, err := blob.Reader().(io.WriterTo).WriteTo(&written); err != nil || !bytes.Equal(written.Bytes(), data) {
				t.Errorf("%d bytes, %s: wrote %d others, %v", size, name, written.Len(), err)
			}
			read, err := io.ReadAll(struct{ io.Reader }{blob.Reader()})
			if err != nil || !bytes.Equal(read, data) || blob.Len() != int64(size) {
				t.Errorf("%d bytes, %s: read %d others, %v; Len %d", size, name, len(read), err, blob.Len())
			}
			r := blob.Reader()
			release()
			if _, err := r.Read(make([]byte, 1)); err == nil || err == io.EOF {
				t.Errorf("%d bytes, %s: read after release: %v", size, name, err)
			}
		}
	}
}

func TestBlobOverItsConstraintIsMeasuredOnly(t *testing.T) {
	text := base64.StdEncoding.EncodeToString(make([]byte, 3<<20))
	in, _, err := awsjson.Decode(toyIn, reflect.TypeFor[toyInput](), []byte(`{"data":"`+text+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := in.(*toyInput).Data.Len(); got != 3<<20 {
		t.Errorf("Len: got %d, want %d", got, 3<<20)
	}
	if _, err := in.(*toyInput).Data.Reader().Read(make([]byte, 1)); err == nil {
		t.Error("it can be read")
	}
	bad, err := awsjson.Violated(toyIn, in)
	if err != nil || bad == nil || bad.Path != "data" || bad.Rule != awsplan.MaxLength {
		t.Errorf("violated: %+v, %v", bad, err)
	}
}
