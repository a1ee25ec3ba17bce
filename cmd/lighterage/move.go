package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/server"
)

const moveHelp = `Move makes a new store out of all that a stopped one has, in databases and layer
stores of the same kinds or of others:

  lighterage move --from ./lighterage-data --to ./new \
    --to-database postgres://user@host/db --to-storage 's3://bucket/prefix'

--from and --to are data directories. What is not said otherwise is in them: a
SQLite catalogue and layers in files. Servers on either must be stopped.

Rows keep their ids, every layer is hashed while it is copied, and in the end all
rows are compared. A move that was cut short, by whatever, goes on when the same
command is run again; until it has ended no server starts on the new store. The
source stays as it is. The root credentials and the master key of its data
directory come along; uploads that are not finished do not, and begin anew.

Start the new store with the same --to-database and --to-storage as --database and
--storage. Logins and sessions stay valid. Do not serve both stores to the same
clients: what is pushed to one is not in the other.

A password for PostgreSQL need not be in the URL: PGPASSWORD and PGPASSFILE work.

Exit codes:
  0  all is in the new store
  1  interrupted
  2  the command line cannot be used
  3  a store cannot be used, is in use, is not empty, or has lost bytes`

const restoreHelp = `Restore makes a new store out of a backup:

  lighterage restore --from ./backup --data-dir ./restored
  lighterage serve --data-dir ./restored

--database and --storage put it elsewhere than into the data directory; whatever
the backed-up server had, any kind will do. The store must be new.

Every layer is hashed while it is copied, and all rows are compared. A restore
that was cut short goes on when the same command is run again; until it has ended
no server starts on the store. The backup is only read.

The new store is the next generation of the old one: it does not take the old
one's layer store for its own, nor the other way round. It needs the old one's
master key (put the file master-key into the data directory, or set --master-key)
and, for the same root access key, its root-credentials.

With --check nothing is made: all files and layers of the backup are read and
hashed, and what is wrong with them is printed.

A backup that was made with --blobs reference has no layers: --blobs-from says
where they are. They are copied from there.

Exit codes:
  0  all is in the new store; with --check: the backup is whole
  1  interrupted, or layers are missing or damaged
  2  the command line cannot be used
  3  a store or the backup cannot be used, or the store is not empty`

// place is the flags that say where a store is.
type place struct{ dir, database, storage string }

// load reads them as the server's settings are read, but for the environment
// and the file: they are of one server, and this is about two.
func (p place) load() (config.Config, error) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	config.AddFlags(flags)
	for key, v := range map[string]string{"data-dir": p.dir, "database": p.database, "storage": p.storage} {
		if v == "" {
			continue
		}
		if err := flags.Set(key, v); err != nil {
			return config.Config{}, usageError{err}
		}
	}
	return config.Load(flags, nil)
}

// offline runs something over stopped stores. The first signal ends it, so that it
// can go on later.
func offline(cmd *cobra.Command, damaged bool, fn func(*cobra.Command, server.MoveOptions) error) error {
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cmd.SetContext(ctx)
	lines := newProgress(cmd.ErrOrStderr())
	err := fn(cmd, server.MoveOptions{
		StoreOptions: server.StoreOptions{
			Clock: time.Now, Logger: log,
			Fatal: func(err error) {
				log.Error("ending at once, because nobody knows what is durable", "error", err)
				os.Exit(exitStore)
			},
		},
		Told: lines.tell, Damaged: damaged,
	})
	lines.end()
	if ctx.Err() != nil && err != nil {
		return errors.New("interrupted; run the command again, and it goes on")
	}
	return err
}

func newMove() *cobra.Command {
	var from, to place
	var damaged bool
	cmd := &cobra.Command{
		Use: "move", Short: "Take a stopped store to another database and layer store", Long: moveHelp, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from.dir == "" || to.dir == "" {
				return usageError{errors.New("--from and --to name the data directories")}
			}
			source, err := from.load()
			if err != nil {
				return err
			}
			target, err := to.load()
			if err != nil {
				return err
			}
			return offline(cmd, damaged, func(cmd *cobra.Command, o server.MoveOptions) error {
				moved, err := server.Move(cmd.Context(), source, target, o)
				if err != nil {
					return err
				}
				tellMoved(cmd.OutOrStdout(), moved)
				return lost(moved)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&from.dir, "from", "", "data `directory` of the store that is moved")
	flags.StringVar(&from.database, "from-database", "", "its database, a `url` as of serve --database (default: in the directory)")
	flags.StringVar(&from.storage, "from-storage", "", "its layers, a `url` as of serve --storage (default: in the directory)")
	flags.StringVar(&to.dir, "to", "", "data `directory` of the new store")
	flags.StringVar(&to.database, "to-database", "", "its database, a `url` (default: in the directory)")
	flags.StringVar(&to.storage, "to-storage", "", "its layers, a `url` (default: in the directory)")
	flags.BoolVar(&damaged, "without-damaged", false, "go on without layers that the source has lost or has wrong; they are absent until they are pushed again")
	return cmd
}

func newRestore() *cobra.Command {
	var dir, blobsFrom string
	var to place
	var check, damaged bool
	cmd := &cobra.Command{
		Use: "restore", Short: "Make a store out of a backup, or check one", Long: restoreHelp, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				return usageError{errors.New("--from names the directory of the backup")}
			}
			if to.dir == "" && !check {
				return usageError{errors.New("--data-dir names the directory of the new store")}
			}
			from := server.BackupSource{Dir: dir}
			if blobsFrom != "" {
				c, err := place{storage: blobsFrom}.load()
				if err != nil {
					return err
				}
				from.Storage = &c.Storage
			}
			target, err := to.load()
			if err != nil {
				return err
			}
			return offline(cmd, damaged, func(cmd *cobra.Command, o server.MoveOptions) error {
				if check {
					return checkBackup(cmd, from, o)
				}
				made, moved, err := server.Restore(cmd.Context(), from, target, o)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "The store is as it was at %s, in generation %d.\n", timeOf(&made.StartedAt), made.Generation+1)
				tellMoved(cmd.OutOrStdout(), moved)
				return lost(moved)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&dir, "from", "", "`directory` of the backup")
	flags.StringVar(&to.dir, "data-dir", "", "data `directory` of the new store")
	flags.StringVar(&to.database, "database", "", "its database, a `url` as of serve (default: in the directory)")
	flags.StringVar(&to.storage, "storage", "", "its layers, a `url` as of serve (default: in the directory)")
	flags.StringVar(&blobsFrom, "blobs-from", "", "the layers that a backup by reference refers to, a `url` as of serve --storage")
	flags.BoolVar(&check, "check", false, "only read and hash the backup")
	flags.BoolVar(&damaged, "without-damaged", false, "go on without layers that the backup does not have; they are absent until they are pushed again")
	return cmd
}

func checkBackup(cmd *cobra.Command, from server.BackupSource, o server.MoveOptions) error {
	made, damaged, err := server.CheckBackup(cmd.Context(), from, o)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	for _, d := range damaged {
		fmt.Fprintf(out, "%s: %s\n", d.Digest, d.Problem)
	}
	if len(damaged) > 0 {
		return fmt.Errorf("the backup does not have %s of %d as it should", counted(len(damaged), "layer"), made.Blobs)
	}
	fmt.Fprintf(out, "The backup of %s is whole: %s, %d bytes.\n", timeOf(&made.StartedAt), counted(int(made.Blobs), "layer"), made.Bytes)
	return nil
}

func tellMoved(w io.Writer, m server.Moved) {
	fmt.Fprintf(w, "%s and %s, %d bytes, are in the new store.\n", counted(int(m.Rows), "row"), counted(int(m.Blobs), "layer"), m.Bytes)
	for _, file := range m.Keys {
		fmt.Fprintf(w, "Copied %s.\n", file)
	}
	for _, d := range m.Lost {
		fmt.Fprintf(w, "%s is lost: %s\n", d.Digest, d.Problem)
	}
}

// lost is the error of a store that was made without some layers.
func lost(m server.Moved) error {
	if len(m.Lost) == 0 {
		return nil
	}
	return fmt.Errorf("the new store is without %s", counted(len(m.Lost), "layer"))
}
