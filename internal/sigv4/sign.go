package sigv4

import (
	"slices"
	"strings"
	"time"
)

// Credentials are what a client signs with.
type Credentials struct {
	KeyID        string
	Secret       string
	SessionToken string // empty: none
}

// unsigned are the headers that change on the way or that no signer covers.
var unsigned = map[string]bool{
	"authorization": true, "connection": true, "expect": true, "transfer-encoding": true,
	"user-agent": true, "x-amzn-trace-id": true,
}

// Sign sets X-Amz-Date, X-Amz-Security-Token if there is a token, and
// Authorization on a request that is complete otherwise. It signs the host and
// every other header that the request has by then. payloadSHA256 is the
// lower-case hex hash of the body.
func Sign(r *Request, c Credentials, region, service string, at time.Time, payloadSHA256 string) error {
	return sign(r, c, region, service, at, payloadSHA256, pathStyleOf(service))
}

func sign(r *Request, c Credentials, region, service string, at time.Time, payloadSHA256 string, style pathStyle) error {
	at = at.UTC()
	r.Header.Set(dateHeader, at.Format(basicFormat))
	if c.SessionToken != "" {
		r.Header.Set(tokenHeader, c.SessionToken)
	}
	names := []string{"host"}
	for key := range r.Header {
		if key = strings.ToLower(key); !unsigned[key] && key != "host" {
			names = append(names, key)
		}
	}
	slices.Sort(names)

	canonical, err := canonicalRequest(r, style, names)
	if err != nil {
		return err
	}
	scope := Scope{Date: at.Format(dayFormat), Region: region, Service: service, Terminator: terminator}
	r.Header.Set("Authorization", Algorithm+
		" Credential="+c.KeyID+"/"+scope.Date+"/"+scope.Region+"/"+scope.Service+"/"+scope.Terminator+
		", SignedHeaders="+strings.Join(names, ";")+
		", Signature="+signature(c.Secret, scope, at, canonical+payloadSHA256))
	return nil
}
