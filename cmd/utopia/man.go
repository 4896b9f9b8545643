package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func newMan(s *session) *cobra.Command {
	var dir, format string
	c := &cobra.Command{
		Use:   "man [command…]",
		Short: "Print the manual page of a command, or write all pages into a folder",
		Example: `  utopia man dig | man -l -
  utopia man --dir /usr/local/share/man/man1`,
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			about, err := findCommand(c.Root(), args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return verbs(about), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			if s.json {
				return usage("a manual page has no --json")
			}
			if format != "man" && format != "markdown" {
				return usage("--format is man or markdown, not %q", format)
			}
			about, err := findCommand(c.Root(), args)
			if err != nil {
				return err
			}
			if dir != "" {
				return writePages(about, dir, format)
			}
			return writePage(about, s.out, format)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "write the pages of the command and of all under it into this folder")
	c.Flags().StringVar(&format, "format", "man", "man or markdown")
	// These fail for a flag that is not there.
	_ = c.MarkFlagDirname("dir")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"man", "markdown"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// writePages writes a page for the command and for each below it.
func writePages(c *cobra.Command, dir, format string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write manual pages: %w", err)
	}
	ending := map[string]string{"man": ".1", "markdown": ".md"}[format]
	f, err := os.Create(filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+ending))
	if err != nil {
		return fmt.Errorf("write manual pages: %w", err)
	}
	if err := writePage(c, f, format); err != nil {
		f.Close() // the first error is the one to tell
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write manual pages: %w", err)
	}
	for _, child := range c.Commands() {
		if !child.IsAvailableCommand() || child.IsAdditionalHelpTopicCommand() {
			continue
		}
		if err := writePages(child, dir, format); err != nil {
			return err
		}
	}
	return nil
}

func writePage(c *cobra.Command, w io.Writer, format string) error {
	c.DisableAutoGenTag = true // the same program writes the same page
	c.InitDefaultHelpFlag()
	var page bytes.Buffer
	var err error
	if format == "markdown" {
		err = doc.GenMarkdownCustom(c, &page, func(link string) string { return strings.ReplaceAll(link, "_", "-") })
	} else {
		header := doc.GenManHeader{Section: "1", Source: "Utopia " + version, Manual: "Utopia", Date: &time.Time{}}
		err = doc.GenMan(c, &header, &page)
	}
	if err != nil {
		return fmt.Errorf("write a manual page: %w", err)
	}
	// The library writes a date always, and the same program is to write the same page: so none.
	text := bytes.Replace(page.Bytes(), []byte(` "Jan 0001" `), []byte(` "" `), 1)
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("write a manual page: %w", err)
	}
	return nil
}
