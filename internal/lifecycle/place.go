package lifecycle

import (
	"encoding/json"
	"strconv"
	"strings"
)

// finding is something that is wrong, and the way to it from the whole text:
// names of members and numbers of items.
type finding struct {
	sentence string
	way      []string
}

// placeOf returns where in a text that is JSON the value at the end of the way
// begins. Of members of one name the last counts, as it does for the policy.
func placeOf(text string, way []string) int {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return walk(d, text, way)
}

// walk reads a value, and returns where what the way leads to begins.
func walk(d *json.Decoder, text string, way []string) int {
	found := skip(text, int(d.InputOffset()), " \t\r\n:,")
	token, err := d.Token()
	open, compound := token.(json.Delim)
	if err != nil || !compound {
		return found
	}
	for i := 0; d.More(); i++ {
		step := strconv.Itoa(i)
		if open == '{' {
			member, err := d.Token()
			if err != nil {
				return found
			}
			step, _ = member.(string)
		}
		if len(way) > 0 && step == way[0] {
			found = walk(d, text, way[1:])
			continue
		}
		walk(d, text, nil)
	}
	_, _ = d.Token() // the end, which More has seen
	return found
}

// skip returns the place of the first character from there on that is none of
// those.
func skip(text string, from int, those string) int {
	return len(text) - len(strings.TrimLeft(text[from:], those))
}
