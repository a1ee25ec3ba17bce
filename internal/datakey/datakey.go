// Package datakey is the keys that stored bytes are encrypted with.
//
//  1. A Key has one secret or several; with several, everything is encrypted
//     once with each.
//  2. What encrypts is derived from a secret for one use: that of one file
//     encrypts no other.
//  3. What is encrypted opens only where and as what it was encrypted; nothing
//     of what was changed opens.
//  4. A Key never formats, logs or marshals its bytes.
//
// It does not know how keys are kept, nor which bytes have which.
package datakey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"

	"github.com/lighterage/lighterage/internal/seal"
)

// size is the length of a secret, in bytes.
const size = 32

// layersMax bounds how often the same bytes are encrypted.
const layersMax = 4

// Key is a data key. The zero Key is none.
type Key struct {
	// A pointer, because fmt walks into unexported fields of others.
	parts *parts
}

type parts struct {
	secrets [][]byte
	texts   []*seal.Sealer // of each secret
}

// Draw makes a key of as many secrets.
func Draw(layers int) (Key, error) {
	raw := make([]byte, layers*size)
	_, _ = rand.Read(raw) // never fails: it ends the process instead
	return Parse(raw)
}

// Parse makes the key whose Secret was raw. No error holds any of it.
func Parse(raw []byte) (Key, error) {
	if len(raw) == 0 || len(raw)%size != 0 || len(raw) > layersMax*size {
		return Key{}, fmt.Errorf("a data key has %d bytes", len(raw))
	}
	p := &parts{}
	for i := 0; i < len(raw); i += size {
		secret := append([]byte(nil), raw[i:i+size]...)
		sub, err := hkdf.Expand(sha256.New, secret, "lighterage data key 1: texts", seal.KeySize)
		if err != nil {
			return Key{}, fmt.Errorf("derive the key of texts: %w", err)
		}
		k, err := seal.Parse(base64.StdEncoding.EncodeToString(sub))
		if err != nil {
			return Key{}, errors.New("a data key is not random")
		}
		texts, err := seal.New(k)
		if err != nil {
			return Key{}, err
		}
		p.secrets, p.texts = append(p.secrets, secret), append(p.texts, texts)
	}
	return Key{p}, nil
}

// Secret returns what Parse reads, for nobody but who encrypts it.
func (k Key) Secret() []byte {
	var raw []byte
	for _, s := range k.parts.secrets {
		raw = append(raw, s...)
	}
	return raw
}

// Layers is how often the same bytes are encrypted.
func (k Key) Layers() int { return len(k.parts.secrets) }

// Seal encrypts a text that is held whole, as what aad says.
func (k Key) Seal(plain, aad []byte) (sealed []byte, err error) {
	sealed = plain
	for _, s := range k.parts.texts {
		if sealed, err = s.Seal(sealed, aad); err != nil {
			return nil, err
		}
	}
	return sealed, nil
}

// Open returns what Seal was given, if aad is the same; else seal.ErrBroken or
// seal.ErrOtherKey.
func (k Key) Open(sealed, aad []byte) (plain []byte, err error) {
	plain = sealed
	for i := len(k.parts.texts) - 1; i >= 0; i-- {
		if plain, err = k.parts.texts[i].Open(plain, aad); err != nil {
			return nil, err
		}
	}
	return plain, nil
}

// Files returns the ciphers of one file, which is named as no other file ever
// is. Each draws a nonce of 96 bits for each message and puts it before it: of
// the 2^20 that the greatest file has, two are the same by a chance of 2^-57.
func (k Key) Files(name string) ([]cipher.AEAD, error) {
	var all []cipher.AEAD
	for _, secret := range k.parts.secrets {
		sub, err := hkdf.Expand(sha256.New, secret, "lighterage data key 1: file "+name, size)
		if err != nil {
			return nil, fmt.Errorf("derive the key of a file: %w", err)
		}
		block, err := aes.NewCipher(sub)
		if err != nil {
			return nil, fmt.Errorf("prepare the key of a file: %w", err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("prepare the key of a file: %w", err)
		}
		all = append(all, aead)
	}
	return all, nil
}

const redacted = "[redacted]"

// String, GoString, Format, LogValue, MarshalText and MarshalJSON say that
// there is a key, and nothing of it.
func (k Key) String() string               { return redacted }
func (k Key) GoString() string             { return redacted }
func (k Key) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(redacted)) }
func (k Key) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (k Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (k Key) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
