package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// What /proc does not tell is 0: the figures of a server elsewhere, or of
// another system, are just absent.

// ticks is how /proc counts a second of CPU time on every Linux.
const ticks = 100

func processCPU(pid int) float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	// The name, in parentheses, may hold anything; the fields follow it.
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / ticks
}

// resetPeak makes processPeak speak of what comes.
func resetPeak(pid int) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// processPeak is the greatest resident memory in MiB.
func processPeak(pid int) float64 { return procField(pid, "status", "VmHWM:") / 1024 }

// processWritten is what the process caused to be written to disk, in MB.
func processWritten(pid int) float64 { return procField(pid, "io", "write_bytes:") / 1e6 }

func procField(pid int, file, key string) float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, key); ok {
			n, _ := strconv.ParseFloat(strings.Fields(v)[0], 64)
			return n
		}
	}
	return 0
}

// machineCPU is the busy time of the whole machine, steal included.
func machineCPU() float64 {
	b, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(b), "\n")
	var busy float64
	for i, f := range strings.Fields(line) {
		if i == 0 || i == 4 || i == 5 || i > 8 { // name, idle, iowait, guests
			continue
		}
		n, _ := strconv.ParseFloat(f, 64)
		busy += n
	}
	return busy / ticks
}

func selfCPU() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(u.Utime) + seconds(u.Stime)
}
