package datakey_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/datakey"
)

func draw(t *testing.T, layers int) datakey.Key {
	t.Helper()
	k, err := datakey.Draw(layers)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestATextOpensWithItsKeyAndUseOnly(t *testing.T) {
	for layers := 1; layers <= 2; layers++ {
		k := draw(t, layers)
		sealed, err := k.Seal([]byte("config"), []byte("sha256:1"))
		if err != nil {
			t.Fatal(err)
		}
		again, err := datakey.Parse(k.Secret())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := again.Open(sealed, []byte("sha256:1")); err != nil || string(got) != "config" {
			t.Errorf("%d layers: opened %q, %v", layers, got, err)
		}
		if _, err := k.Open(sealed, []byte("sha256:2")); err == nil {
			t.Error("it opens as another text")
		}
		if _, err := draw(t, layers).Open(sealed, []byte("sha256:1")); err == nil {
			t.Error("it opens with another key")
		}
		for i := range sealed {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1
			if _, err := k.Open(bad, []byte("sha256:1")); err == nil {
				t.Errorf("it opens with byte %d changed", i)
			}
		}
	}
}

func TestEachFileAndLayerHasACipherOfItsOwn(t *testing.T) {
	k := draw(t, 2)
	a, err := k.Files("file:a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := k.Files("file:b")
	if err != nil {
		t.Fatal(err)
	}
	sealed := a[0].Seal(nil, nil, []byte("bytes"), nil)
	for what, aead := range map[string]int{"the other layer": 1} {
		if _, err := a[aead].Open(nil, nil, sealed, nil); err == nil {
			t.Errorf("%s opens it", what)
		}
	}
	if _, err := b[0].Open(nil, nil, sealed, nil); err == nil {
		t.Error("another file's cipher opens it")
	}
	same, err := k.Files("file:a")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := same[0].Open(nil, nil, sealed, nil); err != nil || string(got) != "bytes" {
		t.Errorf("the file's own cipher: %q, %v", got, err)
	}
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	for _, n := range []int{0, 1, 31, 33, 5 * 32} {
		if _, err := datakey.Parse(make([]byte, n)); err == nil {
			t.Errorf("%d bytes are taken", n)
		}
	}
}

func TestAKeyIsNeverWritten(t *testing.T) {
	k := draw(t, 1)
	secret := string(k.Secret())
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "key", k, "in", struct{ K datakey.Key }{k})
	text, err := json.Marshal(map[string]any{"key": k})
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{fmt.Sprint(k), fmt.Sprintf("%+v %#v %x %s", k, k, k, struct{ K datakey.Key }{k}), log.String(), string(text)} {
		if strings.Contains(out, secret) || !strings.Contains(out, "redacted") {
			t.Errorf("written: %q", out)
		}
	}
}
