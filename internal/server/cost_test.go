package server_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/blob/blobtest"
	"github.com/lighterage/lighterage/internal/meta/metatest"
)

var update = flag.Bool("update", false, "write the costs that were measured to testdata/cost.txt")

// cost is what an operation costs on every machine alike.
type cost struct {
	statements int // of SQL, without those that begin and end transactions
	commits    int // on SQLite with one sync each
	syncs      int // of the layer store's files and directories
	allocated  int // pieces of memory
}

// A number of runs warms what is kept from run to run: statements that are
// prepared, pages, pools. Those that are counted must agree.
const (
	warming  = 3
	counted  = 2
	allotted = 8
)

// TestCosts holds the costs of the operations against testdata/cost.txt: all
// are exact but allocations, which may be a tenth more.
func TestCosts(t *testing.T) {
	w := newWorld(t)
	w.prepare()
	var lines []string
	want := readCosts(t)
	for _, o := range operations() {
		t.Run(o.name, func(t *testing.T) {
			got := w.measure(t, o)
			lines = append(lines, fmt.Sprintf("%10d %7d %5d %11d  %s\n", got.statements, got.commits, got.syncs, got.allocated, o.name))
			if *update {
				return
			}
			was, ok := want[o.name]
			if !ok {
				t.Fatal("testdata/cost.txt does not say what it may cost; go test -run TestCosts -update writes it")
			}
			if !raced && got.allocated > was.allocated+was.allocated/10+2 {
				t.Errorf("%d allocations, a tenth more than %d", got.allocated, was.allocated)
			}
			got.allocated, was.allocated = 0, 0
			if diff := cmp.Diff(was, got, cmp.AllowUnexported(cost{})); diff != "" {
				t.Error(diff)
			}
		})
	}
	if *update {
		must(t, os.WriteFile(costFile, []byte(costHead+strings.Join(lines, "")), 0o600))
	}
}

var costFile = filepath.Join("testdata", "cost.txt")

const costHead = `# What one operation costs on SQLite: statements of SQL, commits (with one sync
# each), syncs of the layer store, allocations of the whole server.
# Written by go test ./internal/server -run TestCosts -update.
statements commits syncs allocations  operation
`

func readCosts(t *testing.T) map[string]cost {
	text, err := os.ReadFile(costFile)
	must(t, err)
	costs := map[string]cost{}
	_, body, ok := strings.Cut(string(text), "operation\n")
	if !ok && !*update {
		t.Fatalf("%s has no head", costFile)
	}
	for line := range strings.Lines(body) {
		var c cost
		var first string
		if _, err := fmt.Sscan(line, &c.statements, &c.commits, &c.syncs, &c.allocated, &first); err != nil {
			t.Fatalf("%s: %q: %v", costFile, line, err)
		}
		costs[strings.TrimSpace(line[strings.Index(line, first):])] = c
	}
	return costs
}

// TestCostsStayWhenTheRegistryGrows counts SQLite's steps with some of everything
// and with many times as much: they must be the same, also where quotas count.
func TestCostsStayWhenTheRegistryGrows(t *testing.T) {
	w := newWorld(t, "--quotas=images-per-repository=100000,tags-per-image=1000,repositories-per-registry=100000")
	w.prepare()
	table, small := operations(), map[string]map[string]metatest.Work{}
	w.grow(60)
	for _, o := range table {
		small[o.name] = w.work(t, o)
	}
	w.grow(many)
	for _, o := range table {
		t.Run(o.name, func(t *testing.T) {
			if diff := cmp.Diff(small[o.name], w.work(t, o)); diff != "" {
				t.Errorf("what the statements do changes with the size of the registry:\n%s", diff)
			}
		})
	}
}

// work is what SQLite does for runs of an operation, but for what begins and
// ends transactions.
func (w *world) work(t *testing.T, o *operation) map[string]metatest.Work {
	sum := map[string]metatest.Work{}
	for n := range warming + counted {
		run := w.ready(t, o)
		for text, did := range w.sql.Count(run) {
			if n >= warming && !aside(text) && !ends.MatchString(text) && bounded[text] == "" {
				sum[text] = metatest.Work{Runs: sum[text].Runs + did.Runs, Steps: sum[text].Steps + did.Steps}
			}
		}
	}
	return sum
}

func (w *world) measure(t *testing.T, o *operation) cost {
	for range warming {
		w.ready(t, o)()
	}
	var costs [counted]cost
	for n := range costs {
		run := w.ready(t, o)
		w.blobs.FailAt(-1, 0, nil)
		for text, did := range w.sql.Count(run) {
			costs[n].count(text, did)
		}
		for _, step := range w.blobs.Calls() {
			costs[n].sync(step)
		}
	}
	c := costs[0]
	if c != costs[1] {
		t.Errorf("two runs do not cost the same: %+v", costs)
	}
	for range allotted {
		c.allocated += allocations(w.ready(t, o))
	}
	c.allocated /= allotted
	return c
}

func (c *cost) count(text string, did metatest.Work) {
	switch {
	case text == "COMMIT":
		c.commits += did.Runs
	case !aside(text) && !ends.MatchString(text):
		c.statements += did.Runs
	}
}

func (c *cost) sync(step blobtest.Step) {
	switch step {
	case blobtest.Seal: // the file and its directory
		c.syncs += 2
	case blobtest.Remove:
		c.syncs++
	}
}

// bounded are statements that look at more the more there is, and why that has
// an end.
var bounded = map[string]string{
	"SELECT COUNT(*) FROM principal WHERE account = ?1 AND kind = ?2": "IAM's quotas of users, groups and roles of an account",
	"SELECT COUNT(*) FROM policy WHERE account = ?1":                  "IAM's quota of policies of an account",
}

// aside reports whether a statement is no part of an operation: it comes a few
// times a second, whatever is asked.
func aside(text string) bool {
	return strings.HasPrefix(text, "PRAGMA ") || text == "SELECT version FROM access_version WHERE one = 1"
}

var ends = regexp.MustCompile(`^(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)`)

// ready makes the next run of an operation ready.
func (w *world) ready(t *testing.T, o *operation) func() {
	w.t = t
	n := o.next
	o.next++
	if o.before != nil {
		o.before(w, n)
	}
	if o.cold {
		w.start()
	}
	if !o.again {
		w.write()
	}
	if o.pass != "" {
		return func() { w.pass(o.pass) }
	}
	r, s := o.request(w, n), newSink()
	return func() {
		if w.handler.ServeHTTP(s, r); s.status != o.status {
			t.Fatalf("answered with %d %s", s.status, s.body.Bytes())
		}
	}
}

func (w *world) pass(name string) {
	w.t.Helper()
	for _, p := range w.server.Passes() {
		if p.Name == name {
			must(w.t, p.Run(context.Background()))
			return
		}
	}
	w.t.Fatalf("no pass is called %s", name)
}

// allocations counts what is allocated while act runs.
func allocations(act func()) int {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	act()
	runtime.ReadMemStats(&after)
	return int(after.Mallocs - before.Mallocs)
}
