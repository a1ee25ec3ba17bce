package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/transfer"
)

const importHelp = `Import copies images into the server: manifests byte for byte, indexes with all
they name, and what refers to an image (signatures, SBOMs). FROM is one of

  registry.example.com             all repositories that the registry lists
  registry.example.com/team/       those that begin so
  registry.example.com/team/app    one; :TAG or @DIGEST behind it for one image
  http://registry.example.com/...  without TLS
  ecr://111122223333.eu-west-1     Amazon ECR, with untagged images and settings
  oci:DIR                          an OCI layout, or a directory with several
  distribution:DIR                 what CNCF distribution keeps in a directory

Repositories that are missing are created, under their own names or below --to.
What is there already is not sent again: after an interruption, run the same
command again. A tag that is there and differs is moved to what the source says,
unless the repository's tags are immutable. Nothing is ever deleted.

Of ECR come the repositories' tag mutability, scan and encryption settings, tags
and policies, lifecycle policies (last, when the images are there) and, if all
repositories are imported, the registry policy, with its ARNs rewritten. What
the target has already is left as it is. The encryption is by a key of the
target's. AWS credentials are those of --from-profile, or --from-username with
the secret key on standard input, or of the AWS clients' usual places.

For other registries the login is that of docker login, or of --from-username.

It prints a line for each image, or a progress bar on a terminal, and what came
of all. The exit code is 0 if all is there now, and 1 if something failed.`

// importing is what an import is asked for.
type importing struct {
	origin
	to, as             string
	repositories, tags []string
	jobs               int
	dry, verify        bool
	immutable, scan    bool
}

func newImport() *cobra.Command {
	return alone(func(r *remote) *cobra.Command {
		var i importing
		cmd := r.command("import", "Copy images from another registry or a directory into a running server", []string{"FROM"},
			func(ctx context.Context, s *session, args []string) error { return s.runImport(ctx, i, args[0]) })
		cmd.Long = importHelp + remoteHelp
		flags := cmd.Flags()
		flags.StringVar(&i.to, "to", "", "`prefix` of the repositories' new names")
		flags.StringVar(&i.as, "as", "", "new `name` of the one repository that is imported")
		flags.StringSliceVar(&i.repositories, "repository", nil, "`pattern` of the repositories to import, in which * stands for any text; more than once for more")
		flags.StringSliceVar(&i.tags, "tags", nil, "`pattern` of the tags to import (default: all, and images without a tag where the source lists them)")
		flags.IntVar(&i.jobs, "jobs", 8, "so `many` images and layers at a time")
		flags.BoolVar(&i.dry, "dry-run", false, "tell what would be copied, and change nothing")
		flags.BoolVar(&i.verify, "verify", false, "in the end compare each tag with the source again")
		flags.BoolVar(&i.immutable, "immutable", false, "make new repositories with immutable tags")
		flags.BoolVar(&i.scan, "scan-on-push", false, "make new repositories with scans on push")
		i.flags(flags)
		return cmd
	})
}

// alone is a command that calls a running server and has no commands below it.
func alone(make func(*remote) *cobra.Command) *cobra.Command {
	parent := group("", "", make)
	cmd := parent.Commands()[0]
	parent.RemoveCommand(cmd)
	cmd.Flags().AddFlagSet(parent.PersistentFlags())
	return cmd
}

// imported is what came of an import.
type imported struct {
	transfer.Totals
	Repositories int               `json:"repositories"`
	Created      int               `json:"repositoriesCreated"`
	Settings     int               `json:"settings"` // policies that were set
	Notes        []string          `json:"notes,omitempty"`
	Failures     []transfer.Result `json:"failures"`
}

func (s *session) runImport(ctx context.Context, i importing, from string) error {
	if err := i.parse(from); err != nil {
		return usageError{err}
	}
	if i.as != "" && i.to != "" {
		return usageError{errors.New("--as is a whole name, and --to the beginning of names: give one of them")}
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	source, err := i.open(ctx, i.jobs)
	if err != nil {
		return opaque(err)
	}
	if source.close != nil {
		defer source.close()
	}
	target, err := s.registry(i.jobs)
	if err != nil {
		return err
	}
	defer target.Close()
	names, err := source.repositories(ctx)
	if err != nil {
		return opaque(fmt.Errorf("list the repositories of %s: %w", from, err))
	}
	names = matching(names, i.repositories)
	switch {
	case len(names) == 0:
		return errors.New("the source has no such repository")
	case i.as != "" && len(names) > 1:
		return usageError{fmt.Errorf("--as names one repository, and the source has %d: say which with --repository", len(names))}
	}
	w := &work{session: s, importing: i, source: source, settings: s.ecr()}
	w.following = s.follow(source.images, target, transfer.Options{Jobs: i.jobs, Referrers: true, Verify: i.verify, DryRun: i.dry, Keep: keeps(i.tags)})
	failed := w.all(ctx, names)
	return w.summary(failed)
}

// opaque keeps what went wrong at the source from being taken for the server's.
func opaque(err error) error {
	if strings.Contains(err.Error(), "server gave HTTP response to HTTPS client") {
		return errors.New("the source speaks HTTP and not HTTPS: begin its address with http://, or say --from-plain-http")
	}
	return errors.New(strings.Join(strings.Fields(err.Error()), " "))
}

// keeps returns the filter of tags; nil for all.
func keeps(patterns []string) func(string) bool {
	if len(patterns) == 0 {
		return nil
	}
	match := globs(patterns)
	return match.MatchString
}

// globs returns what matches one of the patterns, in which * is any text.
func globs(patterns []string) *regexp.Regexp {
	var parts []string
	for _, p := range patterns {
		parts = append(parts, strings.ReplaceAll(regexp.QuoteMeta(p), `\*`, ".*"))
	}
	return regexp.MustCompile("^(?:" + strings.Join(parts, "|") + ")$")
}

func matching(names, patterns []string) []string {
	if len(patterns) == 0 {
		return names
	}
	match := globs(patterns)
	var kept []string
	for _, n := range names {
		if match.MatchString(n) {
			kept = append(kept, n)
		}
	}
	return kept
}

// work is an import that runs.
type work struct {
	*session
	importing
	*following
	source   *opened
	settings *ecr.Client // of the target
	done     imported
}

// atOnce is how many repositories are read ahead.
const atOnce = 4

func (w *work) all(ctx context.Context, names []string) error {
	w.done.Repositories = len(names)
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, n := range names {
		g.Go(func() error { return w.one(each, n) })
	}
	err := g.Wait()
	if err == nil && w.source.finish != nil && len(w.repositories) == 0 && !w.dry {
		w.source.finish(ctx, w)
	}
	return err
}

// one copies a repository. An error ends the import.
func (w *work) one(ctx context.Context, from string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	to, err := w.renamed(from)
	if err != nil {
		w.fail(from, "", err)
		return nil
	}
	images := []transfer.Image{w.reference}
	if w.reference.Tags == nil && w.reference.Digest == "" {
		var ok bool
		if images, ok, err = w.copier.List(ctx, from); !ok {
			return err
		}
	}
	if !w.dry {
		if err := w.prepare(ctx, from, to); err != nil {
			w.fail(from, "", err)
			return ctx.Err()
		}
	}
	err = w.copier.Images(ctx, from, to, images)
	if err == nil && w.source.after != nil && !w.dry {
		w.source.after(ctx, w, from, to)
	}
	return err
}

// renamed is what a repository is called here.
func (w *work) renamed(from string) (string, error) {
	to := from
	switch {
	case w.as != "":
		to = w.as
	case w.to != "":
		to = strings.Trim(w.to, "/") + "/" + from
	}
	_, err := name.ParseRepositoryName(to)
	if err != nil {
		return "", fmt.Errorf("%q is no name of a repository here; choose another with --as", to)
	}
	return to, nil
}

// prepare creates a repository that is missing.
func (w *work) prepare(ctx context.Context, from, to string) error {
	in := &ecr.CreateRepositoryInput{}
	if w.source.settings != nil {
		var err error
		if in, err = w.source.settings(ctx, from); err != nil {
			return err
		}
	}
	in.RepositoryName = &to
	if w.immutable {
		in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters = types.ImageTagMutabilityImmutable, nil
	}
	if w.scan {
		in.ImageScanningConfiguration = &types.ImageScanningConfiguration{ScanOnPush: true}
	}
	_, err := w.settings.CreateRepository(ctx, in)
	if _, ok := errors.AsType[*types.RepositoryAlreadyExistsException](err); ok {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create the repository %s: %w", to, w.friendly(err))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done.Created++
	return nil
}

// fail counts something beside an image that did not come.
func (w *work) fail(repository, what string, err error) {
	text := err.Error()
	if what != "" {
		text = what + ": " + text
	}
	w.report(transfer.Result{Repository: repository, State: transfer.Failed, Error: text})
}

func (w *work) remark(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done.Notes = append(w.done.Notes, fmt.Sprintf(format, args...))
}

func (w *work) summary(ended error) error {
	w.stop()
	w.done.Totals = w.copier.Totals()
	w.done.Failures = w.failures
	rows := [][]string{
		{"repositories", fmt.Sprintf("%d, %d of them new", w.done.Repositories, w.done.Created)},
		{"images", fmt.Sprintf("%d copied, %d there already, %d failed", w.done.Copied, w.done.Present, w.done.Failed)},
		{"tags", fmt.Sprint(w.done.Tags)},
		{"referrers", fmt.Sprint(w.done.Referrers)},
		{"layers", fmt.Sprintf("%d copied (%s), %d there already", w.done.Blobs, inBytes(w.done.Bytes), w.done.Skipped)},
	}
	if w.dry {
		rows[0][1] = fmt.Sprint(w.done.Repositories)
		rows[1][1] = fmt.Sprintf("%d to copy, %d there already, %d failed", w.done.Copied, w.done.Present, w.done.Failed)
		rows[4][1] = fmt.Sprintf("%d to copy (%s), %d there already", w.done.Blobs, inBytes(w.done.Bytes), w.done.Skipped)
	}
	if w.source.after != nil {
		rows = append(rows, []string{"policies", fmt.Sprint(w.done.Settings)})
	}
	if err := w.show(w.done, table{rows: rows}); err != nil {
		return err
	}
	for _, n := range w.done.Notes {
		w.note("note: %s", oneLine(n))
	}
	return ending(ended, len(w.failures))
}

// ending says how a copy ended.
func ending(err error, failures int) error {
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted; run it again to go on")
	case err != nil:
		return opaque(err)
	case failures > 0:
		return fmt.Errorf("%s; run it again to try what failed", counted(failures, "failure"))
	}
	return nil
}

// ecr is a client of the server's.
func (s *session) ecr() *ecr.Client {
	return ecr.NewFromConfig(s.aws, func(o *ecr.Options) { o.BaseEndpoint = aws.String(s.endpoint) })
}
