package sigv4

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/lighterage/lighterage/internal/fault"
)

// The bounds of what is read before anything is known of the sender.
const (
	maxAuthorization = 4 << 10 // bytes of the Authorization header
	maxSignedHeaders = 64
	maxQuery         = 8 << 10 // bytes of the raw query
	maxCanonical     = 64 << 10
)

// authorization is an Authorization header taken apart.
type authorization struct {
	keyID         string
	scope         Scope
	signedHeaders []string // lower-case, ascending, no duplicates
	signature     string
}

// authorizationHeader returns the request's only Authorization header.
func authorizationHeader(r *Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 1 && values[0] != "" {
		return values[0], nil
	}
	if len(values) > 1 {
		return "", malformed("Header 'Authorization' must be sent once.")
	}
	_, query := target(r)
	if strings.Contains(query, "X-Amz-Signature=") {
		return "", malformed("Signatures in the query string are not accepted here: send an Authorization header.")
	}
	return "", fault.New(fault.CredentialMissing)
}

// parseAuthorization takes the header apart. All that is missing is named in
// one error, as AWS does, and a missing date with it. The header itself is
// never repeated there: it may hold another scheme's password.
func parseAuthorization(header string, dateMissing bool) (authorization, error) {
	if len(header) > maxAuthorization {
		return authorization{}, malformed("Authorization header is too long.")
	}
	scheme, rest, _ := strings.Cut(header, " ")
	if scheme == asymmetric {
		return authorization{}, malformed("Algorithm '" + asymmetric + "' is not accepted here: sign with '" + Algorithm + "'.")
	}
	if scheme != Algorithm {
		rest = ""
	}
	parameters, err := parseParameters(rest)
	if err != nil {
		return authorization{}, err
	}

	var missing []string
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if parameters[name] == "" {
			missing = append(missing, "Authorization header requires '"+name+"' parameter.")
		}
	}
	if dateMissing {
		missing = append(missing, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if len(missing) > 0 {
		return authorization{}, malformed(strings.Join(missing, " "))
	}

	credential := strings.Split(parameters["Credential"], "/")
	if len(credential) != 5 || credential[0] == "" {
		return authorization{}, malformed("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '" + parameters["Credential"] + "'")
	}
	names, err := parseSignedHeaders(parameters["SignedHeaders"])
	if err != nil {
		return authorization{}, err
	}
	if !hexHash.MatchString(parameters["Signature"]) {
		return authorization{}, mismatch()
	}
	return authorization{
		keyID:         credential[0],
		scope:         Scope{Date: credential[1], Region: credential[2], Service: credential[3], Terminator: credential[4]},
		signedHeaders: names,
		signature:     parameters["Signature"],
	}, nil
}

var hexHash = regexp.MustCompile(`^[0-9a-f]{64}$`)

// parseParameters reads "a=b, c=d"; the space after a comma may be missing.
func parseParameters(s string) (map[string]string, error) {
	parameters := make(map[string]string, 3)
	if strings.Trim(s, " ") == "" {
		return parameters, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(strings.Trim(part, " "), "=")
		if !ok {
			return nil, malformed("A parameter of the Authorization header is not a valid key=value pair (missing equal-sign).")
		}
		if _, twice := parameters[key]; twice || len(parameters) == 3 {
			return nil, malformed("Authorization header has a repeated or unknown parameter.")
		}
		parameters[key] = value
	}
	return parameters, nil
}

var headerName = regexp.MustCompile("^[a-z0-9!#$%&'*+.^_`|~-]+$")

func parseSignedHeaders(s string) ([]string, error) {
	names := strings.SplitN(s, ";", maxSignedHeaders+1)
	if len(names) > maxSignedHeaders {
		return nil, malformed("SignedHeaders names too many headers.")
	}
	last := ""
	for _, name := range names {
		if !headerName.MatchString(name) || name <= last {
			return nil, malformed("SignedHeaders must be lower-case header names in ascending order, separated by semicolons.")
		}
		last = name
	}
	return names, nil
}

// target returns the path and the query as they came over the wire, still
// escaped; for a request that has not been sent, as they will go.
func target(r *Request) (path, query string) {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, query, _ = strings.Cut(r.RequestURI, "?")
		return path, query
	}
	u := r.URL
	if u == nil {
		u = &url.URL{}
	}
	if u.Path == "" {
		return "/", u.RawQuery
	}
	return u.EscapedPath(), u.RawQuery
}
