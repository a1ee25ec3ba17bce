package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/blob/blobtest"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// client does what clients do: it repeats a call that failed for a reason of
// the server's, then gives up, and begins its act anew.
type client struct {
	*breakable
	t    *testing.T
	k    registry.RepositoryKey
	seed uint64
	has  []digest.Digest // layers that were acknowledged
	body map[digest.Digest][]byte
}

// again calls twice at most. What is visible between is whole.
func (c *client) again(call func() error) error {
	err := call()
	if kind := fault.Of(err); err == nil || kind.Kind() != fault.Internal && kind.Kind() != fault.Unavailable {
		return err
	}
	c.check(c.k)
	if err = call(); err != nil && fault.Of(err).Kind() == fault.Internal {
		c.t.Errorf("the same call again: %v", err)
	}
	return err
}

// bytes returns the n bytes of the act, which are the same each time.
func (c *client) bytes(n int) ([]byte, digest.Digest) {
	b := random(n, c.seed)
	d := digest.Of(digest.SHA256, b)
	c.body[d] = b
	return b, d
}

// layer pushes n bytes in chunks, and asks after a failure how far it got.
func (c *client) layer(n, chunk int) (digest.Digest, error) {
	body, d := c.bytes(n)
	id, err := c.StartUpload(c.ctx, c.k, digest.SHA256)
	if err != nil {
		return d, err
	}
	failures := 0
	for at := int64(0); at < int64(n); {
		end := min(at+int64(chunk), int64(n))
		if at, err = c.AppendUpload(c.ctx, c.k, id, at, bytes.NewReader(body[at:end])); err == nil {
			continue
		}
		c.check(c.k)
		if failures++; failures > 1 {
			return d, err
		}
		if at, err = c.UploadOffset(c.ctx, c.k, id); err != nil {
			return d, err
		}
	}
	err = c.again(func() error { return c.FinishUpload(c.ctx, c.k, id, d, registry.Anywhere, nil) })
	if err == nil {
		c.has = append(c.has, d)
	}
	return d, err
}

// act is something a client does.
type act struct {
	name    string
	prepare func(c *client) error // not disturbed
	do      func(c *client) error
	tags    string // in the end
	gone    bool   // the repository is
}

func acknowledged(c *client, d digest.Digest, err error) error {
	if err == nil {
		c.has = append(c.has, d)
	}
	return err
}

func pushed(c *client) error {
	_, err := c.layer(200_000, 200_000)
	return err
}

// image is a manifest of the layer that the client pushed, with the seed.
func (c *client) image(seed string) []byte {
	_, d := c.bytes(200_000)
	return append(manifestOf(d, 200_000, d, 200_000), seed...)
}

func (c *client) puts(body []byte, tags ...name.Tag) error {
	return c.again(func() error {
		_, err := c.PutImage(c.ctx, registry.Put{By: "arn:me", Key: c.k, Body: body, Tags: tags})
		if fault.Is(err, fault.ImageExists) { // by the attempt that seemed to fail
			return nil
		}
		return err
	})
}

var acts = []act{
	{name: "a small layer in one request", do: func(c *client) error {
		body, d := c.bytes(1000)
		id, err := c.StartUpload(c.ctx, c.k, digest.SHA256)
		if err != nil {
			return err
		}
		return acknowledged(c, d, c.again(func() error { return c.FinishUpload(c.ctx, c.k, id, d, registry.Anywhere, bytes.NewReader(body)) }))
	}},
	{name: "a small layer in chunks", do: func(c *client) error {
		_, err := c.layer(100_000, 40_000)
		return err
	}},
	{name: "a large layer in chunks", do: func(c *client) error {
		_, err := c.layer(700_000, 300_000)
		return err
	}},
	{name: "a layer that outgrows the memory", do: func(c *client) error {
		_, err := c.layer(250_000, 100_000)
		return err
	}},
	{name: "a layer whose algorithm is learned at the end", do: func(c *client) error {
		body, _ := c.bytes(300_000)
		d := digest.Of(digest.SHA512, body)
		c.body[d] = body
		id, err := c.StartUpload(c.ctx, c.k, digest.SHA256)
		if err != nil {
			return err
		}
		return acknowledged(c, d, c.again(func() error { return c.FinishUpload(c.ctx, c.k, id, d, registry.Anywhere, bytes.NewReader(body)) }))
	}},
	{name: "parts of the AWS door", do: func(c *client) error {
		body, d := c.bytes(350_000)
		id, err := c.StartUpload(c.ctx, c.k, digest.SHA256)
		if err != nil {
			return err
		}
		for at := 0; at < len(body); at += 100_000 {
			part := body[at:min(at+100_000, len(body))]
			err := c.again(func() error {
				_, err := c.AppendPart(c.ctx, c.k, id, registry.Part{First: int64(at), Last: int64(at + len(part) - 1), Size: int64(len(part)), Body: bytes.NewReader(part)})
				return err
			})
			if err != nil {
				return err
			}
		}
		err = c.again(func() error {
			_, err := c.CompleteUpload(c.ctx, c.k, id, []digest.Digest{d})
			return err
		})
		if fault.Is(err, fault.LayerExists) {
			err = nil
		}
		return acknowledged(c, d, err)
	}},
	{name: "a digest that lies", do: func(c *client) error {
		for _, n := range []int{1000, 200_000} {
			body, _ := c.bytes(n)
			id, err := c.StartUpload(c.ctx, c.k, digest.SHA256)
			if err != nil {
				return err
			}
			lie := digest.Of(digest.SHA256, []byte("lie"))
			if _, err := c.AppendUpload(c.ctx, c.k, id, 0, bytes.NewReader(body)); err != nil {
				return err
			}
			err = c.again(func() error { return c.FinishUpload(c.ctx, c.k, id, lie, registry.Anywhere, nil) })
			if !fault.Is(err, fault.LayerMismatch) && !fault.Is(err, fault.UploadNotFound) {
				return fmt.Errorf("a lie got %w", err)
			}
		}
		return nil
	}},
	{name: "a cancelled upload", do: func(c *client) error {
		body, _ := c.bytes(200_000)
		id, err := c.StartUpload(c.ctx, c.k, digest.SHA256)
		if err != nil {
			return err
		}
		if _, err := c.AppendUpload(c.ctx, c.k, id, 0, bytes.NewReader(body)); err != nil {
			return err
		}
		err = c.again(func() error { return c.CancelUpload(c.ctx, c.k, id) })
		if fault.Is(err, fault.UploadNotFound) {
			return nil
		}
		return err
	}},
	{name: "a mount", prepare: func(c *client) error {
		there := *c
		there.k = key(string(c.k.Name) + "-source")
		if _, err := c.EnsureRepository(c.ctx, there.k); err != nil {
			return err
		}
		return pushed(&there)
	}, do: func(c *client) error {
		_, d := c.bytes(200_000)
		return acknowledged(c, d, c.again(func() error {
			ok, err := c.MountLayer(c.ctx, c.k, key(string(c.k.Name)+"-source"), d)
			if err == nil && !ok {
				err = errors.New("not mounted")
			}
			return err
		}))
	}},
	{name: "a layer promised", prepare: func(c *client) error {
		defer c.clock.Advance(40 * time.Minute)
		return pushed(c)
	}, do: func(c *client) error {
		_, d := c.bytes(200_000)
		return c.again(func() error {
			_, err := c.Layer(c.ctx, c.k, d)
			return err
		})
	}},
	{name: "a layer deleted", prepare: pushed, do: func(c *client) error {
		_, d := c.bytes(200_000)
		c.has = nil
		err := c.again(func() error { return c.DeleteLayer(c.ctx, c.k, d) })
		if fault.Is(err, fault.LayerNotFound) {
			return nil
		}
		return err
	}},
	{name: "a new image with two tags", prepare: pushed, do: func(c *client) error {
		return c.puts(c.image(""), "a", "b")
	}, tags: "a b"},
	{name: "another image and another tag", prepare: func(c *client) error {
		if err := pushed(c); err != nil {
			return err
		}
		return c.puts(c.image(""), "a", "b")
	}, do: func(c *client) error {
		if err := c.puts(c.image(" "), "b", "c"); err != nil {
			return err
		}
		return c.puts(c.image(" "), "d")
	}, tags: "a b c d"},
	{name: "an index", prepare: pushed, do: func(c *client) error {
		if err := c.puts(c.image("")); err != nil {
			return err
		}
		return c.puts(index(digest.Of(digest.SHA256, c.image(""))), "all")
	}, tags: "all"},
	{name: "images deleted", prepare: func(c *client) error {
		err := pushed(c)
		if err == nil {
			err = c.puts(c.image(""), "a", "b")
		}
		if err == nil {
			err = c.puts(index(digest.Of(digest.SHA256, c.image(""))), "all")
		}
		return err
	}, do: func(c *client) error {
		return c.again(func() error {
			_, failed, err := c.DeleteImages(c.ctx, "arn:me", c.k, []registry.Asked{{Digest: string(digest.Of(digest.SHA256, c.image("")))}, {Tag: "all"}})
			for _, m := range failed {
				if m.Err.Reason != fault.ImageNotFound {
					return m.Err
				}
			}
			return err
		})
	}},
	{name: "an image archived and brought back", prepare: func(c *client) error {
		err := pushed(c)
		if err == nil {
			err = c.puts(c.image(""), "a")
		}
		if err == nil {
			err = c.puts(signature(digest.Of(digest.SHA256, c.image(""))))
		}
		return err
	}, do: func(c *client) error {
		for _, move := range []func(context.Context, registry.RepositoryKey, registry.Asked) (registry.Image, error){c.ArchiveImage, c.RestoreImage} {
			err := c.again(func() error {
				_, err := move(c.ctx, c.k, registry.Asked{Tag: "a"})
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	}, tags: "a"},
	{name: "an archived image put again", prepare: func(c *client) error {
		err := pushed(c)
		if err == nil {
			err = c.puts(c.image(""), "a")
		}
		if err == nil {
			_, err = c.ArchiveImage(c.ctx, c.k, registry.Asked{Tag: "a"})
		}
		return err
	}, do: func(c *client) error { return c.puts(c.image(""), "a") }, tags: "a"},
	{name: "a repository deleted", prepare: func(c *client) error {
		if err := pushed(c); err != nil {
			return err
		}
		return c.puts(c.image(""), "a")
	}, do: func(c *client) error {
		c.has = nil
		id, err := c.StartUpload(c.ctx, c.k, digest.SHA256)
		if fault.Is(err, fault.RepositoryNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := c.AppendUpload(c.ctx, c.k, id, 0, bytes.NewReader(make([]byte, 150_000))); err != nil {
			return err
		}
		err = c.again(func() error {
			_, err := c.DeleteRepository(c.ctx, c.k, true)
			return err
		})
		if fault.Is(err, fault.RepositoryNotFound) {
			return nil
		}
		return err
	}, gone: true},
	{name: "uploads parked", do: func(c *client) error {
		return c.interrupted(func() error {
			c.clock.Advance(2 * time.Minute)
			return c.again(func() error { return c.ParkUploads(c.ctx) })
		})
	}},
	{name: "uploads parked at the end of the process", do: func(c *client) error {
		return c.interrupted(func() error {
			err := c.again(func() error { return c.Close(context.Background()) })
			c.Catalogue = registry.New(c.config)
			return err
		})
	}},
}

// interrupted pushes two layers at once, with an interruption after each's
// first half.
func (c *client) interrupted(by func() error) error {
	sizes := []int{1000, 300_000}
	ids := make([]name.UploadID, 2)
	for i, n := range sizes {
		body, _ := c.bytes(n)
		id, err := c.StartUpload(c.ctx, c.k, digest.SHA256)
		if err != nil {
			return err
		}
		if _, err := c.AppendUpload(c.ctx, c.k, id, 0, bytes.NewReader(body[:n/2])); err != nil {
			return err
		}
		ids[i] = id
	}
	if err := by(); err != nil {
		return err
	}
	for i, n := range sizes {
		body, d := c.bytes(n)
		err := c.again(func() error {
			at, err := c.UploadOffset(c.ctx, c.k, ids[i])
			if err == nil {
				err = c.FinishUpload(c.ctx, c.k, ids[i], d, at, bytes.NewReader(body[at:]))
			}
			return err
		})
		if err := acknowledged(c, d, err); err != nil {
			return err
		}
	}
	return nil
}

var errBroken = errors.New("broken")

// Whichever commit or step of the blob store fails, applied or not: a client
// that tries again gets there, what was acknowledged is there to the last
// byte, nothing unfinished is seen, and nothing that is left behind stays.
func TestActsThatFailAnywhere(t *testing.T) {
	for _, a := range acts {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			b := openBreakable(t)
			runs := 0
			run := func(t *testing.T, arm func()) (updates int, steps []blobtest.Step) {
				t.Helper()
				runs++
				k := b.create(fmt.Sprintf("app-%d", runs))
				c := &client{breakable: b, t: t, k: k, seed: uint64(runs), body: map[digest.Digest][]byte{}}
				if a.prepare != nil {
					b.must(a.prepare(c))
				}
				b.heal()
				before := b.faults.Updates()
				arm()
				err := a.do(c)
				updates, steps = b.faults.Updates()-before, b.faulty.Calls()
				b.check(k)
				if err != nil { // from the beginning
					if err := a.do(c); err != nil {
						t.Errorf("begun anew: %v", err)
					}
				}
				b.heal()
				a.holds(c)
				return updates, steps
			}
			updates, steps := run(t, func() {})
			for n := 1; n <= updates; n++ {
				for _, mode := range []metatest.Mode{metatest.NotApplied, metatest.Applied} {
					t.Run(fmt.Sprintf("update %d %s", n, blobtest.Modes[mode]), func(t *testing.T) {
						run(t, func() { b.faults.FailUpdate(n, mode) })
					})
				}
			}
			for n, step := range steps {
				for _, mode := range blobtest.Modes {
					t.Run(fmt.Sprintf("step %d %s %s", n, step, mode), func(t *testing.T) {
						run(t, func() { b.faulty.FailAt(n, mode, errBroken) })
					})
				}
			}
			for _, k := range repositories(runs) {
				if _, err := b.DeleteRepository(b.ctx, k, true); err != nil && !fault.Is(err, fault.RepositoryNotFound) {
					t.Error(err)
				}
			}
			b.deserted()
			if b.counted.open != 0 {
				t.Errorf("%d descriptors are left open", b.counted.open)
			}
		})
	}
}

// repositories names those of so many runs.
func repositories(runs int) []registry.RepositoryKey {
	var all []registry.RepositoryKey
	for n := range runs {
		k := key(fmt.Sprintf("app-%d", n+1))
		all = append(all, k, key(string(k.Name)+"-source"))
	}
	return all
}

// holds checks what an act must have come to.
func (a act) holds(c *client) {
	c.t.Helper()
	k := c.k
	c.check(k)
	for _, d := range c.has {
		if !bytes.Equal(c.read(k, d), c.body[d]) {
			c.t.Errorf("other bytes came back of %s", d)
		}
	}
	if _, err := c.Repository(c.ctx, k); a.gone {
		if !fault.Is(err, fault.RepositoryNotFound) {
			c.t.Errorf("the repository is there: %v", err)
		}
	} else if got := c.tags(k); got != a.tags {
		c.t.Errorf("tags %q, want %q", got, a.tags)
	}
	var ds []digest.Digest
	for d := range c.body {
		ds = append(ds, d)
	}
	if left := c.orphans([]registry.RepositoryKey{k, key(string(k.Name) + "-source")}, ds); len(left) > 0 && !a.gone {
		c.t.Errorf("nothing names %v", left)
	}
	counted, held := c.Buffered()
	if counted != held {
		c.t.Errorf("%d bytes are counted as buffered, %d are", counted, held)
	}
}
