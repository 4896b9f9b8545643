package main

import "strings"

// similar returns the one of the known words that a wrong one was most likely meant to be: the nearest by edits, at
// most two and fewer in short words, or one that it begins; "" where none is near.
func similar(wrong string, known []string) string {
	wrong = strings.ToLower(wrong)
	best, least := "", min(2, (len(wrong)+1)/2)+1
	for _, k := range known {
		if d := distance(wrong, strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	for _, k := range known {
		if best == "" && wrong != "" && strings.HasPrefix(strings.ToLower(k), wrong) {
			best = k
		}
	}
	return best
}

// distance is how many letters have to be put in, left out or replaced to make one word of another.
func distance(a, b string) int {
	row := make([]int, len(b)+1) // from what was read of a to each beginning of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := before
			if a[i] != b[j] {
				replaced++
			}
			before = row[j+1]
			row[j+1] = min(replaced, before+1, row[j]+1)
		}
	}
	return row[len(b)]
}
