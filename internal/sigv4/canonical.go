package sigv4

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// pathStyle is how a service's signatures see the path.
type pathStyle uint8

const (
	normalizedPath pathStyle = iota // dot segments and double slashes resolved, then escaped as it was sent (that is: twice)
	plainPath                       // as the object is called, escaped once
)

// pathStyleOf returns the style of a service: S3's keys are its paths, so
// nothing in them may be resolved.
func pathStyleOf(service string) pathStyle {
	if service == "s3" {
		return plainPath
	}
	return normalizedPath
}

// canonicalRequest returns the canonical request up to and without the hash of
// the body, which is its last line.
func canonicalRequest(r *Request, style pathStyle, signedHeaders []string) (string, error) {
	rawPath, rawQuery := target(r)
	if len(rawPath)+len(rawQuery) > maxQuery {
		return "", malformed("Path and query are too long.")
	}
	path, ok := canonicalPath(rawPath, style)
	if !ok {
		return "", mismatch()
	}
	query, ok := canonicalQuery(rawQuery)
	if !ok {
		return "", mismatch()
	}

	var b strings.Builder
	b.WriteString(r.Method + "\n" + path + "\n" + query + "\n")
	for _, name := range signedHeaders {
		values := headerValues(r, name)
		if len(values) == 0 {
			return "", mismatch()
		}
		b.WriteString(name + ":")
		for i, v := range values {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(collapse(v))
		}
		b.WriteByte('\n')
		if b.Len() > maxCanonical {
			return "", malformed("Signed headers are too long.")
		}
	}
	b.WriteString("\n" + strings.Join(signedHeaders, ";") + "\n")
	return b.String(), nil
}

// headerValues returns the values of a header, also of the two that net/http
// keeps elsewhere.
func headerValues(r *Request, name string) []string {
	if name == "host" {
		if r.Host == "" && r.URL != nil {
			return []string{r.URL.Host}
		}
		return []string{r.Host}
	}
	values := r.Header.Values(name)
	if len(values) == 0 && name == "content-length" && r.ContentLength >= 0 {
		return []string{strconv.FormatInt(r.ContentLength, 10)}
	}
	return values
}

// collapse trims a header's value and makes every run of spaces one.
func collapse(s string) string {
	s = strings.Trim(s, " \t")
	if !strings.Contains(s, "  ") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if s[i] != ' ' || s[i-1] != ' ' {
			b = append(b, s[i])
		}
	}
	return string(b)
}

func canonicalPath(raw string, style pathStyle) (string, bool) {
	if style == plainPath {
		path, err := url.PathUnescape(raw)
		return escape(path, "/"), err == nil
	}
	return escape(resolve(raw), "/"), true
}

// resolve removes empty and dot segments; a slash at the end stays.
func resolve(path string) string {
	var kept []string
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, segment)
		}
	}
	if len(kept) == 0 {
		return "/"
	}
	end := ""
	if strings.HasSuffix(path, "/") {
		end = "/"
	}
	return "/" + strings.Join(kept, "/") + end
}

// canonicalQuery decodes and encodes every pair anew and sorts them by key,
// then by value. A plus is a space, because that is what a handler reads.
func canonicalQuery(raw string) (string, bool) {
	if raw == "" {
		return "", true
	}
	var pairs [][2]string
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		rawKey, rawValue, _ := strings.Cut(part, "=")
		key, keyErr := url.QueryUnescape(rawKey)
		value, valueErr := url.QueryUnescape(rawValue)
		if keyErr != nil || valueErr != nil {
			return "", false
		}
		pairs = append(pairs, [2]string{escape(key, ""), escape(value, "")})
	}
	slices.SortFunc(pairs, func(a, b [2]string) int {
		if c := strings.Compare(a[0], b[0]); c != 0 {
			return c
		}
		return strings.Compare(a[1], b[1])
	})
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p[0] + "=" + p[1])
	}
	return b.String(), true
}

// escape percent-encodes every byte but RFC 3986's unreserved ones and those
// of keep.
func escape(s, keep string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == '~', strings.IndexByte(keep, c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}
