package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/transcript"
)

// The exit codes.
const (
	exitDone        = 0
	exitProblems    = 1
	exitUsage       = 2
	exitUnreachable = 3
)

// exit is an error that says with which code the program ends. Without an error it ends silently, since the command
// has printed all there is to say.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &exit{exitUsage, fmt.Errorf(format, args...)}
}

func unreachable(err error) error { return &exit{exitUnreachable, err} }

// found ends with code 1 after the command has printed what it found.
func found() error { return &exit{code: exitProblems} }

// report prints an error as a person or a program wants to read it, and gives the exit code.
func (s *session) report(err error) int {
	if err == nil {
		return exitDone
	}
	code := exitProblems
	var e *exit
	switch {
	case errors.As(err, &e):
		code = e.code
		if e.err == nil {
			return code
		}
	case errors.Is(err, control.ErrNotRunning), errors.Is(err, control.ErrSilent):
		code = exitUnreachable
	case errors.Is(err, context.Canceled):
		err = errors.New("interrupted")
	}
	if s.json {
		s.printJSONError(err)
		return code
	}
	fmt.Fprintln(s.err, "utopia: "+message(err))
	return code
}

func message(err error) string {
	text := err.Error()
	if hint := hintOf(err); hint != "" {
		text += "\nhint: " + hint
	}
	return text
}

func hintOf(err error) string {
	var told *control.Error
	if errors.As(err, &told) {
		return told.Hint
	}
	switch {
	case errors.Is(err, control.ErrNotRunning):
		return "utopia up starts it, or name its folder with -C"
	case errors.Is(err, control.ErrNotYours):
		return "run the command as that user, such as with sudo -u"
	case errors.Is(err, control.ErrSilent):
		return "it runs, and is stopped or stuck: end it and start it anew"
	}
	return ""
}

func (s *session) printJSONError(err error) {
	text, hint, _ := strings.Cut(message(err), "\nhint: ")
	if problems := problemsOf(err); problems != nil {
		s.printJSON(problems)
		return
	}
	s.printJSON(control.Error{Kind: control.Kind("error"), Message: text, Hint: hint})
}

// printJSON writes a result as indented JSON.
func (s *session) printJSON(v any) {
	out := json.NewEncoder(s.out)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	if err := out.Encode(v); err != nil {
		fmt.Fprintln(s.err, "utopia:", err)
	}
}

// print writes a result for people.
func (s *session) print(format string, args ...any) { fmt.Fprintf(s.out, format, args...) }

// note writes something that is no result, such as what is being waited for.
func (s *session) note(format string, args ...any) { fmt.Fprintf(s.err, format, args...) }

// terminal says whether w is one.
func terminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// paint gives text a colour (SGR number) where what it is printed to is a terminal that may show it.
func (s *session) paint(to io.Writer, sgr, text string) string {
	if !s.color || !terminal(to) {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

// recorder returns where a client writes its exchanges: to stderr with -v, else nowhere.
func (s *session) recorder() *transcript.Recorder {
	if !s.verbose {
		return nil
	}
	return transcript.New(transcript.Options{Sinks: []transcript.Sink{wire{s.err}}})
}

// wire prints exchanges line by line as they happen.
type wire struct{ to io.Writer }

func (wire) Level(string) transcript.Level { return transcript.Lines }

func (w wire) Begin(x *transcript.Exchange) {
	h := x.Head()
	if !h.Remote.IsValid() { // a Unix socket has no address to tell
		fmt.Fprintf(w.to, "= %s over %s\n", h.Service, h.Network)
		return
	}
	fmt.Fprintf(w.to, "= %s over %s with %v\n", h.Service, h.Network, h.Remote)
}

func (w wire) Entry(_ *transcript.Exchange, e transcript.Entry) {
	fmt.Fprintf(w.to, "%v %s\n", e.Dir, e.Text)
}

func (wire) End(*transcript.Exchange) {}
