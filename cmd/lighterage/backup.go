package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

const backupHelp = `Backup writes what the server has at this moment into a directory, while clients
push, pull and delete: the catalogue as one SQLite file, whatever database the
server has, and all layers. The server writes it: DIR is a directory of its
machine, which must be new, empty, or a backup.

Into a backup that is there only those layers are copied that it does not have;
layers that nothing needs any more go, and until all is done it stays the backup
that it was. After an interruption, run the same command again.

With --blobs reference the layers are not copied but named, for stores whose
bytes are kept otherwise, as by a bucket's own versions. Until the time of --hold
is over the server removes no bytes at all.

Every layer is hashed as it is copied. If the store has lost one, or has it wrong,
the backup is made without it and the exit code is 1. The master key and the root
credentials are not in a backup: keep copies of them elsewhere.`

// backupRow is a backup as the server tells it, with times in seconds.
type backupRow struct {
	Directory string  `json:"directory"`
	Blobs     string  `json:"blobs"`
	State     string  `json:"state"`
	Phase     string  `json:"phase"`
	Reason    string  `json:"reason"`
	Started   float64 `json:"startedAt"`
	Finished  float64 `json:"finishedAt"`
	Held      float64 `json:"heldUntil"`
	Done      int64   `json:"blobsDone"`
	All       int64   `json:"blobsTotal"`
	Bytes     int64   `json:"bytesDone"`
	BytesAll  int64   `json:"bytesTotal"`
	Copied    int64   `json:"bytesCopied"`
	Damaged   int     `json:"damagedCount"`
}

// backupView is a backup as it is printed.
type backupView struct {
	Directory  string `json:"directory"`
	Blobs      string `json:"blobs"`
	StartedAt  string `json:"startedAt"`
	FinishedAt string `json:"finishedAt"`
	HeldUntil  string `json:"heldUntil,omitempty"`
	Layers     int64  `json:"layers"`
	Bytes      int64  `json:"bytes"`
	Copied     int64  `json:"bytesCopied"`
	Damaged    int    `json:"damaged"`
}

func newBackup() *cobra.Command {
	return alone(func(r *remote) *cobra.Command {
		var to, blobs string
		var hold time.Duration
		cmd := r.command("backup", "Write what a running server has into a directory", nil, func(ctx context.Context, s *session, _ []string) error {
			if to == "" {
				return usageError{errors.New("--to names the directory of the backup")}
			}
			dir, err := filepath.Abs(to)
			if err != nil {
				return usageError{err}
			}
			return s.backup(ctx, dir, blobs, hold)
		})
		cmd.Long = backupHelp + remoteHelp
		cmd.Flags().StringVar(&to, "to", "", "`directory` of the backup")
		cmd.Flags().StringVar(&blobs, "blobs", "copy", "copy or reference: what becomes of the layers, as `mode`")
		cmd.Flags().DurationVar(&hold, "hold", 7*24*time.Hour, "with --blobs reference, how long the layers stay, a `duration`")
		return cmd
	})
}

// backupLook is how often the server is asked how far it is.
const backupLook = 200 * time.Millisecond

func (s *session) backup(ctx context.Context, dir, blobs string, hold time.Duration) error {
	in := map[string]any{"directory": dir, "blobs": blobs}
	if blobs == "reference" {
		in["holdSeconds"] = int64(hold.Seconds())
	}
	var out struct{ Backup backupRow }
	if err := s.call(ctx, "StartBackup", in, &out); err != nil {
		return err
	}
	lines := newProgress(s.err)
	look := time.NewTicker(backupLook)
	defer look.Stop()
	for out.Backup.State == "running" {
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := s.call(ctx, "DescribeBackup", map[string]any{}, &out); err != nil {
			return err
		}
		if out.Backup.Directory != dir {
			return errors.New("the server was started anew meanwhile; run the command again, and the backup goes on")
		}
		lines.tell(out.Backup.Phase, out.Backup.Done, out.Backup.All)
	}
	lines.end()
	b := out.Backup
	if b.State != "finished" {
		return fmt.Errorf("the backup failed: %s", b.Reason)
	}
	v := backupView{b.Directory, b.Blobs, timeOf(seconds(b.Started)), timeOf(seconds(b.Finished)), timeOf(seconds(b.Held)), b.All, b.BytesAll, b.Copied, b.Damaged}
	rows := [][]string{
		{"directory", v.Directory}, {"layers", fmt.Sprintf("%d, %d bytes", v.Layers, v.Bytes)}, {"copied now", fmt.Sprintf("%d bytes", v.Copied)},
		{"finished", v.FinishedAt},
	}
	if v.HeldUntil != "" {
		rows = append(rows, []string{"layers stay until", v.HeldUntil})
	}
	if err := s.show(v, table{rows: rows}); err != nil {
		return err
	}
	if b.Damaged > 0 {
		return fmt.Errorf("the store does not have %s as it should, and the backup is without; backup.json says which", counted(b.Damaged, "layer"))
	}
	return nil
}
