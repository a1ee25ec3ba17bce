package server

import (
	"time"

	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/rate"
)

// taker counts a call of an account in a region; nil counts none.
type taker = func(name.AccountID, name.Region, string) error

// limit makes what counts the calls of all doors. An operation's rate is that
// of its action, by which /v2/ knows what its requests do.
func limit(rates config.Rates, clock func() time.Time) taker {
	if len(rates) == 0 {
		return nil
	}
	byAction := map[string]int64{}
	for operation, n := range rates {
		byAction["ecr:"+operation] = n
	}
	return rate.New(clock, byAction).Take
}
