package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// floors are the least shares of the ceiling's operations a second that are
// acceptable.
var floors = map[string]float64{
	"W2a": 0.7, "W2b": 0.7,
	"W3": 0.5, "W4": 0.5, "W5": 0.4,
	"W6b": 0.2, "W7": 0.15,
	"W9a": 0.45, "W9b": 0.45,
}

// shareFloor is the least share of its other login's speed that a workload of
// two logins may have: less is a loss that can be measured.
const shareFloor = 0.95

// memoryCap is the most resident memory, in MiB, in any workload.
const memoryCap = 150

// errFloors says that the report was printed and is bad news.
var errFloors = errors.New("a floor was missed")

// report prints one table of medians and ratios, one of costs, and what missed
// its floor.
func report(w io.Writer, path, ours, ceiling string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	rs, err := readResults(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	rs.speeds(w, ours, ceiling)
	rs.costs(w)
	return rs.verdict(w, ours, ceiling)
}

// verdict prints what missed its floor and what was not measured.
func (rs results) verdict(w io.Writer, ours, ceiling string) error {
	missed, measured := rs.missed(ours, ceiling), 0
	fmt.Fprintln(w)
	for _, work := range slices.SortedFunc(maps.Keys(floors), compareWorks) {
		if _, ok := rs.ratio(work, ours, ceiling); !ok {
			fmt.Fprintln(w, "not measured:", work)
			continue
		}
		measured++
	}
	for _, m := range missed {
		fmt.Fprintln(w, "MISSED:", m)
	}
	if len(missed) > 0 {
		return errFloors
	}
	if share, ok := rs.of("W5u", ours).median(func(r result) float64 { return r.Share }); ok {
		fmt.Fprintf(w, "W5u, a user of %d with %d policies: %.2f of the speed of the login without.\n", users, policies, share)
	}
	fmt.Fprintf(w, "%d floors measured, all kept; resident memory under %d MiB.\n", measured, memoryCap)
	return nil
}

type results []result

func readResults(r io.Reader) (results, error) {
	var rs results
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var one result
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return nil, err
		}
		if one.Workload != "ping" && one.Workload != "seed" {
			rs = append(rs, one)
		}
	}
	return rs, lines.Err()
}

// of returns the runs of a workload on a peer.
func (rs results) of(work, peer string) results {
	var out results
	for _, r := range rs {
		if r.Workload == work && r.Peer == peer {
			out = append(out, r)
		}
	}
	return out
}

// works and peers are in order of number and of appearance.
func (rs results) works() []string {
	seen := map[string]bool{}
	for _, r := range rs {
		seen[r.Workload] = true
	}
	return slices.SortedFunc(maps.Keys(seen), compareWorks)
}

func (rs results) peers() []string {
	var names []string
	for _, r := range rs {
		if !slices.Contains(names, r.Peer) {
			names = append(names, r.Peer)
		}
	}
	slices.Sort(names)
	return names
}

func (rs results) median(field func(result) float64) (float64, bool) {
	var v []float64
	for _, r := range rs {
		v = append(v, field(r))
	}
	return middle(v)
}

func middle(v []float64) (float64, bool) {
	if len(v) == 0 {
		return 0, false
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2, true
}

func speed(r result) float64 { return r.OpsPerS }

// ratio is the median over the rounds of a's speed to b's in that round: what
// slows the machine for a while slows both.
func (rs results) ratio(work, a, b string) (float64, bool) {
	var v []float64
	for _, x := range rs.of(work, a) {
		for _, y := range rs.of(work, b) {
			if x.Round == y.Round && y.OpsPerS > 0 {
				v = append(v, x.OpsPerS/y.OpsPerS)
			}
		}
	}
	return middle(v)
}

func (rs results) speeds(w io.Writer, ours, ceiling string) {
	peers := rs.peers()
	others := slices.DeleteFunc(slices.Clone(peers), func(p string) bool { return p == ours })
	fmt.Fprintf(w, "Operations a second, medians; ratios of %s are medians of the rounds'.\n\n| work |", ours)
	for _, p := range peers {
		fmt.Fprintf(w, " %s |", p)
	}
	for _, p := range others {
		fmt.Fprintf(w, " ÷ %s |", p)
	}
	fmt.Fprintf(w, " floor (÷ %s) | MB/s | p99 ms | errors |\n|%s\n", ceiling, strings.Repeat("---|", len(peers)+len(others)+5))
	for _, work := range rs.works() {
		fmt.Fprintf(w, "| %s |", work)
		for _, p := range peers {
			fmt.Fprintf(w, " %s |", cell(rs.of(work, p).median(speed)))
		}
		for _, p := range others {
			fmt.Fprintf(w, " %s |", cell(rs.ratio(work, ours, p)))
		}
		mine := rs.of(work, ours)
		floor, has := floors[work]
		fmt.Fprintf(w, " %s | %s | %s | %d |\n", cell(floor, has),
			cell(mine.median(func(r result) float64 { return r.MBPerS })),
			cell(mine.median(func(r result) float64 { return r.P99ms })), mine.errors())
	}
}

// costs prints what a server spends, which a busy machine blurs less.
func (rs results) costs(w io.Writer) {
	peers := rs.peers()
	fmt.Fprintf(w, "\nServer CPU in µs an operation / peak resident MiB, medians.\n\n| work | %s |\n|%s\n", strings.Join(peers, " | "), strings.Repeat("---|", len(peers)+1))
	for _, work := range rs.works() {
		fmt.Fprintf(w, "| %s |", work)
		for _, p := range peers {
			runs := rs.of(work, p)
			fmt.Fprintf(w, " %s / %s |", cell(runs.median(func(r result) float64 { return r.SrvCPUus })), cell(runs.median(func(r result) float64 { return r.SrvHWMMB })))
		}
		fmt.Fprintln(w)
	}
}

func (rs results) errors() int {
	n := 0
	for _, r := range rs {
		n += r.Errors
	}
	return n
}

// missed names each floor that was missed, each error and each peak of memory.
func (rs results) missed(ours, ceiling string) []string {
	var out []string
	for _, work := range rs.works() {
		mine := rs.of(work, ours)
		if floor, ok := floors[work]; ok {
			if share, ok := rs.ratio(work, ours, ceiling); ok && share < floor {
				out = append(out, fmt.Sprintf("%s is %.2f of %s, floor %.2f", work, share, ceiling, floor))
			}
		}
		if share, ok := mine.median(func(r result) float64 { return r.Share }); ok && share > 0 && share < shareFloor {
			out = append(out, fmt.Sprintf("%s is %.2f of the other login's speed, floor %.2f", work, share, shareFloor))
		}
		if n := mine.errors(); n > 0 {
			sample := mine[slices.IndexFunc(mine, func(r result) bool { return r.Errors > 0 })].ErrSample
			out = append(out, fmt.Sprintf("%s had %d errors: %s", work, n, sample))
		}
		if len(mine) == 0 {
			continue
		}
		most := slices.MaxFunc(mine, func(a, b result) int { return cmp.Compare(a.SrvHWMMB, b.SrvHWMMB) })
		if most.SrvHWMMB >= memoryCap {
			out = append(out, fmt.Sprintf("%s took %.0f MiB of memory, cap %d", work, most.SrvHWMMB, memoryCap))
		}
	}
	return out
}

// cell prints three digits, or that there is nothing.
func cell(v float64, ok bool) string {
	switch {
	case !ok:
		return "–"
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
