package zone

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/network-utopia/utopia/dns"
)

// directiveGenerate makes records from a pattern, as BIND does:
//
//	$GENERATE 1-254 host-$ A 192.0.2.$
//	$GENERATE 0-15/5 h${100,4,x} 300 CNAME h$
//
// A $ stands for the number; ${offset,width,base} adds an offset, pads with
// zeros, and writes in base d, o, x or X, or in nibbles n or N, as reverse zones
// of IPv6 have them; \$ or $$ is a dollar sign.
func (f *file) directiveGenerate(e entry, args []token) error {
	if len(args) < 4 {
		return f.problem(e.tokens[0], e, "$GENERATE wants start-stop[/step], owner, type and data")
	}
	g, err := parseRange(string(args[0].text))
	if err != nil {
		return f.problem(args[0], e, "%v", err)
	}
	if n := (g.stop-g.start)/g.step + 1; n > int64(f.opts.MaxGenerate) {
		return f.problem(args[0], e, "makes %d records; %d is the most", n, f.opts.MaxGenerate)
	}
	for i := g.start; i <= g.stop; i += g.step {
		made := make([]token, len(args)-1)
		for k, t := range args[1:] {
			text, err := substitute(string(t.text), i)
			if err != nil {
				return f.problem(t, e, "%v", err)
			}
			made[k] = token{[]byte(text), t.line, t.column}
		}
		owner, err := dns.ParseName(string(made[0].text), f.origin)
		if err != nil {
			return f.problem(args[1], e, "owner: %s", reason(err))
		}
		before := len(f.problems)
		if err := f.add(entry{tokens: made}, owner, made[1:]); err != nil {
			return err
		}
		if len(f.problems) > before {
			return nil // the other records are wrong in the same way
		}
	}
	return nil
}

type numberRange struct{ start, stop, step int64 }

func parseRange(s string) (numberRange, error) {
	bad := fmt.Errorf("%q is no range: want start-stop or start-stop/step", shorten(s, 40))
	span, step, hasStep := strings.Cut(s, "/")
	from, to, ok := strings.Cut(span, "-")
	if !ok {
		return numberRange{}, bad
	}
	g := numberRange{step: 1}
	var err error
	if g.start, err = parseNumber(from); err != nil {
		return numberRange{}, bad
	}
	if g.stop, err = parseNumber(to); err != nil || g.stop < g.start {
		return numberRange{}, bad
	}
	if hasStep {
		if g.step, err = parseNumber(step); err != nil || g.step == 0 {
			return numberRange{}, bad
		}
	}
	return g, nil
}

func parseNumber(s string) (int64, error) {
	v, err := strconv.ParseUint(s, 10, 31)
	return int64(v), err
}

// substitute puts a number into a pattern.
func substitute(pattern string, i int64) (string, error) {
	var b strings.Builder
	for s := pattern; s != ""; {
		switch {
		case strings.HasPrefix(s, `\$`), strings.HasPrefix(s, "$$"):
			b.WriteString(`\$`)
			s = s[2:]
		case s[0] == '\\' && len(s) > 1:
			b.WriteString(s[:2])
			s = s[2:]
		case strings.HasPrefix(s, "${"):
			spec, rest, ok := strings.Cut(s[2:], "}")
			if !ok {
				return "", errors.New("${ without its }")
			}
			text, err := formatNumber(spec, i)
			if err != nil {
				return "", err
			}
			b.WriteString(text)
			s = rest
		case s[0] == '$':
			b.WriteString(strconv.FormatInt(i, 10))
			s = s[1:]
		default:
			b.WriteByte(s[0])
			s = s[1:]
		}
	}
	return b.String(), nil
}

// maxWidth is the widest number that ${offset,width,base} makes: no label is
// longer.
const maxWidth = dns.MaxLabelLen

func formatNumber(spec string, i int64) (string, error) {
	fields := strings.Split(spec, ",")
	bad := fmt.Errorf("${%s}: want ${offset,width,base} with base d, o, x, X, n or N, and a result of 0 or more", shorten(spec, 40))
	if len(fields) > 3 {
		return "", bad
	}
	offset, err := strconv.ParseInt(fields[0], 10, 32)
	if err != nil || i+offset < 0 {
		return "", bad
	}
	width := uint64(0)
	if len(fields) > 1 {
		if width, err = strconv.ParseUint(fields[1], 10, 8); err != nil || width > maxWidth {
			return "", bad
		}
	}
	base := "d"
	if len(fields) > 2 {
		base = fields[2]
	}
	switch base {
	case "d", "o", "x", "X":
		return fmt.Sprintf("%0*"+base, int(width), i+offset), nil
	case "n":
		return nibbles("x", int(width), i+offset), nil
	case "N":
		return nibbles("X", int(width), i+offset), nil
	}
	return "", bad
}

// nibbles writes a number in hexadecimal digits, the lowest first and a dot
// between two. The dots count in the width, and so the last may be one.
func nibbles(base string, width int, v int64) string {
	var b strings.Builder
	for b.Len() == 0 || v > 0 || b.Len() < width {
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		if v > 0 || b.Len() == 0 || b.Len() < width {
			fmt.Fprintf(&b, "%"+base, v&15)
		}
		v >>= 4
	}
	return b.String()
}
