package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/internal/control"
)

// maxOffered is how many names, and how many records of one, are offered for completion.
const maxOffered = 1000

// completeRecords offers the names of the zones, the types given or else those that the name owns, and the data of the
// records that are there.
func (s *session) completeRecords(types []string) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(c.Context(), completeTimeout)
		defer cancel()
		zone, _ := c.Flags().GetString("zone") // it is there
		o := offered{types: types, args: args, seen: map[string]bool{}}
		_ = s.names(ctx, func(in control.Names) error { // a shell has no place for errors
			if len(args) == 0 {
				return o.names(ctx, in, zone)
			}
			return o.records(ctx, in, control.At{Zone: zone, Name: args[0]})
		})
		return o.words, cobra.ShellCompDirectiveNoFileComp
	}
}

// offered are words for completion.
type offered struct {
	types []string
	args  []string // before the word that is asked for
	words []string
	seen  map[string]bool
}

func (o *offered) add(word string) error {
	if !o.seen[word] {
		o.seen[word] = true
		o.words = append(o.words, word)
	}
	if len(o.words) >= maxOffered {
		return errEnough
	}
	return nil
}

// names offers the names of one zone or of all: those of the domain, or of a zone that was named, in short.
func (o *offered) names(ctx context.Context, in control.Names, zone string) error {
	zones, err := in.Zones(ctx)
	if err != nil {
		return err
	}
	for i, z := range zones {
		named := zone != "" && strings.EqualFold(strings.TrimSuffix(zone, "."), strings.TrimSuffix(z.Name, "."))
		if zone != "" && !named {
			continue
		}
		origin, err := dns.ParseName(z.Name, dns.Root)
		if err != nil {
			return err
		}
		err = in.Records(ctx, control.At{Zone: z.Name}, func(r control.Record) error {
			name, err := dns.ParseName(r.Name, dns.Root)
			switch {
			case err != nil || r.From == control.FromDNSSEC:
				return err
			case i == 0 || named:
				return o.add(string(name.AppendRelative(nil, origin)))
			}
			return o.add(r.Name)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// records offers the types that a name owns, where no others are given, or the data of the type that was typed.
func (o *offered) records(ctx context.Context, in control.Names, at control.At) error {
	if len(o.args) == 1 && o.types != nil {
		o.words = o.types
		return nil
	}
	owner := ""
	return in.Records(ctx, at, func(r control.Record) error {
		if owner == "" && r.From != control.FromDNSSEC {
			owner = r.Name // the first one is that which was asked for
		}
		switch {
		case r.Name != owner || r.From == control.FromDNSSEC:
		case len(o.args) == 1:
			return o.add(r.Type)
		case strings.EqualFold(r.Type, o.args[1]) && !slices.Contains(o.args[2:], r.Data):
			return o.add(r.Data)
		}
		return nil
	})
}
