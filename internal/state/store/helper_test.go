package store

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// helperEnv names what a copy of this test binary shall do instead of testing.
const helperEnv = "UTOPIA_STORE_TEST_HELPER"

func TestMain(m *testing.M) {
	if what := os.Getenv(helperEnv); what != "" {
		os.Exit(helper(what, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// helper runs in a process of its own and returns its exit code.
func helper(what string, args []string) int {
	run := systemHelpers()
	run["lock"], run["put"] = helpLock, helpPut
	if err := run[what](args); err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

// helpLock takes the folder and keeps it until it is killed.
func helpLock(args []string) error {
	if _, err := Lock(args[0]); err != nil {
		return err
	}
	fmt.Println("locked")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// process is a helper that runs.
type process struct {
	cmd *exec.Cmd
	out *bufio.Scanner
}

func helperCommand(what string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), helperEnv+"="+what)
	return cmd
}

func startHelper(t *testing.T, what string, args ...string) *process {
	t.Helper()
	cmd := helperCommand(what, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe() // stays open, so that the helper can wait for its end
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := &process{cmd: cmd, out: bufio.NewScanner(out)}
	t.Cleanup(func() { in.Close(); h.kill() })
	return h
}

func (p *process) line(t *testing.T) string {
	t.Helper()
	if !p.out.Scan() {
		t.Fatalf("the helper ended: %v", p.out.Err())
	}
	return strings.TrimSpace(p.out.Text())
}

// kill ends the helper as kill -9 does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// rest reads what the helper still said before it was killed after d.
func (p *process) rest(d time.Duration) (lines []string) {
	timer := time.AfterFunc(d, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	for p.out.Scan() {
		lines = append(lines, p.out.Text())
	}
	_ = p.cmd.Wait()
	return lines
}
