package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newRoot returns the utopia command with all others under it.
func newRoot(s *session) *cobra.Command {
	root := &cobra.Command{
		Use:   "utopia",
		Short: "The application layer of a domain in one program",
		Long: `Utopia serves a domain: its DNS, its web site and its socket services, from one program with one
settings file, and has a client for each. Begin with

	utopia up

which makes what is missing in the current folder and serves networkutopia.test on this machine.

Exit codes: 0 done, 1 found problems, 2 wrong usage, 3 unreachable.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	flags := root.PersistentFlags()
	flags.StringVarP(&s.dir, "directory", "C", ".", "work in this folder: the one that holds utopia.toml and data/")
	flags.BoolVar(&s.json, "json", false, "print the result as JSON")
	flags.BoolVarP(&s.verbose, "verbose", "v", false, "show on stderr what went over the wire")
	root.AddGroup(
		&cobra.Group{ID: groupServe, Title: "Serving a domain:"},
		&cobra.Group{ID: groupClient, Title: "Clients:"},
	)
	for _, c := range []*cobra.Command{
		newUp(s), newStatus(s), newReload(s), newConfig(s), newUser(s), newCert(s), newConsole(s), newTrace(s),
	} {
		c.GroupID = groupServe
		root.AddCommand(c)
	}
	for _, c := range []*cobra.Command{newDig(s), newNslookup(s), newUpper(s), newConnect(s)} {
		c.GroupID = groupClient
		root.AddCommand(c)
	}
	root.AddCommand(newVersion(s), newMan(s))
	root.SetFlagErrorFunc(flagError)
	refuseStrays(root)
	return root
}

// The groups that help lists the commands in.
const (
	groupServe  = "serve"
	groupClient = "client"
)

// refuseStrays makes wrong arguments usage errors, and a noun without a verb show its verbs.
func refuseStrays(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usage("%w\nusage: %s", err, c.UseLine())
			}
			return nil
		}
	}
	if c.Run == nil && c.RunE == nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("%w", unknownCommand(c, args[0]))
			}
			return nil
		}
		c.RunE = func(c *cobra.Command, _ []string) error {
			if !c.HasParent() {
				return c.Help()
			}
			return usage("%s needs one of: %s", c.CommandPath(), strings.Join(verbs(c), ", "))
		}
	}
	for _, child := range c.Commands() {
		refuseStrays(child)
	}
}

func verbs(c *cobra.Command) []string {
	var names []string
	for _, child := range c.Commands() {
		if child.IsAvailableCommand() {
			names = append(names, child.Name())
		}
	}
	return names
}

// unknownCommand names the command that an unknown one may have meant.
func unknownCommand(c *cobra.Command, name string) error {
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(name); len(near) > 0 {
		return fmt.Errorf("unknown command %q\nhint: did you mean %s %s?", name, c.CommandPath(), near[0])
	}
	return fmt.Errorf("unknown command %q\nhint: %s --help lists them", name, c.CommandPath())
}

// flagError is for a flag that is unknown or has a bad value; an unknown one gets the nearest known one as a hint.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return usage("%w", err)
	}
	known := &cobra.Command{SuggestionsMinimumDistance: 2} // the library suggests commands: let flags be some
	c.Flags().VisitAll(func(f *pflag.Flag) {
		known.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	if near := known.SuggestionsFor(unknown.GetSpecifiedName()); len(near) > 0 {
		return usage("%w\nhint: did you mean --%s?", err, near[0])
	}
	return usage("%w\nhint: %s --help lists the flags", err, c.CommandPath())
}
