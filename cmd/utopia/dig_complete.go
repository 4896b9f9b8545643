package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// commonTypes are offered for completion.
var commonTypes = [...]string{"A", "AAAA", "ANY", "AXFR", "CAA", "CNAME", "DNSKEY", "DS", "HTTPS", "IXFR=", "MX", "NS",
	"PTR", "SOA", "SRV", "TLSA", "TXT"}

func completeDig(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	offer := func(words ...string) ([]string, cobra.ShellCompDirective) {
		words = slices.DeleteFunc(slices.Clone(words), func(w string) bool {
			return !strings.HasPrefix(strings.ToLower(w), strings.ToLower(begun))
		})
		return words, cobra.ShellCompDirectiveNoFileComp
	}
	last := ""
	if len(args) > 0 {
		last = args[len(args)-1]
	}
	switch {
	case last == "-c":
		return offer("IN", "CH", "HS")
	case last == "-f" || last == "-k":
		return nil, cobra.ShellCompDirectiveDefault
	case slices.Contains([]string{"-p", "-q", "-x", "-y", "-b"}, last):
		return offer()
	case last == "-t":
		return offer(commonTypes[:]...)
	case strings.HasPrefix(begun, "+"):
		return completePlus(begun)
	case strings.HasPrefix(begun, "-"):
		letters := []string{"-4", "-6", "-b", "-c", "-f", "-k", "-p", "-q", "-r", "-t", "-u", "-v", "-x", "-y"}
		return offer(append(letters, globalWords[:]...)...)
	case strings.HasPrefix(begun, "@"):
		return offer("@127.0.0.1")
	}
	return offer(commonTypes[:]...)
}

func completePlus(begun string) ([]string, cobra.ShellCompDirective) {
	var words []string
	directive := cobra.ShellCompDirectiveNoFileComp
	for _, o := range plusOptions() {
		forms := []string{"+" + o.name, "+no" + o.name}
		switch {
		case o.flag == nil:
			forms = []string{"+" + o.name + "="}
		case clears(o.name):
			forms[0] += "="
		}
		for _, f := range forms {
			if strings.HasPrefix(f, begun) {
				words = append(words, f+"\t"+o.about)
			}
		}
	}
	if len(words) == 1 && strings.Contains(words[0], "=\t") {
		directive |= cobra.ShellCompDirectiveNoSpace
	}
	return words, directive
}
