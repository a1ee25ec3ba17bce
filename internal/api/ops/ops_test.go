package ops_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/lighterage/lighterage/internal/api/ops"
)

func TestChecks(t *testing.T) {
	well := func(context.Context) error { return nil }
	ill := func(context.Context) error { return errors.New("canary: the store's address") }
	for _, tc := range []struct {
		name, method, path string
		ready              func(context.Context) error
		status             int
		body               string
	}{
		{"alive", "GET", "/healthz", well, 200, "ok\n"},
		{"alive without a store", "GET", "/healthz", ill, 200, "ok\n"},
		{"ready", "GET", "/readyz", well, 200, "ready\n"},
		{"not ready, without the reason", "GET", "/readyz", ill, 503, "not ready\n"},
		{"nothing to post", "POST", "/readyz", well, 405, "Method Not Allowed\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			ops.New(tc.ready).ServeHTTP(w, httptest.NewRequest(tc.method, tc.path, nil))
			if w.Code != tc.status || w.Body.String() != tc.body {
				t.Errorf("%d %q, want %d %q", w.Code, w.Body, tc.status, tc.body)
			}
		})
	}
	t.Run("the check has an end", func(t *testing.T) {
		ops.New(func(ctx context.Context) error {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("no deadline")
			}
			return nil
		}).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/readyz", nil))
	})
}
