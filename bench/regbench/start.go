package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// ping waits until the server answers.
func ping(ctx context.Context, b *bench) *result {
	m := b.meter()
	m.count(1, 1, func(int) error { return b.reg.ready(ctx, 30*time.Second) })
	return m.done(1, "")
}

// ready logs in and gets /v2/, again and again until both work.
func (g *registry) ready(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		err := g.login(ctx)
		if err == nil {
			resp, e := g.do(ctx, request{method: "GET", url: "/v2/"}, 200)
			if e == nil {
				drain(resp)
				return nil
			}
			err = e
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// seedRepositories gives many repositories one small image each, for W10.
func seedRepositories(ctx context.Context, b *bench) *result {
	from := b.repo + "/seed-src"
	im := makeImage(1, 1<<10, b.seed, 100)
	if err := b.reg.pushImage(ctx, from, "latest", im); err != nil {
		return failure(err)
	}
	workers := b.clients(8)
	m := b.meter()
	m.count(workers, b.seedN, func(i int) error {
		_, err := b.reg.mountImage(ctx, b.seedRepo(i), from, im)
		return err
	})
	return m.done(workers, "")
}

func (b *bench) seedRepo(i int) string { return fmt.Sprintf("%s/seed-%05d", b.repo, i) }

// W10: a start with the repositories of seed; W10x: with those of W15.
func startServer(ctx context.Context, b *bench) *result     { return b.start(ctx, b.seedRepo(b.seedN-1)) }
func startServerMany(ctx context.Context, b *bench) *result { return b.start(ctx, b.imaged(0)) }

// start measures from the start of the server's command to the first answer
// (with a login, to the first answer after it), then to the first manifest. The
// server is ended.
func (b *bench) start(ctx context.Context, repo string) *result {
	if len(b.command) == 0 {
		return failure(errors.New("this needs the server's command after --"))
	}
	cmd := exec.Command(b.command[0], b.command[1:]...)
	m := b.meter()
	if err := cmd.Start(); err != nil {
		return failure(err)
	}
	m.count(1, 1, func(int) error { return b.reg.ready(ctx, 2*time.Minute) })
	r := m.done(1, "")
	t := time.Now()
	if _, err := b.reg.getManifest(ctx, repo, "latest"); err != nil {
		r.Errors, r.ErrSample = r.Errors+1, err.Error()
	}
	r.Note = fmt.Sprintf("first manifest %.1f ms later", float64(time.Since(t).Microseconds())/1000)
	r.SrvCPUs, r.SrvHWMMB = processCPU(cmd.Process.Pid), processPeak(cmd.Process.Pid)
	if !stop(cmd, 15*time.Second) {
		r.Note += "; did not stop within 15 s"
	}
	return r
}

// stop ends the command; false when it had to be killed.
func stop(cmd *exec.Cmd, within time.Duration) bool {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	select {
	case <-ended:
		return true
	case <-time.After(within):
		_ = cmd.Process.Kill()
		<-ended
		return false
	}
}
