package static

import (
	"io/fs"
	"syscall"
	"time"
)

// inodeOf returns when the inode was last changed, and its number.
func inodeOf(info fs.FileInfo) (changed time.Time, number uint64) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(s.Ctim.Unix()), s.Ino
	}
	return info.ModTime(), 0
}
