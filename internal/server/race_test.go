//go:build race

package server_test

const (
	// raced: the race detector makes pools forget, and so allocations many.
	raced = true
	// many takes the detector long.
	many = 120
)
