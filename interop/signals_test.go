package interop

import (
	"os"
	"syscall"
	"testing"
)

// TestWhoReadsTheLogMayGo closes the pipe that the instance prints to, and has it print more.
func TestWhoReadsTheLogMayGo(t *testing.T) {
	t.Parallel()
	in := newInstance(t, "a.test")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := in.command(t.Context(), "up", in.domain, "--address", in.address)
	c.Stdout, c.Stderr = w, w
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { c.Process.Kill(); c.Wait() }()
	w.Close()
	r.Close()
	if out, err := in.run("", "status", "--wait", "20s"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	in.write("utopia.toml", "nonsense\n")
	for range 2 {
		if err := c.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		if out, err := in.run("", "status"); err != nil {
			t.Fatalf("after a reload that it could tell nobody of: %v: %s", err, out)
		}
	}
}

// TestStopsSoftly ends an instance with each signal that asks for it.
func TestStopsSoftly(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		in := serve(t, "a.test")
		if err := in.stop(sig); err != nil {
			t.Errorf("%v ends it with %v:\n%s", sig, err, in.printed.String())
		}
		if out, err := in.run("", "status"); err == nil {
			t.Errorf("it still runs after %v: %s", sig, out)
		}
	}
}
