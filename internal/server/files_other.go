//go:build !unix

package server

// openFiles is as many as are needed: these systems have no such limit.
func openFiles() int { return 2 * maxConnections }
