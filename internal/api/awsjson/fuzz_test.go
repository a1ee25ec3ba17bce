package awsjson_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/fault"
)

// FuzzDecode holds the decoder against the standard library's grammar, and
// what it decoded against what the encoder makes of it.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{}`, `{"text":"\ud83d\ude00é\/","count":5.0,"at":1448875853.241}`,
		`{"names":["a",null]}`, `{"x":[[[{"y":-0.5e+3}]]],"flag":true}`,
		`{"inner":{"Key":"k","Value":"RED"},"inners":[{}],"labels":{"a":"b"},"nested":{"RED":{}}}`,
		`{"data":"YWJj\u003d"}`, `{"data":"YQ==","big":9223372036854775807}`, "{\"text\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		in, release, err := awsjson.Decode(toyIn, reflect.TypeFor[toyInput](), text)
		defer release()
		if err != nil {
			if fault.Of(err).Reason != fault.BodyMalformed {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if len(bytes.Trim(text, " \t\r\n")) > 0 && !json.Valid(text) {
			t.Errorf("%q was decoded, and is not JSON", text)
		}
		if _, err := awsjson.Violated(toyIn, in); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		in.(*toyInput).Data = nil
		first, err := awsjson.Encode(toyIn, in)
		if err != nil {
			t.Fatal(err)
		}
		again, releaseAgain, err := awsjson.Decode(toyIn, reflect.TypeFor[toyInput](), first)
		defer releaseAgain()
		if err != nil {
			t.Fatalf("%q was encoded as %q: %v", text, first, err)
		}
		if second, _ := awsjson.Encode(toyIn, again); !bytes.Equal(first, second) {
			t.Errorf("%q was encoded as %q, and that as %q", text, first, second)
		}
	})
}
