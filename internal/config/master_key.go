package config

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/lighterage/lighterage/internal/seal"
)

// KeySource is where a master key is. No field holds a secret.
type KeySource struct {
	Scheme   string // file, env or awskms
	Name     string // path, variable, or KMS key: its ARN, id or alias/name
	Region   string // of awskms; may be empty
	Endpoint string // of awskms; may be empty
}

// String is the source as it is set.
func (s KeySource) String() string {
	if s.Scheme != "awskms" {
		return s.Scheme + ":" + s.Name
	}
	q := url.Values{}
	if s.Region != "" {
		q.Set("region", s.Region)
	}
	if s.Endpoint != "" {
		q.Set("endpoint", redactURL(s.Endpoint))
	}
	if len(q) == 0 {
		return "awskms://" + s.Name
	}
	return "awskms://" + s.Name + "?" + q.Encode()
}

// masterKeyFile is the master key of a server that was given none.
const masterKeyFile = "master-key"

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// setMasterKey quotes nothing of what it was given: somebody may have given
// the key itself.
func setMasterKey(c *Config, v value) error {
	list, err := v.list()
	if err != nil {
		return err
	}
	c.MasterKeys = nil
	for i, s := range list {
		source, err := parseKeySource(s)
		if err != nil {
			if len(list) > 1 {
				return fmt.Errorf("key %d of %d %w", i+1, len(list), err)
			}
			return err
		}
		c.MasterKeys = append(c.MasterKeys, source)
	}
	return nil
}

func parseKeySource(s string) (KeySource, error) {
	scheme, rest, ok := strings.Cut(s, ":")
	switch {
	case ok && scheme == "file":
		if rest == "" {
			return KeySource{}, errors.New("names no file behind its scheme")
		}
		return KeySource{Scheme: scheme, Name: filepath.Clean(rest)}, nil
	case ok && scheme == "env":
		switch {
		case !variableName.MatchString(rest):
			return KeySource{}, errors.New("names no environment variable behind its scheme")
		case strings.HasPrefix(rest, prefix):
			return KeySource{}, errors.New("names a variable that begins with " + prefix + ", as settings do; choose another")
		}
		return KeySource{Scheme: scheme, Name: rest}, nil
	case ok && scheme == "awskms":
		return parseKMS(rest)
	}
	return KeySource{}, errors.New("is not file:PATH, env:NAME or awskms://KEY; a key itself does not belong into the settings")
}

// parseKMS reads //KEY?region=…&endpoint=…, where an ARN may follow a third
// slash as well.
func parseKMS(rest string) (KeySource, error) {
	rest, ok := strings.CutPrefix(rest, "//")
	key, parameters, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "?")
	if !ok || !keyName.MatchString(key) {
		return KeySource{}, errors.New("names no KMS key after awskms://: an ARN, an id or alias/NAME")
	}
	q, err := url.ParseQuery(parameters)
	if err != nil {
		return KeySource{}, errors.New("has parameters after ? that are not name=value")
	}
	for name := range q {
		if name != "region" && name != "endpoint" {
			return KeySource{}, fmt.Errorf("has a parameter that is neither region nor endpoint%s", didYouMean(name, []string{"region", "endpoint"}))
		}
	}
	source := KeySource{Scheme: "awskms", Name: key, Region: q.Get("region"), Endpoint: q.Get("endpoint")}
	if e, err := url.Parse(source.Endpoint); source.Endpoint != "" && (err != nil || e.Scheme != "https" && e.Scheme != "http" || e.Host == "") {
		return KeySource{}, errors.New("has an endpoint that is no http or https URL")
	}
	return source, nil
}

// ReadMasterKey reads the key of a source of the scheme file or env. Errors
// hold nothing of the key.
func ReadMasterKey(s KeySource, environ []string) (seal.Key, error) {
	text := ""
	if s.Scheme == "env" {
		for _, line := range environ {
			if v, ok := strings.CutPrefix(line, s.Name+"="); ok {
				text = v
			}
		}
		if text == "" {
			return seal.Key{}, fmt.Errorf("the environment variable %s is not set", s.Name)
		}
	} else {
		b, err := os.ReadFile(s.Name)
		if err != nil {
			return seal.Key{}, cannotRead(s.Name, err)
		}
		text = string(b)
	}
	k, err := seal.Parse(text)
	if err != nil {
		return seal.Key{}, fmt.Errorf("%s: %w", s, err)
	}
	return k, nil
}

// StoredMasterKey returns the key that the data directory keeps. fs.ErrNotExist
// when none was made there.
func StoredMasterKey(dir string) (seal.Key, error) {
	path := filepath.Join(dir, masterKeyFile)
	b, err := os.ReadFile(path)
	if err != nil {
		return seal.Key{}, err
	}
	k, err := seal.Parse(string(b))
	if err != nil {
		return seal.Key{}, fmt.Errorf("%s: %w", path, err)
	}
	return k, os.Chmod(path, 0o600)
}

// MakeMasterKey draws a key and keeps it in the data directory. It replaces
// what is there: the caller looked before, under the directory's lock.
func MakeMasterKey(dir string) (k seal.Key, path string, err error) {
	text := seal.Generate()
	if k, err = seal.Parse(text); err != nil {
		return k, "", err
	}
	return k, filepath.Join(dir, masterKeyFile), writeFile(dir, masterKeyFile, text+"\n")
}
