package certificate

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// FilesConfig is what Files is built from.
type FilesConfig struct {
	Certificate string // path of the chain in PEM, the leaf first
	Key         string // path of its key in PEM; it may be the same file
	Clock       func() time.Time
	Logger      *slog.Logger
}

// Files serves the certificate of two files, and what they are changed to. Its
// methods are safe for concurrent use.
type Files struct {
	c    FilesConfig
	calm calm

	pair    atomic.Pointer[tls.Certificate]
	checked atomic.Int64 // when, in Unix nanoseconds
	mu      sync.Mutex
	seen    [sha256.Size]byte // of what was last read, good or not
	last    error             // what came of it
}

// checkEvery is how long a pair is used before the files are read again.
const checkEvery = time.Second

// maxFile is more than any chain has.
const maxFile = 1 << 20

// NewFiles loads the pair. It fails if that cannot be.
func NewFiles(c FilesConfig) (*Files, error) {
	f := &Files{c: c, calm: calm{log: c.Logger}}
	if err := f.load(); err != nil {
		return nil, err
	}
	f.checked.Store(c.Clock().UnixNano())
	return f, nil
}

// TLS returns a configuration that serves the files' certificate.
func (f *Files) TLS() *tls.Config { return config(f.GetCertificate) }

// GetCertificate returns the pair. The first handshake after a second reads the
// files anew, and the others do not wait for it. The files are compared whole:
// they are small, and a file's time does not tell a change within its grain.
func (f *Files) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	now := f.c.Clock().UnixNano()
	since := time.Duration(now - f.checked.Load())
	if (since >= checkEvery || since < 0) && f.mu.TryLock() {
		defer f.mu.Unlock()
		f.checked.Store(now)
		err := f.load()
		if err != nil {
			f.calm.trouble("the changed TLS certificate is not usable; serving the one before", err)
		} else {
			f.calm.over()
		}
	}
	return f.pair.Load(), nil
}

// load reads the files and, if they changed, puts them to use.
func (f *Files) load() error {
	chain, err := read(f.c.Certificate)
	if err != nil {
		return fmt.Errorf("read the TLS certificate: %w", err)
	}
	key, err := read(f.c.Key)
	if err != nil {
		return fmt.Errorf("read the TLS key: %w", err)
	}
	sum := sha256.Sum256(append(append(chain[:len(chain):len(chain)], 0), key...))
	if sum == f.seen {
		return f.last
	}
	f.seen = sum
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		f.last = fmt.Errorf("TLS certificate %s with key %s: %w", f.c.Certificate, f.c.Key, err)
		return f.last
	}
	f.last = nil
	f.pair.Store(&pair)
	expiry(f.c.Logger, "serving the TLS certificate of "+f.c.Certificate, &pair, f.c.Clock())
	return nil
}

func read(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, errors.New(path + " is too large to be a certificate or a key")
	}
	return text, nil
}
