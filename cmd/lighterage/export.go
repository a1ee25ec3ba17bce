package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/transfer"
)

const exportHelp = `Export writes images of the server into OCI image layouts, which skopeo, crane,
regctl and lighterage import read: of a repository all tags, or with :TAG or
@DIGEST one image.

One repository becomes the layout oci:DIR; of several each has its own, in the
folder of its name below DIR. What is there already is not fetched again, and
tags of other images stay: an interrupted export is continued by running it
again. With --referrers come signatures, SBOMs and what else refers to the
images; a layout lists those under tags sha256-....`

func newExport() *cobra.Command {
	return alone(func(r *remote) *cobra.Command {
		var to string
		o := transfer.Options{}
		cmd := r.command("export", "Write images of a running server into an OCI layout", nil,
			func(ctx context.Context, s *session, args []string) error { return s.runExport(ctx, args, to, o) })
		cmd.Use = "export REPOSITORY[:TAG|@DIGEST]..."
		cmd.Args = func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("export needs REPOSITORY; see lighterage export --help")}
			}
			return nil
		}
		cmd.Long = exportHelp + remoteHelp
		cmd.Flags().StringVar(&to, "to", "", "`oci:DIR`, where to write")
		cmd.Flags().IntVar(&o.Jobs, "jobs", 8, "so `many` images and layers at a time")
		cmd.Flags().BoolVar(&o.Referrers, "referrers", false, "and what refers to the images")
		cmd.Flags().BoolVar(&o.Verify, "verify", false, "in the end compare each tag with the server again")
		return cmd
	})
}

// exported is what came of an export.
type exported struct {
	transfer.Totals
	Failures []transfer.Result `json:"failures"`
}

func (s *session) runExport(ctx context.Context, args []string, to string, o transfer.Options) error {
	dir, ok := strings.CutPrefix(to, "oci:")
	dir = strings.TrimPrefix(dir, "//")
	if !ok || dir == "" {
		return usageError{errors.New("--to says where to write: oci:DIR")}
	}
	order, images, err := asked(args)
	if err != nil {
		return usageError{err}
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	source, err := s.registry(o.Jobs)
	if err != nil {
		return err
	}
	defer source.Close()
	target := transfer.NewLayout(func(repository string) string {
		if len(order) == 1 {
			return dir
		}
		return filepath.Join(dir, filepath.FromSlash(repository))
	})
	f := s.follow(source, target, o)
	var ended error
	for _, r := range order {
		list, ok := images[r], true
		if list == nil {
			list, ok, ended = f.copier.List(ctx, r)
		}
		if ok {
			ended = f.copier.Images(ctx, r, r, list)
		}
		if ended != nil {
			break
		}
	}
	f.stop()
	done := exported{Totals: f.copier.Totals(), Failures: f.failures}
	if err := s.show(done, table{rows: [][]string{
		{"images", fmt.Sprintf("%d copied, %d there already, %d failed", done.Copied, done.Present, done.Failed)},
		{"tags", fmt.Sprint(done.Tags)},
		{"referrers", fmt.Sprint(done.Referrers)},
		{"layers", fmt.Sprintf("%d copied (%s), %d there already", done.Blobs, inBytes(done.Bytes), done.Skipped)},
	}}); err != nil {
		return err
	}
	return ending(ended, len(f.failures))
}

// asked sorts what was named by repositories, in the order of first mention. A
// repository without images is meant as a whole.
func asked(args []string) (order []string, images map[string][]transfer.Image, err error) {
	images = map[string][]transfer.Image{}
	whole := map[string]bool{}
	seen := map[string]bool{}
	for _, a := range args {
		repository, i, err := image(a)
		if err != nil {
			return nil, nil, err
		}
		if _, err := name.ParseRepositoryName(repository); err != nil {
			return nil, nil, fmt.Errorf("%q is no name of a repository", repository)
		}
		if !seen[repository] {
			order, seen[repository] = append(order, repository), true
		}
		if i.Tags == nil && i.Digest == "" {
			whole[repository] = true
		} else {
			images[repository] = append(images[repository], i)
		}
	}
	for r := range whole {
		delete(images, r)
	}
	return order, images, nil
}
