package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
)

// Config is what a Runner is made of. Every field must be set.
type Config struct {
	Meta       meta.Store
	Logger     *slog.Logger
	LayerGrace time.Duration // an unreferenced layer lives at least this long
	Strict     bool          // refuse texts that ECR refuses
	// FlushPulls writes down the pulls that only memory knows of.
	FlushPulls func(context.Context) error
	Journal    Journal
}

// Journal is told what policies did.
type Journal interface {
	// Ready returns why nothing can be recorded: nothing is done then.
	Ready() error
	// Record notes what a run did to at most stepSize images of a repository.
	// It was done already.
	Record(Execution)
}

// Execution is what a run did in one transaction.
type Execution struct {
	Key         meta.RepositoryKey
	Policy      Policy
	EvaluatedAt time.Time // when the policy was evaluated the time before; zero: never
	Results     []Result
}

// Result is an image that a policy selected, and what became of it.
type Result struct {
	Image    Image
	Priority int // of the rule
	Action   Action
	Outcome  Outcome
}

// Outcome says what became of a selected image.
type Outcome uint8

// The outcomes. An image that is left may be selected by the next run.
const (
	Selected    Outcome = iota // nothing was tried
	Expired                    // the image is gone with its tags
	Archived                   // the image is in the archive
	Changed                    // left: its tags moved, it was pulled, archived or brought back, or something was attached to it
	Kept                       // left: an index or a registered image keeps it
	SubjectKept                // left: it goes with its subject, which was left
	Gone                       // somebody else was faster
)

// done reports whether it is what the policy asked for.
func (o Outcome) done() bool { return o == Expired || o == Archived }

// String returns the outcome in words.
func (o Outcome) String() string { return outcomes[o] }

var outcomes = [...]string{
	Selected: "selected", Expired: "expired", Archived: "archived", Changed: "changed meanwhile",
	Kept: "kept by another", SubjectKept: "its subject was left", Gone: "gone already",
}

// Report is what a run, or what would be one, came to.
type Report struct {
	Key     meta.RepositoryKey
	At      time.Time // of the evaluation
	Images  int       // looked at
	Results []Result  // in order of images
}

// Count is how many results have the outcome.
func (r Report) Count(o Outcome) int {
	n := 0
	for _, result := range r.Results {
		if result.Outcome == o {
			n++
		}
	}
	return n
}

// Runner keeps lifecycle policies and does what they say. Its methods are safe
// for concurrent use, in one process and in several on one store. Errors are
// *fault.Error, or the context's.
type Runner struct {
	Config
	turn chan struct{} // held by who has a whole repository in memory
}

// New returns a runner.
func New(c Config) *Runner { return &Runner{c, make(chan struct{}, 1)} }

const (
	// every is the time between two evaluations of a policy, and from setting
	// one to the first: who set a wrong one can take it back.
	every = 24 * time.Hour
	// lease is how long others leave a policy alone that somebody has begun to
	// evaluate, and how long one waits whose evaluation failed.
	lease = time.Hour
	// By is who the history of tags says removed those of expired images.
	By = "lifecycle policy"
)

// The bounds of one transaction, and of one pass.
const (
	pageSize = 1000   // images of a page
	stepSize = 10     // images that one transaction acts on: as many as ECR tells in one event
	passSize = 10_000 // policies of a pass
	tries    = 5      // evaluations of a run, when others delete meanwhile
)

// RunDue evaluates the policies whose time has come, each on its own: what
// fails is tried again after a while. Then it clears away old previews.
func (r *Runner) RunDue(ctx context.Context) error {
	var failed error
	for range passSize {
		c, err := r.claimDue(ctx)
		if err != nil {
			failed = errors.Join(failed, err)
			break
		}
		if c == nil {
			break
		}
		if _, err := r.run(ctx, *c); err != nil && !waits(err) {
			failed = errors.Join(failed, err)
		}
	}
	return errors.Join(failed, r.clearPreviews(ctx))
}

// waits reports whether a run ended for no failure: its policy went meanwhile,
// or others delete so much that it left the repository to the next one.
func waits(err error) bool {
	switch fault.Of(err).Reason {
	case fault.LifecyclePolicyNotFound, fault.RepositoryNotFound, fault.Overloaded:
		return true
	}
	return false
}

// Run does now what a repository's policy says. When it fails, the report tells
// what was done by then. RepositoryNotFound, LifecyclePolicyNotFound.
func (r *Runner) Run(ctx context.Context, key meta.RepositoryKey) (Report, error) {
	c, err := r.claim(ctx, key)
	if err != nil {
		return Report{Key: key}, err
	}
	return r.run(ctx, c)
}

// DryRun says what Run would do now, by the given policy or else by the
// repository's own. RepositoryNotFound, LifecyclePolicyNotFound,
// ParameterInvalid.
func (r *Runner) DryRun(ctx context.Context, key meta.RepositoryKey, text string) (Report, error) {
	report := Report{Key: key}
	policy, id, err := r.meant(ctx, key, text)
	if err != nil {
		return report, err
	}
	p, err := r.evaluate(ctx, id, policy)
	if err != nil {
		return report, failed(key, err)
	}
	report.At, report.Images, report.Results = p.at, p.images, p.results
	return report, nil
}

// claim is a policy that is being run, as it was before that began.
type claim struct {
	meta.LifecyclePolicy
	key meta.RepositoryKey
}

func (r *Runner) claim(ctx context.Context, key meta.RepositoryKey) (c claim, err error) {
	if err := r.Journal.Ready(); err != nil {
		return c, fault.Wrap(fault.StoreUnavailable, err)
	}
	err = r.Meta.Update(ctx, func(tx meta.Tx) error {
		repository, err := live(tx, key, meta.LockShared)
		if err != nil {
			return err
		}
		c, err = take(tx, repository, func(meta.LifecyclePolicy) bool { return true })
		return err
	})
	return c, failed(key, err)
}

// claimDue claims the policy that is due the longest; nil if none is.
func (r *Runner) claimDue(ctx context.Context) (*claim, error) {
	if err := r.Journal.Ready(); err != nil {
		return nil, fault.Wrap(fault.StoreUnavailable, err)
	}
	var c *claim
	err := r.Meta.Update(ctx, func(tx meta.Tx) error {
		c = nil
		now, err := tx.Now()
		if err != nil {
			return err
		}
		ids, err := tx.DueLifecyclePolicies(now, replicas)
		for _, id := range ids {
			repository, err := tx.RepositoryOf(id, meta.LockShared)
			if err != nil {
				return err
			}
			taken, err := take(tx, repository, func(p meta.LifecyclePolicy) bool { return !p.DueAt.After(now) })
			if fault.Is(err, fault.LifecyclePolicyNotFound) { // or claimed by another replica meanwhile
				continue
			}
			c = &taken
			return err
		}
		return err
	})
	return c, failed(meta.RepositoryKey{}, err)
}

// replicas is how many due policies a claim tries, because others may claim at
// the same time.
const replicas = 10

// take claims a repository's policy if it is wanted. LifecyclePolicyNotFound.
func take(tx meta.Tx, repository meta.Repository, wanted func(meta.LifecyclePolicy) bool) (claim, error) {
	p, err := tx.LifecyclePolicy(repository.ID, meta.LockExclusive)
	if errors.Is(err, meta.ErrNotFound) || err == nil && !wanted(p) {
		return claim{}, about(fault.LifecyclePolicyNotFound, repository.Key)
	}
	if err != nil {
		return claim{}, err
	}
	now, err := tx.Now()
	if err != nil {
		return claim{}, err
	}
	c := claim{p, repository.Key}
	p.DueAt = now.Add(lease)
	return c, stored(tx.PutLifecyclePolicy(p))
}

// holds makes sure that the policy is still the one that was claimed, and that
// it stays until the transaction ends. LifecyclePolicyNotFound.
func (c claim) holds(tx meta.Tx, lock meta.Lock) (meta.LifecyclePolicy, error) {
	if _, err := tx.RepositoryOf(c.Repository, meta.LockShared); err != nil && !errors.Is(err, meta.ErrNotFound) {
		return meta.LifecyclePolicy{}, err
	}
	p, err := tx.LifecyclePolicy(c.Repository, lock)
	if errors.Is(err, meta.ErrNotFound) || err == nil && (p.Text != c.Text || !p.SetAt.Equal(c.SetAt)) {
		err = about(fault.LifecyclePolicyNotFound, c.key)
	}
	return p, err
}

// run evaluates a policy and carries out what comes of it. What others delete
// meanwhile may be what a rule counted, so that the policy is evaluated again.
func (r *Runner) run(ctx context.Context, c claim) (Report, error) {
	report := Report{Key: c.key}
	policy, err := Parse(c.Text, Options{})
	if err != nil { // by a later program
		return report, fault.Wrap(fault.Unexpected, fmt.Errorf("lifecycle policy of %s: %w", c.key.Name, err))
	}
	var before []Result // carried out by the evaluations before
	for range tries {
		var p *plan
		if p, err = r.evaluate(ctx, c.Repository, policy); err != nil {
			break
		}
		err = r.carryOut(ctx, c, policy, p)
		report.At, report.Images, report.Results = p.at, p.images, append(before, p.results...)
		if !errors.Is(err, errOthers) {
			break
		}
		before = p.done(before)
	}
	switch {
	case errors.Is(err, errOthers):
		err = fault.Wrap(fault.Overloaded, err)
	case err == nil:
		err = r.finish(ctx, c, report.At)
	}
	if expired, archived := report.Count(Expired), report.Count(Archived); expired+archived > 0 {
		r.Logger.LogAttrs(ctx, slog.LevelInfo, "a lifecycle policy expired or archived images", slog.String("account", string(c.key.Registry.Account)),
			slog.String("region", string(c.key.Registry.Region)), slog.String("repository", string(c.key.Name)),
			slog.Int("expired", expired), slog.Int("archived", archived),
			slog.Int("left", len(report.Results)-expired-archived), slog.Int("images", report.Images))
	}
	return report, failed(c.key, err)
}

// finish notes when the policy was evaluated and when it is the next time. A
// policy that was set meanwhile has its own times.
func (r *Runner) finish(ctx context.Context, c claim, at time.Time) error {
	next := c.DueAt.Add(every)
	if c.DueAt.After(at) || !next.After(at) {
		next = at.Add(every)
	}
	return r.Meta.Update(ctx, func(tx meta.Tx) error {
		p, err := c.holds(tx, meta.LockExclusive)
		if err != nil {
			return err
		}
		p.EvaluatedAt, p.DueAt = at, next
		return stored(tx.PutLifecyclePolicy(p))
	})
}
