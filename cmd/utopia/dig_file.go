package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxLine is the longest line of a file of questions, in octets.
const maxLine = 64 << 10

// file asks what the lines of the file of -f say, each with the arguments of a dig of its own. A line that is wrong
// does not stop those behind it.
func (d *digger) file(ctx context.Context, call *digCall) error {
	from := d.in
	if call.batch != "-" {
		f, err := os.Open(call.batch)
		if err != nil {
			return usage("-f: %w", err)
		}
		defer f.Close() // it was only read
		from = f
	}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.ContainsAny(words[0][:1], "#;") {
			continue
		}
		if err := d.line(ctx, call, words); err != nil {
			if ctx.Err() != nil || !isUsage(err) {
				return err
			}
			d.fail(words[0], fmt.Errorf("%s:%d: %w", call.batch, n, err))
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s: %w", call.batch, err)
	}
	return nil
}

func isUsage(err error) bool {
	var e *exit
	return errors.As(err, &e) && e.code == exitUsage
}

func (d *digger) line(ctx context.Context, call *digCall, words []string) error {
	one, err := parseDig(words, func([]string) (int, error) { return 0, nil }, call.base)
	switch {
	case err != nil:
		return err
	case one.batch != "" || one.help:
		return usage("-f and -h stand on the command line alone")
	}
	one.later = call.greeted
	defer func() { call.greeted = call.greeted || one.greeted }()
	for _, q := range one.questions {
		if err := d.question(ctx, one, q); err != nil {
			return err
		}
	}
	return nil
}

// jsonList prints results as they come: one alone as it is, and where there may be many, as an array.
type jsonList struct {
	to    io.Writer
	many  bool
	count int
	err   error
}

func (l *jsonList) add(v any) {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	before, indent := "", ""
	if l.many {
		before, indent = ",\n  ", "  "
		if l.count == 0 {
			before = "[\n  "
		}
	}
	out.SetIndent(indent, "  ")
	err := out.Encode(v)
	l.count++
	text := b.String()
	if l.many {
		text = strings.TrimSuffix(text, "\n")
	}
	if err == nil {
		_, err = io.WriteString(l.to, before+text)
	}
	l.err = errors.Join(l.err, err)
}

func (l *jsonList) end() {
	text := "\n]\n"
	if l.count == 0 {
		text = "[]\n"
	}
	_, err := io.WriteString(l.to, text)
	l.err = errors.Join(l.err, err)
}
