package oci

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// holdersTried bounds the repositories that a mount without a source looks at.
const holdersTried = 20

// startUpload answers POST: a mount, a whole layer in one request, or the
// beginning of an upload.
func (f *front) startUpload(c *call) error {
	asked, err := readStart(c.r.URL)
	if err != nil {
		return err
	}
	// A client that only announces the digest sends no body: it goes on with
	// PATCH or PUT.
	atOnce := asked.whole != "" && (c.r.ContentLength != 0 || asked.whole == digest.Of(asked.algorithm, nil))
	if atOnce {
		if err := f.allowUpload(c); err != nil {
			return err
		}
	}
	if asked.mount != "" {
		if done, err := f.mount(c, asked.mount, asked.from); done || err != nil {
			return err
		}
	}
	id, err := f.Catalogue.StartUpload(c.r.Context(), c.key, asked.algorithm)
	if fault.Is(err, fault.RepositoryNotFound) {
		if err = f.createOnPush(c, err); err == nil {
			id, err = f.Catalogue.StartUpload(c.r.Context(), c.key, asked.algorithm)
		}
	}
	if err != nil {
		return err
	}
	if !atOnce {
		return f.accepted(c, id, 0)
	}
	if err := f.finishUpload(c, id, asked.whole, registry.Anywhere, c.r.Body); err != nil {
		// Nobody was told the id. The client may be gone, and its context too.
		_ = f.Catalogue.CancelUpload(context.WithoutCancel(c.r.Context()), c.key, id)
		return err
	}
	return c.created(asked.whole)
}

// start is what the query of a POST asks for.
type start struct {
	algorithm digest.Algorithm
	whole     digest.Digest // of the layer, if it comes with the POST
	mount     digest.Digest
	from      string
}

func readStart(u *url.URL) (s start, err error) {
	s.algorithm = digest.SHA256
	if u.RawQuery == "" {
		return s, nil
	}
	q := u.Query()
	s.from = q.Get("from")
	if a := q.Get("digest-algorithm"); a != "" {
		if s.algorithm, err = digest.ParseAlgorithm(a); err != nil {
			return s, err
		}
	}
	if d := q.Get("mount"); d != "" {
		if s.mount, err = digest.Parse(d); err != nil {
			return s, err
		}
		s.algorithm = s.mount.Algorithm()
	}
	if d := q.Get("digest"); d != "" {
		if s.whole, err = digest.Parse(d); err != nil {
			return s, err
		}
		s.algorithm = s.whole.Algorithm()
	}
	return s, nil
}

// allowUpload asks for what completing a layer takes beside beginning it.
func (f *front) allowUpload(c *call) error {
	if err := f.allow(c, "ecr:UploadLayerPart"); err != nil {
		return err
	}
	return f.allow(c, "ecr:CompleteLayerUpload")
}

// accepted answers 202 with where to go on and how far the upload is.
func (f *front) accepted(c *call, id name.UploadID, offset int64) error {
	f.progress(c, id, offset)
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}

func (f *front) progress(c *call, id name.UploadID, offset int64) {
	h := c.w.Header()
	h["Location"] = []string{c.locate("blobs", "uploads", string(id))}
	h["Range"] = []string{"0-" + strconv.FormatInt(max(offset-1, 0), 10)}
	if !f.Strict { // distribution/distribution#2927
		h["Docker-Upload-Uuid"] = []string{string(id)}
	}
	h["Content-Length"] = []string{"0"}
}

// created answers 201 for a layer that is there.
func (c *call) created(d digest.Digest) error {
	h := c.w.Header()
	h["Location"] = []string{c.locate("blobs", string(d))}
	h["Docker-Content-Digest"] = []string{string(d)}
	h["Content-Length"] = []string{"0"}
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

// mount makes a layer of another repository visible here, if the caller may
// pull it from there and complete layers here. Whatever is in the way, the
// answer is a plain upload, never an error: whether the source exists stays
// unknown.
func (f *front) mount(c *call, d digest.Digest, from string) (bool, error) {
	if c.key.Space != registry.ECR || f.allowUpload(c) != nil {
		return false, nil
	}
	sources, err := f.sources(c, d, from)
	if err != nil {
		return false, err
	}
	ctx := access.Together(c.r.Context())
	for _, source := range sources {
		pulls, err := f.mayPull(ctx, c, source)
		if errors.Is(err, access.ErrTooCostly) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if !pulls {
			continue
		}
		mounted, err := f.Catalogue.MountLayer(c.r.Context(), c.key, source, d)
		if fault.Is(err, fault.RepositoryNotFound) {
			if err = f.createOnPush(c, err); err == nil {
				mounted, err = f.Catalogue.MountLayer(c.r.Context(), c.key, source, d)
			}
		}
		if err != nil {
			return false, err
		}
		if mounted {
			return true, c.created(d)
		}
	}
	return false, nil
}

// mayPull asks for what reading a layer of another repository takes.
func (f *front) mayPull(ctx context.Context, c *call, source registry.RepositoryKey) (bool, error) {
	allowed, err := f.may(ctx, c, "ecr:BatchCheckLayerAvailability", source)
	if err != nil || !allowed {
		return false, err
	}
	return f.may(ctx, c, "ecr:GetDownloadUrlForLayer", source)
}

func (f *front) sources(c *call, d digest.Digest, from string) ([]registry.RepositoryKey, error) {
	if from == "" {
		if f.Strict {
			return nil, nil
		}
		return f.Catalogue.LayerHolders(c.r.Context(), c.key.Registry, d, holdersTried)
	}
	parsed, err := name.ParseRepositoryName(from)
	if err != nil {
		return nil, nil
	}
	return []registry.RepositoryKey{{Registry: c.key.Registry, Space: registry.ECR, Name: parsed}}, nil
}

func (c *call) uploadID() (name.UploadID, error) { return name.ParseUploadID(c.lastPart()) }

// patchUpload answers PATCH: a stream, or a chunk with its place.
func (f *front) patchUpload(c *call) error {
	id, err := c.uploadID()
	if err != nil {
		return err
	}
	at, body, err := chunk(c.r)
	if err != nil {
		return f.withProgress(c, id, err)
	}
	l := f.lasting(c, body, "ecr:UploadLayerPart")
	offset, err := f.Catalogue.AppendUpload(c.r.Context(), c.key, id, at, l)
	if err = cmp.Or(l.refused, err); err != nil {
		return f.withProgress(c, id, err)
	}
	f.progress(c, id, offset)
	if f.Strict { // aws/containers-roadmap#2831, dotnet/sdk-container-builds#279
		c.w.WriteHeader(http.StatusCreated)
		return nil
	}
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}

// withProgress tells the client of a refused chunk how far the upload is.
func (f *front) withProgress(c *call, id name.UploadID, err error) error {
	if e := fault.Of(err); e.Reason == fault.RangeInvalid {
		if offset, statusErr := f.Catalogue.UploadOffset(c.r.Context(), c.key, id); statusErr == nil {
			f.progress(c, id, offset)
		}
	}
	return err
}

// chunk reads where a body belongs: Content-Range is "first-last" (spec), with
// "bytes " before and "/size" after it tolerated.
func chunk(r *http.Request) (at int64, body io.Reader, err error) {
	s := r.Header.Get("Content-Range")
	if s == "" {
		return registry.Anywhere, r.Body, nil
	}
	first, size, ok := parseRange(s)
	if !ok || r.ContentLength >= 0 && r.ContentLength != size {
		return 0, nil, &fault.Error{Reason: fault.RangeInvalid, Value: s, LastByte: -1}
	}
	return first, &exactly{r.Body, size}, nil
}

func parseRange(s string) (first, size int64, ok bool) {
	s, _, _ = strings.Cut(strings.TrimPrefix(s, "bytes "), "/")
	a, b, _ := strings.Cut(s, "-")
	first, last := position(a), position(b)
	return first, last - first + 1, first >= 0 && last >= first && last < math.MaxInt64
}

// position reads a byte's place; -1 if it is none.
func position(s string) int64 {
	n, err := strconv.ParseUint(s, 10, 63) // takes no sign
	if err != nil {
		return -1
	}
	return int64(n)
}

// exactly reads n bytes of r, and fails if there are fewer or more: a body of
// no announced length may not be what its Content-Range says.
type exactly struct {
	r io.Reader
	n int64
}

func (e *exactly) Read(p []byte) (int, error) {
	if e.n == 0 {
		return 0, e.end()
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.n)])
	e.n -= int64(n)
	if err == io.EOF && e.n > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

var errTooLong = errors.New("the body goes on after its range")

func (e *exactly) end() error {
	n, err := io.ReadFull(e.r, make([]byte, 1))
	if n > 0 {
		return errTooLong
	}
	return err
}

// putUpload answers PUT: the rest of the bytes, if any, and the digest.
func (f *front) putUpload(c *call) error {
	id, err := c.uploadID()
	if err != nil {
		return err
	}
	d, err := digest.Parse(c.r.URL.Query().Get("digest"))
	if err != nil {
		return err
	}
	at, body, err := chunk(c.r)
	if err != nil {
		return f.withProgress(c, id, err)
	}
	if c.r.ContentLength == 0 {
		body = nil
	} else if err := f.allow(c, "ecr:UploadLayerPart"); err != nil {
		return err
	}
	if err := f.finishUpload(c, id, d, at, body); err != nil {
		return f.withProgress(c, id, err)
	}
	return c.created(d)
}

// lastingPiece is how many bytes of a body arrive before its sender is looked
// at again.
const lastingPiece = 16 << 20

// lasting is a body that goes on, and ends, only while check says so.
type lasting struct {
	io.Reader
	check   func() error
	passed  int64 // bytes since check was asked
	refused error
}

// lasting makes a body last while its sender may still do the actions.
func (f *front) lasting(c *call, body io.Reader, actions ...string) *lasting {
	return &lasting{Reader: body, check: func() error { return f.still(c, actions...) }}
}

// Read gives no byte of a piece for which the sender is refused.
func (l *lasting) Read(p []byte) (int, error) {
	if l.refused != nil {
		return 0, l.refused
	}
	n, err := l.Reader.Read(p)
	l.passed += int64(n)
	if err == io.EOF || l.passed >= lastingPiece {
		l.passed = 0
		if l.refused = l.check(); l.refused != nil {
			return 0, l.refused
		}
	}
	return n, err
}

// finishUpload completes a layer with the rest of its bytes, if there are any.
func (f *front) finishUpload(c *call, id name.UploadID, d digest.Digest, at int64, body io.Reader) error {
	if body == nil {
		return f.Catalogue.FinishUpload(c.r.Context(), c.key, id, d, at, nil)
	}
	l := f.lasting(c, body, "ecr:UploadLayerPart", "ecr:CompleteLayerUpload")
	err := f.Catalogue.FinishUpload(c.r.Context(), c.key, id, d, at, l)
	return cmp.Or(l.refused, err)
}

func (f *front) getUpload(c *call) error {
	id, err := c.uploadID()
	if err != nil {
		return err
	}
	offset, err := f.Catalogue.UploadOffset(c.r.Context(), c.key, id)
	if err != nil {
		return err
	}
	f.progress(c, id, offset)
	delete(c.w.Header(), "Content-Length") // 204 has none
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (f *front) cancelUpload(c *call) error {
	id, err := c.uploadID()
	if err != nil {
		return err
	}
	if err := f.Catalogue.CancelUpload(c.r.Context(), c.key, id); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
