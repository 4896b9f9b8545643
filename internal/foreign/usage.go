package foreign

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the times in /proc/PID/stat: USER_HZ is 100 on every machine that Go runs Linux on.
const tick = time.Second / 100

// Usage is what a process and all that descends from it cost.
type Usage struct {
	CPU    time.Duration // in the program and in the kernel on its behalf, in steps of 10 ms
	Memory int64         // octets resident now; a page that several of them share counts once
	Peak   int64         // octets that the largest of them had resident at once
}

// UsageOf reads the usage of a process and its descendants, those that have ended and were waited for included.
func UsageOf(pid int) (Usage, error) {
	processes, err := family(pid)
	if err != nil {
		return Usage{}, err
	}
	var u Usage
	for _, p := range processes {
		u.CPU += p.cpu
		dir := filepath.Join("/proc", strconv.Itoa(p.pid))
		// A child may end meanwhile; then its memory is free.
		u.Memory += kilobytes(filepath.Join(dir, "smaps_rollup"), "Pss:")
		u.Peak = max(u.Peak, kilobytes(filepath.Join(dir, "status"), "VmHWM:"))
	}
	return u, nil
}

// CPUOf reads the CPU time alone, which is cheaper.
func CPUOf(pid int) (time.Duration, error) {
	processes, err := family(pid)
	if err != nil {
		return 0, err
	}
	var cpu time.Duration
	for _, p := range processes {
		cpu += p.cpu
	}
	return cpu, nil
}

type process struct {
	pid, parent int
	cpu         time.Duration
}

// family lists a process and its descendants.
func family(pid int) ([]process, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("foreign: this system has no /proc")
	}
	children := map[int][]process{}
	var found []process
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it ended
		}
		p, err := parseStat(text)
		if err != nil {
			return nil, err
		}
		if p.pid == pid {
			found = append(found, p)
		}
		children[p.parent] = append(children[p.parent], p)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("foreign: no process %d", pid)
	}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].pid]...)
	}
	return found, nil
}

// parseStat reads /proc/PID/stat. The program's name, the second field, may hold anything, parentheses too.
func parseStat(text []byte) (process, error) {
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return process{}, fmt.Errorf("foreign: not a line of /proc/PID/stat: %q", text)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:open])))
	fields := strings.Fields(string(text[end+1:]))
	const parent, utime, cstime = 1, 11, 14 // behind the name; utime, stime, cutime and cstime follow each other
	if err != nil || len(fields) <= cstime {
		return process{}, fmt.Errorf("foreign: not a line of /proc/PID/stat: %q", text)
	}
	p := process{pid: pid}
	if p.parent, err = strconv.Atoi(fields[parent]); err != nil {
		return process{}, fmt.Errorf("foreign: not a line of /proc/PID/stat: %q", text)
	}
	for _, f := range fields[utime : cstime+1] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return process{}, fmt.Errorf("foreign: not a line of /proc/PID/stat: %q", text)
		}
		p.cpu += time.Duration(n) * tick
	}
	return p, nil
}

// kilobytes reads a line such as "VmHWM:  1234 kB"; 0 when it is not there.
func kilobytes(file, key string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return n << 10
		}
	}
	return 0
}
