package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lighterage/lighterage/internal/audit"
	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/server"
)

const auditHelp = `Audit searches the audit trail in the data directory, newest first: all of its
files, in the order of time. The server may run or not.

In --principal, --repository and --action, * stands for any text and ? for any
one character. --principal is an ARN, a name, an access key id or a unique id;
--repository a name or an ARN; --action as PutImage or ecr:PutImage; --outcome is
ok, denied or error. What strangers were refused beyond a rate is counted in
FailedLogins events, of which --json tells all. Times are as 2026-11-21,
2026-11-21T08:00:00Z, or how long ago: 90m, 24h.`

func newAudit() *cobra.Command {
	var q audit.Query
	var outcome, since, until string
	var asJSON bool
	cmd := &cobra.Command{Use: "audit", Short: "Search the audit trail", Long: auditHelp, Args: noArguments}
	config.AddFlags(cmd.Flags())
	hideAllBut(cmd, "data-dir", "config", "audit")
	flags := cmd.Flags()
	flags.StringVar(&q.Principal, "principal", "", "`pattern` of who called")
	flags.StringVar(&q.Repository, "repository", "", "`pattern` of what it was about")
	flags.StringVar(&q.Action, "action", "", "`pattern` of what was asked for")
	flags.StringVar(&outcome, "outcome", "", "`what` became of it: ok, denied or error")
	flags.StringVar(&since, "since", "", "not before this `time`")
	flags.StringVar(&until, "until", "", "before this `time`")
	flags.IntVar(&q.Limit, "limit", 100, "at most this `many`; 0: all")
	flags.BoolVar(&q.OldestFirst, "oldest-first", false, "begin with the oldest")
	flags.BoolVar(&asJSON, "json", false, "print whole events, one JSON object a line")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := config.Load(cmd.Flags(), config.Environ())
		if err != nil {
			return err
		}
		q.Outcome = audit.Outcome(outcome)
		now := time.Now()
		if q.From, err = moment(since, now); err != nil {
			return usageError{fmt.Errorf("--since: %w", err)}
		}
		if q.To, err = moment(until, now); err != nil {
			return usageError{fmt.Errorf("--until: %w", err)}
		}
		if err := q.Check(); err != nil {
			return usageError{err}
		}
		return searchAudit(cmd.Context(), c, q, asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

// moment is a point in time, or how long before now it was. Empty: the zero
// time.
func moment(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(s); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time as 2026-11-21, 2026-11-21T08:00:00Z or 24h", s)
}

func searchAudit(ctx context.Context, c config.Config, q audit.Query, asJSON bool, out, stderr io.Writer) error {
	if c.Audit.Scheme != "file" {
		return &server.StoreError{Err: fmt.Errorf("the audit setting is %s: no trail is kept here to search", c.Audit.Scheme)}
	}
	dir := c.Audit.Path
	t := table{head: []string{"TIME", "OUTCOME", "PRINCIPAL", "ACTION", "RESOURCE", "FROM", "ERROR"}}
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	var failed error
	sum, err := audit.Search(ctx, dir, q, func(e audit.Event) bool {
		if asJSON {
			failed = lines.Encode(e)
			return failed == nil
		}
		t.rows = append(t.rows, auditRow(e))
		return true
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &server.StoreError{Err: fmt.Errorf("there is no audit trail in %s; name the server's directory with --data-dir", dir)}
	case err != nil:
		return &server.StoreError{Err: err}
	case failed != nil:
		return failed
	}
	if !asJSON {
		if err := t.print(out); err != nil {
			return err
		}
	}
	if sum.More {
		fmt.Fprintf(stderr, "There are more than %d; --limit 0 shows all.\n", sum.Found)
	}
	if sum.Broken > 0 {
		fmt.Fprintf(stderr, "%d lines of the trail are no events.\n", sum.Broken)
	}
	return nil
}

func auditRow(e audit.Event) []string {
	service, _, _ := strings.Cut(e.Source, ".")
	resource := ""
	if len(e.Resources) > 0 {
		resource = e.Resources[0].ARN
	}
	who := e.Identity.ARN
	if who == "" {
		who = e.Identity.AccessKeyID
	}
	return []string{e.Time.UTC().Format(time.RFC3339), string(e.Outcome()), who, service + ":" + e.Name, resource, e.SourceIP, e.ErrorCode}
}
