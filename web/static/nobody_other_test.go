//go:build !linux

package static

import (
	"os"
	"testing"

	"github.com/network-utopia/utopia/internal/leftout"
)

func withoutPrivilege(t *testing.T, do func()) {
	t.Helper()
	if os.Geteuid() == 0 {
		leftout.Because(t, "root may read everything")
	}
	do()
}
