package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestFloorsByWhatTheyAreMeasuredBy(t *testing.T) {
	run := func(peer, work, fields string) string {
		return fmt.Sprintf(`{"peer":%q,"round":1,"workload":%q,%s}`, peer, work, fields) + "\n"
	}
	tests := []struct {
		name, lines string
		want        string // what is missed; empty when nothing is
	}{
		{"a durable peer may not be faster", run("lighterage", "W1a", `"ops_per_s":1`) + run("distribution", "W1a", `"ops_per_s":2`),
			"W1a is 0.50 of the best durable peer, floor 1.00"},
		{"one that is not durable may", run("lighterage", "W1a", `"ops_per_s":1`) + run("olareg", "W1a", `"ops_per_s":2`), ""},
		{"it counts as a peer otherwise", run("lighterage", "W2a", `"ops_per_s":1`) + run("olareg", "W2a", `"ops_per_s":2`),
			"W2a is 0.50 of the best peer, floor 1.50"},
		{"the ceiling is no peer", run("lighterage", "W6a", `"ops_per_s":1`) + run("null", "W6a", `"ops_per_s":9`), ""},
		{"a floor by one peer", run("lighterage", "W8", `"ops_per_s":1`) + run("olareg", "W8", `"ops_per_s":2`),
			"W8 is 0.50 of olareg, floor 1.00"},
		{"others are not it", run("lighterage", "W8", `"ops_per_s":1`) + run("distribution", "W8", `"ops_per_s":2`), ""},
		{"tags that are there cost as new ones", run("lighterage", "W7", `"ops_per_s":10`) + run("lighterage", "W7x", `"ops_per_s":9.1`), ""},
		{"and not more", run("lighterage", "W7", `"ops_per_s":10`) + run("lighterage", "W7x", `"ops_per_s":8`),
			"W7x is 0.80 of W7, floor 0.90"},
		{"pages are flat", run("lighterage", "W6b", `"ops_per_s":10,"late":0.8`), ""},
		{"pages get slower", run("lighterage", "W6b", `"ops_per_s":10,"late":0.5`), "W6b is 0.50 of its first tenth, floor 0.75"},
		{"policies that cost nothing", run("lighterage", "W5u", `"ops_per_s":60,"share":0.99`), ""},
		{"policies that cost", run("lighterage", "W5u", `"ops_per_s":60,"share":0.9`), "W5u is 0.90 of the other login, floor 0.95"},
		{"a quick start", run("lighterage", "W10", `"ops_per_s":20,"p50_ms":49.9`), ""},
		{"of slow starts the quickest counts", run("lighterage", "W10", `"p50_ms":61`) + run("lighterage", "W10", `"p50_ms":49`), ""},
		{"a slow start", run("lighterage", "W10x", `"p50_ms":61`), "W10x took 61.0 ms, at most 50"},
		{"another's slow start", run("olareg", "W10", `"p50_ms":61`), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rs, err := readResults(strings.NewReader(tt.lines))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(rs.judge(sides{"lighterage", "null"}).missed, "; "); got != tt.want {
				t.Errorf("missed %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFloorsAreOfWorksThatExist(t *testing.T) {
	for _, f := range floors {
		if works[f.work].run == nil || f.least <= 0 {
			t.Errorf("floor %v of %s", f.least, f.work)
		}
		if strings.HasPrefix(f.by.name, "W") && works[f.by.name].run == nil {
			t.Errorf("floor of %s by %s", f.work, f.by.name)
		}
	}
	for work := range mostMS {
		if works[work].run == nil {
			t.Errorf("time of %s", work)
		}
	}
}
