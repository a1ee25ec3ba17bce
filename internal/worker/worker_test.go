package worker_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lighterage/lighterage/internal/worker"
)

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

func TestAPassRunsAtItsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fast, slow := 0, 0
		g := worker.Start(logTo(io.Discard),
			worker.Pass{Name: "fast", Every: time.Second, Run: func(context.Context) error { fast++; return nil }},
			worker.Pass{Name: "slow", Every: time.Minute, Run: func(context.Context) error { slow++; return nil }})
		<-time.After(time.Hour)
		g.Stop()
		if fast < 3600*9/10 || fast > 3600*11/10 || slow < 54 || slow > 66 {
			t.Errorf("in an hour %d runs of each second and %d of each minute", fast, slow)
		}
	})
}

func TestAFailingPassBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var runs []time.Time
		g := worker.Start(logTo(&log), worker.Pass{Name: "sweep", Every: time.Minute, Run: func(context.Context) error {
			runs = append(runs, time.Now())
			if len(runs) == 10 {
				return nil
			}
			if len(runs) == 2 {
				panic("oh")
			}
			return errors.New("the disk is away")
		}})
		<-time.After(24 * time.Hour)
		g.Stop()
		for i, want := range []time.Duration{2, 4, 8, 16, 32, 60, 60, 60, 60, 1} {
			want *= time.Minute
			if got := runs[i+1].Sub(runs[i]); i < 9 && (got < want*9/10 || got > want*11/10) {
				t.Errorf("pause %d is %v, want about %v", i, got, want)
			}
		}
		if after := runs[10].Sub(runs[9]); after > 66*time.Second {
			t.Errorf("after a success the pause is %v", after)
		}
		for _, w := range []string{"pass=sweep", "the disk is away", "panic: oh", "failures=9"} {
			if !strings.Contains(log.String(), w) {
				t.Errorf("%q is not logged", w)
			}
		}
	})
}

func TestStopWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		ended := false
		g := worker.Start(logTo(&log), worker.Pass{Name: "long", Every: time.Second, Run: func(ctx context.Context) error {
			<-ctx.Done()
			<-time.After(time.Minute)
			ended = true
			return ctx.Err()
		}})
		<-time.After(time.Hour)
		g.Stop()
		if !ended {
			t.Error("Stop returned while the pass ran")
		}
		if log.Len() > 0 {
			t.Errorf("a pass that was stopped is logged as failed: %s", log.String())
		}
	})
}
