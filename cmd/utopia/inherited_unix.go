//go:build unix

package main

import (
	"fmt"
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

// toJournal says whether what is printed to w ends in systemd's journal: then stream, which is $JOURNAL_STREAM, names
// its device and inode (systemd.exec(5)). A program that was started otherwise may have inherited the variable alone.
func toJournal(stream string, w any) bool {
	f, ok := w.(*os.File)
	if !ok || stream == "" {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stream == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}
