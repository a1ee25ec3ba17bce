package config

import (
	"fmt"
	"io"
	"net/url"
)

// Secret is a text that no formatting shows.
type Secret string

const hidden = "[redacted]"

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the text.
func (s Secret) String() string { return hidden }

// Format hides the text from every verb.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// MarshalText hides the text from encoders and structured logs.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// redactURL hides the password, in the user part and among the parameters. A
// URL that cannot be parsed is hidden whole.
func redactURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return hidden
	}
	q := u.Query()
	for _, key := range []string{"password", "sslpassword"} {
		if q.Has(key) {
			q.Set(key, "xxxxx")
			u.RawQuery = q.Encode()
		}
	}
	return u.Redacted()
}
