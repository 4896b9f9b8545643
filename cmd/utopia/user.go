package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/network-utopia/utopia/internal/control"
)

func newUser(s *session) *cobra.Command {
	c := &cobra.Command{
		Use:   "user",
		Short: "The users of the domain and their passwords",
		Long: `Users stand in utopia.toml, their passwords (hashed with argon2id) in data/. These commands change both, of the
running instance or, where none runs, of the folder. They return once the change would survive a power cut.`,
	}
	c.AddCommand(newUserAdd(s), newUserList(s), newUserPasswd(s), newUserRemove(s), newAppPassword(s))
	return c
}

func newUserAdd(s *session) *cobra.Command {
	var admin, stdin, none bool
	c := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user",
		Long: `Add writes the user into utopia.toml, whose comments are kept, and asks for a password. A user without one
cannot sign in until passwd has set it.`,
		Example: `  utopia user add alice --admin
  echo "correct horse battery" | utopia user add bob --password-stdin`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			u := control.NewUser{Name: args[0], Admin: admin}
			if !none {
				var err error
				if u.Password, err = s.password(c.Context(), args[0], stdin, "--password-stdin or --no-password"); err != nil {
					return err
				}
			}
			return s.admin(c.Context(), func(a control.Admin) error {
				return s.did(a.AddUser(c.Context(), u), "added "+u.Name)
			})
		},
	}
	c.Flags().BoolVar(&admin, "admin", false, "let the user open the console and change the instance")
	c.Flags().BoolVar(&stdin, "password-stdin", false, "read the password from the first line of stdin")
	c.Flags().BoolVar(&none, "no-password", false, "set no password yet")
	c.MarkFlagsMutuallyExclusive("password-stdin", "no-password")
	return c
}

func newUserPasswd(s *session) *cobra.Command {
	var stdin bool
	c := &cobra.Command{
		Use:               "passwd NAME",
		Short:             "Set a user's password",
		Example:           "  utopia user passwd alice",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.completeUsers,
		RunE: func(c *cobra.Command, args []string) error {
			password, err := s.password(c.Context(), args[0], stdin, "--password-stdin")
			if err != nil {
				return err
			}
			return s.admin(c.Context(), func(a control.Admin) error {
				return s.did(a.SetPassword(c.Context(), args[0], password), "set the password of "+args[0])
			})
		},
	}
	c.Flags().BoolVar(&stdin, "password-stdin", false, "read the password from the first line of stdin")
	return c
}

func newUserList(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the users",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return s.admin(c.Context(), func(a control.Admin) error {
				users, err := a.Users(c.Context())
				if err != nil {
					return err
				}
				if s.json {
					s.printJSON(append([]control.User{}, users...))
					return nil
				}
				s.printUsers(users)
				return nil
			})
		},
	}
}

func (s *session) printUsers(users []control.User) {
	if len(users) == 0 {
		s.note("There are no users yet: utopia user add NAME makes one.\n")
		return
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tROLE\tPASSWORD\tAPP PASSWORDS")
	for _, u := range users {
		role, password := "user", "none"
		if u.Admin {
			role = "admin"
		}
		if u.HasPassword {
			password = "set"
		}
		if !u.Configured {
			role = "not in utopia.toml"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", u.Name, role, password, appPasswords(u.AppPasswords))
	}
	_ = table.Flush() // a closed pipe is no news
}

func appPasswords(list []control.AppPassword) string {
	if len(list) == 0 {
		return "none"
	}
	var parts []string
	for _, p := range list {
		parts = append(parts, p.ID+" ("+p.Label+")")
	}
	return strings.Join(parts, ", ")
}

func newUserRemove(s *session) *cobra.Command {
	return &cobra.Command{
		Use:               "remove NAME",
		Short:             "Remove a user and all of the user's passwords",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.completeUsers,
		RunE: func(c *cobra.Command, args []string) error {
			return s.admin(c.Context(), func(a control.Admin) error {
				return s.did(a.RemoveUser(c.Context(), args[0]), "removed "+args[0])
			})
		},
	}
}

func newAppPassword(s *session) *cobra.Command {
	c := &cobra.Command{
		Use:   "app-password",
		Short: "A user's passwords for single programs",
		Long: `An app password is made for one program of a user, such as the mail reader on a telephone, and can be taken back
without changing the others. It opens services, not the console.`,
	}
	add := &cobra.Command{
		Use:               "add NAME LABEL",
		Short:             "Make a password for one program, and print it once",
		Example:           "  utopia user app-password add alice telephone",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: s.completeUsers,
		RunE: func(c *cobra.Command, args []string) error {
			return s.admin(c.Context(), func(a control.Admin) error {
				p, err := a.AddAppPassword(c.Context(), args[0], args[1])
				if err != nil {
					return err
				}
				if s.json {
					s.printJSON(p)
					return nil
				}
				s.print("%s\n", p.Secret)
				if terminal(s.err) {
					s.note("It is shown this once. Its number is %s.\n", p.ID)
				}
				return nil
			})
		},
	}
	remove := &cobra.Command{
		Use:               "remove NAME ID",
		Short:             "Take a program's password back",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: s.completeUsers,
		RunE: func(c *cobra.Command, args []string) error {
			return s.admin(c.Context(), func(a control.Admin) error {
				return s.did(a.RemoveAppPassword(c.Context(), args[0], args[1]), "removed "+args[1])
			})
		},
	}
	c.AddCommand(add, remove)
	return c
}

// did says what was done, once it was.
func (s *session) did(err error, what string) error {
	if err != nil {
		return err
	}
	if s.json {
		s.printJSON(map[string]string{"done": what})
	} else {
		s.print("%s\n", what)
	}
	return nil
}

func (s *session) completeUsers(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(c.Context(), completeTimeout)
	defer cancel()
	users, err := s.instance().Users(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, u := range users {
		names = append(names, u.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// maxPassword bounds what is read as a password, in bytes.
const maxPassword = 4096

// password reads a new password: from a pipe where stdin says so, else twice from the terminal, unseen.
func (s *session) password(ctx context.Context, name string, stdin bool, instead string) (string, error) {
	password, err := s.readPassword(ctx, name, stdin, instead)
	switch {
	case err != nil:
		return "", err
	case password == "": // a pipe that had nothing to say, more often than not
		return "", errors.New("the password is empty: nothing was changed")
	case !utf8.ValidString(password): // it would not be the same any more after the way to the instance, nor to a server
		return "", errors.New("the password is not in UTF-8: nothing was changed")
	}
	return password, nil
}

func (s *session) readPassword(ctx context.Context, name string, stdin bool, instead string) (string, error) {
	if stdin {
		line, err := interruptible(ctx, func() (string, error) {
			return bufio.NewReader(io.LimitReader(s.in, maxPassword)).ReadString('\n')
		})
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	f, ok := s.in.(*os.File)
	if !ok || !terminal(f) {
		return "", usage("there is no terminal to ask for a password\nhint: use %s", instead)
	}
	first, err := s.ask(ctx, f, "Password for "+name+": ")
	if err != nil {
		return "", err
	}
	second, err := s.ask(ctx, f, "Once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ: nothing was changed")
	}
	return first, nil
}

// ask reads a line unseen. An interruption ends it, and leaves the terminal as it was.
func (s *session) ask(ctx context.Context, f *os.File, prompt string) (string, error) {
	s.note("%s", prompt)
	fd := int(f.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	line, err := interruptible(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
	s.note("\n")
	if err != nil {
		return "", errors.Join(fmt.Errorf("read the password: %w", err), term.Restore(fd, before))
	}
	return string(line), nil
}

// interruptible waits for a read that knows no context, or for the end of ctx; then the read is left to itself.
func interruptible[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := read()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
