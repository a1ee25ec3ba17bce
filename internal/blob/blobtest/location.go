package blobtest

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/name"
)

func locationsDiffer(t *testing.T, b *bench) {
	seen := map[name.Location]bool{}
	for range 10_000 {
		at := b.NewLocation()
		kind, rest, typed := strings.Cut(string(at), ":")
		if !typed || kind == "" || kind == "inline" || len(rest) < 22 { // 128 bits in base 64
			t.Fatalf("location %q is not typed, or too short to be random", at)
		}
		if seen[at] {
			t.Fatalf("location %q was drawn twice", at)
		}
		seen[at] = true
	}
}

// hostileLocations tries locations that no store draws: as somebody who can
// write to the metadata store might place them there.
func hostileLocations(t *testing.T, b *bench) {
	kept := b.put([]byte("kept"))
	claimed, err := b.Claim(t.Context(), "owner")
	if err != nil {
		t.Fatal(err)
	}
	kind, rest, _ := strings.Cut(string(kept), ":")
	hostile := []string{
		"", ":", "inline:", "file:", "s3:", "seg:1", "unknown:" + rest, kind, kind + ":", rest,
		"file:/etc/passwd", "file:../../etc/passwd", "file:..", "file:.", "file:zz/..", "file:00/..", "file:00/../../x",
		"file:00/", "file:00", "file:0/0", "file:identity", "file:00/../identity", "file:00/identity",
		"s3:/", "s3:..", "s3:../x",
		"file:00/%2e%2e/identity", `file:00\..\identity`, "file:00/\x00", "file:00/\n", "file:00/" + strings.Repeat("a", 5000),
		string(kept) + "\n", string(kept) + "\x00", string(kept) + "/", string(kept) + "/..", string(kept) + "/../../identity",
		string(kept) + " ", " " + string(kept), string(kept)[:len(kept)-1], string(kept) + "0",
		strings.ToUpper(string(kept)), kind + "://" + rest, kind + ":/" + rest, kind + ":./" + rest, kind + ":../" + rest,
	}
	for _, h := range hostile {
		at := name.Location(h)
		b.gone(at)
		if u, err := b.Create(t.Context(), at); err == nil {
			u.Close()
			t.Errorf("create %q succeeded", h)
		}
		if err := b.Remove(t.Context(), at); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("remove %q: %v, want ErrNotFound", h, err)
		}
	}
	b.crash()
	b.holds(kept, []byte("kept"))
	if again, err := b.Claim(t.Context(), "intruder"); again != claimed || err != nil {
		t.Errorf("the claim is %q, %v, want %q", again, err, claimed)
	}
}

func firstClaimStays(t *testing.T, b *bench) {
	const identity = "0f8fad5b-d9cb-469f-a165-70867728950e 1"
	for _, offered := range []string{identity, identity, "somebody else"} {
		recorded, err := b.Claim(t.Context(), offered)
		if recorded != identity || err != nil {
			t.Errorf("claim: %q, %v, want %q", recorded, err, identity)
		}
	}
	b.crash()
	if recorded, err := b.Claim(t.Context(), "a later process"); recorded != identity || err != nil {
		t.Errorf("claim in the next process: %q, %v, want %q", recorded, err, identity)
	}
}

func claimsAtOnce(t *testing.T, b *bench) {
	recorded := make([]string, 8)
	var all sync.WaitGroup
	for i := range recorded {
		all.Go(func() {
			var err error
			if recorded[i], err = b.Claim(t.Context(), string(rune('a'+i))); err != nil {
				t.Errorf("claim: %v", err)
			}
		})
	}
	all.Wait()
	for _, r := range recorded {
		if r == "" || r != recorded[0] {
			t.Fatalf("claims were told of different owners: %q", recorded)
		}
	}
}
