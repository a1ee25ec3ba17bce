package main

import (
	"os"
	"strings"
	"syscall"
)

// journal is an append-only file that is synced once for all who wait.
type journal struct {
	file    *os.File
	entries chan entry
}

type entry struct {
	line []byte
	done chan error
}

// group is the most entries that share one sync.
const group = 512

func newJournal(f *os.File) *journal {
	j := &journal{file: f, entries: make(chan entry, 2*group)}
	go j.write()
	return j
}

// commit returns when the words are on disk.
func (j *journal) commit(words ...string) error {
	e := entry{[]byte(strings.Join(words, " ") + "\n"), make(chan error, 1)}
	j.entries <- e
	return <-e.done
}

// write lives as long as the process.
func (j *journal) write() {
	for first := range j.entries {
		waiting := j.gather(first)
		var b []byte
		for _, e := range waiting {
			b = append(b, e.line...)
		}
		_, err := j.file.Write(b)
		if err == nil {
			err = syscall.Fdatasync(int(j.file.Fd()))
		}
		for _, e := range waiting {
			e.done <- err
		}
	}
}

// gather takes what waits already, without waiting for more.
func (j *journal) gather(first entry) []entry {
	waiting := []entry{first}
	for len(waiting) < group {
		select {
		case e := <-j.entries:
			waiting = append(waiting, e)
		default:
			return waiting
		}
	}
	return waiting
}
