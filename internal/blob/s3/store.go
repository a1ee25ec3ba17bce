// Package s3 keeps blobs as objects of a bucket, by the S3 protocol.
//
// A location is "s3:" and 34 hexadecimal digits drawn at random; its object is
// PREFIX/blobs/AB/CDEF…, and while it is an upload, PREFIX/tails/ABCDEF….N
// holds what does not fill a part yet. Beyond the promises of package blob it
// promises:
//
//  1. An object appears whole or not at all, under the key that it keeps:
//     nothing is copied or renamed, and a key that has an object is not written
//     again (If-None-Match).
//  2. Memory is bounded for the process: bytes wait for S3 in buffers of one
//     pool. Who waits for one takes it from an upload that rests, whose bytes go
//     to its tail object before.
//  3. To resume an upload re-reads nothing but its tail object. Every checkpoint
//     is complete in what it returns and in S3: a process on another machine
//     can resume it.
//  4. Every part, tail and object is sent with its SHA-256, which S3 checks.
//
// Two processes may hold one upload, the newer of which has resumed it; S3
// cannot keep the older from writing. So the newer trusts nothing that it did
// not itself send or find in its checkpoint: an upload is completed from the
// ETags and SHA-256 sums of its parts, and a part that another has written over
// fails it; a tail must have the checkpoint's sum; an object that another has
// completed counts only if it is made of the very same parts. What fails that
// way is ErrClosed, and the client begins anew.
//
// Beside its objects an upload can leave behind parts and tails, when a process
// dies or loses it: Sweep takes those away that are too old to be anybody's.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/name"
)

// Config is where the bucket is, and how it is spoken to. Bucket must be set.
type Config struct {
	Bucket      string
	Prefix      string // of every key; with a slash at the end, or empty
	Region      string // empty: that of the AWS settings, else us-east-1 with an endpoint
	Endpoint    string // URL; empty: AWS's own
	PathStyle   bool   // the bucket in the path, not in the host name
	SSE         string // AES256, aws:kms, aws:kms:dsse; empty: what the bucket does
	SSEKMSKeyID string // with aws:kms; empty: the account's own key for S3
	Logger      *slog.Logger
	Backoff     time.Duration // between two tries of a request, at most; 0: 3 s
}

// Store is a blob.Store in a bucket.
type Store struct {
	Config
	client  *s3.Client // writes and questions
	streams *s3.Client // reads, which last as long as their clients
	signer  *s3.PresignClient
	idle    []*http.Transport
	pool    *pool
	tidying sync.WaitGroup // removal of tails that are not needed any more
	life    context.Context
	end     context.CancelFunc

	mu      sync.Mutex
	writers map[name.Location]*upload // the one writer of each location
	ended   bool
}

var (
	_ blob.Store     = (*Store)(nil)
	_ blob.Lister    = (*Store)(nil)
	_ blob.Presigner = (*Store)(nil)
	_ blob.Remover   = (*Store)(nil)
	_ blob.Sweeper   = (*Store)(nil)
)

// NewLocation draws a location.
func (s *Store) NewLocation() name.Location { return draw() }

// Create begins the upload of a new location; S3 is not asked. fs.ErrExist if it
// is being written here; if it has an object, Seal is ErrClosed.
func (s *Store) Create(ctx context.Context, at name.Location) (blob.Upload, error) {
	key, err := s.key(ctx, at)
	if err != nil {
		return nil, err
	}
	u := s.newUpload(at, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil, blob.ErrClosed
	}
	if s.writers[at] != nil {
		return nil, fmt.Errorf("create blob %s: %w", at, fs.ErrExist)
	}
	s.writers[at] = u
	return u, nil
}

// Resume continues an upload where the state says that it stood, which must be
// at offset. The former writer of this process is closed first.
func (s *Store) Resume(ctx context.Context, at name.Location, offset int64, text []byte) (blob.Upload, error) {
	key, err := s.key(ctx, at)
	if err != nil {
		return nil, err
	}
	u := s.newUpload(at, key)
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := s.takeOver(ctx, u); err != nil {
		return nil, err
	}
	err = u.restore(ctx, offset, text)
	if err != nil && u.ctx.Err() != nil && ctx.Err() == nil { // taken over meanwhile
		u.finish()
		return u, nil
	}
	if err != nil {
		u.finish()
		return nil, fmt.Errorf("resume blob: %w", err)
	}
	return u, nil
}

// Close ends all uploads. What their checkpoints cover stays, and another Store
// can resume them.
func (s *Store) Close() error {
	s.mu.Lock()
	s.ended = true
	writers := make([]*upload, 0, len(s.writers))
	for _, u := range s.writers {
		writers = append(writers, u)
	}
	s.mu.Unlock()
	for _, u := range writers {
		u.Close()
	}
	s.tidying.Wait()
	s.end()
	for _, t := range s.idle {
		t.CloseIdleConnections()
	}
	return nil
}

// key returns the key of a location's object, unless the request is over or the
// location is not of this kind of store.
func (s *Store) key(ctx context.Context, at name.Location) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	digits, ok := parse(at)
	if !ok {
		return "", fmt.Errorf("location %q is none of an S3 store: %w", at, blob.ErrNotFound)
	}
	return s.Prefix + blobs + digits[:2] + "/" + digits[2:], nil
}

// takeOver makes u the writer of its location and returns when the former one
// can write no more. u.mu is held: whoever takes over from u waits for it.
func (s *Store) takeOver(ctx context.Context, u *upload) error {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return blob.ErrClosed
	}
	former := s.writers[u.at]
	s.writers[u.at] = u
	s.mu.Unlock()
	if former != nil {
		s.Logger.DebugContext(ctx, "upload taken over", "location", string(u.at))
		former.Close()
	}
	return nil
}

// leave forgets u, unless somebody took over from it.
func (s *Store) leave(u *upload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writers[u.at] == u {
		delete(s.writers, u.at)
	}
}

// tidy removes an object that is not needed any more, when there is time. If
// it stays, Sweep or Remove takes it.
func (s *Store) tidy(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.tidying.Go(func() {
		ctx, cancel := context.WithTimeout(s.life, patience)
		defer cancel()
		if err := s.delete(ctx, key); err != nil {
			s.Logger.DebugContext(ctx, "the rest of an upload stays for now", "key", key, "error", err)
		}
	})
}

// patience is how long a question may take with all its tries, and transfer
// how long a part may, or the making of an object of its parts.
const (
	patience = time.Minute
	transfer = 5 * time.Minute
)

var errBroken = errors.New("the answer ended early")
