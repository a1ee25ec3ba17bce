package policy

import (
	"cmp"
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// number is exact for integers, so that large ids and sizes compare right.
type number struct {
	whole   int64
	isWhole bool
	float   float64
}

func parseNumber(s string) (number, bool) {
	if len(s) > numberMax {
		return number{}, false
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return number{i, true, float64(i)}, true
	}
	if strings.ContainsAny(s, "xXpP_nN") { // Go's hexadecimals, underscores, NaN and Inf are no numbers here
		return number{}, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return number{float: f}, err == nil && !math.IsInf(f, 0)
}

func (n number) compare(other number) int {
	if n.isWhole && other.isWhole {
		return cmp.Compare(n.whole, other.whole)
	}
	return cmp.Compare(n.float, other.float)
}

// isoTimes are the W3C profiles of ISO 8601, with a zone of hours and minutes
// or none, which is UTC.
var isoTimes = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700", "2006-01-02T15:04",
	"2006-01-02", "2006-01", "2006",
}

var epochTime = regexp.MustCompile(`^-?[0-9]{1,12}(\.[0-9]{1,9})?$`)

// parseTime reads an ISO 8601 time or seconds since 1970. Four digits are a
// year.
func parseTime(s string) (time.Time, bool) {
	if len(s) != 4 && epochTime.MatchString(s) {
		f, err := strconv.ParseFloat(s, 64)
		whole, fraction := math.Modf(f)
		return time.Unix(int64(whole), int64(fraction*1e9)).UTC(), err == nil
	}
	for _, layout := range isoTimes {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func parseBool(s string) (truth, ok bool) {
	truth = strings.EqualFold(s, "true")
	return truth, truth || strings.EqualFold(s, "false")
}

// parseNetwork reads an address or a CIDR block of either family. A block of
// IPv4 addresses written as IPv6 is one of IPv4.
func parseNetwork(s string) (netip.Prefix, bool) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, false
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

// arn is the six parts of an ARN, or of a pattern of one.
type arn [6]string

// splitARN takes an ARN or a pattern of one apart; a pattern may end early
// with a star, and a star alone is any ARN.
func splitARN(s string) (arn, bool) {
	var a arn
	rest := s
	for i := range a {
		if i == len(a)-1 {
			a[i] = rest
			break
		}
		part, after, more := strings.Cut(rest, ":")
		a[i] = part
		if !more {
			if !strings.HasSuffix(part, "\xff") {
				return arn{}, false
			}
			for i++; i < len(a); i++ {
				a[i] = "\xff"
			}
			break
		}
		rest = after
	}
	return a, a[0] == "arn" || s == "\xff"
}

// matchARN compares part by part: a star does not reach over a colon, except
// within the last part.
func matchARN(pattern, s string, left *int) bool {
	p, ok := splitARN(pattern)
	if !ok {
		return false
	}
	if strings.Count(s, ":") < len(p)-1 {
		return false
	}
	a, _ := splitARN(s)
	for i := range p {
		if !glob(p[i], a[i], left) {
			return false
		}
	}
	return a[0] == "arn"
}
