// Command regbench drives an OCI distribution registry with fixed workloads
// and prints, for each, one JSON line (stdout) and one table row (stderr).
// With -report it reads such lines and prints medians, ratios and floors.
//
//  1. It talks to loopback addresses only.
//  2. Content is made from a seed: the same flags push the same bytes.
//  3. Nothing but requests is timed: content is made before the clock starts.
//
// It measures from outside: a server's CPU time and memory are read from /proc
// when its process id is given.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
)

// options are what shapes a workload.
type options struct {
	peer     string
	config   string
	round    int
	repo     string
	seed     uint64
	size     int64
	images   int
	tags     int
	mounts   int
	deletes  int
	seedN    int
	many     int
	workers  int
	duration time.Duration
	cap      time.Duration
	pid      int
	verify   bool
	pageSize int
	command  []string // the server to start (W10)
}

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "regbench:", err)
		os.Exit(1)
	}
}

func run(args []string, out, table io.Writer) error {
	var o options
	fs := flag.NewFlagSet("regbench", flag.ExitOnError)
	base := fs.String("url", "http://127.0.0.1:5000", "registry, on loopback")
	login := fs.Bool("login", false, "log in as the aws CLI does, with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION")
	ca := fs.String("ca", "", "PEM `file` of the certificate that an https registry must have")
	certificate := fs.String("certificate", "", "make cert.pem and key.pem for 127.0.0.1 in this `directory` instead of running")
	works := fs.String("w", "", "workloads, separated by commas: "+strings.Join(workNames(), " "))
	reportFrom := fs.String("report", "", "print medians and ratios of this file of JSON lines instead of running")
	ours := fs.String("ours", "lighterage", "with -report: the peer whose ratios and floors are printed")
	ceiling := fs.String("ceiling", "null", "with -report: the peer that the floors are shares of")
	fs.StringVar(&o.peer, "peer", "registry", "name written to the results")
	fs.StringVar(&o.config, "config", "", "free label written to the results")
	fs.IntVar(&o.round, "round", 1, "round, which also varies the content")
	fs.StringVar(&o.repo, "repo", "bench", "repository prefix")
	fs.Uint64Var(&o.seed, "seed", 1, "seed of the content")
	fs.Int64Var(&o.size, "size", 1<<30, "bytes of the big blob (W1, W2)")
	fs.IntVar(&o.images, "images", 200, "small images (W3 to W5, W9)")
	fs.IntVar(&o.tags, "tags", 10000, "tags (W6, W7)")
	fs.IntVar(&o.mounts, "mounts", 100, "repositories (W8)")
	fs.IntVar(&o.deletes, "deletes", 1000, "manifests (W11)")
	fs.IntVar(&o.seedN, "seed-repos", 2000, "repositories (seed, W10)")
	fs.IntVar(&o.many, "many", 100_000, "tags (W14), and repositories (W15)")
	fs.IntVar(&o.workers, "c", 0, "clients at once, in place of each workload's own number")
	fs.DurationVar(&o.duration, "d", 10*time.Second, "length of the timed workloads")
	fs.DurationVar(&o.cap, "max", 3*time.Minute, "cap on the counted workloads")
	fs.IntVar(&o.pid, "pid", 0, "the server's process, for its CPU time and memory")
	fs.BoolVar(&o.verify, "verify", false, "hash what is pulled inside the timed part")
	fs.IntVar(&o.pageSize, "n", 100, "page size (W6b)")
	if err := fs.Parse(args); err != nil {
		return err
	}
	o.command = fs.Args()

	if *reportFrom != "" {
		return report(out, *reportFrom, *ours, *ceiling)
	}
	if *certificate != "" {
		return writeCertificate(*certificate)
	}
	u, err := url.Parse(*base)
	if err != nil {
		return err
	}
	if !loopback(u.Hostname()) {
		return fmt.Errorf("%s is not loopback", u.Hostname())
	}
	var k keys
	if *login {
		k = keysFromEnv()
	}
	var secure *tls.Config
	if *ca != "" {
		if secure, err = trusting(*ca); err != nil {
			return err
		}
	}
	return drive(context.Background(), newRegistry(u, k, secure), o, strings.Split(*works, ","), out, table)
}

// drive runs the workloads in order, but for those that need keys which are not
// there. A workload that only fails is an error, after its line was printed.
func drive(ctx context.Context, reg *registry, o options, names []string, out, table io.Writer) error {
	header(table)
	var failed []string
	for _, name := range names {
		work, ok := works[name]
		if !ok {
			return fmt.Errorf("unknown workload %q", name)
		}
		if work.need == awsDoors && reg.keys.id == "" {
			continue
		}
		if err := reg.login(ctx); err != nil && work.need != none {
			return err
		}
		r := work.run(ctx, &bench{reg, o})
		r.Time = time.Now().UTC().Format(time.RFC3339)
		r.Peer, r.Config, r.Round, r.Workload = o.peer, o.config, o.round, name
		if err := json.NewEncoder(out).Encode(r); err != nil {
			return err
		}
		r.row(table)
		if r.Errors > 0 && r.Ops == 0 {
			failed = append(failed, name)
		}
	}
	if failed != nil {
		return fmt.Errorf("only errors in %s", strings.Join(failed, ", "))
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
