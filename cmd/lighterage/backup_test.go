package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/testkit"
)

func TestABackupIsMadeCheckedAndRestored(t *testing.T) {
	s := newShell(t)
	s.PushImage(s.Login(), "app", "v1", []byte("{}"), make([]byte, 300<<10))
	dir, to := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "restored")
	for _, copied := range []string{"307200", "0"} { // the second time all layers are there
		var made backupView
		s.json(&made, "backup", "--to="+dir)
		if made.Directory != dir || made.Layers != 1 || made.Bytes != 300<<10 || made.FinishedAt == "" || made.Damaged != 0 {
			t.Errorf("printed %+v", made)
		}
		if text, _ := json.Marshal(made.Copied); string(text) != copied {
			t.Errorf("copied %s, want %s", text, copied)
		}
	}
	if files, err := filepath.Glob(filepath.Join(dir, "catalogue-*.db")); err != nil || len(files) != 1 {
		t.Errorf("catalogues %q, %v", files, err)
	}
	if got := said(t, exitOK, "restore", "--from="+dir, "--check"); !strings.Contains(got, "is whole: 1 layer, 307200 bytes") {
		t.Errorf("the check says %q", got)
	}
	if got := said(t, exitOK, "restore", "--from="+dir, "--data-dir="+to); !strings.Contains(got, "generation 2") || !strings.Contains(got, "1 layer, 307200 bytes") {
		t.Errorf("restore says %q", got)
	}
	if got := said(t, exitStore, "restore", "--from="+dir, "--data-dir="+to); !strings.Contains(got, "is not empty") {
		t.Errorf("a second restore says %q", got)
	}
	if got := said(t, exitStore, "move", "--from="+s.Dir, "--to="+to+"2"); !strings.Contains(got, "in use") {
		t.Errorf("a move of a store that is served says %q", got)
	}
	s.Stop()
	if got := said(t, exitOK, "move", "--from="+to, "--to="+to+"2"); !strings.Contains(got, "are in the new store") {
		t.Errorf("move says %q", got)
	}
	hex := strings.TrimPrefix(testkit.Digest(make([]byte, 300<<10)), "sha256:")
	if err := os.Remove(filepath.Join(dir, "blobs", "sha256", hex[:2], hex)); err != nil {
		t.Fatal(err)
	}
	if got := said(t, exitFailed, "restore", "--from="+dir, "--check"); !strings.Contains(got, "1 layer of 1") {
		t.Errorf("the check of a damaged backup says %q", got)
	}
}

func TestABackupByReferenceNamesItsLayers(t *testing.T) {
	s := newShell(t)
	s.PushImage(s.Login(), "app", "v1", []byte("{}"), make([]byte, 300<<10))
	dir, to := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "restored")
	var made backupView
	s.json(&made, "backup", "--to="+dir, "--blobs=reference", "--hold=2h")
	if made.HeldUntil == "" || made.Layers != 1 || made.Copied != 0 {
		t.Errorf("printed %+v", made)
	}
	if got := said(t, exitStore, "restore", "--from="+dir, "--data-dir="+to); !strings.Contains(got, "file:"+s.Dir) {
		t.Errorf("without the layers it says %q", got)
	}
	if got := said(t, exitOK, "restore", "--from="+dir, "--data-dir="+to, "--blobs-from=file:"+filepath.Join(s.Dir, "blobs")); !strings.Contains(got, "1 layer, 307200 bytes") {
		t.Errorf("restore says %q", got)
	}
}

func TestCommandLinesOfBackupsThatAreWrong(t *testing.T) {
	s := newShell(t)
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"backup", "--data-dir=" + s.Dir}, exitUsage, "--to"},
		{[]string{"restore", "--data-dir=x"}, exitUsage, "--from"},
		{[]string{"restore", "--from=x"}, exitUsage, "--data-dir"},
		{[]string{"restore", "--from=" + s.Dir, "--data-dir=" + filepath.Join(s.Dir, "x")}, exitStore, "no finished backup"},
		{[]string{"move", "--from=x"}, exitUsage, "--to"},
		{[]string{"move", "--from=" + filepath.Join(s.Dir, "none"), "--to=" + filepath.Join(s.Dir, "x")}, exitStore, "there is no store in"},
		{[]string{"move", "--from=x", "--to=y", "--to-database=mysql://z"}, exitUsage, "postgres://"},
	} {
		if got := said(t, tt.code, tt.args...); !strings.Contains(got, tt.want) {
			t.Errorf("%q says %q, want %q", tt.args, got, tt.want)
		}
	}
}
