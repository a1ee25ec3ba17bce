package audit_test

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lighterage/lighterage/internal/audit"
	"github.com/lighterage/lighterage/internal/testkit/apart"
)

func TestAFullDiskIsToldAndBreaksNoLine(t *testing.T) {
	if !apart.Run(t) {
		return
	}
	dir := t.TempDir()
	f := open(t, audit.FileConfig{Dir: dir})
	restore := apart.LimitFiles(t, 10_000)
	var told, recorded int
	for i := range 30 {
		e := push("team/app")
		e.ID = fmt.Sprint(i)
		err := f.Record(e)
		switch {
		case err == nil:
			recorded++
		case errors.Is(err, unix.EFBIG):
			told++
		default:
			t.Fatal(err)
		}
	}
	if got := f.Stats(); recorded == 0 || told == 0 || got.Written != int64(recorded) || got.Failed != int64(told) || !errors.Is(got.Err, unix.EFBIG) {
		t.Fatalf("%d recorded, %d failed, stats %+v", recorded, told, got)
	}
	if ids, sum := found(t, dir, audit.Query{}); len(ids) != recorded || sum.Broken != 0 {
		t.Errorf("found %d events of %d, summary %+v", len(ids), recorded, sum)
	}

	record(t, f, sorted("audit-read")) // has room in a file of its own, which proves nothing for the others
	if got := f.Stats(); got.Err == nil {
		t.Error("an event of another sort made it forget that there is no room")
	}
	if err := f.Retry(); !errors.Is(err, unix.EFBIG) {
		t.Errorf("tried again: error %v", err)
	}

	restore()
	if err := f.Retry(); err != nil || f.Stats().Err != nil {
		t.Errorf("with room again: error %v, stats %+v", err, f.Stats())
	}
	record(t, f, push("after"))
	ids, sum := found(t, dir, audit.Query{OldestFirst: true, Filter: audit.Filter{Action: "PutImage"}})
	if len(ids) != recorded+1 || sum.Broken != 0 || ids[recorded] != "e-1" {
		t.Errorf("with room again: found %q of %d, summary %+v", ids, recorded+1, sum)
	}
	checkGap(t, dir, told)
}

// checkGap looks for what the trail says of events that are not in it.
func checkGap(t *testing.T, dir string, count int) {
	t.Helper()
	var gaps []audit.Event
	_, err := audit.Search(t.Context(), dir, audit.Query{Filter: audit.Filter{Action: "AuditTrailGap"}}, func(e audit.Event) bool {
		gaps = append(gaps, e)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"count":%d,"from":"2026-03-14T12:00:00Z","until":"2026-03-14T12:00:00Z"}`, count)
	if len(gaps) != 1 || string(gaps[0].RequestParameters) != want || gaps[0].Outcome() != audit.Failed {
		t.Errorf("of its gap the trail says %+v, want once %s", gaps, want)
	}
}

func TestWithoutADescriptorTheTrailStaysWhole(t *testing.T) {
	if !apart.Run(t) {
		return
	}
	dir := t.TempDir()
	f := open(t, audit.FileConfig{Dir: dir, MaxFile: 2 << 10, MaxTotal: 1 << 20})
	record(t, f, push("a"))
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	var err error
	recorded := 1
	for range 5 {
		if err = f.Record(push("b")); err != nil {
			break
		}
		recorded++
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, unix.EMFILE) {
		t.Fatalf("error %v, want %v", err, unix.EMFILE)
	}
	record(t, f, push("c"))
	ids, sum := found(t, dir, audit.Query{Filter: audit.Filter{Action: "PutImage"}})
	if len(ids) != recorded+1 || sum.Broken != 0 {
		t.Errorf("found %d events of %d, summary %+v", len(ids), recorded+1, sum)
	}
	checkGap(t, dir, 1)
}
