//go:build race

package server_test

// raced: the race detector makes pools forget, and so allocations many.
const raced = true
