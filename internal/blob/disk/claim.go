package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxIdentity bounds what is read back.
const maxIdentity = 1 << 10

// Claim keeps the identity in the file of that name, one line.
func (s *Store) Claim(ctx context.Context, identity string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if identity == "" || len(identity) > maxIdentity || strings.ContainsAny(identity, "\r\n") {
		return "", fmt.Errorf("claim blob directory: %q is no identity", identity)
	}
	s.claiming.Lock()
	defer s.claiming.Unlock()
	path := filepath.Join(s.dir, "identity")
	recorded, err := readIdentity(path)
	if err == nil {
		return recorded, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("claim blob directory: %w", err)
	}
	if err := s.writable(); err != nil {
		return "", err
	}
	if err := s.record(path, identity); err != nil {
		return "", fmt.Errorf("claim blob directory: %w", err)
	}
	return identity, nil
}

func readIdentity(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxIdentity+2))
	if err != nil {
		return "", err
	}
	identity, rest, ok := strings.Cut(string(text), "\n")
	if !ok || identity == "" || rest != "" {
		return "", fmt.Errorf("%s does not hold an identity", path)
	}
	return identity, nil
}

// record writes the file beside its place and renames it there: it is whole
// or absent.
func (s *Store) record(path, identity string) error {
	beside := path + ".new"
	f, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, modeOpen)
	if err != nil {
		return full(err)
	}
	defer f.Close()
	if _, err := f.WriteString(identity + "\n"); err != nil {
		return full(err)
	}
	if err := f.Sync(); err != nil {
		return s.fail(err)
	}
	if err := os.Rename(beside, path); err != nil {
		return full(err)
	}
	if err := syncDirectory(s.dir); err != nil {
		return s.fail(err)
	}
	return nil
}
