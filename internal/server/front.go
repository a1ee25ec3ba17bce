package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/admin"
	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/api/ecr"
	"github.com/lighterage/lighterage/internal/api/iam"
	"github.com/lighterage/lighterage/internal/api/lightsail"
	"github.com/lighterage/lighterage/internal/api/oci"
	"github.com/lighterage/lighterage/internal/api/ops"
	"github.com/lighterage/lighterage/internal/api/sts"
	"github.com/lighterage/lighterage/internal/containers"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/webidentity"
)

// fronts makes a front of each wire, over the same rules.
func (s *Server) fronts(addresses *edge.Addresses) (*router, error) {
	c := s.parts.Config
	take := limit(c.Rates, s.parts.Clock)
	auth, decider := noting{s.authority}, gate{access.New(access.Config{Store: s.parts.Meta, Clock: s.parts.Clock}), s.auditor}
	json, err := s.awsJSON(auth, decider, addresses, take)
	if err != nil {
		return nil, err
	}
	query, err := s.awsQuery(auth, decider)
	if err != nil {
		return nil, err
	}
	return &router{
		oci: oci.New(oci.Config{
			Catalogue: s.catalogue, Auth: auth, Access: decider, Addresses: addresses, Logger: s.parts.Logger, Strict: c.ECRStrict, Rate: take,
			Anonymous: c.AnonymousPull, Home: name.RegistryID{Account: c.Account, Region: c.Region},
		}),
		aws:   json,
		query: query,
		ops:   ops.New(s.ready),
	}, nil
}

func (s *Server) awsJSON(auth noting, decider gate, addresses *edge.Addresses, take taker) (http.Handler, error) {
	return awsjson.New(awsjson.Config{
		Services: []awsjson.Service{
			ecr.New(ecr.Config{
				Catalogue: s.catalogue, Lifecycle: s.lifecycle, Issuer: s.authority, Access: decider, Addresses: addresses, DownloadURL: oci.DownloadURL,
			}),
			lightsail.New(lightsail.Config{Services: containers.New(containersConfig(s.parts, s.catalogue)), Issuer: s.authority, Access: decider, Addresses: addresses}),
			admin.New(admin.Config{Account: s.parts.Config.Account, Directory: s.directory, Lifecycle: s.lifecycle, Principals: s.authority, Explainer: decider}),
		},
		Authenticator: auth,
		Authorizer:    decider,
		Now:           s.parts.Clock,
		Rate:          take,
	})
}

func (s *Server) awsQuery(auth noting, decider gate) (http.Handler, error) {
	web, err := webIdentities(s.parts)
	if err != nil {
		return nil, err
	}
	return awsquery.New(awsquery.Config{
		Services: []awsquery.Service{
			sts.New(sts.Config{Issuer: s.authority, Access: decider, WebIdentities: web}),
			iam.New(iam.Config{Directory: s.directory, Authorizer: decider}),
		},
		Authenticator: auth,
		Authorizer:    decider,
	})
}

func webIdentities(p Parts) (*webidentity.Verifier, error) {
	cas, err := p.Config.OIDCCAs()
	if err != nil {
		return nil, err
	}
	v, err := webidentity.New(webidentity.Config{
		Store: p.Meta, Clock: p.Clock, CAs: cas,
		Private: func(host string) bool {
			return slices.ContainsFunc(p.Config.OIDCPrivateHosts, func(h string) bool { return strings.EqualFold(h, host) })
		},
	})
	if err != nil {
		return nil, p.Config.Fault("oidc-ca", err)
	}
	return v, nil
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
