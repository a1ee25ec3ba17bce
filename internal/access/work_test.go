package access_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/name"
)

const tooLong = "because matching the policies with the request takes too long"

// dear is a policy of patterns that are made to match a user agent badly: what
// it costs to find that it says nothing is in proportion to times.
func dear(effect string, times int) string {
	var patterns []string
	for i := range times {
		patterns = append(patterns, fmt.Sprintf(`"*?%sc%d"`, strings.Repeat("a", 200), i))
	}
	return statement(effect, "ecr:*", anyResource+`,"Condition":{"StringLike":{"aws:UserAgent":[`+strings.Join(patterns, ",")+`]}}`)
}

// calls gives a caller the user agent that dear is made for.
func calls(c identity.Caller) identity.Caller {
	c.Origin.UserAgent = strings.Repeat("a", 512)
	return c
}

// TestDecisionsTogetherAreBounded: what a request may cost does not grow with
// how many resources it asks about.
func TestDecisionsTogetherAreBounded(t *testing.T) {
	w := newWorld(t)
	app := w.repository("team/app", "")
	alice := calls(w.user(ours, "alice", dear("Deny", 20), statement("Allow", "ecr:*", anyResource)))
	shared := access.Together(ctx)
	var denied error
	settled := 0
	for range 100 {
		if err := w.Authorize(ctx, alice, get, app); err != nil {
			t.Fatalf("by itself: %v", err)
		}
		if denied = w.Authorize(shared, alice, get, app); denied != nil {
			break
		}
		settled++
	}
	if settled < 2 || !fault.Is(denied, fault.AccessDenied) || !errors.Is(denied, access.ErrTooCostly) || fault.Of(denied).Detail != tooLong {
		t.Fatalf("after %d decisions: %v", settled, denied)
	}
	if err := w.Authorize(shared, root(ours), get, app); err != nil {
		t.Errorf("what costs nothing: %v", err)
	}
	if err := w.Authorize(access.Together(ctx), alice, get, app); err != nil {
		t.Errorf("the next request: %v", err)
	}
}

// TestADenialForWantOfAnAnswerIsNotRemembered: the next request may have more to
// spend.
func TestADenialForWantOfAnAnswerIsNotRemembered(t *testing.T) {
	w := newWorld(t)
	app := w.repository("team/app", "")
	spender := calls(w.user(ours, "spender", dear("Deny", 20)))
	alice := w.user(ours, "alice", statement("Allow", "ecr:*", `,"Resource":"`+app.ARN+`"`))
	shared := access.Together(ctx)
	for errors.Is(w.Authorize(shared, spender, get, app), access.ErrTooCostly) == false {
	}
	if err := w.Authorize(shared, alice, get, app); !errors.Is(err, access.ErrTooCostly) {
		t.Errorf("with nothing left to spend: %v", err)
	}
	w.allows(alice, get, app)
	if err := w.Authorize(shared, alice, get, app); err != nil {
		t.Errorf("what is remembered: %v", err)
	}
}

// TestADearPolicyIsADenialByItself: a single decision is bounded too, also when
// several evaluations are one.
func TestADearPolicyIsADenialByItself(t *testing.T) {
	w := newWorld(t)
	app := w.repository("team/app", "")
	alice := calls(w.user(ours, "alice", dear("Deny", 100), statement("Allow", "ecr:*", anyResource)))
	if err := w.Authorize(ctx, alice, get, app); !errors.Is(err, access.ErrTooCostly) {
		t.Errorf("got %v", err)
	}
	w.refuses(alice, get, app, tooLong)
}

// TestAnOutsidersOwnSideIsNotLookedAtFirst: what it would cost could tell what a
// resource is like that the caller may not see.
func TestAnOutsidersOwnSideIsNotLookedAtFirst(t *testing.T) {
	w := newWorld(t)
	hidden := w.repository("team/hidden", "")
	open := w.repository("team/open", statement("Allow", "ecr:*", principal(string(theirs))))
	guest := calls(w.user(theirs, "guest", dear("Deny", 100), statement("Allow", "ecr:*", anyResource)))
	if err := w.Authorize(ctx, guest, get, hidden); errors.Is(err, access.ErrTooCostly) {
		t.Errorf("hidden: %v", err)
	}
	w.refuses(guest, get, hidden, noResource(get))
	w.refuses(guest, get, open, tooLong)
}

// TestManyTagsOfARequestAreCharged: a request may bring more tags than it can
// ever keep, since they are counted after the decision.
func TestManyTagsOfARequestAreCharged(t *testing.T) {
	w := newWorld(t)
	tagged := w.repository("team/app", "")
	for i := range 50_000 {
		tagged.RequestTags = append(tagged.RequestTags, [2]string{fmt.Sprintf("Key%d", i), "v"})
	}
	var each []string
	for i := range 2_000 {
		each = append(each, fmt.Sprintf(`"aws:RequestTag/KEY%d":"v"`, i))
	}
	alice := w.user(ours, "alice", statement("Allow", "ecr:TagResource", anyResource+`,"Condition":{"StringEquals":{`+strings.Join(each, ",")+`}}`))
	if err := w.Authorize(ctx, alice, "ecr:TagResource", tagged); err != nil {
		t.Errorf("each tag was asked for: %v", err)
	}
	bob := w.user(ours, "bob", statement("Allow", "ecr:TagResource", anyResource+`,"Condition":{"ForAllValues:StringLike":{"aws:TagKeys":["`+
		strings.Repeat(`*x`, 1000)+`*","*"]}}`))
	if err := w.Authorize(ctx, bob, "ecr:TagResource", tagged); !errors.Is(err, access.ErrTooCostly) {
		t.Errorf("a thousand runs for each of the keys: %v", err)
	}
	tagged.RequestTags = append(tagged.RequestTags, [2]string{"KEY7", "v"})
	if err := w.Authorize(ctx, alice, "ecr:TagResource", tagged); !fault.Is(err, fault.AccessDenied) {
		t.Errorf("a tag that is there twice: %v", err)
	}
}

// TestADecisionForNobodyIsNone: who went away gets no denial, which would be
// noted as one.
func TestADecisionForNobodyIsNone(t *testing.T) {
	w := newWorld(t)
	app := w.repository("team/app", "")
	alice := w.user(ours, "alice", statement("Allow", "ecr:*", anyResource))
	w.allows(alice, get, app)
	gone, leave := context.WithCancel(ctx)
	leave()
	other := access.Resource{Account: ours, ARN: name.RepositoryARN(registryID, "team/other")}
	if err := w.Authorize(gone, alice, get, other); err == nil || fault.Is(err, fault.AccessDenied) {
		t.Errorf("got %v", err)
	}
	w.allows(alice, get, other)
}
