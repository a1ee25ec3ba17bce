package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// KeySize is the length of a master key, in bytes.
const KeySize = 32

// Key is a master key. The zero Key is none, and New refuses it.
type Key struct {
	// A pointer, because fmt walks into unexported fields of others without
	// asking Format, and stops at a pointer.
	parts *parts
}

// parts are what is derived from a master key; the key itself is not kept.
type parts struct {
	id     [idSize]byte
	block  cipher.Block
	subkey [aes.BlockSize]byte // CMAC's K1 of block
}

// Parse reads a master key: 32 bytes as 64 hexadecimal digits, or in base64,
// of either alphabet, padded or not. Space around it is ignored, so that a
// file may end in a line break. No error holds any of the text.
func Parse(text string) (Key, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return Key{}, errors.New("the master key is empty")
	}
	raw, ok := decode(text)
	if !ok {
		return Key{}, errors.New("the master key is neither hexadecimal nor base64")
	}
	if len(raw) != KeySize {
		return Key{}, fmt.Errorf("the master key has %d bytes, not %d", len(raw), KeySize)
	}
	if strings.Count(string(raw), string(raw[:1])) == KeySize {
		return Key{}, errors.New("the master key is one byte repeated; make one with: openssl rand -base64 32")
	}
	return derive(raw)
}

// decode tells the spellings apart by length: 64 hexadecimal digits would be
// 48 bytes as base64.
func decode(text string) ([]byte, bool) {
	if len(text) == hex.EncodedLen(KeySize) {
		if raw, err := hex.DecodeString(text); err == nil {
			return raw, true
		}
	}
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	raw, err := base64.RawStdEncoding.DecodeString(text)
	return raw, err == nil
}

// Generate returns the text of a fresh random master key, which Parse reads.
func Generate() string {
	raw := make([]byte, KeySize)
	_, _ = rand.Read(raw) // never fails: it ends the process instead
	return base64.StdEncoding.EncodeToString(raw)
}

// derive makes the keys of each use, so that what names the key tells nothing
// of what encrypts.
func derive(master []byte) (Key, error) {
	id, err := hkdf.Expand(sha256.New, master, "lighterage seal 1: key id", idSize)
	if err != nil {
		return Key{}, fmt.Errorf("derive the id of the master key: %w", err)
	}
	encrypt, err := hkdf.Expand(sha256.New, master, "lighterage seal 1: encryption", KeySize)
	if err != nil {
		return Key{}, fmt.Errorf("derive the encryption key: %w", err)
	}
	p, err := schedule(encrypt)
	if err != nil {
		return Key{}, err
	}
	copy(p.id[:], id)
	return Key{p}, nil
}

// ID names the key without telling anything of it: 16 hexadecimal digits.
func (k Key) ID() string {
	if k.parts == nil {
		return ""
	}
	return hex.EncodeToString(k.parts.id[:])
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
