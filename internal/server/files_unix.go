//go:build unix

package server

import "golang.org/x/sys/unix"

// openFiles is how many files the process may have open.
func openFiles() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || uint64(limit.Cur) > 2*maxConnections {
		return 2 * maxConnections
	}
	return int(limit.Cur)
}
