package crashtest

import (
	"fmt"
	"strings"
)

// maxTrace is how many lines of a boot are kept; the oldest go first.
const maxTrace = 2000

// call is a step as the trace shows it.
type call struct {
	op, path, to string
	off, length  int64 // of a write; off is the size of a truncate
}

func (c call) String() string {
	switch c.op {
	case "write":
		return fmt.Sprintf("write %s [%d:%d]", c.path, c.off, c.off+c.length)
	case "truncate":
		return fmt.Sprintf("truncate %s to %d", c.path, c.off)
	case "rename", "link":
		return c.op + " " + c.path + " -> " + c.to
	}
	return c.op + " " + c.path
}

// trace is what happened in one boot.
type trace struct {
	lines   []line
	cut     int // lines that were too many
	earlier func() string
}

type line struct {
	step  int // 0 for a note
	call  call
	fault Fault
	text  string
}

func (t *trace) add(step int, c call, f Fault) { t.append(line{step: step, call: c, fault: f}) }
func (t *trace) note(text string)              { t.append(line{text: text}) }

func (t *trace) append(l line) {
	if len(t.lines) == maxTrace {
		t.lines = t.lines[1:]
		t.cut++
	}
	t.lines = append(t.lines, l)
}

// text shows every call, with what came of it: fates names those steps whose changes were not synced.
func (t *trace) text(fates map[int]string) string {
	var b strings.Builder
	if t.earlier != nil {
		b.WriteString(t.earlier())
	}
	if t.cut > 0 {
		fmt.Fprintf(&b, "      … %d lines before\n", t.cut)
	}
	for _, l := range t.lines {
		if l.step == 0 {
			fmt.Fprintf(&b, "      %s\n", l.text)
			continue
		}
		text := fmt.Sprintf("%4d  %s", l.step, l.call)
		if l.fault != "" {
			text += ": " + string(l.fault) + ": " + l.fault.err().Error()
		}
		if fate := fates[l.step]; fate != "" {
			text = fmt.Sprintf("%-50s  %s", text, fate)
		}
		b.WriteString(text + "\n")
	}
	return b.String()
}

// Trace shows what was done on the disk, one line for each step, and the boots before this one. There, what had not been
// synced when the machine crashed is marked: LOST, kept, or in part.
func (d *Disk) Trace() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.trace.text(nil)
}
