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
	who := sides{ours, ceiling}
	rs.speeds(w, who)
	rs.costs(w)
	rs.remarks(w, ours)
	return rs.verdict(w, who)
}

// verdict prints what missed its floor and what was not measured.
func (rs results) verdict(w io.Writer, who sides) error {
	j := rs.judge(who)
	fmt.Fprintln(w)
	if len(j.unknown) > 0 {
		fmt.Fprintf(w, "not measured: %s\n\n", strings.Join(j.unknown, ", "))
	}
	for _, m := range j.missed {
		fmt.Fprintln(w, "MISSED:", m)
	}
	if len(j.missed) > 0 {
		return errFloors
	}
	fmt.Fprintf(w, "%d floors measured, all kept; resident memory at most %d MiB.\n", j.measured, memoryCap)
	return nil
}

// remarks prints how far the figures are to be trusted: what else the machine
// did, and what others failed in, whose speed there means little.
func (rs results) remarks(w io.Writer, ours string) {
	if busy, ok := rs.median(func(r result) float64 { return r.Noise }); ok {
		fmt.Fprintf(w, "\nBeside server and client, %.2f cores were busy (median).\n", busy)
	}
	for _, work := range rs.works() {
		for _, p := range rs.peers() {
			if n, sample := rs.of(work, p).errors(); n > 0 && p != ours {
				fmt.Fprintf(w, "\nremark: %s had %d errors in %s: %s\n", p, n, work, sample)
			}
		}
	}
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
	return ratioOf(rs.of(work, a), rs.of(work, b))
}

func ratioOf(a, b results) (float64, bool) {
	var v []float64
	for _, x := range a {
		for _, y := range b {
			if x.Round == y.Round && y.OpsPerS > 0 {
				v = append(v, x.OpsPerS/y.OpsPerS)
			}
		}
	}
	return middle(v)
}

func (rs results) speeds(w io.Writer, who sides) {
	peers := rs.peers()
	others := slices.DeleteFunc(slices.Clone(peers), func(p string) bool { return p == who.ours })
	fmt.Fprintf(w, "Operations a second, medians; ratios of %s are medians of the rounds'.\n\n| work | what |", who.ours)
	for _, p := range peers {
		fmt.Fprintf(w, " %s |", p)
	}
	for _, p := range others {
		fmt.Fprintf(w, " ÷ %s |", p)
	}
	fmt.Fprintf(w, " floors | MB/s | p99 ms | errors |\n|%s\n", strings.Repeat("---|", len(peers)+len(others)+6))
	for _, work := range rs.works() {
		fmt.Fprintf(w, "| %s | %s |", work, works[work].what)
		for _, p := range peers {
			v, _ := rs.of(work, p).median(speed)
			fmt.Fprintf(w, " %s |", cell(v, v > 0))
		}
		for _, p := range others {
			fmt.Fprintf(w, " %s |", cell(rs.ratio(work, who.ours, p)))
		}
		mine := rs.of(work, who.ours)
		failed, _ := mine.errors()
		fmt.Fprintf(w, " %s | %s | %s | %d |\n", targets(work),
			cell(mine.median(func(r result) float64 { return r.MBPerS })),
			cell(mine.median(func(r result) float64 { return r.P99ms })), failed)
	}
}

// targets are the workload's floors in a cell.
func targets(work string) string {
	var out []string
	for _, f := range floors {
		if f.work == work {
			out = append(out, fmt.Sprintf("%g × %s", f.least, f.by.name))
		}
	}
	if most, ok := mostMS[work]; ok {
		out = append(out, fmt.Sprintf("%g ms", most))
	}
	if out == nil {
		return "–"
	}
	return strings.Join(out, ", ")
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

// errors counts them, and returns one.
func (rs results) errors() (n int, sample string) {
	for _, r := range rs {
		n += r.Errors
		sample = cmp.Or(sample, r.ErrSample)
	}
	return n, sample
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
