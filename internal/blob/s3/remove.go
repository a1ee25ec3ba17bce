package s3

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/name"
)

// removeAtOnce is how many objects one request removes.
const removeAtOnce = 1000

// Remove takes the object away, or the upload with its parts and tails.
func (s *Store) Remove(ctx context.Context, at name.Location) error {
	_, err := s.RemoveAll(ctx, []name.Location{at})
	return err
}

// RemoveAll takes many away: what the uploads among them have, then the objects
// by one request for each thousand.
func (s *Store) RemoveAll(ctx context.Context, all []name.Location) ([]name.Location, error) {
	all, keys, strangers, failed := s.ours(ctx, all)
	kept, err := s.removeOurs(ctx, all, keys)
	return append(kept, strangers...), errors.Join(failed, err)
}

// ours tells the locations that this kind of store can have, with their keys,
// from others.
func (s *Store) ours(ctx context.Context, all []name.Location) (ours []name.Location, keys []string, strangers []name.Location, failed error) {
	for _, at := range all {
		key, err := s.key(ctx, at)
		if err != nil {
			strangers, failed = append(strangers, at), errors.Join(failed, err)
			continue
		}
		ours, keys = append(ours, at), append(keys, key)
	}
	return ours, keys, strangers, failed
}

func (s *Store) removeOurs(ctx context.Context, all []name.Location, keys []string) ([]name.Location, error) {
	if len(all) == 0 {
		return nil, nil
	}
	for i, at := range all { // keeps writers out meanwhile
		u := s.newUpload(at, keys[i])
		u.mu.Lock()
		defer u.mu.Unlock()
		defer u.finish()
		if err := s.takeOver(ctx, u); err != nil {
			return all, err
		}
	}
	if err := s.removeRests(ctx, all, keys); err != nil {
		return all, fmt.Errorf("remove blob: %w", err)
	}
	kept, err := s.deleteAll(ctx, keys)
	if err == nil {
		return nil, nil
	}
	var stay []name.Location
	for i, key := range keys {
		if slices.Contains(kept, key) {
			stay = append(stay, all[i])
		}
	}
	return stay, fmt.Errorf("remove blob: %w", err)
}

// listers is how many uploads are asked after at once.
const listers = 16

// removeRests takes the parts and tails of uploads away. What multipart uploads
// a key has is asked of each by itself: not every server lists those of many.
func (s *Store) removeRests(ctx context.Context, all []name.Location, keys []string) error {
	failed := make([]error, len(keys))
	var asking sync.WaitGroup
	turns := make(chan struct{}, listers)
	for i, key := range keys {
		turns <- struct{}{}
		asking.Go(func() {
			defer func() { <-turns }()
			_, failed[i] = s.abort(ctx, key, func(u types.MultipartUpload) bool { return aws.ToString(u.Key) == key })
		})
	}
	asking.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	rests, wanted := s.Prefix+tails, map[string]bool{}
	if len(all) == 1 {
		rests = s.tailPrefix(all[0])
	}
	for _, at := range all {
		wanted[s.tailPrefix(at)] = true
	}
	_, err := s.removeTails(ctx, rests, func(o types.Object) bool {
		key := aws.ToString(o.Key)
		return wanted[key[:strings.LastIndexByte(key, '.')+1]]
	})
	return err
}

// abort ends those multipart uploads below a prefix that are chosen.
func (s *Store) abort(ctx context.Context, prefix string, chosen func(types.MultipartUpload) bool) (int, error) {
	n := 0
	in := &s3.ListMultipartUploadsInput{Bucket: &s.Bucket, Prefix: &prefix}
	for {
		out, err := s.listUploads(ctx, in)
		if is(err, "NoSuchUpload", "NoSuchKey") { // so some say that there are none
			return n, nil
		}
		if err != nil {
			return n, s.fault(ctx, "list uploads", err)
		}
		for _, u := range out.Uploads {
			if !chosen(u) {
				continue
			}
			_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.Bucket, Key: u.Key, UploadId: u.UploadId})
			if err != nil && !is(err, "NoSuchUpload") {
				return n, s.fault(ctx, "end an upload", err)
			}
			n++
		}
		if !aws.ToBool(out.IsTruncated) || aws.ToString(out.NextKeyMarker) == "" {
			return n, nil
		}
		in.KeyMarker, in.UploadIdMarker = out.NextKeyMarker, out.NextUploadIdMarker
	}
}

func (s *Store) listUploads(ctx context.Context, in *s3.ListMultipartUploadsInput) (*s3.ListMultipartUploadsOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return s.client.ListMultipartUploads(ctx, in)
}

// removeTails removes those tail objects below a prefix that are chosen.
func (s *Store) removeTails(ctx context.Context, prefix string, chosen func(types.Object) bool) (int, error) {
	var found []string
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.Bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, s.fault(ctx, "list", err)
		}
		for _, o := range page.Contents {
			if chosen(o) {
				found = append(found, aws.ToString(o.Key))
			}
		}
	}
	if len(found) == 0 {
		return 0, nil
	}
	kept, err := s.deleteAll(ctx, found)
	return len(found) - len(kept), err
}

// deleteAll removes objects and returns the keys of those that stay.
func (s *Store) deleteAll(ctx context.Context, keys []string) (kept []string, err error) {
	if len(keys) == 1 {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := s.delete(ctx, keys[0]); err != nil {
			return keys, err
		}
		return nil, nil
	}
	for chunk := range slices.Chunk(keys, removeAtOnce) {
		stay, failed := s.deleteChunk(ctx, chunk)
		kept, err = append(kept, stay...), errors.Join(err, failed)
	}
	return kept, err
}

func (s *Store) deleteChunk(ctx context.Context, keys []string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	list := make([]types.ObjectIdentifier, len(keys))
	for i := range keys {
		list[i].Key = &keys[i]
	}
	out, err := s.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: &s.Bucket, Delete: &types.Delete{Objects: list, Quiet: aws.Bool(true)},
	})
	if err != nil {
		return keys, s.fault(ctx, "remove", err)
	}
	var kept []string
	for _, e := range out.Errors {
		if aws.ToString(e.Code) != "NoSuchKey" {
			kept = append(kept, aws.ToString(e.Key))
			err = s.failure(blob.ErrUnavailable, "cannot remove (%s)", aws.ToString(e.Code))
		}
	}
	return kept, err
}

// Sweep takes the parts and tails away of uploads that began before a time and
// were left behind. (Of parts minio lists none here, and removes them itself
// after a day.)
func (s *Store) Sweep(ctx context.Context, before time.Time) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.abort(ctx, s.Prefix+blobs, func(u types.MultipartUpload) bool {
		_, ours := s.locate(aws.ToString(u.Key))
		return ours && u.Initiated != nil && u.Initiated.Before(before)
	})
	if err != nil {
		return n, fmt.Errorf("sweep uploads: %w", err)
	}
	tails, err := s.removeTails(ctx, s.Prefix+tails, func(o types.Object) bool {
		return o.LastModified != nil && o.LastModified.Before(before)
	})
	if err != nil {
		return n + tails, fmt.Errorf("sweep uploads: %w", err)
	}
	return n + tails, nil
}

// List lists the objects; uploads have none.
func (s *Store) List(ctx context.Context, after name.Location, limit int) ([]blob.Item, name.Location, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	in := &s3.ListObjectsV2Input{Bucket: &s.Bucket, Prefix: aws.String(s.Prefix + blobs), MaxKeys: aws.Int32(int32(min(limit, removeAtOnce)))}
	if after != "" {
		key, err := s.key(ctx, after)
		if err != nil {
			return nil, "", err
		}
		in.StartAfter = &key
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		out, err := s.client.ListObjectsV2(ctx, in)
		if err != nil {
			return nil, "", fmt.Errorf("list blobs: %w", s.fault(ctx, "list", err))
		}
		var items []blob.Item
		for _, o := range out.Contents {
			if at, ok := s.locate(aws.ToString(o.Key)); ok {
				items = append(items, blob.Item{Location: at, Size: aws.ToInt64(o.Size), At: aws.ToTime(o.LastModified).UTC()})
			}
		}
		more := aws.ToBool(out.IsTruncated) && len(out.Contents) > 0
		switch {
		case !more:
			return items, "", nil
		case len(items) > 0:
			return items, items[len(items)-1].Location, nil
		}
		in.StartAfter = out.Contents[len(out.Contents)-1].Key // strangers' objects
	}
}
