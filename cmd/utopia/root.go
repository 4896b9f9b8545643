package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/network-utopia/utopia/internal/app"
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
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("utopia {{.Version}}\n")
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
		newUp(s), newStatus(s), newReload(s), newConfig(s), newUser(s), newDNS(s), newCert(s), newConsole(s), newTrace(s),
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
	completeNoFiles(root)
	// What the library would add when it runs, so that it too is held to what follows.
	root.InitDefaultCompletionCmd("")
	root.InitDefaultHelpCmd()
	root.InitDefaultVersionFlag()
	if help, _, err := root.Find([]string{"help"}); err == nil {
		help.Run, help.RunE = nil, func(c *cobra.Command, args []string) error {
			about, err := findCommand(root, args)
			if err != nil {
				return err
			}
			return about.Help()
		}
	}
	refuseStrays(root)
	return root
}

// completeNoFiles has shells offer the names of files only where some are meant.
func completeNoFiles(root *cobra.Command) {
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	for _, words := range [][]string{{"config", "check"}, {"config", "show"}, {"cert", "root"}, {"dns", "check"}, {"dns", "import"}} {
		if c, _, err := root.Find(words); err == nil {
			c.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveDefault)
		}
	}
	_ = root.MarkPersistentFlagDirname("directory") // it fails for a flag that is not there
}

// The groups that help lists the commands in.
const (
	groupServe  = "serve"
	groupClient = "client"
)

// findCommand returns the command of the words given, such as "user" and "add".
func findCommand(root *cobra.Command, words []string) (*cobra.Command, error) {
	c, rest, err := root.Find(words)
	switch {
	case err != nil:
		return nil, usage("%w", err)
	case len(rest) > 0:
		return nil, usage("%w", unknownCommand(c, rest[0]))
	}
	return c, nil
}

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
	if near := app.Nearest(name, verbs(c)); near != "" {
		return fmt.Errorf("unknown command %q\nhint: did you mean %s %s?", name, c.CommandPath(), near)
	}
	return fmt.Errorf("unknown command %q\nhint: %s --help lists them", name, c.CommandPath())
}

// flagError is for a flag that is unknown or has a bad value; an unknown one gets the nearest known one as a hint.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &invalid):
		f := invalid.GetFlag()
		return usage("--%s: %q is no %s", f.Name, invalid.GetValue(), kindOf(f))
	case !errors.As(err, &unknown):
		return usage("%w", err)
	}
	var known []string
	c.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if near := app.Nearest(unknown.GetSpecifiedName(), known); near != "" {
		return usage("%w\nhint: did you mean --%s?", err, near)
	}
	return usage("%w\nhint: %s --help lists the flags", err, c.CommandPath())
}

// kindOf says in plain words what a flag takes.
func kindOf(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "int":
		return "whole number"
	case "duration":
		return "duration, such as 20s or 1m30s"
	case "bool":
		return "true or false"
	}
	return f.Value.Type()
}
