package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/spf13/pflag"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/transfer"
)

// origin is the place that images come from, as it was named.
type origin struct {
	kind            string // registry, ecr, layout or distribution
	url             string // of a registry: scheme and host
	path            string // one repository, or with a slash at the end a prefix; "": all
	dir             string
	account, region string
	reference       transfer.Image // of one image

	username, profile, endpoint, ca string
	plain, passwordStdin            bool
}

func (o *origin) flags(flags *pflag.FlagSet) {
	flags.StringVar(&o.username, "from-username", "", "`name` of the login at the source; for ecr:// an access key id")
	flags.BoolVar(&o.passwordStdin, "from-password-stdin", false, "read the password for it, or the secret access key, from standard input")
	flags.BoolVar(&o.plain, "from-plain-http", false, "the source speaks HTTP without TLS")
	flags.StringVar(&o.ca, "from-ca", "", "`file` with the CA of the source's certificate")
	flags.StringVar(&o.profile, "from-profile", "", "AWS `profile` with the credentials for ecr://")
	flags.StringVar(&o.endpoint, "from-endpoint", "", "`url` of the API for ecr:// (default: that of AWS)")
}

var ecrPlace = regexp.MustCompile(`^([0-9]{12})\.([a-z0-9-]+)$`)

// parse reads FROM.
func (o *origin) parse(from string) error {
	if o.username != "" && !o.passwordStdin || o.passwordStdin && o.username == "" {
		return errors.New("--from-username and --from-password-stdin go together")
	}
	for prefix, kind := range map[string]string{"oci:": "layout", "ocidir://": "layout", "distribution:": "distribution"} {
		if dir, ok := strings.CutPrefix(from, prefix); ok {
			if dir == "" {
				return fmt.Errorf("%s needs a directory behind it", prefix)
			}
			o.kind, o.dir = kind, dir
			return nil
		}
	}
	if place, ok := strings.CutPrefix(from, "ecr://"); ok {
		m := ecrPlace.FindStringSubmatch(place)
		if m == nil {
			return fmt.Errorf("%q is no ecr://ACCOUNT.REGION", from)
		}
		o.kind, o.account, o.region = "ecr", m[1], m[2]
		return nil
	}
	return o.parseRegistry(from)
}

func (o *origin) parseRegistry(from string) error {
	scheme, rest, ok := strings.Cut(from, "://")
	if !ok {
		scheme, rest = "https", from
	}
	switch {
	case scheme == "docker":
		scheme = "https"
	case scheme != "http" && scheme != "https":
		return fmt.Errorf("%q is no place that images come from; see lighterage import --help", from)
	}
	if o.plain {
		scheme = "http"
	}
	host, path, _ := strings.Cut(rest, "/")
	if host == "" || strings.ContainsAny(host, "@?# ") {
		return fmt.Errorf("%q names no registry", from)
	}
	o.kind, o.url = "registry", scheme+"://"+host
	var err error
	o.path, o.reference, err = image(path)
	return err
}

// image splits REPOSITORY, REPOSITORY:TAG and REPOSITORY@DIGEST.
func image(s string) (repository string, i transfer.Image, err error) {
	repository, called, ok := strings.Cut(s, "@")
	if ok {
		i.Digest, err = digest.Parse(called)
		if err != nil {
			return "", i, fmt.Errorf("%q is no digest", called)
		}
	}
	if n := strings.LastIndexByte(repository, ':'); n > strings.LastIndexByte(repository, '/') {
		tag := repository[n+1:]
		if _, err := name.ParseTag(tag); err != nil {
			return "", i, fmt.Errorf("%q is no tag", tag)
		}
		repository = repository[:n]
		if i.Digest == "" { // a digest says more than a tag
			i.Tags = []string{tag}
		}
	}
	return repository, i, nil
}

// opened is a source that is ready.
type opened struct {
	images       transfer.Source
	repositories func(context.Context) ([]string, error)
	close        func() // may be nil

	// Of ECR: what a repository is created with, and what is done when its
	// images are there, and when all are.
	settings func(ctx context.Context, repository string) (*ecr.CreateRepositoryInput, error)
	after    func(ctx context.Context, w *work, from, to string)
	finish   func(ctx context.Context, w *work)
}

func (i *importing) open(ctx context.Context, jobs int) (*opened, error) {
	password := ""
	if i.passwordStdin {
		b, err := io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
		if err != nil {
			return nil, fmt.Errorf("standard input cannot be read: %w", err)
		}
		password = strings.TrimRight(string(b), "\r\n")
	}
	var ca []byte
	if i.ca != "" {
		text, _, err := input(i.ca)
		if err != nil {
			return nil, err
		}
		ca = []byte(text)
	}
	switch i.kind {
	case "ecr":
		return i.openECR(ctx, jobs, ca, password)
	case "registry":
		return i.openRegistry(transfer.Access{URL: i.url, CA: ca, Jobs: jobs, User: i.username, Password: password, Docker: true})
	}
	return i.openDirectory()
}

func (i *importing) openRegistry(a transfer.Access) (*opened, error) {
	r, err := transfer.NewRemote(a)
	if err != nil {
		return nil, err
	}
	return &opened{images: r, close: r.Close, repositories: func(ctx context.Context) ([]string, error) {
		if i.path != "" && !strings.HasSuffix(i.path, "/") {
			return []string{i.path}, nil
		}
		all, err := r.Repositories(ctx)
		return slices.DeleteFunc(all, func(n string) bool { return !strings.HasPrefix(n, i.path) }), err
	}}, nil
}

func (i *importing) openDirectory() (*opened, error) {
	info, err := os.Stat(i.dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is no directory", i.dir)
	}
	tree := os.DirFS(i.dir)
	if i.kind == "distribution" {
		t, err := transfer.NewTree(tree)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", i.dir, err)
		}
		return &opened{images: t, repositories: t.Repositories}, nil
	}
	l := transfer.NewLayouts(tree)
	return &opened{images: l, repositories: func(ctx context.Context) ([]string, error) {
		all, err := l.Repositories(ctx)
		if err == nil && len(all) == 0 {
			err = fmt.Errorf("there is no OCI layout in %s", i.dir)
		}
		if len(all) == 1 && all[0] == "" && i.as == "" {
			// The one layout is called as its directory.
			whole, err := filepath.Abs(i.dir)
			if err != nil {
				return nil, err
			}
			i.as, i.to = strings.Trim(strings.Trim(i.to, "/")+"/"+filepath.Base(whole), "/"), ""
		}
		return all, err
	}}, nil
}
