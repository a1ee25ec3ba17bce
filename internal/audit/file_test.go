package audit_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lighterage/lighterage/internal/audit"
)

func TestNothingIsLostAcrossRotations(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "when needed")
	f := open(t, audit.FileConfig{Dir: dir, MaxFile: 64 << 10, MaxTotal: 64 << 20})
	const writers, each = 16, 400
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				e := push("team/app")
				e.ID = fmt.Sprintf("%d-%d", w, i)
				if err := f.Record(e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()

	sizes := files(t, dir)
	if len(sizes) < 20 {
		t.Errorf("only %d files: nothing was rotated", len(sizes))
	}
	for name, size := range sizes {
		if size > 64<<10 {
			t.Errorf("%s has %d bytes", name, size)
		}
	}
	if got := f.Stats(); got != (audit.Stats{Written: writers * each}) {
		t.Errorf("stats %+v", got)
	}
	for _, oldest := range []bool{false, true} {
		ids, sum := found(t, dir, audit.Query{OldestFirst: oldest})
		if len(ids) != writers*each || sum.Read != writers*each || sum.Broken != 0 {
			t.Fatalf("found %d events, summary %+v; want %d", len(ids), sum, writers*each)
		}
		next := make([]int, writers) // each writer's events are in its order
		if !oldest {
			slices.Reverse(ids)
		}
		for _, id := range ids {
			var w, i int
			if _, err := fmt.Sscanf(id, "%d-%d", &w, &i); err != nil {
				t.Fatal(err)
			}
			if next[w] != i {
				t.Fatalf("event %s comes when %d is due", id, next[w])
			}
			next[w]++
		}
	}
}

func TestTheTrailIsBounded(t *testing.T) {
	dir := t.TempDir()
	c := audit.FileConfig{Dir: dir, MaxFile: 8 << 10, MaxTotal: 32 << 10}
	f := open(t, c)
	const n = 500
	for i := range n {
		e := push("team/app")
		e.ID = fmt.Sprint(i)
		record(t, f, e)
		total := int64(0)
		for _, size := range files(t, dir) {
			total += size
		}
		if total > c.MaxTotal {
			t.Fatalf("%d bytes after event %d", total, i)
		}
	}
	ids, _ := found(t, dir, audit.Query{})
	if len(ids) < 20 || ids[0] != fmt.Sprint(n-1) {
		t.Errorf("%d events are left, the newest is %s", len(ids), ids[0])
	}
	if got := f.Stats(); got.Removed == 0 || got.Failed != 0 {
		t.Errorf("stats %+v", got)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	t.Run("and takes on a smaller bound when it is opened", func(t *testing.T) {
		c.MaxTotal = 16 << 10
		open(t, c)
		total := int64(0)
		for _, size := range files(t, dir) {
			total += size
		}
		if total > c.MaxTotal {
			t.Errorf("%d bytes", total)
		}
	})
}

func TestATrailGoesOn(t *testing.T) {
	dir := t.TempDir()
	c := audit.FileConfig{Dir: dir, MaxFile: 4 << 10, MaxTotal: 1 << 20}
	var want []string
	for run := range 5 {
		f := open(t, c)
		for i := range 7 {
			e := push("team/app")
			e.ID = fmt.Sprintf("%d-%d", run, i)
			want = append(want, e.ID)
			record(t, f, e)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.Record(push("late")); err == nil {
			t.Error("recorded after it was closed")
		}
	}
	if got, sum := found(t, dir, audit.Query{OldestFirst: true}); !slices.Equal(got, want) || sum.Broken != 0 {
		t.Errorf("found %q, want %q; summary %+v", got, want, sum)
	}
}

func TestATornLineSpoilsNoOther(t *testing.T) {
	var whole bytes.Buffer
	if err := audit.NewStream(&whole, clock).Record(push("torn")); err != nil {
		t.Fatal(err)
	}
	for name, tail := range map[string]string{
		"one byte":                    "{",
		"half a line":                 whole.String()[:whole.Len()/2],
		"a line without its break":    strings.TrimSuffix(whole.String(), "\n"),
		"zeros, as after power loss":  strings.Repeat("\x00", 4096),
		"a break within":              "{\n{",
		"more than is read at a time": strings.Repeat("x", 200<<10),
		"more than a line may have":   strings.Repeat("x", audit.MaxLine+5),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			before, after := push("before"), push("after")
			before.ID, after.ID = "before", "after"
			c := audit.FileConfig{Dir: dir}
			f := open(t, c)
			record(t, f, before)
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "audit.jsonl")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, append(text, tail...), 0o644); err != nil {
				t.Fatal(err)
			}
			record(t, open(t, c), after)

			files(t, dir) // checks the modes
			for _, oldest := range []bool{true, false} {
				ids, sum := found(t, dir, audit.Query{OldestFirst: oldest})
				if !oldest {
					slices.Reverse(ids)
				}
				torn := sum.Broken
				if i := slices.Index(ids, "e-1"); i >= 0 { // the event was whole
					torn, ids = torn+1, slices.Delete(ids, i, i+1)
				}
				if !slices.Equal(ids, []string{"before", "after"}) || torn == 0 {
					t.Errorf("oldest first %t: found %q, summary %+v", oldest, ids, sum)
				}
			}
		})
	}
}

func TestWhatAnInterruptedRotationLeaves(t *testing.T) {
	for name, present := range map[string][]string{
		"before the first rename":   {"audit.jsonl", "audit.jsonl.next"},
		"between the renames":       {"audit-000000000001.jsonl", "audit.jsonl.next"},
		"after both":                {"audit-000000000001.jsonl", "audit.jsonl"},
		"and what is not a trail's": {"audit.jsonl", "audit-1.jsonl", "audit-x.jsonl", "notes.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for i, file := range present {
				var out bytes.Buffer
				if i == 0 {
					if err := audit.NewStream(&out, clock).Record(push("before")); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.WriteFile(filepath.Join(dir, file), out.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f := open(t, audit.FileConfig{Dir: dir, MaxFile: 1 << 10, MaxTotal: 1 << 20})
			record(t, f, push("a"), push("b"), push("c"))
			if ids, sum := found(t, dir, audit.Query{}); len(ids) != 4 || sum.Broken != 0 {
				t.Errorf("found %d events, summary %+v", len(ids), sum)
			}
			if _, err := os.Stat(filepath.Join(dir, "audit.jsonl.next")); err == nil {
				t.Error("the unfinished file is still there")
			}
		})
	}
}

func TestTrailsThatDoNotOpen(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken := filepath.Join(dir, "taken")
	open(t, audit.FileConfig{Dir: taken})
	for name, tt := range map[string]struct {
		c    audit.FileConfig
		want string
	}{
		"a file in the place of the directory": {audit.FileConfig{Dir: file}, "not a directory"},
		"a trail that is being written":        {audit.FileConfig{Dir: taken}, "another process"},
		"a bound under two files":              {audit.FileConfig{Dir: dir, MaxFile: 100, MaxTotal: 199}, "two files"},
		"a negative size":                      {audit.FileConfig{Dir: dir, MaxFile: -1}, "two files"},
	} {
		f, err := audit.OpenFile(tt.c)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, tt.want)
		}
		if f != nil {
			t.Errorf("%s: gave a trail", name)
		}
	}
}

// TestKill records in a process that is killed without notice, and reads what
// it had acknowledged.
func TestKill(t *testing.T) {
	if dir := os.Getenv("AUDIT_TEST_KILL"); dir != "" {
		recordUntilKilled(t, dir)
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
	cmd.Env = append(os.Environ(), "AUDIT_TEST_KILL="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var acknowledged []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		acknowledged = append(acknowledged, lines.Text())
		if len(acknowledged) == 2000 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || len(acknowledged) < 2000 {
		t.Fatalf("the process was not killed: %d events, error %v", len(acknowledged), err)
	}
	f := open(t, audit.FileConfig{Dir: dir}) // the lock went with the process
	record(t, f, push("after"))
	ids, sum := found(t, dir, audit.Query{})
	there := map[string]bool{}
	for _, id := range ids {
		there[id] = true
	}
	for _, id := range acknowledged {
		if !there[id] {
			t.Fatalf("event %s was acknowledged and is lost; summary %+v", id, sum)
		}
	}
}

func recordUntilKilled(t *testing.T, dir string) {
	f := open(t, audit.FileConfig{Dir: dir, MaxFile: 32 << 10, MaxTotal: 1 << 30})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 1 << 20 {
				e := push("team/app")
				e.ID = fmt.Sprintf("%d-%d", w, i)
				if err := f.Record(e); err != nil {
					t.Error(err)
					return
				}
				fmt.Println(e.ID)
			}
		})
	}
	wg.Wait()
}
