package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/server"
)

const serveHelp = `Serve answers on one address: the Amazon ECR API, the Amazon Lightsail
container API, the AWS IAM and STS APIs, the Docker Registry protocol, and what
the other commands ask for.

Every flag is also an environment variable, --data-dir is LIGHTERAGE_DATA_DIR,
and a key of the YAML file that --config names. Flags beat variables, variables
beat the file. Relative paths start from the working directory.

The root access key is LIGHTERAGE_ROOT_ACCESS_KEY_ID with
LIGHTERAGE_ROOT_SECRET_ACCESS_KEY; without them it is drawn at the first start.
It is kept in the data directory, in the file root-credentials.

SIGTERM and SIGINT let requests in flight finish; a second one ends at once.

Exit codes:
  0  stopped as asked
  1  could not go on: an address in use, or a second signal
  2  the command line, a setting or a root credential cannot be used
  3  a directory or store cannot be used: in use by another process, read-only,
     full, not the one that belongs to the other, a failed commit or sync, a
     database that another server has taken, or a PostgreSQL server or AWS KMS
     that refuses or does not answer

A start that ends with 2 leaves no data directory that was not there before.

Quotas (--quotas name=number,…) and their defaults:
  %s

Rates (--rates operation=number,…) and what they are with --ecr-strict; without it
there are none:
  %s`

func newServe(program string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the registry",
		Long:  fmt.Sprintf(serveHelp, strings.Join(config.QuotaNames(), "\n  "), strings.Join(config.StrictRates(), "\n  ")),
		Args:  noArguments,
	}
	config.AddFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		environ := config.Environ()
		c, err := config.Load(cmd.Flags(), environ)
		if err != nil {
			return err
		}
		log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: c.LogLevel}))
		log.Debug("settings", "config", c.Redacted())
		boundMemory()
		ctx, stop := untilSignal(log)
		defer stop()
		return server.Run(ctx, c, server.Launch{
			Environ: environ,
			Clock:   time.Now,
			Logger:  log,
			Stdout:  os.Stdout,
			Fatal: func(err error) {
				log.Error("ending at once, so that nothing is acknowledged that may not last", "error", err)
				os.Exit(exitStore)
			},
			Started: func(r server.Started) {
				if isatty.IsTerminal(os.Stdout.Fd()) {
					startPage(os.Stdout, program, c, r)
					return
				}
				if r.Trust != "" {
					log.Info("clients must be told to trust this server's CA; lighterage env does it for aws", "ca", r.CA)
				}
				log.Info("serving", "url", r.URL, "data", c.DataDir, "account", c.Account, "region", c.Region)
			},
		})
	}
	return cmd
}

// memory is what the process should take beside its program and SQLite, which
// the runtime does not count, so that it stays under 150 MiB in all.
const memory = 96 << 20

// boundMemory lets garbage be collected sooner when there is much, as while
// large parts of layers arrive. A limit that the runtime has from GOMEMLIMIT stays.
func boundMemory() {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 { // only read; it has none
		debug.SetMemoryLimit(memory)
	}
}

// untilSignal returns a context that the first signal ends. The second ends
// the process.
func untilSignal(log *slog.Logger) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	go func() {
		for s := range signals {
			if ctx.Err() != nil {
				log.Warn("ending at once", "signal", s.String())
				os.Exit(exitFailed)
			}
			log.Info("shutting down", "signal", s.String())
			cancel()
		}
	}()
	return ctx, func() { signal.Stop(signals); close(signals); cancel() }
}

// startPage is what a person sees: where it is, how to log in, what to try.
func startPage(w io.Writer, program string, c config.Config, r server.Started) {
	_, host, _ := strings.Cut(r.URL, "://")
	env := quote(program) + " env"
	if c.DataDir != filepath.Clean("lighterage-data") {
		env += " --data-dir " + quote(c.DataDir)
	}
	fmt.Fprintf(w, `
  Lighterage serves on %s
  Everything is kept in %s. Ctrl-C stops the server.
%s
  In another terminal, log in:

    eval "$(%s)"
    aws ecr get-login-password | docker login -u AWS --password-stdin %s

  Then try:

    aws ecr create-repository --repository-name hello
    docker pull alpine && docker tag alpine %s/hello:1 && docker push %s/hello:1
    aws ecr describe-images --repository-name hello

`, r.URL, c.DataDir, strangers(c, r), env, host, host, host)
	if r.Trust != "" {
		fmt.Fprintln(w, "  Clients must be told to trust this server:\n\n    "+strings.ReplaceAll(strings.TrimSpace(r.Trust), "\n", "\n    ")+"\n")
	}
}

// strangers warns of a catalogue in which the account has nothing.
func strangers(c config.Config, r server.Started) string {
	if len(r.Strangers) == 0 {
		return ""
	}
	var ids []string
	for _, a := range r.Strangers {
		ids = append(ids, string(a))
	}
	return fmt.Sprintf(`
  WARNING: nothing in it belongs to account %s, but it has content of
  %s. Choose the account with --account-id.
`, c.Account, strings.Join(ids, ", "))
}
