package sigv4

import "time"

// The public vectors hold plain paths for a service that is not S3.

func ParseAs(r *Request, plain bool) (*Signed, error) {
	return parse(r, func(string) pathStyle { return styles[plain] })
}

func SignAs(r *Request, c Credentials, region, service string, at time.Time, payload string, plain bool) error {
	return sign(r, c, region, service, at, payload, styles[plain])
}

func (s *Signed) Canonical() string { return s.canonical }

var styles = map[bool]pathStyle{false: normalizedPath, true: plainPath}
