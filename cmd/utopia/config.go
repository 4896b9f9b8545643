package main

import (
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/network-utopia/utopia/internal/app"
)

func newConfig(s *session) *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "The settings in utopia.toml"}
	c.AddCommand(newConfigCheck(s), newConfigShow(s), newConfigSchema(s), newConfigReference(s))
	return c
}

func newConfigCheck(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check the settings without running anything",
		Long: `Check reads utopia.toml, or the file named, and prints everything that is wrong with it: where, the line with a
caret, and a suggestion. It reads the zone file as well. It ends with 1 when something is wrong.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			path := s.settingsPath(args)
			warnings, err := app.CheckSettings(path)
			if err != nil {
				return err
			}
			if s.json {
				s.printJSON(map[string]any{"file": path, "ok": true, "warnings": append([]app.Problem{}, warnings...)})
				return nil
			}
			for _, w := range warnings {
				s.note("warning: %v\n", w)
			}
			s.print("%s is right\n", path)
			return nil
		},
	}
}

func newConfigShow(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "show [FILE]",
		Short: "Print all settings in force, the defaults among them",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			settings, err := app.LoadSettings(s.settingsPath(args))
			if err != nil {
				return err
			}
			if s.json {
				s.printJSON(settings)
				return nil
			}
			s.print("%s", settings.TOML())
			return nil
		},
	}
}

// settingsPath is the file named, or the folder's own.
func (s *session) settingsPath(args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	return filepath.Join(s.dir, app.ConfigFile)
}

// problemsOf returns what is wrong with a settings file, or nil when err is about something else.
func problemsOf(err error) any {
	var problems app.Problems
	if !errors.As(err, &problems) {
		return nil
	}
	return map[string]any{"ok": false, "problems": problems}
}

func newConfigSchema(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of utopia.toml, for editors",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			s.printJSON(app.SettingsSchema())
			return nil
		},
	}
}

func newConfigReference(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "reference",
		Short: "Print what every setting means, as Markdown",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if s.json {
				return usage("the reference is Markdown\nhint: utopia config schema is its JSON")
			}
			s.print("%s", app.SettingsReference())
			return nil
		},
	}
}
