package config

import (
	"fmt"
	"time"
)

// OIDCCAs returns the CAs of the file that the setting names, in PEM; nothing
// if it names none.
func (c Config) OIDCCAs() ([]byte, error) { return c.cas("oidc-ca", c.OIDCCA) }

// The bounds of a login: shorter, and a push may not end with the login that it
// began with; longer is longer than AWS's.
const (
	minTokenTTL = time.Minute
	maxTokenTTL = 12 * time.Hour
)

func setTokenTTL(c *Config, v value) error {
	if err := setDuration(func(c *Config) *time.Duration { return &c.TokenTTL })(c, v); err != nil {
		return err
	}
	if c.TokenTTL < minTokenTTL || c.TokenTTL > maxTokenTTL {
		return fmt.Errorf("%s is not between %s and %s", c.TokenTTL, minTokenTTL, maxTokenTTL)
	}
	return nil
}
