package audit

// Glob and Parse are what a fuzzer has to reach.
var (
	Glob  = glob
	Parse = parse
)

// MaxLine is the longest line that is read.
const MaxLine = maxLine

// AppendLine is what writes an event.
func AppendLine(e *Event) ([]byte, error) { return e.append(nil) }
