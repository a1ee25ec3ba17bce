package main

import (
	"fmt"
	"io"
	"os"

	"github.com/mattn/go-isatty"
)

// progress tells on a terminal how far something is, in one line that changes.
type progress struct {
	to   io.Writer
	live bool
	told bool
}

func newProgress(to io.Writer) *progress {
	file, ok := to.(*os.File)
	return &progress{to: to, live: ok && isatty.IsTerminal(file.Fd())}
}

// tell may be called as often as anything happens.
func (p *progress) tell(act string, done, all int64) {
	if p.live && act != "" {
		fmt.Fprintf(p.to, "\r\x1b[K%s %s", act, bar(done, all))
		p.told = true
	}
}

// bar is empty if there is nothing to count.
func bar(done, all int64) string {
	if all == 0 {
		return ""
	}
	const width = 30
	full := int(min(done, all) * width / all)
	b := make([]byte, width)
	for i := range b {
		b[i] = ' '
		if i < full {
			b[i] = '#'
		}
	}
	return fmt.Sprintf("[%s] %d of %d", b, done, all)
}

// end leaves the line for what comes next.
func (p *progress) end() {
	if p.told {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}
