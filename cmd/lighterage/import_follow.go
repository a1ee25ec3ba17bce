package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/lighterage/lighterage/internal/transfer"
)

// following tells a person how a copy goes: a line for each image, or on a
// terminal one line that changes, and lines for what failed.
type following struct {
	copier   *transfer.Copier
	write    func(text string)
	terminal bool
	asIf     bool
	begun    time.Time

	mu       sync.Mutex
	failures []transfer.Result
	ending   chan struct{}
	ended    chan struct{}
}

// follow makes a copier, and tells how it goes until stop.
func (s *session) follow(source transfer.Source, target transfer.Target, o transfer.Options) *following {
	f := &following{
		write: func(text string) { fmt.Fprint(s.err, text) }, asIf: o.DryRun, begun: time.Now(),
		failures: []transfer.Result{}, ending: make(chan struct{}), ended: make(chan struct{}),
	}
	if file, ok := s.err.(*os.File); ok && isatty.IsTerminal(file.Fd()) {
		f.terminal = true
	}
	o.Report = f.report
	f.copier = transfer.New(source, target, o)
	go f.draw()
	return f
}

const clearLine = "\r\x1b[K"

// report prints what became of an image.
func (f *following) report(r transfer.Result) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.State == transfer.Failed {
		f.failures = append(f.failures, r)
	} else if f.terminal {
		return
	}
	line := fmt.Sprintf("%-8s %s", worded(r.State, f.asIf), strings.TrimPrefix(called(r), ":"))
	if r.Error != "" {
		line += ": " + strings.Join(strings.Fields(r.Error), " ")
	}
	if f.terminal {
		f.write(clearLine)
	}
	f.write(oneLine(line) + "\n")
}

func worded(s transfer.State, dry bool) string {
	switch {
	case s == transfer.Copied && dry:
		return "to copy"
	case s == transfer.Present:
		return "there"
	}
	return string(s)
}

// called is what a person calls an image.
func called(r transfer.Result) string {
	switch {
	case len(r.Tags) > 0 && r.Digest != "":
		return r.Repository + ":" + strings.Join(r.Tags, ",") + " " + string(r.Digest)
	case len(r.Tags) > 0:
		return r.Repository + ":" + strings.Join(r.Tags, ",")
	case r.Digest != "":
		return r.Repository + "@" + string(r.Digest)
	}
	return r.Repository
}

// draw keeps the terminal's line until stop.
func (f *following) draw() {
	defer close(f.ended)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-f.ending:
			return
		case now := <-tick.C:
			if f.terminal {
				f.bar(now)
			}
		}
	}
}

// barWidth is of the bar alone.
const barWidth = 24

func (f *following) bar(now time.Time) {
	t := f.copier.Totals()
	done := t.Copied + t.Present + t.Failed
	filled := int64(0)
	if t.Listed > 0 {
		filled = min(done*barWidth/t.Listed, barWidth)
	}
	rate := float64(t.Bytes) / max(now.Sub(f.begun).Seconds(), 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.write(fmt.Sprintf("%s[%s%s] %d/%d images  %d layers  %s  %s/s", clearLine, strings.Repeat("#", int(filled)),
		strings.Repeat(".", int(barWidth-filled)), done, t.Listed, t.Blobs, inBytes(t.Bytes), inBytes(int64(rate))))
}

// stop ends the drawing.
func (f *following) stop() {
	close(f.ending)
	<-f.ended
	if f.terminal {
		f.write(clearLine)
	}
}

// inBytes is a number of bytes for people.
func inBytes(n int64) string {
	const step = 1024
	if n < step {
		return fmt.Sprintf("%d B", n)
	}
	v, units := float64(n), "KMGTPE"
	i := -1
	for v >= step && i < len(units)-1 {
		v /= step
		i++
	}
	return fmt.Sprintf("%.1f %ciB", v, units[i])
}
