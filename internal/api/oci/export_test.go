package oci

import "github.com/lighterage/lighterage/internal/fault"

// The parsers that the fuzz tests read.
var (
	KindOf     = kindOf
	ParseRange = parseRange
)

// Route is a line of the table.
type Route struct {
	Method, Pattern, Action              string
	Named, Lightsail, Download, Filtered bool
}

// Routes is the whole table.
func Routes() []Route {
	var all []Route
	for _, r := range routes {
		all = append(all, Route{r.method, r.pattern, r.action, r.named, r.lightsail, r.download, r.filtered})
	}
	return all
}

// Worded is how a fault looks on this wire.
func Worded(e *fault.Error) (status int, code, text string) {
	w := wordingOf(e)
	return w.status, w.code, w.text(e)
}
