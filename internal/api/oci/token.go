package oci

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/name"
)

// tokenPath is where bearer tokens are had (distribution documentation, token
// authentication specification).
const tokenPath = "/v2/token"

// tokenService is ECR's name in challenges.
const tokenService = "ecr.amazonaws.com"

// authenticate finds out who is calling. Where there are bearer tokens, both
// schemes are taken, for many clients send Basic without being asked.
func (f *front) authenticate(r *http.Request) (identity.Caller, error) {
	header := r.Header.Get("Authorization")
	if f.Anonymous {
		if scheme, token, _ := strings.Cut(header, " "); strings.EqualFold(scheme, "Bearer") {
			return f.Auth.VerifyBearer(r.Context(), strings.TrimLeft(token, " "))
		}
	}
	return f.Auth.VerifyBasic(r.Context(), header)
}

// originOf is how a request came.
func originOf(r *http.Request) identity.Origin {
	event := edge.From(r.Context())
	return identity.Origin{Client: event.Client, UserAgent: r.UserAgent(), Secure: event.Scheme == "https"}
}

// issueToken answers GET /v2/token: a login's own rights, or without one
// nobody's. A login that is not good gets no token at all. What the client
// wants to do with it, the scope parameter, is no promise and not looked at.
func (f *front) issueToken(c *call) error {
	if c.r.Method != http.MethodGet {
		return &fault.Error{Reason: fault.OperationNotOffered, Value: http.MethodGet}
	}
	token, err := f.Auth.IssueBearer(c.r.Context(), c.r.Header.Get("Authorization"))
	if err != nil {
		return err
	}
	body, err := json.Marshal(struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"` // seconds
	}{token.Password, token.Password, int(identity.BearerTTL.Seconds())})
	if err != nil {
		return err
	}
	h := c.w.Header()
	h["Cache-Control"] = []string{"no-store"}
	h["Content-Type"] = jsonType
	c.answer(http.StatusOK, append(body, '\n'))
	return nil
}

// challenge is how to log in. There is one scheme in it, for some clients use
// every one that they are offered and fail without a login for Basic: with
// bearer tokens, Basic is only asked for where tokens are had. denied says that
// the token in use is nobody's, and is not enough.
func (f *front) challenge(c *call, denied bool) string {
	event := edge.From(c.r.Context())
	at := event.Scheme + "://" + event.Host
	if !f.Anonymous || c.r.URL.Path == tokenPath {
		return `Basic realm="` + at + `/",service="` + tokenService + `"`
	}
	challenge := `Bearer realm="` + at + tokenPath + `",service="` + tokenService + `"`
	if scope := scopeOf(c.r); scope != "" {
		challenge += `,scope="` + scope + `"`
	}
	if denied {
		challenge += `,error="insufficient_scope"`
	}
	return challenge
}

// scopeOf is what a request takes, in the words of the token specification.
func scopeOf(r *http.Request) string {
	_, repository := kindOf(r.URL.Path)
	parsed, err := name.ParseRepositoryName(repository)
	if err != nil {
		return ""
	}
	actions := "pull,push"
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		actions = "pull"
	case http.MethodDelete:
		actions = "delete"
	}
	return "repository:" + string(parsed) + ":" + actions
}
