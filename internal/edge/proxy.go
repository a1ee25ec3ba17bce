package edge

import (
	"net/http"
	"net/netip"
	"regexp"
	"strings"
)

func (h *handler) trusts(a netip.Addr) bool { return contains(h.Trusted, a) }

func contains(networks []netip.Prefix, a netip.Addr) bool {
	for _, p := range networks {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// hostport is what a proxy may say the client asked for. It enters answers.
var hostport = regexp.MustCompile(`^([a-zA-Z0-9.-]{1,255}|\[[0-9a-fA-F:.]{2,45}\])(:[0-9]{1,5})?$`)

// believe takes what the trusted proxy says of the client: the last address of
// X-Forwarded-For that is no trusted proxy's own, for earlier ones are only
// what a client claims; and the last word on scheme and host. What cannot be
// read is ignored.
func (h *handler) believe(e *Request, header http.Header) {
	hops := strings.Split(strings.Join(header["X-Forwarded-For"], ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		a, ok := hop(hops[i])
		if !ok {
			break
		}
		e.Client = a
		if !h.trusts(a) {
			break
		}
	}
	if s := strings.ToLower(last(header["X-Forwarded-Proto"])); s == "http" || s == "https" {
		e.Scheme = s
	}
	if s := last(header["X-Forwarded-Host"]); hostport.MatchString(s) {
		e.Host = s
	}
}

// hop reads an address that may have a port.
func hop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddrPort(s)
	return a.Addr().Unmap().WithZone(""), err == nil
}

func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	v := values[len(values)-1]
	return strings.TrimSpace(v[strings.LastIndexByte(v, ',')+1:])
}
