package config

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestHostileFiles: a file of the greatest length, made to be slow, is read or
// refused in a moment. The bound is wide: what it catches grows with the
// square of the length.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	fill := func(s string) string { return strings.Repeat(s, (MaxFileSize-100)/len(s)) }
	count := func(format string) string {
		var b strings.Builder
		for i := 0; b.Len() < MaxFileSize-200; i++ {
			fmt.Fprintf(&b, format, i, i+1)
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"mistakes":        fill("}\n"),
		"keys":            count("k%[1]d=1\n"),
		"sections":        count("[s%[1]d]\n"),
		"long name":       strings.Repeat("a", MaxFileSize-100) + "=1",
		"dots":            fill("a.") + "a=1",
		"deep":            "x=" + fill("["),
		"wide":            "x=[" + fill("1,") + "]",
		"one line":        "x={" + count("k%[1]d=1,") + "}",
		"blank lines":     fill("\n") + "x",
		"open quotes":     fill("\"\n"),
		"open lists":      fill("x=[\n"),
		"comments":        fill("#\n"),
		"long comment":    "#" + fill("é"),
		"secrets":         fill("password='x'\n"),
		"users":           "[users]\n" + count("u%[1]d={}\n"),
		"bad users":       "[users]\n" + count("U%[1]d={admn=1}\n"),
		"alias chain":     "[users]\nu={}\n[mail.aliases]\n" + count("a%d='a%d'\n"),
		"alias to nobody": "[users]\n" + count("u%[1]d={}\n")[:MaxFileSize/2-MaxFileSize/2%20] + "\n[mail.aliases]\n" + count("a%d='b%d'\n")[:MaxFileSize/3],
		"list sections":   fill("[[a]]\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			c, err := Parse(FileName, []byte("domain='a.test'\n"+text))
			if d := time.Since(start); d > 2*time.Minute {
				t.Errorf("it took %v", d)
			}
			if p, ok := err.(Problems); ok && (len(p) > MaxProblems+1 || len(p.Error()) > 100_000) {
				t.Errorf("%d problems of %d bytes", len(p), len(p.Error()))
			}
			if name == "users" {
				if err != nil {
					t.Fatal(err)
				}
				if len(c.Users) < 100_000 {
					t.Errorf("only %d users", len(c.Users))
				}
				if _, err := AddUser([]byte("domain='a.test'\n"+text), "zoe", true); err != nil {
					t.Errorf("add to %d users: %v", len(c.Users), err)
				}
			}
			t.Log(time.Since(start))
		})
	}
}
