package main

import (
	"strings"

	"github.com/spf13/cobra"
)

func completeNslookup(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	var words []string
	add := func(word, about string) {
		if strings.HasPrefix(word, begun) {
			words = append(words, strings.TrimSuffix(word+"\t"+about, "\t"))
		}
	}
	directive := cobra.ShellCompDirectiveNoFileComp
	if option, _, given := strings.Cut(begun, "="); given {
		for _, t := range commonTypes {
			add(option+"="+t, "")
		}
		return words, directive
	}
	if !strings.HasPrefix(begun, "-") {
		return nil, directive
	}
	for _, o := range nslookupOptions() {
		switch {
		case o.value != nil:
			add("-"+o.names[0]+"=", o.about)
		default:
			add("-"+o.names[0], o.about)
			add("-no"+o.names[0], o.about)
		}
	}
	for _, w := range globalWords {
		add(w, "")
	}
	if len(words) == 1 && strings.Contains(words[0], "=\t") {
		directive |= cobra.ShellCompDirectiveNoSpace
	}
	return words, directive
}
