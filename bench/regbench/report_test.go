package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReportJudgesByTheRoundsRatio(t *testing.T) {
	const fine = `{"peer":"lighterage","round":1,"workload":"W3","ops_per_s":60,"srv_peak_rss_mb":100}
{"peer":"null","round":1,"workload":"W3","ops_per_s":100}
{"peer":"lighterage","round":2,"workload":"W3","ops_per_s":6}
{"peer":"null","round":2,"workload":"W3","ops_per_s":10}
`
	tests := []struct {
		name, lines string
		want        string // in the report
		bad         bool
	}{
		{"a round on a slow machine counts as any other", fine, "| W3 | 33.0 | 55.0 | 0.60 | 0.50 |", false},
		{"what was not run is named", fine, "not measured: W9a", false},
		{"a missed floor", strings.ReplaceAll(fine, `"workload":"W3","ops_per_s":6`, `"workload":"W3","ops_per_s":1`),
			"MISSED: W3 is", true},
		{"too much memory", strings.ReplaceAll(fine, `"srv_peak_rss_mb":100`, `"srv_peak_rss_mb":151`),
			"MISSED: W3 took 151 MiB", true},
		{"policies that cost nothing", fine + `{"peer":"lighterage","round":1,"workload":"W5u","ops_per_s":60,"share":0.99}` + "\n",
			"0.99 of the speed", false},
		{"policies that cost", fine + `{"peer":"lighterage","round":1,"workload":"W5u","ops_per_s":60,"share":0.9}` + "\n",
			"MISSED: W5u is 0.90 of the other login's speed", true},
		{"an error", strings.ReplaceAll(fine, `"srv_peak_rss_mb":100`, `"errors":1,"err_sample":"refused"`),
			"had 1 errors: refused", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "results.jsonl")
			if err := os.WriteFile(path, []byte(tt.lines), 0o600); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			err := report(&out, path, "lighterage", "null")
			if errors.Is(err, errFloors) != tt.bad || err != nil && !tt.bad {
				t.Errorf("error %v, want a missed floor: %v", err, tt.bad)
			}
			if !strings.Contains(out.String(), tt.want) {
				t.Errorf("report lacks %q:\n%s", tt.want, out.String())
			}
		})
	}
}

func TestWorkloadsAreInOrderOfNumber(t *testing.T) {
	names := strings.Join(workNames(), " ")
	if want := "W1a W1b W2a W2b W3 W3p W4 W5 W5u W6a W6b W7 W7x W8 W9a W9b W10 W11 ping seed"; names != want {
		t.Errorf("order %q, want %q", names, want)
	}
}

func TestOnlyLoopbackIsDriven(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.9.8.7": true, "::1": true,
		"10.0.0.1": false, "192.168.1.1": false, "example.com": false, "localhost.example.com": false, "": false,
	} {
		if got := loopback(host); got != want {
			t.Errorf("loopback(%q) = %v, want %v", host, got, want)
		}
	}
}
