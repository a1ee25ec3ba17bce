package identity

import (
	"fmt"
	"log/slog"
)

// Secret is a secret that never formats: no verb, encoder or logger shows it.
// The zero value is the empty secret.
type Secret struct {
	// A pointer, because fmt walks into unexported fields of others without
	// asking Format, and stops at a pointer.
	value *string
}

// NewSecret takes a secret in.
func NewSecret(s string) Secret { return Secret{&s} }

// Reveal returns the secret, for the one line that computes with it.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

const redacted = "[redacted]"

// String, GoString, Format, LogValue, MarshalText and MarshalJSON say that
// there is a secret, and nothing of it.
func (s Secret) String() string               { return redacted }
func (s Secret) GoString() string             { return redacted }
func (s Secret) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(redacted)) }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
