package server

import (
	"net/http"
	"strings"

	"github.com/lighterage/lighterage/internal/api/admin"
	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/api/ecr"
	"github.com/lighterage/lighterage/internal/api/lightsail"
	"github.com/lighterage/lighterage/internal/api/oci"
	"github.com/lighterage/lighterage/internal/containers"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/identity"
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

// awsJSON makes the front of the AWS JSON services.
func (s *Server) awsJSON(auth noting, issuer *identity.Authority, decider gate, addresses *edge.Addresses) (http.Handler, error) {
	return awsjson.New(awsjson.Config{
		Services: []awsjson.Service{
			ecr.New(ecr.Config{Catalogue: s.catalogue, Issuer: issuer, Access: decider, Addresses: addresses, DownloadURL: oci.DownloadURL}),
			lightsail.New(lightsail.Config{Services: containers.New(containersConfig(s.parts, s.catalogue)), Issuer: issuer, Addresses: addresses}),
			admin.New(admin.Config{Account: s.parts.Config.Account, Directory: s.directory, Principals: issuer, Explainer: decider}),
		},
		Authenticator: auth,
		Authorizer:    decider,
		Now:           s.parts.Clock,
	})
}

// forwarded checks signatures over the host that the client used, which a
// trusted proxy may have changed on the way.
type forwarded struct{ *identity.Authority }

func (f forwarded) Begin(r *http.Request, service string) (identity.Pending, error) {
	if host := edge.From(r.Context()).Host; host != "" && host != r.Host {
		asSigned := *r
		asSigned.Host = host
		r = &asSigned
	}
	return f.Authority.Begin(r, service)
}
