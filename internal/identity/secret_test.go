package identity_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/identity"
)

func TestASecretNeverFormats(t *testing.T) {
	const canary = "canary-secret"
	secret := identity.NewSecret(canary)
	type open struct{ Secret identity.Secret }
	type closed struct{ secret identity.Secret }
	values := map[string]any{
		"the secret":               secret,
		"a pointer to it":          &secret,
		"a key":                    rootKey(canary),
		"a pointer to a key":       new(rootKey(canary)),
		"a slice of keys":          []identity.AccessKey{rootKey(canary)},
		"a struct with a field":    open{secret},
		"a struct with hidden one": closed{secret},
		"a map":                    map[string]identity.Secret{"k": secret},
	}
	verbs := []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%w", "%10s", "%T"}
	for what, v := range values {
		t.Run(what, func(t *testing.T) {
			var out bytes.Buffer
			for _, verb := range verbs {
				fmt.Fprintf(&out, verb+"\n", v)
			}
			slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
			slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
			text, err := json.Marshal(v)
			out.Write(text)
			fmt.Fprint(&out, err, errors.Join(fmt.Errorf("%v", v)))
			hexed := fmt.Sprintf("%x", canary)
			if s := out.String(); strings.Contains(s, canary) || strings.Contains(strings.ToLower(s), hexed) {
				t.Errorf("the secret shows:\n%s", s)
			}
		})
	}
	if secret.Reveal() != canary {
		t.Errorf("Reveal returned %q", secret.Reveal())
	}
	if got := fmt.Sprint(secret); got != "[redacted]" {
		t.Errorf("formats as %q", got)
	}
	if (identity.Secret{}).Reveal() != "" {
		t.Error("the zero secret is not empty")
	}
}
