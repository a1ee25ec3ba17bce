package config

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Credentials is an access key of the account's root.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey Secret
}

// credentialFile has the format of AWS's shared credentials files.
const credentialFile = "root-credentials"

var accessKeyID = regexp.MustCompile(`^[A-Za-z0-9_]{16,128}$`)

// RootCredentials returns the root key of a server with the data directory:
// the environment's, else the stored one, else a new one. What it returns is
// stored, in the place of what was there: a replaced key is gone.
func RootCredentials(dir string, environ []string) (Credentials, error) {
	stored, err := StoredCredentials(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Credentials{}, err
	}
	missing := err != nil
	c, given, err := givenCredentials(environ)
	switch {
	case err != nil:
		return Credentials{}, err
	case !given && !missing:
		return stored, os.Chmod(filepath.Join(dir, credentialFile), 0o600)
	case !given:
		c = newCredentials()
	case c == stored:
		return c, os.Chmod(filepath.Join(dir, credentialFile), 0o600)
	}
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", c.AccessKeyID, c.SecretAccessKey.Reveal())
	return c, writeFile(dir, credentialFile, text)
}

// StoredCredentials returns the root key of the server that uses the data
// directory. fs.ErrNotExist when none was ever started there.
func StoredCredentials(dir string) (Credentials, error) {
	path := filepath.Join(dir, credentialFile)
	f, err := os.Open(path)
	if err != nil {
		return Credentials{}, err
	}
	defer f.Close()
	var c Credentials
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, v, _ := strings.Cut(lines.Text(), "=")
		switch strings.TrimSpace(key) {
		case "aws_access_key_id":
			c.AccessKeyID = strings.TrimSpace(v)
		case "aws_secret_access_key":
			c.SecretAccessKey = Secret(strings.TrimSpace(v))
		}
	}
	if key, err := c.check(); err != nil {
		return c, fmt.Errorf("%s: %s %w; remove the file to get a new key", path, strings.ToLower(key), err)
	}
	return c, nil
}

// CheckRootCredentials returns what is wrong with the root key of the
// environment, if one is given.
func CheckRootCredentials(environ []string) error {
	_, _, err := givenCredentials(environ)
	return err
}

func givenCredentials(environ []string) (c Credentials, given bool, err error) {
	for _, line := range environ {
		switch variable, v, _ := strings.Cut(line, "="); variable {
		case rootKeyVariable:
			c.AccessKeyID = v
		case rootSecretVariable:
			c.SecretAccessKey = Secret(v)
		}
	}
	fault := func(variable, sentence string) error {
		return &Error{Key: variable, Source: "the environment", Err: errors.New(sentence)}
	}
	switch {
	case c == Credentials{}:
		return c, false, nil
	case c.AccessKeyID == "":
		return c, false, fault(rootKeyVariable, "must be given with "+rootSecretVariable)
	case c.SecretAccessKey == "":
		return c, false, fault(rootSecretVariable, "must be given with "+rootKeyVariable)
	}
	if key, err := c.check(); err != nil {
		return c, false, fault(prefix+"ROOT_"+key, err.Error())
	}
	return c, true, nil
}

// check returns which half cannot be used. Lengths and alphabet of the id: the
// IAM model's AccessKeyIdType, with lower-case letters as AWS's examples have.
func (c Credentials) check() (key string, err error) {
	if !accessKeyID.MatchString(c.AccessKeyID) {
		return "ACCESS_KEY_ID", errors.New("is not 16 to 128 letters, digits and underscores")
	}
	s := c.SecretAccessKey.Reveal()
	if len(s) < 8 || strings.TrimSpace(s) != s || strings.ContainsAny(s, "\r\n\x00") {
		return "SECRET_ACCESS_KEY", errors.New("is not at least 8 characters on one line without spaces around them")
	}
	return "", nil
}

// newCredentials draws a key: 20 characters as AWS's ids have, and a secret of
// 240 bits.
func newCredentials() Credentials {
	secret := make([]byte, 30)
	rand.Read(secret)
	return Credentials{
		AccessKeyID:     "AKIA" + rand.Text()[:16],
		SecretAccessKey: Secret(base64.StdEncoding.EncodeToString(secret)),
	}
}
