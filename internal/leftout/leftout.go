// Package leftout is how a test says that it cannot run on this machine, and why. What is left out here must run
// somewhere: with UTOPIA_INTEROP=required, as .ci/run has it, nothing may be, and a test that would be left out fails.
package leftout

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Because leaves a test out, and says why: what this machine lacks that the test needs. It does not return.
func Because(t testing.TB, format string, args ...any) {
	t.Helper()
	why := fmt.Sprintf(format, args...)
	if forbidden() {
		t.Fatalf("%s, and UTOPIA_INTEROP=required leaves nothing out", why)
	}
	t.Skipf("left out: %s", why)
}

// Without gives the path of a foreign program, and leaves a test out that has to do without.
func Without(t testing.TB, program string) (path string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		Because(t, "%s is not installed", program)
	}
	return path
}

// Installed says whether a foreign program is there, for those who leave out less than a test. Where nothing may be left
// out its absence is an error.
func Installed(program string) (bool, error) {
	_, err := exec.LookPath(program)
	if err != nil && forbidden() {
		return false, fmt.Errorf("%s is not installed, and UTOPIA_INTEROP=required leaves nothing out", program)
	}
	return err == nil, nil
}

func forbidden() bool { return os.Getenv("UTOPIA_INTEROP") == "required" }
