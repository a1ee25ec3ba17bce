package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// ErrStoreGone is the error when of a page of blobs none has bytes.
var ErrStoreGone = errors.New("check: no blob has its bytes: the layer store is not there, or is not the one that belongs to the catalogue")

// goneLeast is how many blobs it takes to say so.
const goneLeast = 20

func isNotFound(err error) bool { return errors.Is(err, meta.ErrNotFound) }

// inline reports whether the metadata store has the bytes.
func inline(at name.Location) bool { return strings.HasPrefix(string(at), string(meta.Inline)) }

// verdict is what was found of a blob.
type verdict struct {
	blob meta.Blob
	kind Kind // empty: the bytes are right
	why  string
}

// blobs checks a page of them, or as many as there is time for.
func (p *piece) blobs(ctx context.Context) error {
	from := p.at
	var page []meta.CheckedBlob
	var last meta.BlobID
	err := p.Meta.View(ctx, func(tx meta.Tx) (err error) {
		if last, err = tx.LastBlob(); err != nil {
			return err
		}
		page, err = tx.Blobs(meta.Page[meta.BlobID]{After: p.at.blob(), Limit: atOnce})
		return err
	})
	if err != nil {
		return err
	}
	if len(page) == 0 {
		p.at = cursor{phase: Images}
		return nil
	}
	p.report.All = int64(last)
	var wrong []verdict
	var right []meta.BlobID
	stored, gone := 0, 0
	var failed error
	for _, b := range page {
		if p.Until != 0 && b.ID > p.Until {
			break
		}
		v, done, err := p.verify(ctx, b.Blob)
		if failed = err; err != nil || !done {
			break
		}
		p.at = cursor{phase: Blobs, after: int64(b.ID)}
		p.report.Blobs++
		p.report.Done = int64(b.ID)
		if !inline(b.Location) {
			stored++
		}
		if v.kind == MissingBytes && !inline(b.Location) {
			gone++
		}
		if v.kind == "" && b.State == meta.BlobOK {
			right = append(right, b.ID)
		} else {
			wrong = append(wrong, v)
		}
		if p.over() || len(wrong) >= findingsMax {
			break
		}
	}
	if gone >= goneLeast && gone == stored {
		p.at = from
		return ErrStoreGone
	}
	if err := errors.Join(p.judge(ctx, wrong), p.unkept(ctx, page), p.note(ctx, right)); err != nil {
		p.at = from // they are looked at again
		return err
	}
	return failed
}

// verify reads a blob's bytes; false: there was no time for all of them, and the
// cursor says how far it came.
func (p *piece) verify(ctx context.Context, b meta.Blob) (verdict, bool, error) {
	v := verdict{blob: b}
	h, offset := digest.NewHasher(b.Digest.Algorithm()), int64(0)
	r, err := p.open(ctx, b)
	if err == nil {
		defer r.Close()
		if size := r.Size(); size != b.Size {
			v.kind, v.why = WrongSize, fmt.Sprintf("it has %d bytes, not %d", size, b.Size)
			return v, true, nil
		}
		h, offset, err = p.resume(b, r, h)
	}
	for err == nil && offset < b.Size {
		var n int64
		n, err = io.CopyN(h, r, min(p.pace.chunk(), b.Size-offset))
		offset += n
		p.report.Bytes += n
		if err != nil {
			break
		}
		if err := p.pace.take(ctx, n); err != nil {
			return v, false, err
		}
		if offset < b.Size && p.over() {
			return v, false, p.within(b, h, offset)
		}
	}
	switch {
	case ctx.Err() != nil:
		return v, false, ctx.Err()
	case errors.Is(err, blob.ErrUnavailable), errors.Is(err, meta.ErrUnavailable):
		return v, false, err
	case errors.Is(err, blob.ErrNotFound), isNotFound(err):
		v.kind, v.why = MissingBytes, "there is nothing"
	case errors.Is(err, blob.ErrDamaged):
		v.kind, v.why = WrongBytes, "its bytes are not those that were written"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		v.kind, v.why = WrongSize, fmt.Sprintf("it ends after %d bytes, not %d", offset, b.Size)
	case err != nil:
		v.kind, v.why = Unreadable, err.Error()
	case h.Digest() != b.Digest:
		v.kind, v.why = WrongBytes, "its bytes hash to "+string(h.Digest())
	}
	return v, true, nil
}

// bytesReader is the bytes of a blob that the metadata store keeps.
type bytesReader struct{ *strings.Reader }

func (bytesReader) Close() error { return nil }

func (p *piece) open(ctx context.Context, b meta.Blob) (blob.Reader, error) {
	if !inline(b.Location) {
		return p.Blobs.Open(ctx, b.Location)
	}
	var body []byte
	err := p.Meta.View(ctx, func(tx meta.Tx) (err error) {
		body, err = tx.InlineBytes(b.ID)
		return err
	})
	if err == nil && p.Plain != nil {
		body, err = p.Plain(ctx, b, body)
	}
	return bytesReader{strings.NewReader(string(body))}, err
}

// resume goes on where the cursor is within the blob, if it is, or begins.
func (p *piece) resume(b meta.Blob, r blob.Reader, fresh *digest.Hasher) (*digest.Hasher, int64, error) {
	if p.at.offset == 0 || p.at.at != b.Location || p.at.offset > b.Size {
		return fresh, 0, nil
	}
	h, err := digest.ResumeHasher([]byte(p.at.state))
	if err != nil || h.Algorithm() != b.Digest.Algorithm() {
		return fresh, 0, nil
	}
	_, err = r.Seek(p.at.offset, io.SeekStart)
	return h, p.at.offset, err
}

// within notes how far a blob was read.
func (p *piece) within(b meta.Blob, h *digest.Hasher, offset int64) error {
	state, err := h.State()
	if err != nil {
		return err
	}
	p.at.offset, p.at.state, p.at.at = offset, string(state), b.Location
	return nil
}

// judge tells what is wrong of blobs that are still what they were, and marks
// them, or clears those that were marked and are right.
func (p *piece) judge(ctx context.Context, all []verdict) error {
	for _, v := range all {
		f := Finding{Kind: v.kind, Digest: v.blob.Digest, Location: v.blob.Location, Size: v.blob.Size, Detail: v.why}
		state := map[Kind]meta.BlobState{MissingBytes: meta.BlobMissing, "": meta.BlobOK}[v.kind]
		if state == 0 {
			state = meta.BlobSuspect
		}
		if v.kind == "" {
			f.Kind, f.Detail = Marked, "it was marked, and its bytes are right"
		}
		there := false
		look := func(tx meta.Tx) error {
			now, err := tx.BlobOf(v.blob.ID)
			if there = err == nil && now == v.blob; isNotFound(err) {
				return nil
			}
			if err != nil || !there {
				return err
			}
			f.Where, err = holders(tx, v.blob.ID)
			if err != nil || !p.Mark {
				return err
			}
			if now.State != state {
				_, err = tx.MarkBlob(v.blob.ID, v.blob.Location, state)
			}
			return err
		}
		transact := p.Meta.View
		if p.Mark {
			transact = p.Meta.Update
			f.Remedy = Suspected
			if v.kind == "" {
				f.Remedy = Cleared
			}
		}
		if err := transact(ctx, look); err != nil {
			return err
		}
		if there {
			p.found(f)
		}
	}
	return nil
}

// holders are repositories with a layer of the blob.
func holders(tx meta.Tx, id meta.BlobID) ([]meta.RepositoryKey, error) {
	layers, err := tx.LayersOf(id, holdersMax)
	if err != nil {
		return nil, err
	}
	var ids []meta.RepositoryID
	for _, l := range layers {
		ids = append(ids, l.Repository)
	}
	return namesOf(tx, ids...)
}

// unkept looks for blobs of a page, up to the cursor, that nothing keeps.
func (p *piece) unkept(ctx context.Context, page []meta.CheckedBlob) error {
	var found []meta.Blob
	err := p.Meta.View(ctx, func(tx meta.Tx) error {
		found = nil
		for _, b := range page {
			if b.ID > p.at.blob() {
				break
			}
			now, loose, err := loose(tx, b.ID)
			if err != nil {
				return err
			}
			if loose {
				found = append(found, now)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, b := range found {
		f := Finding{Kind: Unkept, Digest: b.Digest, Location: b.Location, Size: b.Size, Detail: "no layer keeps it, and nothing in the trash"}
		if p.Repair {
			f.Remedy = Quarantined
			kept := false
			err := p.Meta.Update(ctx, func(tx meta.Tx) error {
				now, err := tx.Now()
				if err != nil {
					return err
				}
				_, still, err := loose(tx, b.ID)
				if kept = !still; err != nil || kept {
					return err
				}
				return tx.DeleteBlob(b.ID, now.Add(p.Quarantine))
			})
			if err != nil {
				return err
			}
			if kept {
				continue
			}
		}
		p.found(f)
	}
	return nil
}

// loose reports whether a blob is there and nothing keeps it.
func loose(tx meta.Tx, id meta.BlobID) (meta.Blob, bool, error) {
	b, err := tx.BlobOf(id)
	if isNotFound(err) {
		return b, false, nil
	}
	if err != nil {
		return b, false, err
	}
	kept, err := tx.BlobKept(id)
	return b, !kept, err
}

// note notes that bytes were right.
func (p *piece) note(ctx context.Context, right []meta.BlobID) error {
	if !p.Note || len(right) == 0 {
		return nil
	}
	return p.Meta.Update(ctx, func(tx meta.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		return tx.SetVerified(right, now)
	})
}
