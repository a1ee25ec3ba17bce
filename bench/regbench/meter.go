package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// result is the JSON line of one run of a workload.
type result struct {
	Time      string  `json:"time"`
	Peer      string  `json:"peer"`
	Config    string  `json:"config,omitempty"`
	Round     int     `json:"round"`
	Workload  string  `json:"workload"`
	Conc      int     `json:"conc"`
	Ops       int     `json:"ops"`
	Requests  int64   `json:"requests"`
	WallS     float64 `json:"wall_s"`
	OpsPerS   float64 `json:"ops_per_s"`
	MBPerS    float64 `json:"mb_per_s"` // decimal megabytes of payload
	P50ms     float64 `json:"p50_ms"`
	P95ms     float64 `json:"p95_ms"`
	P99ms     float64 `json:"p99_ms"`
	MaxMS     float64 `json:"max_ms"`
	Errors    int     `json:"errors"`
	ErrSample string  `json:"err_sample,omitempty"`
	SrvCPUs   float64 `json:"srv_cpu_s"`
	SrvCPUus  float64 `json:"srv_cpu_us_per_op"`
	SrvHWMMB  float64 `json:"srv_peak_rss_mb"` // of this workload alone
	SrvWrMB   float64 `json:"srv_disk_write_mb"`
	CliCPUs   float64 `json:"cli_cpu_s"`
	Noise     float64 `json:"other_cores"`     // cores kept busy by neither server nor client
	Share     float64 `json:"share,omitempty"` // of the speed of another login, in turns
	Late      float64 `json:"late,omitempty"`  // speed of the last tenth of operations to that of the first
	Note      string  `json:"note,omitempty"`
}

func failure(err error) *result { return &result{Errors: 1, ErrSample: err.Error()} }

func header(w io.Writer) {
	fmt.Fprintf(w, "%-12s %-5s %4s %8s %8s %10s %9s %9s %9s %9s %5s %8s %9s %8s %4s  %s\n",
		"peer", "work", "conc", "ops", "wall_s", "ops/s", "MB/s", "p50_ms", "p95_ms", "p99_ms", "errs", "srvCPU_s", "us/op", "rss_MB", "othr", "note")
}

func (r *result) row(w io.Writer) {
	note := r.Note
	if r.ErrSample != "" {
		note += " err: " + r.ErrSample
	}
	fmt.Fprintf(w, "%-12s %-5s %4d %8d %8.3f %10.1f %9.1f %9.3f %9.3f %9.3f %5d %8.2f %9.0f %8.1f %4.2f  %s\n",
		r.Peer, r.Workload, r.Conc, r.Ops, r.WallS, r.OpsPerS, r.MBPerS, r.P50ms, r.P95ms, r.P99ms, r.Errors, r.SrvCPUs, r.SrvCPUus, r.SrvHWMMB, r.Noise, note)
}

// errorsAllowed is how many errors a worker meets before it gives up.
const errorsAllowed = 50

// meter measures from start to done.
type meter struct {
	bench *bench
	start time.Time
	was   usage

	mu        sync.Mutex
	latencies []time.Duration
	early     []time.Duration // of each worker's first tenth
	late      []time.Duration // and last tenth
	errors    int
	sample    string
}

// usage is what had been used at a moment.
type usage struct {
	server, client, machine float64 // CPU seconds
	written                 float64 // megabytes, by the server
	requests, bytes         int64
}

func (b *bench) usage() usage {
	u := usage{client: selfCPU(), machine: machineCPU(), requests: b.reg.requests.Load(), bytes: b.reg.bytes.Load()}
	if b.pid > 0 {
		u.server, u.written = processCPU(b.pid), processWritten(b.pid)
	}
	return u
}

func (b *bench) meter() *meter {
	if b.pid > 0 {
		resetPeak(b.pid)
	}
	return &meter{bench: b, was: b.usage(), start: time.Now()}
}

// count runs fn for 0..n-1 with so many workers, within the cap.
func (m *meter) count(workers, n int, fn func(i int) error) {
	var next atomic.Int64
	end := m.start.Add(m.bench.cap)
	m.work(workers, func(int) func() (bool, error) {
		return func() (bool, error) {
			i := int(next.Add(1)) - 1
			if i >= n || time.Now().After(end) {
				return false, nil
			}
			return true, fn(i)
		}
	})
}

// last runs fn with so many workers until the duration has passed.
func (m *meter) last(workers int, d time.Duration, fn func(r *rand.Rand) error) {
	m.each(workers, d, func(_ int, r *rand.Rand) error { return fn(r) })
}

// each is last for workers that are not alike.
func (m *meter) each(workers int, d time.Duration, fn func(worker int, r *rand.Rand) error) {
	end := m.start.Add(d)
	m.work(workers, func(worker int) func() (bool, error) {
		r := rand.New(rand.NewPCG(m.bench.seed, uint64(worker)))
		return func() (bool, error) {
			if time.Now().After(end) {
				return false, nil
			}
			return true, fn(worker, r)
		}
	})
}

// work runs each worker's step until it says that there is no more.
func (m *meter) work(workers int, worker func(int) func() (bool, error)) {
	var wg sync.WaitGroup
	for w := range workers {
		step := worker(w)
		wg.Go(func() {
			latencies, errors, sample := make([]time.Duration, 0, 1<<14), 0, ""
			for errors <= errorsAllowed {
				t := time.Now()
				more, err := step()
				if !more {
					break
				}
				if err != nil {
					errors, sample = errors+1, err.Error()
					continue
				}
				latencies = append(latencies, time.Since(t))
			}
			m.add(latencies, errors, sample)
		})
	}
	wg.Wait()
}

func (m *meter) add(latencies []time.Duration, errors int, sample string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	tenth := len(latencies) / 10
	m.early, m.late = append(m.early, latencies[:tenth]...), append(m.late, latencies[len(latencies)-tenth:]...)
	m.latencies = append(m.latencies, latencies...)
	m.errors += errors
	if m.sample == "" {
		m.sample = sample
	}
}

func (m *meter) done(workers int, note string) *result {
	wall, now, b := time.Since(m.start).Seconds(), m.bench.usage(), m.bench
	r := &result{
		Conc: workers, Ops: len(m.latencies), WallS: wall, Note: note,
		Requests: now.requests - m.was.requests, Errors: m.errors, ErrSample: m.sample,
		CliCPUs: now.client - m.was.client,
		OpsPerS: float64(len(m.latencies)) / wall,
		MBPerS:  float64(now.bytes-m.was.bytes) / 1e6 / wall,
	}
	if late := percentile(m.late, .50); late > 0 {
		r.Late = percentile(m.early, .50) / late
	}
	r.P50ms, r.P95ms, r.P99ms, r.MaxMS = percentile(m.latencies, .50), percentile(m.latencies, .95), percentile(m.latencies, .99), percentile(m.latencies, 1)
	if b.pid > 0 {
		r.SrvCPUs, r.SrvWrMB, r.SrvHWMMB = now.server-m.was.server, now.written-m.was.written, processPeak(b.pid)
		r.SrvCPUus = r.SrvCPUs * 1e6 / float64(max(r.Ops, 1))
		r.Noise = max(0, now.machine-m.was.machine-r.SrvCPUs-r.CliCPUs) / wall
	}
	return r
}

// percentile is in milliseconds; it sorts what it is given.
func percentile(latencies []time.Duration, p float64) float64 {
	if len(latencies) == 0 {
		return 0
	}
	slices.Sort(latencies)
	i := min(int(p*float64(len(latencies))), len(latencies)-1)
	return float64(latencies[i].Microseconds()) / 1000
}
