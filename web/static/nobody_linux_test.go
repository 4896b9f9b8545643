package static

import (
	"os"
	"runtime"
	"syscall"
	"testing"
)

// nobody is the user that owns nothing.
const nobody = 65534

// withoutPrivilege calls do so that it opens files as a common user does, since root may open every one: for files the
// kernel asks the thread's own user (setfsuid(2)), and its capabilities go with that.
func withoutPrivilege(t *testing.T, do func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		do()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := syscall.Setfsuid(nobody); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setfsuid(0); err != nil {
			t.Error(err)
		}
	}()
	do()
}
