package app

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// capNetBindService is the capability to listen on ports below 1024 (capabilities(7)).
const capNetBindService = 10

// privileged says whether this process may listen on ports below 1024.
func privileged() bool {
	f, err := os.Open("/proc/self/status")
	if err != nil { // no Linux
		return os.Geteuid() == 0
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		value, ok := strings.CutPrefix(lines.Text(), "CapEff:")
		if !ok {
			continue
		}
		set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		return err == nil && set&(1<<capNetBindService) != 0
	}
	return os.Geteuid() == 0
}
