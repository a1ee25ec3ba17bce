//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"
)

// TestFullDiskDamagesNothing: with no room left pushes are refused by an
// answer and a start by one line; what was acknowledged stays readable, now and
// when there is room again.
func TestFullDiskDamagesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Fatalf("mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	s := start(t, launch{dir: dir})
	g := s.login(t)

	kept := map[string]digest.Digest{} // by tag
	refused := fillDisk(t, g, kept)
	if !answered(refused) {
		t.Fatalf("a push onto the full disk ended with %v, want an answer", refused)
	}
	if len(kept) == 0 {
		t.Fatal("nothing was acknowledged before the disk was full")
	}
	readBack(t, g, kept)

	s.kill()
	takeTheRest(t, filepath.Join(dir, "filler"))
	full := launch{dir: dir, addr: s.addr}.begin(t)
	if code := full.exit(t); code == 0 {
		t.Error("a start on the full disk has exit code 0")
	}
	if said := lines(full.output.String()); len(said) != 1 {
		t.Errorf("a start on the full disk said %q, want one line", said)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=48m"); err != nil {
		t.Fatalf("make room: %v", err)
	}
	start(t, launch{dir: dir, addr: s.addr})
	readBack(t, g, kept)
}

// takeTheRest fills what room the refused push gave back.
func takeTheRest(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 20, 4096, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("fill the disk: %v", err)
		}
	}
}

// fillDisk pushes images, with layers on both sides of the inline limit, until
// one is refused.
func fillDisk(t *testing.T, g *registry, kept map[string]digest.Digest) error {
	t.Helper()
	for i := range 400 {
		config, layer := random(2000), random(40<<10)
		if i%3 == 0 {
			layer = random(1 << 20)
		}
		manifest, tag := manifestOf(config, layer), fmt.Sprintf("t%d", i)
		for _, b := range [][]byte{config, layer} {
			if err := g.pushBlob("disk/app", b); err != nil {
				return err
			}
		}
		if err := g.putManifest("disk/app", tag, manifest); err != nil {
			return err
		}
		kept[tag] = digest.FromBytes(manifest)
	}
	t.Fatal("24 MiB took 140 MiB")
	return nil
}

func readBack(t *testing.T, g *registry, kept map[string]digest.Digest) {
	t.Helper()
	for tag, want := range kept {
		m, err := g.getManifest("disk/app", tag)
		if err != nil || digest.FromBytes(m) != want {
			t.Errorf("%s was acknowledged as %s; now %s, error %v", tag, want, digest.FromBytes(m), err)
		}
	}
}
