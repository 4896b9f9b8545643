//go:build !linux

package foreign

import (
	"os"
	"syscall"
)

// EndsWithUs has a child end when this process does, where the system can do that: this one cannot.
func EndsWithUs() *syscall.SysProcAttr { return nil }

// endGroup ends a child, and says whether it was still there.
func endGroup(pid int) bool {
	p, err := os.FindProcess(pid)
	return err == nil && p.Kill() == nil
}
