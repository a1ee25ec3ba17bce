package config

import "strings"

// Nearest returns the candidate that somebody who wrote s may have meant: one
// that differs in case or in a few letters. Empty: there is none.
func Nearest(s string, candidates []string) string {
	s = strings.ToLower(s)
	best, least := "", 1+min(3, len(s)/3)
	for _, c := range candidates {
		if d := distance(s, strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// didYouMean ends a sentence about something unknown.
func didYouMean(s string, candidates []string) string {
	if len(s) > 100 {
		return ""
	}
	if c := Nearest(s, candidates); c != "" {
		return "; did you mean " + c + "?"
	}
	return ""
}

// distance is how many letters must be added, dropped, replaced or swapped
// with their neighbour to make b of a.
func distance(a, b string) int {
	before, above := make([]int, len(b)+1), make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(above[j+1]+1, row[j]+1, above[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
