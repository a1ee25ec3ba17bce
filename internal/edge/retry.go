package edge

import (
	"net/http"
	"strconv"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
)

// RetryAfter says in an error's answer when it is worth trying again, if that
// is known: in whole seconds (RFC 9110 10.2.3), none too few.
func RetryAfter(h http.Header, err error) {
	if wait := fault.Of(err).RetryAfter; wait > 0 {
		h["Retry-After"] = []string{strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)}
	}
}
