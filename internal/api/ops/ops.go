// Package ops answers those who keep the server running: whether it lives and
// whether it can serve.
//
//  1. /healthz is 200 as long as the process answers at all.
//  2. /readyz is 200 only if requests would be served now.
//  3. Both are open to everybody and tell nothing but that.
package ops

import (
	"context"
	"net/http"
	"time"

	"github.com/lighterage/lighterage/internal/edge"
)

// patience is how long the check behind /readyz may take.
const patience = 2 * time.Second

// New returns the handler of /healthz and /readyz. ready returns why requests
// would not be served now; the reason goes to the log.
func New(ready func(context.Context) error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		if err := ready(ctx); err != nil {
			edge.From(r.Context()).Err = err
			answer(w, http.StatusServiceUnavailable, "not ready\n")
			return
		}
		answer(w, http.StatusOK, "ready\n")
	})
	return mux
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
