package config

import "strings"

// suggestion returns the hint that proposes the candidate nearest to word, or
// "" where none is near enough to be what was meant.
func suggestion(word string, candidates []string) string {
	return didYouMean(Nearest(word, candidates))
}

// Nearest returns the candidate that word was most likely meant to be, whatever
// the case of either; "" where none is near enough.
func Nearest(word string, candidates []string) string {
	const longest = 64 // no key or name is longer, and the work grows with the square
	if len(word) > longest {
		return ""
	}
	// One mistake in three letters is a slip; two in two are another word.
	best, bestDistance := "", 1+min(len(word)-1, max(1, min(len(word), 9)/3))
	for _, c := range candidates {
		if len(c) > longest {
			continue
		}
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	if best != "" {
		return best
	}
	const least = 3 // letters that say something
	for _, c := range candidates {
		if len(c) >= least && strings.HasPrefix(strings.ToLower(word), c) || len(word) >= least && strings.HasPrefix(c, strings.ToLower(word)) {
			return c
		}
	}
	return ""
}

// distance counts the letters that were left out, added, mistaken, or swapped
// with their neighbour, to get from a to b.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	before, last, now := make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(s); i++ {
		now[0] = i
		for j := 1; j <= len(t); j++ {
			mistaken := 1
			if s[i-1] == t[j-1] {
				mistaken = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+mistaken)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last, now = last, now, before
	}
	return last[len(t)]
}
