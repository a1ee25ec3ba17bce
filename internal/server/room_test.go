package server_test

import (
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/testkit"
	"github.com/lighterage/lighterage/internal/testkit/apart"
)

// TestNotReadyWithoutRoom fills the disk as far as this process can see: no
// file of it may grow.
func TestNotReadyWithoutRoom(t *testing.T) {
	if !apart.Run(t) {
		return
	}
	var log buffer
	clock := &still{at: time.Now()}
	s := testkit.Start(t, testkit.Clock(clock.now), testkit.Logger(slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), &log), nil))))
	ready := func(want int, why string) {
		t.Helper()
		if a := s.Do(testkit.Login{}, "GET", "/readyz", nil); a.Status != want {
			t.Errorf("%s: %d, want %d", why, a.Status, want)
		}
	}
	ready(200, "at first")
	restore := apart.LimitFiles(t, 1000)
	ready(200, "within a second it is the same answer")
	clock.add(time.Second)
	ready(503, "without room")
	if !strings.Contains(log.String(), "blob: store is full") {
		t.Errorf("the log does not say why: %s", log.String())
	}
	if a := s.Do(testkit.Login{}, "GET", "/healthz", nil); a.Status != 200 {
		t.Errorf("alive: %d", a.Status)
	}
	restore()
	clock.add(time.Second)
	ready(200, "with room again")
	clock.add(-10 * time.Second)
	restore = apart.LimitFiles(t, 1000)
	ready(503, "when the clock has gone back")
	restore()
	clock.add(time.Second)
	layers := s.Config.Storage.Path
	must(t, os.Rename(layers, layers+".gone"))
	ready(503, "without the layers' directory")
	must(t, os.Rename(layers+".gone", layers))
	var all sync.WaitGroup
	for range 50 { // many who ask at once
		all.Go(func() { clock.add(time.Second); s.Do(testkit.Login{}, "GET", "/readyz", nil) })
	}
	all.Wait()
	s.Stop() // waits for the last look
	files, err := os.ReadDir(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() == "probe" {
			t.Errorf("%s is left", f.Name())
		}
	}
}

// still is a clock that only a test moves.
type still struct {
	mu sync.Mutex
	at time.Time
}

func (c *still) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *still) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}
