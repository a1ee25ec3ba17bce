package server

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/lighterage/lighterage/internal/audit"
	"github.com/lighterage/lighterage/internal/config"
)

// Of failed log-ins, this many are recorded one by one within a minute: of one
// client, and of all. The rest is counted, so that nobody without a credential
// can push out what the trail is for.
const (
	floodOfOne = 20
	floodOfAll = 600
	floodAge   = time.Minute
	maxFloods  = 4096 // clients that are told apart
)

// floods counts failed log-ins by client. Its methods are safe for concurrent
// use.
type floods struct {
	mu    sync.Mutex
	since time.Time
	all   int
	by    map[netip.Addr]*flood
}

// flood is what one client failed within a minute, or with the zero address
// those that are not told apart.
type flood struct {
	client      netip.Addr
	recorded    int
	count       int // that were not recorded
	first, last time.Time
}

func newFloods() *floods { return &floods{by: map[netip.Addr]*flood{}} }

// admit counts a failure and reports whether it is to be recorded by itself.
func (f *floods) admit(client netip.Addr, now time.Time) bool {
	client = address(client)
	f.mu.Lock()
	defer f.mu.Unlock()
	if age := now.Sub(f.since); age < 0 || age >= floodAge {
		f.since, f.all = now, 0
		for _, one := range f.by {
			one.recorded = 0
		}
	}
	one := f.by[client]
	if one == nil {
		if len(f.by) >= maxFloods {
			client = netip.Addr{}
		}
		if one = f.by[client]; one == nil {
			one = &flood{client: client}
			f.by[client] = one
		}
	}
	if one.recorded < floodOfOne && f.all < floodOfAll {
		one.recorded++
		f.all++
		return true
	}
	if one.count == 0 {
		one.first = now
	}
	one.count++
	one.last = now
	return false
}

// sweep returns the floods since the last sweep, in the order of addresses.
func (f *floods) sweep(now time.Time) []flood {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []flood
	for client, one := range f.by {
		if one.count > 0 {
			out = append(out, *one)
			one.count = 0
			continue
		}
		if now.Sub(f.since) >= floodAge || one.recorded == 0 {
			delete(f.by, client)
		}
	}
	slices.SortFunc(out, func(a, b flood) int { return cmp.Or(a.client.Compare(b.client), a.first.Compare(b.first)) })
	return out
}

// event is the record of a flood.
func (f flood) event(c config.Config) audit.Event {
	from, client := "many clients", "0.0.0.0"
	if f.client.IsValid() {
		from, client = f.client.String(), f.client.String()
	}
	parameters, _ := json.Marshal(map[string]any{ // of texts and a number, which have JSON
		"count": f.count, "from": f.first.UTC().Format(time.RFC3339), "until": f.last.UTC().Format(time.RFC3339),
	})
	return audit.Event{
		Identity: audit.Identity{Type: "Unknown"}, Time: f.last, Source: "signin.amazonaws.com", Name: "FailedLogins",
		Region: string(c.Region), SourceIP: client, ErrorCode: "UNAUTHORIZED",
		ErrorMessage:      fmt.Sprintf("%d more log-ins of %s failed than are recorded by themselves", f.count, from),
		RequestParameters: parameters, Type: "AwsServiceEvent", ManagementEvent: true, RecipientAccountID: string(c.Account),
	}
}
