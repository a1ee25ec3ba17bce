package main

import (
	"cmp"
	"fmt"
	"slices"
)

// floor is the least that a workload may do, as a share of what it is measured
// by.
type floor struct {
	work  string
	least float64
	by    yardstick
}

// floors are the project's targets. Those by other registries and by the
// ceiling are of the same round.
var floors = []floor{
	{"W1a", 1, byCeiling}, {"W1a", 1, byDurablePeers},
	{"W1b", 1, byCeiling}, {"W1b", 1, byDurablePeers},
	{"W2a", 1.5, byPeers}, {"W2a", .7, byCeiling},
	{"W2b", 1.5, byPeers}, {"W2b", .7, byCeiling},
	{"W3", 4, byDurablePeers}, {"W3", 1, byCeiling}, // its layers are small enough to be inline
	{"W4", 1.3, byPeer("olareg")}, {"W4", .6, byCeiling},
	{"W5", 3, byPeers}, {"W5", .45, byCeiling},
	{"W5u", .95, byOtherLogin},
	{"W6a", 3, byPeers},
	{"W6b", 10, byPeers}, {"W6b", .2, byCeiling}, {"W6b", flat, byBeginning},
	{"W7", 3, byPeers}, {"W7", .15, byCeiling},
	{"W7x", 3, byPeers}, {"W7x", equal, byWork("W7")},
	{"W8", 1, byPeer("olareg")},
	{"W9a", 1, byPeer("olareg")}, {"W9a", .45, byCeiling},
	{"W9b", 1, byPeer("olareg")}, {"W9b", .45, byCeiling},
	{"W11", 4, byPeers},
	{"W14a", flat, byBeginning},
	{"W14b", flat, byWork("W5")},
	{"W14e", flat, byWork("W14d")},
	{"W14f", flat, byWork("W12a")},
	{"W15a", flat, byBeginning},
	{"W15c", flat, byWork("W15b")},
	{"W15d", flat, byWork("W3")},
	{"W15e", flat, byWork("W5")},
}

// What counts as the same speed: of works that are measured apart, and within
// one work or of works that differ a little.
const (
	equal = .9
	flat  = .75
)

// mostMS is the longest that these may take, in milliseconds.
var mostMS = map[string]float64{"W10": 50, "W10x": 50}

// memoryCap is the most resident memory, in MiB, in any workload.
const memoryCap = 150

// durable tells the peers whose 201 survives power loss.
var durable = map[string]bool{"distribution": true, "zotsync": true}

// sides are the two parts in a judgement that are no peers.
type sides struct{ ours, ceiling string }

// yardstick measures one workload of ours.
type yardstick struct {
	name  string
	share func(rs results, work string, s sides) (float64, bool)
}

var (
	byCeiling = yardstick{"the ceiling", func(rs results, work string, s sides) (float64, bool) {
		return rs.ratio(work, s.ours, s.ceiling)
	}}
	byPeers = yardstick{"the best peer", func(rs results, work string, s sides) (float64, bool) {
		return rs.ratioToBest(work, s, func(string) bool { return true })
	}}
	byDurablePeers = yardstick{"the best durable peer", func(rs results, work string, s sides) (float64, bool) {
		return rs.ratioToBest(work, s, func(peer string) bool { return durable[peer] })
	}}
	// byOtherLogin is of works that measure two logins in turns.
	byOtherLogin = yardstick{"the other login", func(rs results, work string, s sides) (float64, bool) {
		return rs.of(work, s.ours).median(func(r result) float64 { return r.Share })
	}}
	// byBeginning shows whether a work gets slower as it goes on.
	byBeginning = yardstick{"its first tenth", func(rs results, work string, s sides) (float64, bool) {
		share, ok := rs.of(work, s.ours).median(func(r result) float64 { return r.Late })
		return share, ok && share > 0
	}}
)

func byPeer(peer string) yardstick {
	return yardstick{peer, func(rs results, work string, s sides) (float64, bool) {
		return rs.ratio(work, s.ours, peer)
	}}
}

// byWork is another workload on the same server.
func byWork(other string) yardstick {
	return yardstick{other, func(rs results, work string, s sides) (float64, bool) {
		return ratioOf(rs.of(work, s.ours), rs.of(other, s.ours))
	}}
}

// ratioToBest is the ratio to whichever of the peers was fastest in a round.
func (rs results) ratioToBest(work string, s sides, counts func(peer string) bool) (float64, bool) {
	best := map[int]result{}
	for _, r := range rs {
		if r.Workload == work && r.Peer != s.ours && r.Peer != s.ceiling && counts(r.Peer) && r.OpsPerS > best[r.Round].OpsPerS {
			best[r.Round] = r
		}
	}
	var fastest results
	for _, r := range best {
		fastest = append(fastest, r)
	}
	return ratioOf(rs.of(work, s.ours), fastest)
}

// judgement is what became of the floors.
type judgement struct {
	missed   []string
	unknown  []string // floors that nothing was measured for
	measured int
}

func (rs results) judge(s sides) judgement {
	var j judgement
	for _, f := range floors {
		share, ok := f.by.share(rs, f.work, s)
		switch {
		case !ok && len(rs.of(f.work, s.ours)) > 0:
			j.unknown = append(j.unknown, fmt.Sprintf("%s by %s", f.work, f.by.name))
			continue
		case !ok:
			j.unknown = append(j.unknown, f.work)
			continue
		case share < f.least:
			j.missed = append(j.missed, fmt.Sprintf("%s is %.2f of %s, floor %.2f", f.work, share, f.by.name, f.least))
		}
		j.measured++
	}
	j.unknown = slices.Compact(j.unknown)
	for _, work := range rs.works() {
		if mine := rs.of(work, s.ours); len(mine) > 0 {
			j.missed = append(j.missed, mine.faults(work)...)
		}
	}
	return j
}

// faults are what no registry's speed excuses: time, memory and errors. Of
// times the shortest counts, since what else the machine does only adds.
func (rs results) faults(work string) []string {
	var out []string
	if most, ok := mostMS[work]; ok {
		if best := slices.MinFunc(rs, func(a, b result) int { return cmp.Compare(a.P50ms, b.P50ms) }); best.P50ms > most {
			out = append(out, fmt.Sprintf("%s took %.1f ms, at most %.0f", work, best.P50ms, most))
		}
	}
	if n, sample := rs.errors(); n > 0 {
		out = append(out, fmt.Sprintf("%s had %d errors: %s", work, n, sample))
	}
	if r := slices.MaxFunc(rs, func(a, b result) int { return cmp.Compare(a.SrvHWMMB, b.SrvHWMMB) }); r.SrvHWMMB > memoryCap {
		out = append(out, fmt.Sprintf("%s took %.0f MiB of memory, cap %d", work, r.SrvHWMMB, memoryCap))
	}
	return out
}
