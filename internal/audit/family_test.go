package audit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/audit"
)

// sorts are events by the beginning of the names of the files that they are in.
var sorts = map[string]func(e *audit.Event){
	"audit":           func(*audit.Event) {},
	"audit-read":      func(e *audit.Event) { e.Name, e.ReadOnly = "BatchGetImage", true },
	"audit-refused":   func(e *audit.Event) { e.ErrorCode = "AccessDeniedException" },
	"audit-stranger":  func(e *audit.Event) { e.ErrorCode, e.Identity = "UNAUTHORIZED", audit.Identity{Type: "Unknown"} },
	"audit-anonymous": func(e *audit.Event) { e.ReadOnly, e.Identity = true, nobody },
}

var nobody = audit.Identity{Type: "AWSAccount", AccountID: audit.AnonymousAccount}

func sorted(base string) *audit.Event {
	e := push("team/app")
	sorts[base](e)
	return e
}

func TestEverySortOfEventHasFilesOfItsOwn(t *testing.T) {
	vouched := audit.Identity{Type: "WebIdentityUser", AccountID: "123456789012", ARN: "arn:aws:iam::123456789012:oidc-provider/issuer.example"}
	for _, tt := range []struct {
		name, want string
		edit       func(e *audit.Event)
	}{
		{"a push", "audit", func(*audit.Event) {}},
		{"a pull", "audit-read", sorts["audit-read"]},
		{"a push that is denied", "audit-refused", sorts["audit-refused"]},
		{"a push that fails", "audit-refused", func(e *audit.Event) { e.ErrorCode = "ImageAlreadyExistsException" }},
		{"a pull that is denied", "audit-refused", func(e *audit.Event) { e.ReadOnly, e.ErrorCode = true, "DENIED" }},
		{"a wrong password", "audit-stranger", sorts["audit-stranger"]},
		{"nobody's pull", "audit-anonymous", sorts["audit-anonymous"]},
		{"nobody's pull that is denied", "audit-stranger", func(e *audit.Event) { e.Identity, e.ErrorCode = nobody, "DENIED" }},
		{"a role that a provider's subject takes on", "audit-read", func(e *audit.Event) { e.Identity, e.ReadOnly = vouched, true }},
		{"a role that it may not take on", "audit-stranger", func(e *audit.Event) { e.Identity, e.ErrorCode = vouched, "AccessDenied" }},
	} {
		dir := t.TempDir()
		e := push("team/app")
		tt.edit(e)
		record(t, open(t, audit.FileConfig{Dir: dir}), e)
		for name, size := range files(t, dir) {
			if (size > 0) != (name == tt.want+".jsonl") {
				t.Errorf("%s: %s has %d bytes", tt.name, name, size)
			}
		}
	}
}

// TestNoSortPushesOutAnother: whatever comes without end, of the others all is
// there that fits into their share, and the whole stays within the bound.
func TestNoSortPushesOutAnother(t *testing.T) {
	for flooding := range sorts {
		t.Run(flooding, func(t *testing.T) {
			dir := t.TempDir()
			f := open(t, audit.FileConfig{Dir: dir, MaxFile: 16 << 10, MaxTotal: 256 << 10})
			var want []string
			for base := range sorts {
				for i := range 12 { // 7 of the 16 KiB of the smallest share
					if base != flooding {
						e := sorted(base)
						e.ID = fmt.Sprintf("%s-%d", base, i)
						want = append(want, e.ID)
						record(t, f, e)
					}
				}
			}
			for range 2000 {
				record(t, f, sorted(flooding))
			}
			total := int64(0)
			for _, size := range files(t, dir) {
				total += size
			}
			if total > 256<<10 {
				t.Errorf("the trail has %d bytes", total)
			}
			ids, _ := found(t, dir, audit.Query{})
			for _, id := range want {
				if !slices.Contains(ids, id) {
					t.Errorf("%s was pushed out", id)
				}
			}
			if left := len(ids) - len(want); left < 100 || left == 2000 {
				t.Errorf("of the flood, %d events are left", left)
			}
		})
	}
}

// TestRoomThatNobodyUsesIsLent: a sort may have more than its share until the
// others need theirs.
func TestRoomThatNobodyUsesIsLent(t *testing.T) {
	dir := t.TempDir()
	f := open(t, audit.FileConfig{Dir: dir, MaxFile: 8 << 10, MaxTotal: 256 << 10})
	of := func(base string) (total int64) {
		for name, size := range files(t, dir) {
			if name == base+".jsonl" || strings.HasPrefix(name, base+"-0") {
				total += size
			}
		}
		return total
	}
	for range 1000 {
		record(t, f, sorted("audit-read"))
	}
	if lent := of("audit-read"); lent < 128<<10 {
		t.Errorf("with the trail to itself, a sort has %d bytes", lent)
	}
	for range 1000 {
		record(t, f, push("team/app"))
		record(t, f, sorted("audit-refused"))
	}
	for base, share := range map[string]int64{"audit-read": 64 << 10, "audit": 96 << 10, "audit-refused": 48 << 10} {
		if kept := of(base); kept < share-2*8<<10 {
			t.Errorf("of its %d bytes, %s has %d", share, base, kept)
		}
	}
}

// TestATrailOfBeforeIsRead: once all events were in one file, whatever they were.
func TestATrailOfBeforeIsRead(t *testing.T) {
	dir := t.TempDir()
	var text [2]strings.Builder
	var want []string
	for i := range text {
		for base := range sorts {
			e := sorted(base)
			e.ID, e.Time = fmt.Sprint(len(want)), noon.Add(time.Duration(len(want))*time.Minute)
			want = append(want, e.ID)
			if err := audit.NewStream(&text[i], clock).Record(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, name := range []string{"audit-000000000001.jsonl", "audit.jsonl"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text[i].String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if ids, sum := found(t, dir, audit.Query{OldestFirst: true}); !slices.Equal(ids, want) || sum.Broken != 0 {
		t.Errorf("as it was left: found %q, summary %+v; want %q", ids, sum, want)
	}
	f := open(t, audit.FileConfig{Dir: dir})
	for base := range sorts {
		e := sorted(base)
		e.ID, e.Time = fmt.Sprint(len(want)), noon.Add(time.Duration(len(want))*time.Minute)
		want = append(want, e.ID)
		record(t, f, e)
	}
	if ids, sum := found(t, dir, audit.Query{OldestFirst: true}); !slices.Equal(ids, want) || sum.Broken != 0 {
		t.Errorf("gone on with: found %q, summary %+v; want %q", ids, sum, want)
	}
}

// TestTheOrderWithinASecond: times are told to the second, and what happened in
// one is still told in its order.
func TestTheOrderWithinASecond(t *testing.T) {
	dir := t.TempDir()
	f := open(t, audit.FileConfig{Dir: dir, MaxFile: 4 << 10, MaxTotal: 4 << 20})
	var want []string
	for i := range 20 {
		for base := range sorts {
			e := sorted(base)
			e.ID, e.RequestID = "", fmt.Sprintf("%d %s", i, base)
			want = append(want, e.RequestID)
			record(t, f, e)
		}
	}
	for _, oldest := range []bool{true, false} {
		var got []string
		_, err := audit.Search(t.Context(), dir, audit.Query{OldestFirst: oldest}, func(e audit.Event) bool {
			got = append(got, e.RequestID)
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		if !oldest {
			slices.Reverse(got)
		}
		if !slices.Equal(got, want) {
			t.Errorf("oldest first %t: %q, want %q", oldest, got, want)
		}
	}
}
