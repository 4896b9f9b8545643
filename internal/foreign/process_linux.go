package foreign

import "syscall"

// EndsWithUs has a child end when this process does, however that ends, and gives it a process group of its own.
func EndsWithUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
}

// endGroup ends what is left of a child's process group, and says whether there was something.
func endGroup(pid int) bool { return syscall.Kill(-pid, syscall.SIGKILL) == nil }
