package config

import (
	"fmt"
	"io"
	"os"
)

// maxCAs is more than all CAs of the public take.
const maxCAs = 1 << 20

// ACMECAs returns the CAs of the file that the setting names, in PEM; nothing
// if it names none.
func (c Config) ACMECAs() ([]byte, error) { return c.cas("acme-ca", c.ACMECA) }

// cas reads the file that a setting names.
func (c Config) cas(key, path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, c.Fault(key, cannotRead(path, err))
	}
	defer f.Close()
	pem, err := io.ReadAll(io.LimitReader(f, maxCAs+1))
	if err != nil {
		return nil, c.Fault(key, cannotRead(path, err))
	}
	if len(pem) > maxCAs {
		return nil, c.Fault(key, fmt.Errorf("%s is larger than a mebibyte", path))
	}
	return pem, nil
}
