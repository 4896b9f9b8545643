//go:build unix

package main

import (
	"os"
	"strconv"
	"syscall"
)

// inherited are the sockets that systemd opened for this process (sd_listen_fds(3)).
func inherited() []*os.File {
	const first = 3
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n < 1 || os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil
	}
	files := make([]*os.File, n)
	for i := range files {
		syscall.CloseOnExec(first + i)
		files[i] = os.NewFile(uintptr(first+i), "LISTEN_FD_"+strconv.Itoa(first+i))
	}
	return files
}
