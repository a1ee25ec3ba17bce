package server

import (
	"net/http"
	"strings"

	"github.com/lighterage/lighterage/internal/api/awsquery"
)

// router gives a request to the front of its wire. It looks at the path as it
// was decoded and never cleans it: what a hostile path means is the front's to
// say.
type router struct{ oci, aws, query, ops http.Handler }

const greeting = `This is Lighterage, a container image registry.

It speaks the Amazon ECR API, the Amazon Lightsail container API and the
Docker Registry (OCI distribution) protocol, all on this address.
`

func (m *router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/v2/"), path == "/v2":
		m.oci.ServeHTTP(w, r)
	case path == "/" && r.Method == http.MethodPost && awsquery.Match(r):
		m.query.ServeHTTP(w, r)
	case path == "/" && r.Method == http.MethodPost:
		m.aws.ServeHTTP(w, r)
	case path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(greeting))
	case path == "/healthz", path == "/readyz":
		m.ops.ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}
