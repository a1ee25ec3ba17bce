package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/lighterage/lighterage/internal/blob"
)

// absent is the condition that an object is not there.
const absent = "*"

func (s *Store) sse() types.ServerSideEncryption { return types.ServerSideEncryption(s.SSE) }

func (s *Store) kmsKey() *string {
	if s.SSEKMSKeyID == "" {
		return nil
	}
	return aws.String(s.SSEKMSKeyID)
}

// putObject writes a whole object with its sum.
func (s *Store) putObject(ctx context.Context, key string, body []byte, digest sum, condition *string) error {
	ctx, cancel := context.WithTimeout(ctx, transfer)
	defer cancel()
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.Bucket, Key: &key, Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ChecksumSHA256: aws.String(encoded(digest)), IfNoneMatch: condition,
		ServerSideEncryption: s.sse(), SSEKMSKeyId: s.kmsKey(),
	}, hashed(digest))
	return err
}

// hashed has a request signed with the SHA-256 of its body that is known, so
// that it is not computed a second time.
func hashed(digest sum) func(*s3.Options) {
	known := middleware.InitializeMiddlewareFunc("KnownPayloadHash",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(v4.SetPayloadHash(ctx, hex.EncodeToString(digest[:])), in)
		})
	return s3.WithAPIOptions(func(stack *middleware.Stack) error { return stack.Initialize.Add(known, middleware.Before) })
}

// put makes an object that is not there of few bytes.
func (s *Store) put(ctx context.Context, key string, body []byte) error {
	digest := sha256.Sum256(body)
	err := s.putObject(ctx, key, body, digest, aws.String(absent))
	if is(err, "PreconditionFailed", "ConditionalRequestConflict") {
		md5sum := md5.Sum(body)
		return s.decide(ctx, key, int64(len(body)), encoded(digest), `"`+hex.EncodeToString(md5sum[:])+`"`, err)
	}
	return s.fault(ctx, "write", err)
}

// begin begins a multipart upload and returns its id.
func (s *Store) begin(ctx context.Context, key string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &s.Bucket, Key: &key, ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
		ServerSideEncryption: s.sse(), SSEKMSKeyId: s.kmsKey(),
	})
	if err != nil {
		return "", s.fault(ctx, "begin an upload", err)
	}
	return aws.ToString(out.UploadId), nil
}

// sendPart returns ErrClosed if the multipart upload is gone.
func (s *Store) sendPart(ctx context.Context, key, id string, number int, body []byte) (part, error) {
	ctx, cancel := context.WithTimeout(ctx, transfer)
	defer cancel()
	p := part{sum: sha256.Sum256(body)}
	out, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &s.Bucket, Key: &key, UploadId: &id, PartNumber: aws.Int32(int32(number)),
		Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ChecksumSHA256: aws.String(encoded(p.sum)),
	}, hashed(p.sum))
	if is(err, "NoSuchUpload") {
		return p, fmt.Errorf("the upload in S3 is gone: %w", blob.ErrClosed)
	}
	if err != nil {
		return p, s.fault(ctx, "write a part", err)
	}
	p.etag = aws.ToString(out.ETag)
	return p, nil
}

// complete makes the object of its parts. ErrClosed if it cannot be made of
// these any more.
func (s *Store) complete(ctx context.Context, key, id string, parts []part, size int64) error {
	ctx, cancel := context.WithTimeout(ctx, transfer)
	defer cancel()
	list := make([]types.CompletedPart, len(parts))
	for i, p := range parts {
		list[i] = types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: aws.String(p.etag), ChecksumSHA256: aws.String(encoded(p.sum))}
	}
	_, err := s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &s.Bucket, Key: &key, UploadId: &id, MultipartUpload: &types.CompletedMultipartUpload{Parts: list}, IfNoneMatch: aws.String(absent),
	})
	switch {
	case is(err, "NoSuchUpload", "PreconditionFailed", "ConditionalRequestConflict"):
		// Completed already: by a try whose answer was lost, or by another.
		return s.decide(ctx, key, size, wholeSum(parts), wholeETag(parts), err)
	case is(err, "InvalidPart", "InvalidPartOrder", "BadDigest"):
		return fmt.Errorf("another process has written to the upload (%w): %w", err, blob.ErrClosed)
	}
	return s.fault(ctx, "complete an upload", err)
}

// wholeETag is what most servers call an object of several parts; empty if the
// ETags of the parts do not tell.
func wholeETag(parts []part) string {
	h := md5.New()
	for _, p := range parts {
		raw, ok := rawMD5(p.etag)
		if !ok {
			return ""
		}
		h.Write(raw)
	}
	return fmt.Sprintf(`"%x-%d"`, h.Sum(nil), len(parts))
}

// decide looks whether the object that is there already is the one that was to
// be made: of the same size, and of the sum that S3 keeps, or where it keeps
// none, the ETag.
func (s *Store) decide(ctx context.Context, key string, size int64, digest, etag string, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.Bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
	if is(err, "NotFound", "NoSuchKey") {
		return fmt.Errorf("the upload in S3 is gone (%w): %w", cause, blob.ErrClosed)
	}
	if err != nil {
		return s.fault(ctx, "look at an object", err)
	}
	same := aws.ToString(out.ETag) == etag
	if kept := aws.ToString(out.ChecksumSHA256); kept != "" {
		same = kept == digest
	}
	if !same || aws.ToInt64(out.ContentLength) != size {
		return fmt.Errorf("another process has made the object: %w", blob.ErrClosed)
	}
	return nil
}

// sealed is ErrClosed if there is an object.
func (s *Store) sealed(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.Bucket, Key: &key})
	if is(err, "NotFound", "NoSuchKey") {
		return nil
	}
	if err != nil {
		return s.fault(ctx, "look at an object", err)
	}
	return fmt.Errorf("the object is made: %w", blob.ErrClosed)
}

// putTail writes a tail object over the one that is there.
func (s *Store) putTail(ctx context.Context, key string, body []byte, digest sum) error {
	return s.fault(ctx, "write", s.putObject(ctx, key, body, digest, nil))
}

// readTail reads the bytes of a tail that its checkpoint covers; there may be
// more. ErrNotFound if it is not there, ErrClosed if they are others.
func (s *Store) readTail(ctx context.Context, key string, into []byte, want tail) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, transfer)
	defer cancel()
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.Bucket, Key: &key})
	if is(err, "NoSuchKey") {
		return into, fmt.Errorf("the tail of the upload is gone: %w", blob.ErrNotFound)
	}
	if err != nil {
		return into, s.fault(ctx, "read", err)
	}
	defer out.Body.Close()
	into = into[:want.size]
	n, err := io.ReadFull(out.Body, into)
	if errors.Is(err, io.ErrUnexpectedEOF) && int64(n) == aws.ToInt64(out.ContentLength) || err == io.EOF {
		return into[:0], fmt.Errorf("the tail of the upload is too short: %w", blob.ErrClosed)
	}
	if err != nil {
		return into[:0], s.fault(ctx, "read", err)
	}
	if sha256.Sum256(into) != want.sum {
		return into[:0], fmt.Errorf("the tail of the upload is another's: %w", blob.ErrClosed)
	}
	return into, nil
}

// delete removes an object, if it is there.
func (s *Store) delete(ctx context.Context, key string) error {
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.Bucket, Key: &key})
	return s.fault(ctx, "remove", err)
}

// Ping tells whether the bucket can be read now.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.readClaim(ctx)
	if errors.Is(err, blob.ErrNotFound) {
		return nil
	}
	return err
}

// claimMax bounds what is read of the claim.
const claimMax = 1 << 10

// Claim keeps the identity, one line, in an object of its own, which is written
// if it is not there and never again.
func (s *Store) Claim(ctx context.Context, identity string) (string, error) {
	if identity == "" || len(identity) > claimMax || strings.ContainsAny(identity, "\r\n") {
		return "", fmt.Errorf("claim %s: %q is no identity", s.Place(), identity)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	recorded, err := s.readClaim(ctx)
	if !errors.Is(err, blob.ErrNotFound) {
		return recorded, err
	}
	body := []byte(identity + "\n")
	err = s.putObject(ctx, s.Prefix+claim, body, sha256.Sum256(body), aws.String(absent))
	if err != nil && !is(err, "PreconditionFailed", "ConditionalRequestConflict") {
		return "", s.fault(ctx, "write", err)
	}
	return s.readClaim(ctx)
}

func (s *Store) readClaim(ctx context.Context) (string, error) {
	key := s.Prefix + claim
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.Bucket, Key: &key})
	if is(err, "NoSuchKey") {
		return "", blob.ErrNotFound
	}
	if err != nil {
		return "", s.fault(ctx, "read", err)
	}
	defer out.Body.Close()
	text, err := io.ReadAll(io.LimitReader(out.Body, claimMax+2))
	if err != nil {
		return "", s.fault(ctx, "read", err)
	}
	recorded, ok := strings.CutSuffix(string(text), "\n")
	if !ok || recorded == "" || len(recorded) > claimMax || strings.ContainsAny(recorded, "\r\n") {
		return "", fmt.Errorf("%s: its %s does not hold an identity", s.Place(), key)
	}
	return recorded, nil
}
