package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

const runHelp = `Run does now what lifecycle policies say, which otherwise happens once a day: of
the repository that is named, or of all that have a policy. It prints a line for
each image that a rule selects, and what became of it.

  expired                   it is gone, with its tags
  archived                  it is kept, and not given out until it is restored
  selected                  it would be acted on; with --dry-run nothing is
  changed meanwhile         it was tagged, pulled, archived or signed since; the next run decides
  kept by another           an index or a registered image needs it
  its subject was left      a signature stays with what it signs

With --dry-run and --policy the policy of a file is tried in the place of the
repository's own. No more than 10000 lines are printed of one repository.`

func newLifecycle() *cobra.Command {
	return group("lifecycle", "Run the lifecycle policies of a running server, or see what they would do", newLifecycleRun, newLifecycleList)
}

// policyRow is a lifecycle policy as the server tells it, with times in seconds.
type policyRow struct {
	Account     string  `json:"accountId"`
	Region      string  `json:"region"`
	Repository  string  `json:"repositoryName"`
	SetAt       float64 `json:"setAt"`
	EvaluatedAt float64 `json:"lastEvaluatedAt"`
	DueAt       float64 `json:"nextEvaluationAt"`
}

// lifecyclePolicies reads the list to its end.
func (s *session) lifecyclePolicies(ctx context.Context, account string) ([]policyRow, error) {
	in := map[string]string{}
	if account != "" {
		in["accountId"] = account
	}
	for all := []policyRow{}; ; {
		var out struct {
			Policies  []policyRow `json:"lifecyclePolicies"`
			NextToken string      `json:"nextToken"`
		}
		if err := s.call(ctx, "ListLifecyclePolicies", in, &out); err != nil {
			return nil, err
		}
		all = append(all, out.Policies...)
		if out.NextToken == "" {
			return all, nil
		}
		in["nextToken"] = out.NextToken
	}
}

func newLifecycleList(r *remote) *cobra.Command {
	var account string
	cmd := r.command("list", "List the repositories that have a policy, and when it is run", nil, func(ctx context.Context, s *session, _ []string) error {
		type view struct {
			Account     string `json:"accountId"`
			Region      string `json:"region"`
			Repository  string `json:"repositoryName"`
			SetAt       string `json:"setAt"`
			EvaluatedAt string `json:"lastEvaluatedAt,omitempty"`
			DueAt       string `json:"nextEvaluationAt"`
		}
		found, err := s.lifecyclePolicies(ctx, account)
		if err != nil {
			return err
		}
		views, t := []view{}, table{head: []string{"ACCOUNT", "REGION", "REPOSITORY", "SET", "LAST RUN", "NEXT RUN"}}
		for _, p := range found {
			v := view{p.Account, p.Region, p.Repository, timeOf(seconds(p.SetAt)), timeOf(seconds(p.EvaluatedAt)), timeOf(seconds(p.DueAt))}
			views = append(views, v)
			t.rows = append(t.rows, []string{v.Account, v.Region, v.Repository, v.SetAt, v.EvaluatedAt, v.DueAt})
		}
		return s.show(views, t)
	})
	cmd.Flags().StringVar(&account, "account", "", "12 `digits` (default: all accounts)")
	return cmd
}

// lifecycleRun is what a run is asked for.
type lifecycleRun struct {
	account, repository, policy string
	dry                         bool
}

// outcome is an image that a rule selected.
type outcome struct {
	Account    string   `json:"accountId"`
	Region     string   `json:"region"`
	Repository string   `json:"repositoryName"`
	Digest     string   `json:"imageDigest"`
	Tags       []string `json:"imageTags"`
	PushedAt   string   `json:"imagePushedAt"`
	Priority   int      `json:"rulePriority"`
	Action     string   `json:"action"`
	Outcome    string   `json:"outcome"`
}

// lifecycleTotal is what came of runs.
type lifecycleTotal struct {
	Repositories int       `json:"repositories"`
	Images       int       `json:"images"`
	Selected     int       `json:"selected"`
	Expired      int       `json:"expired"`
	Archived     int       `json:"archived"`
	Results      []outcome `json:"results"`
}

func newLifecycleRun(r *remote) *cobra.Command {
	var run lifecycleRun
	cmd := r.command("run", "Do now what lifecycle policies say, or with --dry-run tell what that would be", nil,
		func(ctx context.Context, s *session, _ []string) error { return s.runLifecycle(ctx, run) })
	cmd.Long = runHelp + remoteHelp
	cmd.Flags().BoolVar(&run.dry, "dry-run", false, "change nothing")
	cmd.Flags().StringVar(&run.account, "account", "", "12 `digits` (default: all accounts; with --repository the server's own)")
	cmd.Flags().StringVar(&run.repository, "repository", "", "`name` of one repository, in the region of --region (default: all that have a policy)")
	cmd.Flags().StringVar(&run.policy, "policy", "", "`file` with a policy to try, or - for what comes in")
	return cmd
}

func (s *session) runLifecycle(ctx context.Context, run lifecycleRun) error {
	if run.policy != "" && (!run.dry || run.repository == "") {
		return usageError{errors.New("--policy is tried on one repository: it needs --dry-run and --repository")}
	}
	text := ""
	if run.policy != "" {
		var err error
		if text, _, err = input(run.policy); err != nil {
			return err
		}
	}
	total := lifecycleTotal{Results: []outcome{}}
	var failed error
	if run.repository != "" {
		failed = s.runOne(ctx, policyRow{Account: run.account, Region: s.aws.Region, Repository: run.repository}, run.dry, text, &total)
	} else {
		failed = s.runAll(ctx, run, &total)
	}
	if failed != nil && total.Repositories == 0 {
		return failed
	}
	return errors.Join(s.showTotal(total, run.dry), failed)
}

// runAll runs one policy after the other, whatever becomes of one. The first
// failure is told.
func (s *session) runAll(ctx context.Context, run lifecycleRun, total *lifecycleTotal) error {
	found, err := s.lifecyclePolicies(ctx, run.account)
	if err != nil {
		return err
	}
	var failed error
	for _, p := range found {
		err := s.runOne(ctx, p, run.dry, "", total)
		if r, ok := errors.AsType[refusal](err); ok && r.ErrorCode() == "ResourceNotFoundException" {
			continue // it was taken back since
		}
		if err != nil && failed == nil {
			failed = fmt.Errorf("%s: %w", p.Repository, s.friendly(err))
		}
	}
	return failed
}

// runOne runs a policy until it is done.
func (s *session) runOne(ctx context.Context, p policyRow, dry bool, text string, total *lifecycleTotal) error {
	in := map[string]any{"repositoryName": p.Repository, "region": p.Region, "dryRun": dry}
	if p.Account != "" {
		in["accountId"] = p.Account
	}
	if text != "" {
		in["lifecyclePolicyText"] = text
	}
	for complete := false; !complete; {
		var out struct {
			Account  string `json:"accountId"`
			Complete bool   `json:"complete"`
			Images   int    `json:"imageCount"`
			Selected int    `json:"selectedCount"`
			Expired  int    `json:"expiredCount"`
			Archived int    `json:"archivedCount"`
			Results  []struct {
				Digest   string   `json:"imageDigest"`
				Tags     []string `json:"imageTags"`
				PushedAt float64  `json:"imagePushedAt"`
				Priority int      `json:"rulePriority"`
				Action   string   `json:"action"`
				Outcome  string   `json:"outcome"`
			} `json:"results"`
		}
		if err := s.call(ctx, "RunLifecyclePolicy", in, &out); err != nil {
			return err
		}
		if complete = out.Complete; complete {
			total.Repositories++
			total.Images += out.Images
			total.Selected += out.Selected
		} else {
			total.Images += out.Expired // those that are left are counted by the next call
			total.Selected += out.Expired + out.Archived
		}
		total.Expired += out.Expired
		total.Archived += out.Archived
		for _, r := range out.Results {
			if complete || r.Outcome == "expired" || r.Outcome == "archived" {
				total.Results = append(total.Results, outcome{
					out.Account, p.Region, p.Repository, r.Digest, append([]string{}, r.Tags...), timeOf(seconds(r.PushedAt)), r.Priority, r.Action, r.Outcome,
				})
			}
		}
	}
	return nil
}

func (s *session) showTotal(total lifecycleTotal, dry bool) error {
	t := table{head: []string{"ACCOUNT", "REGION", "REPOSITORY", "DIGEST", "TAGS", "PUSHED", "RULE", "ACTION", "OUTCOME"}}
	for _, o := range total.Results {
		t.rows = append(t.rows, []string{
			o.Account, o.Region, o.Repository, o.Digest, strings.Join(o.Tags, " "), o.PushedAt, strconv.Itoa(o.Priority), o.Action, o.Outcome,
		})
	}
	if len(t.rows) == 0 {
		t.head = nil
	}
	if err := s.show(total, t); err != nil {
		return err
	}
	of := fmt.Sprintf("of %s in %s", counted(total.Images, "image"), counted(total.Repositories, "repository"))
	if dry {
		s.note("%s %s would be acted on. Nothing was changed.", counted(total.Selected, "image"), of)
		return nil
	}
	s.note("%s %s expired, %d archived, %d left.", counted(total.Expired, "image"), of, total.Archived, total.Selected-total.Expired-total.Archived)
	return nil
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
