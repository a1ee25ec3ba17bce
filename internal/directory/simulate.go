package directory

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
)

// Simulation asks what policies would decide. Every action is tried on every
// resource.
type Simulation struct {
	// Source is the ARN of the user, group or role whose policies and boundary
	// take part besides those given; empty: nobody's.
	Source   string
	Policies []string // documents of identity policies
	Boundary []string // at most one document, in the place of the source's own
	Resource string   // document of the resources' policy; empty: they have none
	Owner    string   // account of resources whose ARNs name none, or its root's ARN
	Caller   string   // ARN of the user who calls; empty: the source

	Actions   []string
	Resources []string // ARNs, or *; none: *
	Context   []ContextValue
}

// ContextValue is a condition key with its values.
type ContextValue struct {
	Key    string
	Values []string
}

// SourceKind says where a statement stands.
type SourceKind uint8

// The kinds of sources.
const (
	Given         SourceKind = iota // in the question
	OfUser                          // inline
	OfGroup                         // inline
	OfRole                          // inline
	ManagedByAWS                    // a managed policy of AWS's
	ManagedByUs                     // a managed policy of the account
	ResourcePart                    // the resources' policy
	BoundarySpace                   // the permissions boundary
)

// Outcome is what one action on one resource came to.
type Outcome struct {
	Action, Resource string
	Allowed          bool
	Explicit         bool    // denied by a statement
	Matched          []Match // the statements that decided
	Missing          []string
	Boundary         *bool // whether the boundary allows; nil: there is none
	// Of resources of another account, what each side says by itself.
	CrossAccount           bool
	ByIdentity, ByResource Verdict
}

// Verdict is what policies of one kind say.
type Verdict uint8

// The verdicts.
const (
	Silent Verdict = iota
	Allows
	Denies
)

// Match is a statement that matched, and where it stands in its document.
type Match struct {
	Policy     string
	Kind       SourceKind
	Start, End Position
}

// Position is a place in a document; both count from 1, and characters.
type Position struct{ Line, Column int }

// simulationBudget is how many bytes of documents one page of outcomes may go
// through: a page can be shorter than asked for.
const simulationBudget = 16 << 20

// simulationSteps is how much work one page may be that patterns and values
// make, in policy's steps; the outcome that goes beyond is the page's last.
const simulationSteps = 16 << 20

// simulationEntries is how many statements and missing keys the outcomes of one
// page may tell of; the outcome that goes beyond is the page's last.
const simulationEntries = 10_000

var simulatedAction = regexp.MustCompile(`^[A-Za-z0-9-]+:[A-Za-z0-9]+$`)

// Simulate returns outcomes from the one with the number first on, action by
// action, and whether there are more. EntityNotFound for the source,
// InputRefused.
func (d *Directory) Simulate(ctx context.Context, account name.AccountID, s Simulation, first, limit int) ([]Outcome, bool, error) {
	if len(s.Resources) == 0 {
		s.Resources = []string{"*"}
	}
	if err := s.check(); err != nil {
		return nil, false, err
	}
	var parts sources
	err := d.view(ctx, func(tx meta.Tx) (err error) {
		parts, err = gather(tx, account, s)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	run, err := parts.prepare(account, s)
	if err != nil {
		return nil, false, err
	}
	all := len(s.Actions) * len(s.Resources)
	first = min(first, all)
	last := min(all, first+min(limit, 1+simulationBudget/(1+len(s.Resource)+parts.size())))
	var out []Outcome
	entries := 0
	for i := first; i < last; i++ {
		if err := ctx.Err(); err != nil {
			return nil, false, meta.Fault(err)
		}
		if run.steps > simulationSteps || entries > simulationEntries {
			last = i
			break
		}
		o := run.try(ctx, s.Actions[i/len(s.Resources)], s.Resources[i%len(s.Resources)])
		entries += len(o.Matched) + len(o.Missing)
		out = append(out, o)
	}
	return out, last < all, meta.Fault(ctx.Err()) // the last may have been given up
}

func (s Simulation) check() error {
	for _, a := range s.Actions {
		if !simulatedAction.MatchString(a) {
			return refused("Invalid action name: " + a)
		}
	}
	for _, r := range s.Resources {
		if r != "*" && strings.Count(r, ":") < 5 {
			return refused("Invalid resource ARN: " + r)
		}
	}
	if len(s.Boundary) > 1 {
		return refused("Only one permissions boundary can be simulated at a time.")
	}
	if s.Caller != "" {
		if _, kind, _, _, ok := name.ParseDirectoryARN(s.Caller); !ok || kind != "user" {
			return refused("Invalid caller ARN: " + s.Caller + ". It must be the ARN of a user.")
		}
	}
	if _, kind, _, _, _ := name.ParseDirectoryARN(s.Source); s.Resource != "" && s.Caller == "" && kind != "user" {
		return refused("A CallerArn is required to simulate a resource policy.")
	}
	_, err := ownerAccount(s.Owner)
	return err
}

// ownerAccount returns the account of a ResourceOwner; none for none.
func ownerAccount(s string) (name.AccountID, error) {
	if s == "" {
		return "", nil
	}
	id, err := name.ParseAccountID(strings.TrimSuffix(strings.TrimPrefix(s, "arn:aws:iam::"), ":root"))
	if err != nil {
		return "", refused("Invalid resource owner: " + s)
	}
	return id, nil
}

// simulator has the documents parsed.
type simulator struct {
	question Simulation
	caller   policy.Principal
	owner    name.AccountID
	policies policy.Policies
	sources  []source // by the number that is the name of their document
	cursors  []cursor // in their texts
	keys     map[string][]string
	missing  []string
	steps    int // that it took so far
}

func (p sources) prepare(account name.AccountID, s Simulation) (*simulator, error) {
	r := &simulator{question: s, caller: p.caller, keys: p.keys(s.Context)}
	r.owner, _ = ownerAccount(s.Owner) // checked before
	if r.owner == "" {
		r.owner = p.caller.Account
	}
	var err error
	if r.policies.Identity, err = r.parse(p.identity); err != nil {
		return nil, err
	}
	if r.policies.Boundary, err = r.parse(p.boundary); err != nil {
		return nil, err
	}
	if s.Resource != "" {
		r.policies.Resource, err = r.parse([]source{{id: "ResourcePolicy", kind: ResourcePart, as: policy.Repository, text: s.Resource}})
	}
	slices.Sort(r.missing)
	r.missing = slices.CompactFunc(r.missing, strings.EqualFold)
	return r, err
}

// parse parses documents.
func (r *simulator) parse(from []source) ([]policy.Named, error) {
	var out []policy.Named
	for _, s := range from {
		d, err := policy.Parse(s.as, s.text)
		switch {
		case err != nil && !s.stored:
			return nil, refused("The policy " + s.id + " is not valid: " + err.Error())
		case err != nil:
			return nil, fmt.Errorf("parse policy %s: %w", s.id, err)
		}
		for _, key := range d.ContextKeys() {
			if _, ok := r.keys[strings.ToLower(key)]; !ok {
				r.missing = append(r.missing, key)
			}
		}
		out = append(out, policy.Named{Name: strconv.Itoa(len(r.sources)), Document: d})
		r.sources = append(r.sources, s)
		r.cursors = append(r.cursors, newCursor(s.text))
	}
	return out, nil
}

// keys are the values of condition keys: of who calls and of now, over which
// go those that were given.
func (p sources) keys(given []ContextValue) map[string][]string {
	keys := map[string][]string{
		"aws:principalaccount": {string(p.caller.Account)},
		"aws:currenttime":      {p.now.UTC().Format(time.RFC3339)},
		"aws:epochtime":        {strconv.FormatInt(p.now.Unix(), 10)},
	}
	if p.caller.ARN != "" {
		keys["aws:principalarn"] = []string{p.caller.ARN}
	}
	if p.caller.ARN != "" && p.caller.Kind == policy.User {
		_, _, _, called, _ := name.ParseDirectoryARN(p.caller.ARN)
		keys["aws:username"] = []string{called}
		keys["aws:principaltype"] = []string{"User"}
	}
	if p.caller.Kind == policy.RoleSession {
		keys["aws:principaltype"] = []string{"AssumedRole"}
	}
	if p.who != nil {
		if p.who.Key.Kind == User {
			keys["aws:userid"] = []string{p.who.UniqueID}
		}
		for _, tag := range p.who.Tags {
			keys["aws:principaltag/"+strings.ToLower(tag.Key)] = []string{tag.Value}
		}
	}
	for _, v := range given {
		keys[strings.ToLower(v.Key)] = v.Values
	}
	return keys
}

// try decides one action on one resource.
func (r *simulator) try(ctx context.Context, action, resource string) Outcome {
	request := policy.Request{
		Principal: r.caller, Action: action, Resource: resource, Account: r.accountOf(resource),
		Keys:  func(key string) []string { return r.keys[key] },
		Steps: &r.steps,
		Done:  ctx.Done(),
	}
	decision, lines := policy.Explain(request, r.policies)
	out := Outcome{
		Action: action, Resource: resource, Allowed: decision.Allowed, Explicit: decision.Explicit, Missing: r.missing,
		CrossAccount: request.Account != r.caller.Account,
		ByIdentity:   verdict(lines, policy.IdentityBased),
		ByResource:   verdict(lines, policy.ResourceBased),
	}
	if len(r.policies.Boundary) > 0 {
		out.Boundary = new(verdict(lines, policy.PermissionsBoundary) == Allows)
	}
	for _, line := range lines {
		decides := decision.Explicit && !line.Allow || decision.Allowed && line.Allow && line.Layer != policy.PermissionsBoundary
		if line.Matched && decides {
			out.Matched = append(out.Matched, r.match(line))
		}
	}
	return out
}

// accountOf returns who owns a resource. Without a policy of the resource there
// is only the caller's side to look at.
func (r *simulator) accountOf(resource string) name.AccountID {
	if r.question.Resource == "" {
		return r.caller.Account
	}
	if parts := strings.SplitN(resource, ":", 6); len(parts) == 6 {
		if id, err := name.ParseAccountID(parts[4]); err == nil {
			return id
		}
	}
	return r.owner
}

func verdict(lines []policy.Line, l policy.Layer) Verdict {
	v := Silent
	for _, line := range lines {
		switch {
		case line.Layer != l || !line.Matched:
		case !line.Allow:
			return Denies
		default:
			v = Allows
		}
	}
	return v
}

func (r *simulator) match(line policy.Line) Match {
	at, _ := strconv.Atoi(line.Policy) // parse wrote it
	s, c := r.sources[at], &r.cursors[at]
	return Match{Policy: s.id, Kind: s.kind, Start: c.position(line.Start), End: c.position(line.End)}
}

// cursor goes through a text from statement to statement, and so once for all of
// them.
type cursor struct {
	text string
	at   int // in bytes
	Position
}

func newCursor(text string) cursor { return cursor{text, 0, Position{1, 1}} }

// position returns where a byte stands.
func (c *cursor) position(at int) Position {
	if at < c.at { // the next outcome
		*c = newCursor(c.text)
	}
	passed := c.text[c.at:at]
	if end := strings.LastIndexByte(passed, '\n'); end >= 0 {
		c.Line += strings.Count(passed, "\n")
		c.Column, passed = 1, passed[end+1:]
	}
	c.Column += utf8.RuneCountInString(passed)
	c.at = at
	return c.Position
}
