package server

import (
	"time"

	"github.com/lighterage/lighterage/internal/audit"
)

// ListenError is listenError, for systems that the tests do not run on.
var ListenError = listenError

// Budgets are what the events of a source and of all may take of the trail:
// within a minute and within a day.
var Budgets = map[string]budget{"strangers": ofStrangers, "principals": ofPrincipals}

// Floods counts with a budget.
type Floods struct{ *floods }

func NewFloods(b budget) Floods { return Floods{newFloods(b)} }

func (f Floods) Admit(source string, now time.Time) bool { return f.admit(source, &audit.Event{}, now) }
