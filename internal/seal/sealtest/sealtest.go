// Package sealtest makes sealers for tests.
package sealtest

import (
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/seal"
)

// New returns a sealer, each time with the same key.
func New(t testing.TB) *seal.Sealer {
	t.Helper()
	key, err := seal.Parse(strings.Repeat("5a6b", 16))
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal.New(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
