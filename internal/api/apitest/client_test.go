package apitest_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/api/apitest"
)

// counted is a connection that counts what is written to it.
type counted struct {
	net.Conn
	writes *int
}

func (c counted) Write(b []byte) (int, error) {
	*c.writes++
	return c.Conn.Write(b)
}

// TestARequestLeavesWhole: were it in two pieces, the server could answer
// before the transport is done with it.
func TestARequestLeavesWhole(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	t.Cleanup(server.Close)
	writes := 0
	client := http.Client{Transport: apitest.Whole(&http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return counted{conn, &writes}, err
	}})}
	const sent = "Action=ListPolicies"
	r, err := http.NewRequest(http.MethodPost, server.URL, struct{ io.Reader }{strings.NewReader(sent)})
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = int64(len(sent))
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || string(got) != sent {
		t.Errorf("the server read %q, %v", got, err)
	}
	if writes != 1 {
		t.Errorf("it was written in %d pieces", writes)
	}
}

func TestAClientFollowsNoRedirect(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusFound))
	t.Cleanup(server.Close)
	resp, err := apitest.NewClient().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		t.Errorf("the answer is %s", resp.Status)
	}
}
