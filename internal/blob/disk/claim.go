package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/lighterage/lighterage/internal/blob"
)

const maxIdentity = 1 << 10

// Claim keeps the identity, one line of at most 1024 bytes, in the file of
// that name. A file that holds something else is an error, never replaced.
func (s *Store) Claim(ctx context.Context, identity string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if !isIdentity(identity) {
		return "", fmt.Errorf("claim blob directory: %q is no identity", identity)
	}
	s.claiming.Lock()
	defer s.claiming.Unlock()
	path := filepath.Join(s.dir, "identity")
	text, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s.record(path, identity)
	}
	if err != nil {
		return "", fmt.Errorf("claim blob directory: %w", err)
	}
	recorded, ok := strings.CutSuffix(text, "\n")
	if !ok || !isIdentity(recorded) {
		return "", fmt.Errorf("claim blob directory: %s does not hold an identity", path)
	}
	return recorded, nil
}

func isIdentity(s string) bool {
	return s != "" && len(s) <= maxIdentity && !strings.ContainsAny(s, "\r\n")
}

func (s *Store) record(path, identity string) (string, error) {
	if err := s.writable(); err != nil {
		return "", err
	}
	err := writeDurably(path, identity+"\n")
	if errors.Is(err, blob.ErrSync) {
		return "", s.fail(err)
	}
	if err != nil {
		return "", fmt.Errorf("claim blob directory: %w", err)
	}
	return identity, nil
}
