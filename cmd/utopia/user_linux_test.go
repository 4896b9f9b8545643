package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminalPair returns a pseudo-terminal (pty(7)): what a person has, and what a program has.
func terminalPair(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skip(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	return person, program // which is left open: a question that was interrupted reads until the person hangs up
}

// Ctrl-C ends the question for a password at once, and leaves a terminal that shows what is typed.
func TestInterruptedPassword(t *testing.T) {
	t.Parallel()
	_, program := terminalPair(t)
	shown := func() bool {
		state, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return state.Lflag&unix.ECHO != 0
	}
	ctx, interrupt := context.WithCancel(t.Context())
	var asked bytes.Buffer
	s := &session{in: program, err: &asked}
	ended := make(chan error)
	go func() {
		_, err := s.password(ctx, "alice", false, "")
		ended <- err
	}()
	for shown() { // until the program reads unseen
	}
	interrupt()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if !shown() {
		t.Error("the terminal does not show what is typed any more")
	}
	if want := "Password for alice: \n"; asked.String() != want {
		t.Errorf("printed %q, want %q", asked.String(), want)
	}
}
