package server

import (
	"net/http"
	"time"

	"github.com/lighterage/lighterage/internal/audit"
)

// ListenError is listenError, for systems that the tests do not run on.
var ListenError = listenError

// Floods counts what strangers are refused.
type Floods struct{ *floods }

func NewFloods() Floods { return Floods{newFloods()} }

func (f Floods) Admit(client string, now time.Time) bool { return f.admit(client, &audit.Event{}, now) }

// Again sweeps, as if nothing of it could be recorded, and returns how many that were.
func (f Floods) Again(now time.Time) (count int) {
	for _, one := range f.sweep(now) {
		count += one.count
		f.giveBack(one)
	}
	return count
}

// Handler answers requests without a connection.
func Handler(s *Server) http.Handler { return s.handler }
