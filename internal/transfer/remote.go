package transfer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"

	godigest "github.com/opencontainers/go-digest"
	"github.com/regclient/regclient"
	"github.com/regclient/regclient/config"
	"github.com/regclient/regclient/scheme"
	"github.com/regclient/regclient/scheme/reg"
	"github.com/regclient/regclient/types/descriptor"
	"github.com/regclient/regclient/types/errs"
	regmanifest "github.com/regclient/regclient/types/manifest"
	"github.com/regclient/regclient/types/ref"
	"github.com/regclient/regclient/types/warning"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/manifest"
)

// Access is how a registry is reached.
type Access struct {
	URL       string            // scheme and host
	Transport http.RoundTripper // nil: one of its own, which trusts the machine's CAs and CA
	CA        []byte            // PEM
	Jobs      int               // images at a time, of which each asks more than one thing

	// Authorization returns the header for every request to the host. Without
	// it, User and Password answer the registry's challenges, and without those
	// what docker login has kept, if Docker is set.
	Authorization  func(ctx context.Context) (string, error)
	User, Password string
	Docker         bool

	// Only keeps to the host: a redirect away from it is an error.
	Only bool
}

// Remote is a registry that is spoken to by the OCI distribution protocol, or
// an OCI layout that is written. It is both a Source and a Target.
type Remote struct {
	client *regclient.RegClient
	ref    func(repository string) ref.Ref
	layout bool
	way    http.RoundTripper // nil for layouts
}

// retries of a request, with a growing pause between them.
const retries = 3

// hub is what Docker calls its registry in names.
const hub = "docker.io"

// NewRemote returns a registry. It does not talk to it yet.
func NewRemote(a Access) (*Remote, error) {
	u, err := url.Parse(a.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no URL of a registry", a.URL)
	}
	host := config.HostNewName(u.Host)
	host.User, host.Pass = a.User, a.Password
	host.ReqConcurrent = int64(2*max(a.Jobs, 1) + 2) // a layer that is read must not wait for a question
	if u.Scheme == "http" {
		host.TLS = config.TLSDisabled
	}
	if a.Transport == nil {
		if a.Transport, err = transport(a.CA); err != nil {
			return nil, err
		}
	}
	g := &gate{to: a.Transport, scheme: u.Scheme, host: host.Hostname, only: a.Only, authorization: a.Authorization}
	var options []regclient.Opt
	if a.Docker && a.User == "" && a.Authorization == nil {
		options = append(options, regclient.WithDockerCreds())
	}
	options = append(options, regclient.WithConfigHost(*host), regclient.WithUserAgent("lighterage"),
		regclient.WithRegOpts(reg.WithHTTPClient(&http.Client{Transport: g}), reg.WithRetryLimit(retries)))
	name := host.Name
	return &Remote{client: regclient.New(options...), way: a.Transport, ref: func(repository string) ref.Ref {
		if name == hub && !strings.Contains(repository, "/") {
			repository = "library/" + repository
		}
		return ref.Ref{Scheme: "reg", Registry: name, Repository: repository}
	}}, nil
}

func transport(ca []byte) (http.RoundTripper, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = t.MaxIdleConns
	if len(ca) == 0 {
		return t, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("the CA file holds no certificate in PEM")
	}
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t, nil
}

// NewLayout returns a place of OCI layouts that are written: folder says in which
// directory a repository's is, which is made when there is something to keep.
func NewLayout(folder func(repository string) string) *Remote {
	return &Remote{client: regclient.New(), layout: true, ref: func(repository string) ref.Ref {
		return ref.Ref{Scheme: "ocidir", Path: folder(repository)}
	}}
}

// Close lets go of connections. The Remote can be used again.
func (r *Remote) Close() {
	if c, ok := r.way.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func (r *Remote) tag(repository, tag string) ref.Ref {
	return r.ref(repository).SetTag(tag)
}

func (r *Remote) digest(repository string, d digest.Digest) ref.Ref {
	return r.ref(repository).SetDigest(string(d))
}

// quiet keeps a registry's warnings off the terminal.
func quiet(ctx context.Context) context.Context {
	return warning.NewContext(ctx, &warning.Warning{})
}

// told turns the library's error into one of ours.
func told(err error) error {
	if errors.Is(err, errs.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if errors.Is(err, errs.ErrHTTPRedirectRefused) && !errors.Is(err, errPermanent) {
		return fmt.Errorf("%w: %w", errPermanent, err)
	}
	return err
}

// Repositories lists what the registry says that it has.
func (r *Remote) Repositories(ctx context.Context) ([]string, error) {
	host := r.ref("any").Registry
	var all []string
	for last := ""; ; {
		page, err := r.client.RepoList(quiet(ctx), host, scheme.WithRepoLimit(1000), scheme.WithRepoLast(last))
		if err != nil {
			return nil, told(err)
		}
		names, err := page.GetRepos()
		if err != nil {
			return nil, err
		}
		// Some registries answer with the same page for ever.
		if len(names) == 0 || slices.Contains(all, names[len(names)-1]) {
			return all, nil
		}
		all = append(all, names...)
		last = names[len(names)-1]
	}
}

// Images lists the tags.
func (r *Remote) Images(ctx context.Context, repository string) ([]Image, error) {
	list, err := r.client.TagList(quiet(ctx), r.ref(repository))
	if err != nil {
		return nil, told(err)
	}
	tags, err := list.GetTags()
	if err != nil {
		return nil, err
	}
	images := make([]Image, len(tags))
	for i, t := range tags {
		images[i].Tags = []string{t}
	}
	return images, nil
}

// Resolve returns what a tag points to.
func (r *Remote) Resolve(ctx context.Context, repository, tag string) (digest.Digest, error) {
	m, err := r.client.ManifestHead(quiet(ctx), r.tag(repository, tag), regclient.WithManifestRequireDigest())
	if err != nil {
		return "", told(err)
	}
	return digest.Parse(m.GetDescriptor().Digest.String())
}

// Has reports whether the image is there.
func (r *Remote) Has(ctx context.Context, repository string, d digest.Digest) (bool, error) {
	if r.layout {
		return false, nil // a file may be there that the index does not name
	}
	_, err := r.client.ManifestHead(quiet(ctx), r.digest(repository, d))
	if err = told(err); errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Manifest returns a manifest.
func (r *Remote) Manifest(ctx context.Context, repository string, d digest.Digest) (Document, error) {
	m, err := r.client.ManifestGet(quiet(ctx), r.digest(repository, d))
	if err != nil {
		return Document{}, told(err)
	}
	body, err := m.RawBody()
	if err != nil {
		return Document{}, err
	}
	return document(d, m.GetDescriptor().MediaType, body)
}

// document checks that the bytes have the digest.
func document(d digest.Digest, mediaType string, body []byte) (Document, error) {
	if len(body) > manifest.MaxSize {
		return Document{}, fmt.Errorf("it has more than %d bytes", manifest.MaxSize)
	}
	if digest.Of(d.Algorithm(), body) != d {
		return Document{}, errMismatch
	}
	return Document{Digest: d, MediaType: mediaType, Body: body}, nil
}

// Referrers lists what refers to an image, by the API or by the tag that stands
// in for it.
func (r *Remote) Referrers(ctx context.Context, repository string, d digest.Digest) ([]digest.Digest, error) {
	list, err := r.client.ReferrerList(quiet(ctx), r.digest(repository, d))
	if err != nil {
		return nil, told(err)
	}
	var all []digest.Digest
	for _, e := range list.Descriptors {
		d, err := digest.Parse(e.Digest.String())
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

func described(d manifest.Descriptor) descriptor.Descriptor {
	return descriptor.Descriptor{MediaType: d.MediaType, Digest: godigest.Digest(d.Digest), Size: d.Size}
}

// Blob opens a layer.
func (r *Remote) Blob(ctx context.Context, repository string, d manifest.Descriptor) (io.ReadCloser, error) {
	b, err := r.client.BlobGet(quiet(ctx), r.ref(repository), described(d))
	if err != nil {
		return nil, told(err)
	}
	return b, nil
}

// HasBlob reports whether the layer is there.
func (r *Remote) HasBlob(ctx context.Context, repository string, d manifest.Descriptor) (bool, error) {
	b, err := r.client.BlobHead(quiet(ctx), r.ref(repository), described(d))
	if err != nil {
		if err = told(err); errors.Is(err, ErrNotFound) {
			return false, nil
		}
		return false, err
	}
	return true, b.Close()
}

// PutBlob sends a layer, or has the registry take it from another repository.
func (r *Remote) PutBlob(ctx context.Context, repository string, d manifest.Descriptor, body io.Reader) error {
	_, err := r.client.BlobPut(quiet(ctx), r.ref(repository), described(d), body)
	return told(err)
}

// PutManifest stores an image.
func (r *Remote) PutManifest(ctx context.Context, repository, tag string, doc Document, child bool) error {
	m, err := regmanifest.New(regmanifest.WithRaw(doc.Body), regmanifest.WithDesc(descriptor.Descriptor{
		MediaType: doc.MediaType, Digest: godigest.Digest(doc.Digest), Size: int64(len(doc.Body)),
	}))
	if err != nil {
		return err
	}
	at := r.digest(repository, doc.Digest)
	if tag != "" {
		at = r.tag(repository, tag)
	}
	var options []regclient.ManifestOpts
	if child {
		options = append(options, regclient.WithManifestChild())
	}
	return told(r.client.ManifestPut(quiet(ctx), at, m, options...))
}
