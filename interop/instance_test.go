package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/leftout"
)

// binary builds the program once for all tests, as a stranger would.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "utopia-interop-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "utopia")
	out, err := exec.Command("go", "build", "-o", path, "../cmd/utopia").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// TestMain removes the binary.
func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// foreign returns the path of a foreign program, or leaves the test out.
func foreign(t *testing.T, name string) string {
	t.Helper()
	return leftout.Without(t, name)
}

// instance is one running utopia up, in a folder and at an address of its own.
type instance struct {
	t       *testing.T
	domain  string
	dir     string
	address string
	process *exec.Cmd
	printed bytes.Buffer
	ended   chan error
}

// freshAddress is a loopback address that nothing else uses.
func freshAddress(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		leftout.Because(t, "this system has only one loopback address")
	}
	return fmt.Sprintf("127.%d.%d.%d", 16+rand.N(200), rand.N(250), 2+rand.N(250))
}

// newInstance makes a folder with the files given (name, text, …) without starting anything.
func newInstance(t *testing.T, domain string, files ...string) *instance {
	t.Helper()
	in := &instance{t: t, domain: domain, dir: t.TempDir(), address: freshAddress(t)}
	for i := 0; i+1 < len(files); i += 2 {
		in.write(files[i], files[i+1])
	}
	return in
}

// serve starts an instance and waits until all its services answer.
func serve(t *testing.T, domain string, files ...string) *instance {
	t.Helper()
	in := newInstance(t, domain, files...)
	in.start()
	return in
}

func (in *instance) write(name, text string) {
	in.t.Helper()
	path := filepath.Join(in.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		in.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		in.t.Fatal(err)
	}
}

func (in *instance) start() {
	in.t.Helper()
	in.launch()
	if out, err := in.run("", "status", "--wait", "20s"); err != nil {
		in.t.Fatalf("not all services answer: %v\n%s\nutopia up printed\n%s", err, out, in.printed.String())
	}
}

// launch starts the program and does not wait for it.
func (in *instance) launch() {
	in.t.Helper()
	args := []string{"up", in.domain, "--address", in.address}
	if _, err := os.Stat(filepath.Join(in.dir, "utopia.toml")); err == nil {
		args = []string{"up"}
	}
	in.process = in.command(context.Background(), args...)
	in.printed.Reset()
	in.process.Stdout, in.process.Stderr = &in.printed, &in.printed
	if err := in.process.Start(); err != nil {
		in.t.Fatal(err)
	}
	ended := make(chan error, 1)
	in.ended = ended
	process := in.process
	go func() { ended <- process.Wait() }()
	in.t.Cleanup(func() { process.Process.Kill() })
}

func (in *instance) command(ctx context.Context, args ...string) *exec.Cmd {
	in.t.Helper()
	path, err := binary()
	if err != nil {
		in.t.Fatal(err)
	}
	c := exec.CommandContext(ctx, path, args...)
	c.Dir = in.dir
	c.Env = append(os.Environ(), "NO_COLOR=1")
	return c
}

// run runs a utopia command in the instance's folder, and returns what it printed.
func (in *instance) run(stdin string, args ...string) (string, error) {
	in.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	c := in.command(ctx, args...)
	c.Stdin = strings.NewReader(stdin)
	out, err := c.CombinedOutput()
	return string(out), err
}

// stop signals the program and waits for its end.
func (in *instance) stop(sig syscall.Signal) error {
	in.t.Helper()
	if err := in.process.Process.Signal(sig); err != nil {
		in.t.Fatal(err)
	}
	select {
	case err := <-in.ended:
		return err
	case <-time.After(15 * time.Second):
		in.t.Fatalf("it did not end within 15 s of %v", sig)
		return nil
	}
}

// at gives the instance's address with the port that a standard port is moved to.
func (in *instance) at(port int) string { return fmt.Sprintf("%s:%d", in.address, port+8000) }

// root exports the authority's root into a file.
func (in *instance) root() string {
	in.t.Helper()
	path := filepath.Join(in.dir, "root.pem")
	if out, err := in.run("", "cert", "root", "-o", path); err != nil {
		in.t.Fatalf("%v: %s", err, out)
	}
	return path
}

// consoleLink asks for a link that opens the console.
func (in *instance) consoleLink() string {
	in.t.Helper()
	out, err := in.run("", "console", "link", "--json")
	if err != nil {
		in.t.Fatalf("%v: %s", err, out)
	}
	var link struct{ URL string }
	if err := json.Unmarshal([]byte(out), &link); err != nil {
		in.t.Fatal(err)
	}
	return link.URL
}

// ask runs a foreign program to its end, and returns what it printed and its exit code.
func ask(t *testing.T, stdin, name string, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Stdin = strings.NewReader(stdin)
	out, err := c.CombinedOutput()
	if err != nil && c.ProcessState == nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(out), c.ProcessState.ExitCode()
}
