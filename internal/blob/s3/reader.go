package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/name"
)

// object reads an object by one answer from where it stands to the end. Seeking
// elsewhere costs another; one that breaks is taken up where it broke.
type object struct {
	store *Store
	ctx   context.Context
	key   string
	etag  string
	size  int64

	position int64         // of the next Read
	body     io.ReadCloser // nil: none is open
	at       int64         // where body stands
	stop     context.CancelFunc
	broken   int // answers that ended early, one after the other
}

// Open returns the bytes of a sealed location. They are asked for at once: most
// are read from the beginning to the end.
func (s *Store) Open(ctx context.Context, at name.Location) (blob.Reader, error) {
	key, err := s.key(ctx, at)
	if err != nil {
		return nil, err
	}
	o := &object{store: s, ctx: ctx, key: key}
	if err := o.ask(0); err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	return o, nil
}

// ask opens the answer from a position on.
func (o *object) ask(from int64) error {
	o.drop()
	in := &s3.GetObjectInput{Bucket: &o.store.Bucket, Key: &o.key}
	if from > 0 {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", from))
	}
	if o.etag != "" {
		in.IfMatch = &o.etag
	}
	ctx, stop := context.WithCancel(o.ctx)
	waiting := time.AfterFunc(patience, stop)
	out, err := o.store.streams.GetObject(ctx, in)
	if !waiting.Stop() && err == nil {
		err = context.DeadlineExceeded
		out.Body.Close()
	}
	if err != nil {
		stop()
		if is(err, "NoSuchKey") {
			return fmt.Errorf("no object %s: %w", o.key, blob.ErrNotFound)
		}
		return o.store.fault(o.ctx, "read", err)
	}
	if from == 0 {
		o.size = aws.ToInt64(out.ContentLength)
		o.etag = aws.ToString(out.ETag)
	}
	o.body, o.at, o.stop = out.Body, from, stop
	return nil
}

// Size is the number of bytes.
func (o *object) Size() int64 { return o.size }

// Read reads on. An answer that stands still is cut, and asked for again.
func (o *object) Read(b []byte) (int, error) {
	if o.position >= o.size {
		return 0, io.EOF
	}
	if len(b) == 0 {
		return 0, nil
	}
	for {
		if o.body == nil || o.at != o.position {
			if err := o.ask(o.position); err != nil {
				return 0, fmt.Errorf("read blob: %w", err)
			}
		}
		idle := time.AfterFunc(answering, o.stop)
		n, err := o.body.Read(b)
		idle.Stop()
		o.at, o.position = o.at+int64(n), o.position+int64(n)
		if n > 0 {
			o.broken = 0
			return n, nil
		}
		if err == nil {
			continue
		}
		o.drop()
		if o.broken++; o.broken == tries || o.ctx.Err() != nil {
			if errors.Is(err, io.EOF) {
				err = errBroken
			}
			return 0, fmt.Errorf("read blob: %w", o.store.fault(o.ctx, "read", err))
		}
	}
}

// Seek changes where the next Read begins; nothing is asked before it.
func (o *object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.position
	case io.SeekEnd:
		offset += o.size
	}
	if offset < 0 || whence < io.SeekStart || whence > io.SeekEnd {
		return 0, errors.New("seek in blob: no such position")
	}
	o.position = offset
	return offset, nil
}

// Close ends the answer.
func (o *object) Close() error {
	o.drop()
	return nil
}

// drop closes the answer. One that was not read to its end takes its connection
// with it, so that closing does not wait for the rest.
func (o *object) drop() {
	if o.body == nil {
		return
	}
	if o.at < o.size {
		o.stop()
	}
	o.body.Close()
	o.stop()
	o.body = nil
}

// Presign returns a URL that reads the location's object for a time.
func (s *Store) Presign(ctx context.Context, at name.Location, valid time.Duration) (string, error) {
	key, err := s.key(ctx, at)
	if err != nil {
		return "", err
	}
	request, err := s.signer.PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: &s.Bucket, Key: &key, ResponseContentType: aws.String("application/octet-stream"),
	}, s3.WithPresignExpires(valid))
	if err != nil {
		return "", s.fault(ctx, "sign", err)
	}
	return request.URL, nil
}
