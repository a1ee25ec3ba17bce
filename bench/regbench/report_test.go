package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReportJudgesByTheRoundsRatio(t *testing.T) {
	const fine = `{"peer":"lighterage","round":1,"workload":"W5","ops_per_s":60,"srv_peak_rss_mb":150}
{"peer":"null","round":1,"workload":"W5","ops_per_s":100}
{"peer":"distribution","round":1,"workload":"W5","ops_per_s":20}
{"peer":"olareg","round":1,"workload":"W5","ops_per_s":10}
{"peer":"lighterage","round":2,"workload":"W5","ops_per_s":6}
{"peer":"null","round":2,"workload":"W5","ops_per_s":10}
{"peer":"distribution","round":2,"workload":"W5","ops_per_s":1}
{"peer":"olareg","round":2,"workload":"W5","ops_per_s":2}
`
	slow := strings.ReplaceAll(fine, `"workload":"W5","ops_per_s":6}`, `"workload":"W5","ops_per_s":1}`)
	tests := []struct {
		name, lines string
		want        string // in the report
		bad         bool
	}{
		{"a round on a slow machine counts as any other", fine,
			"| W5 | HEAD manifest by tag | 10.5 | 33.0 | 55.0 | 6.00 | 4.50 | 0.60 | 4.50 | 3 × the best peer, 0.45 × the ceiling |", false},
		{"what was not run is named", fine, "W8, W9a, W9b, W11,", false},
		{"what lacks its measure is named with it", fine + `{"peer":"lighterage","round":1,"workload":"W9a","ops_per_s":1}` + "\n", "W9a by olareg, W9a by the ceiling, W9b,", false},
		{"all that was measured is counted", fine, "2 floors measured, all kept", false},
		{"a missed floor by the ceiling", slow, "MISSED: W5 is 0.35 of the ceiling, floor 0.45", true},
		{"a missed floor by peers, of which each round has its best", slow, "MISSED: W5 is 1.75 of the best peer, floor 3.00", true},
		{"too much memory", strings.ReplaceAll(fine, `"srv_peak_rss_mb":150`, `"srv_peak_rss_mb":151`),
			"MISSED: W5 took 151 MiB", true},
		{"an error", strings.ReplaceAll(fine, `"srv_peak_rss_mb":150`, `"errors":1,"err_sample":"refused"`),
			"MISSED: W5 had 1 errors: refused", true},
		{"another's error is remarked", fine + `{"peer":"olareg","round":1,"workload":"W16","errors":2,"err_sample":"gone"}` + "\n",
			"remark: olareg had 2 errors in W16: gone", false},
		{"what a registry cannot do has no speed", fine + `{"peer":"olareg","round":1,"workload":"W16","errors":2}` + "\n",
			"| W16 | mixed load with deletes | – | – | – | – |", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, err := reportOf(t, tt.lines)
			if errors.Is(err, errFloors) != tt.bad || err != nil && !tt.bad {
				t.Errorf("error %v, want a missed floor: %v", err, tt.bad)
			}
			if !strings.Contains(text, tt.want) {
				t.Errorf("report lacks %q:\n%s", tt.want, text)
			}
		})
	}
}

// reportOf reports on results of lighterage, with null as the ceiling.
func reportOf(t *testing.T, lines string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "results.jsonl")
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err := report(&out, path, "lighterage", "null")
	return out.String(), err
}
