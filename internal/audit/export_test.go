package audit

// Glob and Parse are what a fuzzer has to reach.
var (
	Glob  = glob
	Parse = parse
)

// MaxLine is the longest line that is read.
const MaxLine = maxLine
