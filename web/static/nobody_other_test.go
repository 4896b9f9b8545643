//go:build !linux

package static

import (
	"os"
	"testing"
)

func withoutPrivilege(t *testing.T, do func()) {
	t.Helper()
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	do()
}
