//go:build e2e

package e2e_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// answer is one HTTP answer in a trace, with what docs/ARCHITECTURE.md forbids
// (Storage) that was so when it left.
type answer struct {
	status   string   // such as "201"
	unsynced []string // paths written and not synced, directories with new names
	commits  int      // writes to the log since the answer before
	syncs    int      // of files, directories and the log since then
}

// call is one line of a trace: a system call that began, ended, or both.
type call struct {
	pid, name, args, result string
	begins, ends            bool
}

var (
	wholeCall   = regexp.MustCompile(`^(\d+)\s+(\w+)\((.*)\)\s+= (.*)$`)
	beginOfCall = regexp.MustCompile(`^(\d+)\s+(\w+)\((.*) <unfinished \.\.\.>$`)
	endOfCall   = regexp.MustCompile(`^(\d+)\s+<\.\.\. (\w+) resumed>(.*)\)\s+= (.*)$`)
	fdPath      = regexp.MustCompile(`^\d+<([^>]*)>`)
)

// parseCall reads a line of strace -f; false for signals and exits.
func parseCall(line string) (call, bool) {
	if m := wholeCall.FindStringSubmatch(line); m != nil {
		return call{m[1], m[2], m[3], m[4], true, true}, true
	}
	if m := beginOfCall.FindStringSubmatch(line); m != nil {
		return call{m[1], m[2], m[3], "", true, false}, true
	}
	if m := endOfCall.FindStringSubmatch(line); m != nil {
		return call{m[1], m[2], m[3], m[4], false, true}, true
	}
	return call{}, false
}

// trace follows which files are synced.
type trace struct {
	dir     string
	dirty   map[string]bool     // path: written since its last sync began
	syncing map[string]string   // pid: path of the sync that runs
	during  map[string][]string // pid: paths written while its sync runs
	opening map[string]bool     // pid: a creating open runs
	made    map[string][]string // dirty directory: names that made it so
	commits int
	syncs   int
	answers []answer
}

// readTrace returns the answers in the order in which they left.
func readTrace(dir, text string) []answer {
	tr := &trace{dir: dir, dirty: map[string]bool{}, syncing: map[string]string{}, during: map[string][]string{}, opening: map[string]bool{}, made: map[string][]string{}}
	for line := range strings.Lines(text) {
		c, ok := parseCall(strings.TrimSpace(line))
		if !ok {
			continue
		}
		tr.step(c)
	}
	return tr.answers
}

func (tr *trace) step(c call) {
	switch c.name {
	case "openat", "open", "creat", "mkdirat", "mkdir", "renameat", "renameat2", "linkat":
		tr.create(c)
	case "unlink", "unlinkat":
		tr.remove(c)
	case "fsync", "fdatasync", "syncfs":
		tr.sync(c)
	case "write", "writev", "pwrite64", "pwritev", "pwritev2", "splice", "copy_file_range", "sendfile", "ftruncate", "sendto", "sendmsg":
		// An answer counts when it begins to leave, a write when it begins
		// to happen: the strict reading of both.
		if c.begins {
			tr.write(c)
		}
	}
}

// create marks the directory in which a name was made.
func (tr *trace) create(c call) {
	creating := strings.Contains(c.args, "O_CREAT") || c.begins && !strings.HasPrefix(c.name, "open")
	if c.begins && !c.ends {
		tr.opening[c.pid] = creating
		return
	}
	if !c.begins {
		creating = tr.opening[c.pid]
		delete(tr.opening, c.pid)
	}
	m := fdPath.FindStringSubmatch(c.result)
	if !creating || m == nil || !tr.ours(m[1]) {
		return
	}
	if tr.isBlob(m[1]) {
		dir := filepath.Dir(m[1])
		if !tr.dirty[dir] {
			tr.made[dir] = nil
		}
		tr.made[dir] = append(tr.made[dir], m[1])
		tr.touch(dir)
	}
}

var removed = regexp.MustCompile(`^(?:[\w-]+<([^>]*)>, )?"([^"]*)"`)

// remove forgets a file that is no more; it had nothing to lose, and neither
// has a directory without the names that were made in it.
func (tr *trace) remove(c call) {
	m := removed.FindStringSubmatch(c.args)
	if m == nil {
		return
	}
	path := m[2]
	if !filepath.IsAbs(path) {
		path = filepath.Join(m[1], path)
	}
	delete(tr.dirty, path)
	dir := filepath.Dir(path)
	before := len(tr.made[dir])
	tr.made[dir] = slices.DeleteFunc(tr.made[dir], func(name string) bool { return name == path })
	if before > 0 && len(tr.made[dir]) == 0 {
		delete(tr.dirty, dir)
	}
}

func (tr *trace) sync(c call) {
	if c.begins {
		m := fdPath.FindStringSubmatch(c.args)
		if m == nil {
			return
		}
		tr.syncing[c.pid], tr.during[c.pid] = m[1], nil
	}
	if !c.ends || tr.syncing[c.pid] == "" {
		return
	}
	path := tr.syncing[c.pid]
	delete(tr.syncing, c.pid)
	if tr.ours(path) && !tr.isTrail(path) {
		tr.syncs++
	}
	if strings.HasPrefix(c.result, "0") && !slices.Contains(tr.during[c.pid], path) {
		delete(tr.dirty, path)
	}
}

func (tr *trace) write(c call) {
	m := fdPath.FindStringSubmatch(c.args)
	if m == nil {
		return
	}
	path := m[1]
	if strings.HasPrefix(path, "socket:") || strings.HasPrefix(path, "TCP") {
		tr.answer(c.args)
		return
	}
	if !tr.ours(path) || !tr.isBlob(path) && !isLog(path) {
		return
	}
	if isLog(path) {
		tr.commits++
	}
	tr.touch(path)
}

func (tr *trace) touch(path string) {
	tr.dirty[path] = true
	for pid := range tr.syncing {
		tr.during[pid] = append(tr.during[pid], path)
	}
}

var statusLine = regexp.MustCompile(`"HTTP/1\.1 ([2-5]\d\d) `)

func (tr *trace) answer(args string) {
	m := statusLine.FindStringSubmatch(args)
	if m == nil {
		return
	}
	a := answer{status: m[1], commits: tr.commits, syncs: tr.syncs}
	for path := range tr.dirty {
		a.unsynced = append(a.unsynced, path)
	}
	slices.Sort(a.unsynced)
	tr.answers, tr.commits, tr.syncs = append(tr.answers, a), 0, 0
}

func (tr *trace) ours(path string) bool { return strings.HasPrefix(path, tr.dir+"/") }

// isLog: the write-ahead log is what a commit is written to; the database file
// itself follows it in checkpoints.
func isLog(path string) bool { return strings.HasSuffix(path, "-wal") }

// isBlob: a file that is neither the database's nor the process's lock, nor of
// the audit trail, which is not what an answer acknowledges.
func (tr *trace) isBlob(path string) bool {
	rest := strings.TrimPrefix(path, tr.dir+"/")
	return strings.Contains(rest, "/") && !tr.isTrail(path) && !isLog(path) && !strings.HasSuffix(path, "-shm")
}

func (tr *trace) isTrail(path string) bool { return strings.HasPrefix(path, tr.dir+"/audit/") }
