// Package apart runs a test in a process of its own: for limits that hold for a
// whole process, and would hit what the test binary writes for itself.
package apart

import (
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"syscall"
	"testing"
)

const mark = "LIGHTERAGE_TEST_APART"

// Run reports whether this is the process of its own; otherwise it runs the
// test in one, and fails with it.
//
//	if !apart.Run(t) {
//		return
//	}
func Run(t *testing.T) bool {
	t.Helper()
	if os.Getenv(mark) == t.Name() {
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^"+regexp.QuoteMeta(t.Name())+"$", "-test.count=1", "-test.v")
	cmd.Env = append(os.Environ(), mark+"="+t.Name())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("in a process of its own: %v\n%s", err, out)
	}
	return false
}

// LimitFiles lets no file of the process grow beyond the size in bytes, as on a
// full disk, until restore is called. The process must be the test's own.
func LimitFiles(t *testing.T, size uint64) (restore func()) {
	t.Helper()
	if os.Getenv(mark) != t.Name() {
		t.Fatal("not in a process of its own")
	}
	signal.Ignore(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	set := func(l syscall.Rlimit) {
		t.Helper()
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
			t.Fatal(err)
		}
	}
	set(syscall.Rlimit{Cur: size, Max: was.Max})
	return func() { t.Helper(); set(was) }
}
