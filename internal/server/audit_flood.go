package server

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lighterage/lighterage/internal/audit"
	"github.com/lighterage/lighterage/internal/config"
)

// How many lines the refusals of those may have who proved nothing. The rest is
// counted, so that a stranger does not push out what other strangers did. Such
// a line has at most 2.2 KiB, and a summary 3 KiB (bound, and
// TestAStrangerCannotFillTheTrail): 66 MiB a day, and 46 MiB of summaries, if
// everybody does their worst together.
const (
	minuteOfOne = 20     // of one address within a minute
	minuteOfAll = 600    // of all within a minute
	dayOfAll    = 30_000 // within a day
)

const (
	floodAge   = time.Minute
	floodDay   = 24 * time.Hour
	maxFloods  = 4096 // addresses that are told apart
	maxTold    = 10   // of them, that have a summary of their own
	maxKeys    = 8    // access key ids that a summary names
	maxClients = 32   // addresses that the summary of the others names
)

// floods counts refusals by the address that they went to. Its methods are safe
// for concurrent use.
type floods struct {
	mu    sync.Mutex
	since time.Time // when the minute began
	today time.Time // when the day began
	all   int       // recorded within the minute
	day   int       // recorded within the day
	by    map[string]*flood
}

// flood is what came from one address, or with an empty one from those that are
// not told apart.
type flood struct {
	client      string
	recorded    int // within the minute
	count       int // that were not recorded
	denied      int // of them, that were refused for who asked; the others failed otherwise
	keys        map[string]bool
	clients     []string // of several, those that are named
	first, last time.Time
}

func newFloods() *floods { return &floods{by: map[string]*flood{}} }

// admit counts an event and reports whether it is to be recorded by itself.
func (f *floods) admit(client string, e *audit.Event, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turn(now)
	one := f.of(client)
	if one.recorded < minuteOfOne && f.all < minuteOfAll && f.day < dayOfAll {
		one.recorded++
		f.all++
		f.day++
		return true
	}
	more := flood{count: 1, first: now, last: now}
	if e.Outcome() == audit.Denied {
		more.denied = 1
	}
	if e.Identity.AccessKeyID != "" {
		more.keys = map[string]bool{e.Identity.AccessKeyID: true}
	}
	one.add(more)
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
	}
}

// of finds what is counted for an address.
func (f *floods) of(client string) *flood {
	if one := f.by[client]; one != nil {
		return one
	}
	if len(f.by) >= maxFloods {
		client = ""
	}
	if f.by[client] == nil {
		f.by[client] = &flood{client: client}
	}
	return f.by[client]
}

// sweep returns the floods since the last sweep, the largest first and no more
// than maxTold; what is behind them comes as one without an address. Addresses
// that nothing is counted of are forgotten.
func (f *floods) sweep(now time.Time) []flood {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turn(now)
	var out []flood
	rest := flood{}
	for client, one := range f.by {
		switch {
		case one.count > 0 && client == "":
			rest.add(*one)
		case one.count > 0:
			out = append(out, *one)
		case one.recorded == 0:
			delete(f.by, client)
			continue
		}
		f.by[client] = &flood{client: client, recorded: one.recorded}
	}
	slices.SortFunc(out, func(a, b flood) int { return cmp.Or(b.count-a.count, cmp.Compare(a.client, b.client)) })
	if len(out) > maxTold {
		for _, one := range out[maxTold:] {
			rest.add(one)
			if len(rest.clients) < maxClients {
				rest.clients = append(rest.clients, one.client)
			}
		}
		out = out[:maxTold]
	}
	if rest.count > 0 {
		out = append(out, rest)
	}
	return out
}

// giveBack counts what a sweep returned and could not be recorded.
func (f *floods) giveBack(one flood) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.of(one.client).add(one)
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
	f.denied += other.denied
	for key := range other.keys {
		if f.keys == nil {
			f.keys = map[string]bool{}
		}
		if len(f.keys) < maxKeys {
			f.keys[key] = true
		}
	}
}

// event is the record of a flood.
func (f flood) event(c config.Config) audit.Event {
	from, client := f.client, f.client
	if f.client == "" {
		from, client = "many clients", "0.0.0.0"
	}
	told := map[string]any{
		"count": f.count, "denied": f.denied, "from": f.first.UTC().Format(time.RFC3339), "until": f.last.UTC().Format(time.RFC3339),
	}
	if len(f.keys) > 0 {
		told["accessKeyIds"] = slices.Sorted(maps.Keys(f.keys))
	}
	if len(f.clients) > 0 {
		told["clients"] = f.clients
	}
	parameters, _ := json.Marshal(told) // of texts and numbers, which have JSON
	return audit.Event{
		Identity: audit.Identity{Type: "Unknown"}, Time: f.last, Source: "signin.amazonaws.com", Name: "FailedLogins",
		Region: string(c.Region), SourceIP: client, ErrorCode: "UNAUTHORIZED",
		ErrorMessage:      fmt.Sprintf("%d more log-ins and calls of %s failed than are recorded by themselves", f.count, from),
		RequestParameters: parameters, Type: "AwsServiceEvent", ManagementEvent: true, RecipientAccountID: string(c.Account),
	}
}
