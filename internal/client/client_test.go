package client_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/client"
	"github.com/lighterage/lighterage/internal/sigv4"
)

const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

var now = time.Date(2026, 11, 21, 7, 0, 0, 0, time.UTC)

// open starts a server that answers so, and a client of it.
func open(t *testing.T, serve http.HandlerFunc) *client.Client {
	t.Helper()
	s := httptest.NewServer(serve)
	t.Cleanup(s.Close)
	return &client.Client{
		HTTP: s.Client(), Endpoint: s.URL, Service: "lighterage", TargetPrefix: "Lighterage_20261101", Region: "eu-west-1",
		Credentials: sigv4.Credentials{KeyID: "AKIAIOSFODNN7EXAMPLE", Secret: secret, SessionToken: "a session"},
		Clock:       func() time.Time { return now },
	}
}

// TestCallIsSigned verifies what comes as the server does.
func TestCallIsSigned(t *testing.T) {
	c := open(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		signed, err := sigv4.Parse(r)
		if err != nil {
			t.Errorf("parse: %v", err)
			return
		}
		hash := sha256.Sum256(body)
		expected := sigv4.Expectation{Service: "lighterage", Region: func(r string) bool { return r == "eu-west-1" }, Now: now.Add(time.Minute)}
		if err := signed.Verify(expected, secret, hex.EncodeToString(hash[:])); err != nil {
			t.Errorf("verify: %v", err)
		}
		if signed.SessionToken != "a session" {
			t.Errorf("session token %q", signed.SessionToken)
		}
		want := []string{"POST", "/", "Lighterage_20261101.Play", "application/x-amz-json-1.1", "lighterage", `{"word":"a"}`}
		got := []string{r.Method, r.URL.Path, r.Header.Get("X-Amz-Target"), r.Header.Get("Content-Type"), r.UserAgent(), string(body)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("request (-want +got):\n%s", diff)
		}
		_, _ = io.WriteString(w, `{"number":7}`)
	})
	var out struct {
		Number int `json:"number"`
	}
	if err := c.Call(context.Background(), "Play", map[string]string{"word": "a"}, &out); err != nil {
		t.Fatal(err)
	}
	if out.Number != 7 {
		t.Errorf("got %d, want 7", out.Number)
	}
}

func TestCallErrors(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   client.Error
		text   string
	}{
		{"a refusal has its code and sentence", 400, `{"__type":"AccessDeniedException","message":"User: x"}`,
			client.Error{Status: 400, Code: "AccessDeniedException", Message: "User: x"}, "AccessDeniedException: User: x"},
		{"a refusal without a sentence", 400, `{"__type":"Tired"}`, client.Error{Status: 400, Code: "Tired"}, "Tired"},
		{"a page of something else", 404, `<html>`, client.Error{Status: 404}, "the answer is 404 Not Found, not one of a Lighterage server"},
		{"success that is no JSON", 200, `hello`, client.Error{Status: 200}, "the answer is 200 OK, not one of a Lighterage server"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			err := c.Call(context.Background(), "Play", struct{}{}, &struct{}{})
			got, ok := errors.AsType[*client.Error](err)
			if !ok {
				t.Fatalf("got %v, want an *Error", err)
			}
			if diff := cmp.Diff(tt.want, *got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if err.Error() != tt.text {
				t.Errorf("says %q, want %q", err, tt.text)
			}
		})
	}
}

// TestARefusalWhoseBodyBreaksOffIsOne: a server for HTTPS answers what comes in
// the clear, and hangs up.
func TestARefusalWhoseBodyBreaksOffIsOne(t *testing.T) {
	c := open(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, "Client sent")
	})
	got, ok := errors.AsType[*client.Error](c.Call(context.Background(), "Play", struct{}{}, &struct{}{}))
	if !ok || got.Status != http.StatusBadRequest {
		t.Errorf("got %v, want an *Error of status 400", got)
	}
}

func TestNoErrorShowsTheSecret(t *testing.T) {
	c := open(t, nil)
	c.HTTP = http.DefaultClient
	for _, endpoint := range []string{"http://127.0.0.1:1", "://", "ftp://x"} {
		c.Endpoint = endpoint
		err := c.Call(context.Background(), "Play", struct{}{}, &struct{}{})
		if err == nil {
			t.Errorf("%s was called", endpoint)
		} else if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "a session") {
			t.Errorf("%s: the error shows a secret: %v", endpoint, err)
		}
	}
}
