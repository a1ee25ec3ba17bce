package server

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/lighterage/lighterage/internal/audit"
	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/name"
)

// budget is how many lines a kind of event may have in the trail. The rest is
// counted, so that what anybody can cause does not push out what the trail is
// for.
type budget struct {
	minuteOfOne, minuteOfAll int // lines within a minute: of one source, and of all
	dayOfOne, dayOfAll       int // within a day; without a share of one, sources are forgotten after their minute

	name, code, what string // of the summary
}

// The budgets. A stranger's line has at most 2.2 KiB, that of a principal who is
// refused 6 KiB, a summary 1 KiB (bound and TestTheLineOfARefusalIsShort). So
// refusals write at most 30,000 * 2.2 + 8000 * 6 KiB a day, and 2 * (maxTold+1)
// KiB of summaries a minute: 142 MiB a day, with which a trail of 1 GiB is full
// after 7.2 days if everybody does their worst together. One address without
// credentials writes 20 * 2.2 + 1 KiB a minute: 63 MiB a day, 16 days. What
// anybody pulls without a login, where that is allowed, is not in this sum.
var (
	ofStrangers = budget{
		minuteOfOne: 20, minuteOfAll: 600, dayOfAll: 30_000,
		name: "FailedLogins", code: "UNAUTHORIZED", what: "log-ins and calls of %s failed",
	}
	ofPrincipals = budget{
		minuteOfOne: 600, minuteOfAll: 2400, dayOfOne: 4000, dayOfAll: 8000,
		name: "FailedCalls", code: "AccessDenied", what: "calls of %s were denied or failed",
	}
	ofAnybody = budget{minuteOfOne: 600, minuteOfAll: 2400, dayOfAll: 40_000, name: "AnonymousReads"}
)

const (
	floodAge  = time.Minute
	floodDay  = 24 * time.Hour
	maxFloods = 4096 // sources that are told apart
	maxTold   = 10   // of them, that have a summary of their own
)

// floods counts events of one kind by their source: an address, or the unique
// id of a principal. Its methods are safe for concurrent use.
type floods struct {
	budget budget

	mu    sync.Mutex
	since time.Time // when the minute began
	today time.Time // when the day began
	all   int
	day   int
	by    map[string]*flood
}

// flood is what one source did, or with an empty one those that are not told
// apart.
type flood struct {
	source      string
	who         audit.Identity
	client      string
	recorded    int // within the minute
	day         int // recorded, within the day
	count       int // that were not recorded
	first, last time.Time
}

func newFloods(b budget) *floods { return &floods{budget: b, by: map[string]*flood{}} }

// admit counts an event and reports whether it is to be recorded by itself.
func (f *floods) admit(source string, e *audit.Event, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turn(now)
	one := f.of(source, e)
	b := f.budget
	if one.recorded < b.minuteOfOne && f.all < b.minuteOfAll && f.day < b.dayOfAll && (b.dayOfOne == 0 || one.day < b.dayOfOne) {
		one.recorded++
		one.day++
		f.all++
		f.day++
		return true
	}
	if one.count == 0 {
		one.first = now
	}
	one.count++
	one.last = now
	return false
}

// turn begins a minute and a day, if it is time.
func (f *floods) turn(now time.Time) {
	if age := now.Sub(f.since); age < 0 || age >= floodAge {
		f.since, f.all = now, 0
		for _, one := range f.by {
			one.recorded = 0
		}
	}
	if age := now.Sub(f.today); age < 0 || age >= floodDay {
		f.today, f.day = now, 0
		for _, one := range f.by {
			one.day = 0
		}
	}
}

// of finds what is counted for a source.
func (f *floods) of(source string, e *audit.Event) *flood {
	if one := f.by[source]; one != nil {
		return one
	}
	if len(f.by) >= maxFloods {
		if one := f.by[""]; one != nil {
			return one
		}
		f.by[""] = &flood{}
		return f.by[""]
	}
	who := e.Identity
	who.SessionContext = nil
	f.by[source] = &flood{source: source, who: who, client: e.SourceIP}
	return f.by[source]
}

// sweep returns the floods since the last sweep, the largest first and no more
// than maxTold; what is behind them comes as one without a source. Sources that
// nothing is counted of are forgotten.
func (f *floods) sweep(now time.Time) []flood {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turn(now)
	var out []flood
	rest := flood{}
	for source, one := range f.by {
		switch {
		case one.count > 0 && source == "":
			rest.add(*one)
		case one.count > 0:
			out = append(out, *one)
		case one.recorded == 0 && (one.day == 0 || f.budget.dayOfOne == 0):
			delete(f.by, source)
		}
		one.count = 0
	}
	slices.SortFunc(out, func(a, b flood) int { return cmp.Or(b.count-a.count, cmp.Compare(a.source, b.source)) })
	if len(out) > maxTold {
		for _, one := range out[maxTold:] {
			rest.add(one)
		}
		out = out[:maxTold]
	}
	if rest.count > 0 {
		out = append(out, rest)
	}
	return out
}

// add counts another flood with this one.
func (f *flood) add(other flood) {
	if f.count == 0 || other.first.Before(f.first) {
		f.first = other.first
	}
	if other.last.After(f.last) {
		f.last = other.last
	}
	f.count += other.count
}

// event is the record of a flood.
func (f flood) event(b budget, c config.Config) audit.Event {
	from, client := "many clients", "0.0.0.0"
	switch {
	case f.source == "":
		f.who = audit.Identity{Type: "Unknown"}
	case f.who.ARN != "":
		from, client = f.who.ARN, f.client
	default:
		from, client = f.source, f.source
	}
	f.who.AccessKeyID = ""                        // there may have been others
	parameters, _ := json.Marshal(map[string]any{ // of texts and a number, which have JSON
		"count": f.count, "from": f.first.UTC().Format(time.RFC3339), "until": f.last.UTC().Format(time.RFC3339),
	})
	if f.who.AccountID != "" && f.who.ARN != "" {
		c.Account = name.AccountID(f.who.AccountID)
	}
	e := audit.Event{
		Identity: f.who, Time: f.last, Source: "signin.amazonaws.com", Name: b.name,
		Region: string(c.Region), SourceIP: client, ErrorCode: b.code, ReadOnly: b.code == "",
		RequestParameters: parameters, Type: "AwsServiceEvent", ManagementEvent: true, RecipientAccountID: string(c.Account),
	}
	if b.code != "" {
		e.ErrorMessage = fmt.Sprintf("%d more "+b.what+" than are recorded by themselves", f.count, from)
	}
	return e
}
