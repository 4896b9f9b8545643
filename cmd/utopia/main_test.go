package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/network-utopia/utopia/internal/leftout"
)

// TestMain lets the scripts run this test binary as the program.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"utopia": main})
}

// TestScripts runs testdata/script: what a user types, and what comes back. Beside testscript's own commands there are
//
//	serve [ARG...]   start utopia up in the background in this folder, at $ADDR, and wait until all services answer
//	restart          kill what serve started with SIGKILL, start it again and wait
//	stopserve        stop it with SIGTERM and wait for its end
//	doc FILE         run every command of a Markdown file, and compare what it prints
//	sh COMMAND       run a shell command, with utopia in its PATH
//
// and the condition [foreign:PROGRAM], which is exec: where a program may be missing.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": cmdServe, "restart": cmdRestart, "stopserve": cmdStopServe, "doc": cmdDoc,
			"sh": cmdShell,
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("ADDR", ownAddress())
			e.Setenv("NO_COLOR", "1")
			e.Setenv("GORACE", "atexit_sleep_ms=10") // or each command of a race test lasts a second
			e.Values[holderKey{}] = &holder{}
			return nil
		},
		Condition:          condition,
		RequireUniqueNames: true,
	})
}

// ownAddress is a loopback address that no other script, test or instance uses, where the system has more than one.
func ownAddress() string {
	if runtime.GOOS != "linux" {
		return "127.0.0.1"
	}
	return fmt.Sprintf("127.%d.%d.%d", 16+rand.N(200), rand.N(250), 2+rand.N(250))
}

// served is the instance that a script has started.
type served struct {
	process *exec.Cmd
	args    []string
	output  string // the file that it prints to
	ended   chan error
}

// holder keeps a script's instance between its commands.
type holder struct{ now *served }

type holderKey struct{}

func held(ts *testscript.TestScript) *holder { return ts.Value(holderKey{}).(*holder) }

func current(ts *testscript.TestScript) *served {
	s := held(ts).now
	if s == nil {
		ts.Fatalf("nothing is served: use serve before")
	}
	return s
}

func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	start(ts, &served{args: append([]string{"up", "--address", ts.Getenv("ADDR")}, args...)})
}

func start(ts *testscript.TestScript, s *served) {
	s.output = ts.MkAbs("up.out")
	out, err := os.Create(s.output)
	ts.Check(err)
	s.process = exec.Command("utopia", s.args...)
	s.process.Path = lookPath(ts, "utopia")
	s.process.Dir, s.process.Stdout, s.process.Stderr = ts.MkAbs("."), out, out
	s.process.Env = environment(ts)
	ts.Check(s.process.Start())
	s.ended = make(chan error, 1)
	go func() {
		s.ended <- s.process.Wait()
		out.Close()
	}()
	ts.Defer(func() { s.kill(syscall.SIGKILL) })
	held(ts).now = s
	if err := ts.Exec("utopia", "status", "--wait", "20s"); err != nil {
		printed, _ := os.ReadFile(s.output)
		ts.Fatalf("not all services answer: %v; utopia up printed\n%s", err, printed)
	}
}

func (s *served) kill(sig os.Signal) error {
	if err := s.process.Process.Signal(sig); err != nil {
		return err // it has ended
	}
	select {
	case err := <-s.ended:
		return err
	case <-time.After(15 * time.Second):
		s.process.Process.Kill()
		return fmt.Errorf("it did not end within 15 s of %v", sig)
	}
}

func cmdRestart(ts *testscript.TestScript, neg bool, args []string) {
	s := current(ts)
	s.kill(syscall.SIGKILL)
	start(ts, &served{args: s.args})
}

func cmdStopServe(ts *testscript.TestScript, neg bool, args []string) {
	if err := current(ts).kill(syscall.SIGTERM); err != nil {
		ts.Fatalf("utopia up ended with %v", err)
	}
}

// condition is [foreign:PROGRAM].
func condition(name string) (bool, error) {
	program, ok := strings.CutPrefix(name, "foreign:")
	if !ok {
		return false, fmt.Errorf("there is no condition [%s]", name)
	}
	return leftout.Installed(program)
}

// available says whether a foreign program is there; where nothing may be left out its absence is a failure.
func available(ts *testscript.TestScript, name string) bool {
	ok, err := leftout.Installed(name)
	ts.Check(err)
	if !ok {
		ts.Logf("left out: %s is not installed", name)
	}
	return ok
}

func cmdShell(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec("sh", "-c", strings.Join(args, " "))
	if (err != nil) != neg {
		ts.Fatalf("sh %s: %v", strings.Join(args, " "), err)
	}
}

func lookPath(ts *testscript.TestScript, name string) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if path := filepath.Join(dir, name); isProgram(path) {
			return path
		}
	}
	ts.Fatalf("%s is not in PATH", name)
	return ""
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0 && !info.IsDir()
}

func environment(ts *testscript.TestScript) []string {
	return append(os.Environ(), "PATH="+ts.Getenv("PATH"), "NO_COLOR=1", "HOME="+ts.Getenv("HOME"), "GORACE="+ts.Getenv("GORACE"))
}

func TestCalledAs(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"utopia": "utopia", "./utopia": "./utopia", "/usr/local/bin/utopia": "/usr/local/bin/utopia",
		"/tmp/go-build123/b001/exe/utopia": "go run ./cmd/utopia",
	} {
		if got := calledAs(path); got != want {
			t.Errorf("%s is called as %q, want %q", path, got, want)
		}
	}
}
