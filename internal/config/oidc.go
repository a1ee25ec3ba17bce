package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// maxCAs is more than all CAs of the public take.
const maxCAs = 1 << 20

// OIDCCAs returns the CAs of the file that the setting names, in PEM; nothing
// if it names none.
func (c Config) OIDCCAs() ([]byte, error) {
	if c.OIDCCA == "" {
		return nil, nil
	}
	f, err := os.Open(c.OIDCCA)
	if err != nil {
		return nil, c.Fault("oidc-ca", err)
	}
	defer f.Close()
	pem, err := io.ReadAll(io.LimitReader(f, maxCAs+1))
	if err == nil && len(pem) > maxCAs {
		err = errors.New("the file is larger than a mebibyte")
	}
	if err != nil {
		return nil, c.Fault("oidc-ca", err)
	}
	return pem, nil
}

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
