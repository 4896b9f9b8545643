package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/network-utopia/utopia/internal/leftout"
)

// openTerminal returns both sides of a pseudo-terminal (pts(4)).
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		leftout.Because(t, "there are no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

func echoes(t *testing.T, f *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

func TestToJournal(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(w.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	own := fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
	for stream, want := range map[string]bool{own: true, "": false, "8:1": false, "nonsense": false} {
		if got := toJournal(stream, w); got != want {
			t.Errorf("%q: %v", stream, got)
		}
	}
	if toJournal(own, &bytes.Buffer{}) {
		t.Error("a buffer is the journal")
	}
}

func TestPasswordPrompt(t *testing.T) {
	t.Parallel()
	person, program := openTerminal(t)
	s := &session{in: program, out: &bytes.Buffer{}, err: &bytes.Buffer{}}
	if _, err := person.WriteString("correct horse\ncorrect horse\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.password(t.Context(), "alice", false, ""); got != "correct horse" || err != nil {
		t.Errorf("the password is %q, %v", got, err)
	}
	if _, err := person.WriteString("correct horse\nbattery\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.password(t.Context(), "alice", false, ""); err == nil {
		t.Error("two passwords that differ are taken")
	}
}

// Control-C ends the prompt, and what is typed next is seen again.
func TestPasswordPromptInterrupted(t *testing.T) {
	t.Parallel()
	for _, stdin := range []bool{false, true} {
		_, program := openTerminal(t)
		s := &session{in: program, out: &bytes.Buffer{}, err: &bytes.Buffer{}}
		ctx, interrupt := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := s.password(ctx, "alice", stdin, "")
			ended <- err
		}()
		for !stdin && echoes(t, program) {
			time.Sleep(time.Millisecond)
		}
		interrupt()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
		if !echoes(t, program) {
			t.Error("the terminal stays silent")
		}
	}
}
