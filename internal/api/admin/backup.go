package admin

import (
	"context"
	"time"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lighteragemodel"
	"github.com/lighterage/lighterage/internal/backup"
	"github.com/lighterage/lighterage/internal/fault"
)

// startBackup begins a backup into a directory of the server's machine, or finds
// that it runs already. Whoever may ask for it gets the whole catalogue into a
// directory of their choice, which must be empty or a backup.
func (f *front) startBackup(_ context.Context, _ *awsjson.Call, in *lighteragemodel.StartBackupRequest) (*lighteragemodel.StartBackupResponse, error) {
	req := backup.Request{Dir: *in.Directory, Mode: backup.Copy}
	if in.Blobs != nil {
		req.Mode = backup.Mode(*in.Blobs)
	}
	if in.HoldSeconds != nil {
		req.Hold = time.Duration(*in.HoldSeconds) * time.Second
	}
	if (req.Mode == backup.Reference) != (req.Hold > 0) {
		return nil, &fault.Error{Reason: fault.InputRefused, Detail: "A backup by reference, and no other, needs holdSeconds: how long the layers stay that it refers to."}
	}
	status, err := f.Backups.Start(req)
	if err != nil {
		return nil, err
	}
	return &lighteragemodel.StartBackupResponse{Backup: backupOut(status)}, nil
}

// describeBackup tells of the latest backup of this server process.
func (f *front) describeBackup(context.Context, *awsjson.Call, *lighteragemodel.DescribeBackupRequest) (*lighteragemodel.DescribeBackupResponse, error) {
	status, ok := f.Backups.Status()
	if !ok {
		return &lighteragemodel.DescribeBackupResponse{}, nil
	}
	return &lighteragemodel.DescribeBackupResponse{Backup: backupOut(status)}, nil
}

func backupOut(s backup.Status) *lighteragemodel.Backup {
	out := &lighteragemodel.Backup{
		Directory: &s.Dir, Blobs: new(lighteragemodel.BackupBlobs(s.Mode)), State: new(lighteragemodel.BackupState(s.State)), Phase: &s.Phase, StartedAt: since(s.StartedAt),
		FinishedAt: since(s.FinishedAt), HeldUntil: since(s.HeldUntil), BlobsDone: &s.Blobs, BlobsTotal: &s.BlobsAll,
		BytesDone: &s.Bytes, BytesTotal: &s.BytesAll, BytesCopied: &s.Copied, DamagedCount: new(int32(s.Damaged)),
	}
	if s.Err != nil {
		out.Reason = new(s.Err.Error())
	}
	return out
}
