package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// TLSSource is where the server's certificate comes from.
type TLSSource string

// The sources.
const (
	NoTLS         TLSSource = ""            // plain HTTP
	FilesTLS      TLSSource = "files"       // TLSCert and TLSKey
	SelfSignedTLS TLSSource = "self-signed" // a CA in the data directory
	ACMETLS       TLSSource = "acme"        // a CA that speaks ACME
)

// setTLS leaves FilesTLS to Validate: it is what two other settings say.
func setTLS(c *Config, v value) error {
	s, err := v.text()
	if err != nil {
		return err
	}
	switch t := TLSSource(s); t {
	case NoTLS, SelfSignedTLS, ACMETLS:
		c.TLS = t
		return nil
	}
	return fmt.Errorf("%q is neither self-signed nor acme (files are tls-cert and tls-key)%s",
		s, didYouMean(s, []string{string(SelfSignedTLS), string(ACMETLS)}))
}

func setList(of func(*Config) *[]string) func(*Config, value) error {
	return func(c *Config, v value) (err error) {
		*of(c), err = v.list()
		return err
	}
}

// validateTLS checks what the settings of TLS say together.
func (c *Config) validateTLS() (key string, err error) {
	if c.TLSCert != "" || c.TLSKey != "" {
		return c.validateFiles()
	}
	switch {
	case c.TLS == ACMETLS && len(c.ACMEHosts) == 0:
		return "tls", errors.New("acme needs acme-host: the public names of the server")
	case c.TLS != ACMETLS && len(c.ACMEHosts) > 0:
		return "acme-host", errors.New("needs tls to be acme")
	case c.TLS != ACMETLS && c.ACMEEmail != "":
		return "acme-email", errors.New("needs tls to be acme")
	case c.TLS != ACMETLS && c.ACMEDirectory != "":
		return "acme-directory", errors.New("needs tls to be acme")
	case c.TLS != ACMETLS && c.ACMECA != "":
		return "acme-ca", errors.New("needs tls to be acme")
	case c.TLS != SelfSignedTLS && len(c.TLSHosts) > 0:
		return "tls-host", errors.New("needs tls to be self-signed")
	case c.ACMEEmail != "" && (!strings.Contains(c.ACMEEmail, "@") || strings.ContainsAny(c.ACMEEmail, " ,")):
		return "acme-email", fmt.Errorf("%q is no mail address", c.ACMEEmail)
	}
	if u, err := url.Parse(c.ACMEDirectory); c.ACMEDirectory != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		return "acme-directory", fmt.Errorf("%q is no https URL", c.ACMEDirectory)
	}
	return "", nil
}

func (c *Config) validateFiles() (key string, err error) {
	switch {
	case c.TLS != NoTLS:
		return "tls", fmt.Errorf("%s makes certificates; leave out tls-cert and tls-key", c.TLS)
	case c.TLSCert == "":
		return "tls-key", errors.New("needs tls-cert beside it")
	case c.TLSKey == "":
		return "tls-cert", errors.New("needs tls-key beside it")
	}
	for _, f := range [][2]string{{"tls-cert", c.TLSCert}, {"tls-key", c.TLSKey}} {
		if _, err := os.ReadFile(f[1]); err != nil {
			return f[0], cannotRead(f[1], err)
		}
	}
	if _, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
		return "tls-cert", fmt.Errorf("%s and %s of tls-key are not a certificate and its key in PEM: %w", c.TLSCert, c.TLSKey, err)
	}
	c.TLS = FilesTLS
	return "", nil
}
