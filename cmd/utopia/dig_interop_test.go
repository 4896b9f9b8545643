package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/leftout"
)

// These tests hold the layouts of utopia dig and utopia nslookup to those of the programs of that name, octet for octet,
// on the same answers.

// foreign runs a foreign program.
func foreign(t *testing.T, name string, args ...string) (out string, code int) {
	t.Helper()
	return foreignWith(t, nil, name, args...)
}

func foreignWith(t *testing.T, in io.Reader, name string, args ...string) (out string, code int) {
	t.Helper()
	path := leftout.Without(t, name)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, path, args...)
	c.Env = append(os.Environ(), "HOME="+t.TempDir(), "LC_ALL=C") // no .digrc
	var printed bytes.Buffer
	c.Stdin, c.Stdout = in, &printed
	if err := c.Run(); err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	return printed.String(), c.ProcessState.ExitCode()
}

var changing = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`, id: \d+\n`), ", id: N\n"},
	{regexp.MustCompile(`Query time: \d+ msec`), "Query time: N msec"},
	{regexp.MustCompile(`(;; WHEN: )\w{3} \w{3} \d\d \d\d:\d\d:\d\d (\w+) \d{4}\n`), "${1}DATE $2\n"},
	{regexp.MustCompile(`; <<>> .*? <<>> .*\n`), "; <<>> NAME <<>> ARGS\n"},
	{regexp.MustCompile(`in \d+ ms`), "in N ms"},
	{regexp.MustCompile(`(COOKIE: )[0-9a-f]{16}`), "${1}N"},
}

func unchanging(text string) string {
	for _, c := range changing {
		text = c.pattern.ReplaceAllString(text, c.with)
	}
	return text
}

// differ says where two texts part: the first line that is not the same.
func differ(ours, theirs string) string {
	a, b := strings.Split(ours, "\n"), strings.Split(theirs, "\n")
	for i := range max(len(a), len(b)) {
		one, other := "(nothing)", "(nothing)"
		if i < len(a) {
			one = a[i]
		}
		if i < len(b) {
			other = b[i]
		}
		if one != other {
			return fmt.Sprintf("line %d:\nutopia %q\nreal   %q", i+1, one, other)
		}
	}
	return ""
}

func TestDigLayoutIsDigs(t *testing.T) {
	t.Parallel()
	port := testServer(t, example(t))
	for _, line := range []string{
		"www", "mx MX", "txt TXT", "alias", "soa SOA", "ctl CNAME", "signed ANY", "nx", "nodata", "refused", "formerr",
		"options", "cut", "cached", "a-name-that-goes-past-the-column-of-the-class AAAA",
		"abcdefghi", "abcdefghij", "abcdefghijk", "abcdefghijklmnopq", "abcdefghijklmnopqr", "abcdefghijklmnopqrs",
		"www +short", "signed +short ANY", "txt +short TXT", "alias +short", "nx +short", "options +short", "cut +short",
		"www +noall", "www +noall +answer", "www +noall +comments", "www +nocomments", "www +noquestion", "www +nostats",
		"www +nocmd", "www +noauthority +noadditional", "www +noanswer", "www +short +all", "www +all +short",
		"www +short +noshort", "www +noall +short", "www +short +noanswer", "nx +nocomments", "options +nocomments",
		"www +noedns", "www +dnssec", "www +nsid", "www +tcp", "www +norecurse", "www +cdflag", "cut +ignore", "formerr +dnssec",
		"formerr +noedns", "www ANY +notcp", "www TYPE65280",
		"soa SOA +multiline", "signed ANY +multi", "keys ANY +multi", "keys ANY", "keys ANY +rrcomments", "keys ANY +nosplit",
		"keys ANY +split=20", "keys ANY +multi +split=0", "keys ANY +multi +norrcomments", "soa SOA +multi +norrcomments",
		"keys ANY +nocrypto", "signed ANY +nocrypto", "signed ANY +short +rrcomments", "keys ANY +short +multi",
		"signed ANY +short +nosplit", "a-name-that-goes-past-the-column-of-the-class AAAA +multi", "txt TXT +multi",
		"keys ANY +nottl", "keys ANY +noclass", "keys ANY +nottlid +noclass", "keys ANY +ttlunits", "keys ANY +ttlunits +multi",
		"www +qr", "www +qr +nocomments", "www +qr +noquestion", "www +qr +noall", "www +qr +short", "www +qr +noedns", "www +qr +cd +norec",
		"www +identify +short", "www +identify +nostats", "www +noall +identify", "www +identify",
		"www +nsid +qr", "www +subnet=192.0.2.77/25 +qr", "www +subnet=2001:db8::/33 +qr", "www +subnet=0 +qr",
		"www +ednsflags=0x40 +qr", "www +ednsopt=65001:abcd +ednsopt=nsid +qr", "www +ednsopt=nsid +noednsopt +qr",
		"www +opcode=status +qr", "www +opcode=4 +qr", "www +opcode=notify +noopcode",
		"example AXFR", "example AXFR +short", "example AXFR +multi", "example AXFR +qr", "example AXFR +question", "example AXFR +comments",
		"example AXFR +nocmd +nostats", "example AXFR +identify +nostats", "example AXFR +noall +answer", "example AXFR +all", "example AXFR +all +qr", "www +qr +nostats", "example IXFR=1 +qr +all", "signed ANY +multi +nocrypto", "keys ANY +multi +nocrypto",
		"example IXFR=1", "example ixfr=2026112201", "example IXFR=1 +notcp",
	} {
		words := strings.Fields(line)
		words[0] += ".example.test"
		if words[0] == "example.example.test" {
			words[0] = "example.test"
		}
		args := append([]string{"@127.0.0.1", "-p", port}, words...)
		args = append([]string{"+nocookie"}, args...) // of which the octets differ each time; those have a test of their own
		want, wantCode := foreign(t, "dig", args...)
		got, errors, code := runHere(t, append([]string{"dig"}, args...)...)
		if diff := differ(unchanging(got), unchanging(want)); diff != "" || code != wantCode || errors != "" {
			t.Errorf("%s: exit %d and %d, %q, %s", line, code, wantCode, errors, diff)
		}
	}
	for _, args := range [][]string{{}, {"-x", "192.0.2.1"}, {"-x", "2001:db8::1", "TXT"}, {"-q", "mx", "-t", "txt", "-c", "in"}} {
		args = append([]string{"@127.0.0.1", "-p", port}, args...)
		want, _ := foreign(t, "dig", append([]string{"+nocookie"}, args...)...)
		if got, _, _ := runHere(t, append([]string{"dig"}, args...)...); unchanging(got) != unchanging(want) {
			t.Errorf("%q: utopia dig printed\n%s\ndig printed\n%s", args, got, want)
		}
	}
}

// Several questions in a line and in a file, and which options hold for which.
func TestDigManyQuestionsAreDigs(t *testing.T) {
	t.Parallel()
	port := testServer(t, example(t))
	file := filepath.Join(t.TempDir(), "questions")
	// dig takes comments and empty lines for questions; those are left to TestDigFile.
	const lines = "www.example.test\nmx.example.test MX +nostats\n+nocomments txt.example.test TXT\n"
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"www mx MX", "+short www mx MX", "www mx MX +short", "+noall +answer www mx MX txt TXT", "MX mx alias", "MX mx www A",
		"www +noall +answer mx MX +nocomments", "-q www.example.test -q mx.example.test -t MX", "-x 192.0.2.1 www +noall +answer",
		"www @127.0.0.1 mx MX +nocmd", "+qr www mx", "+nocmd www mx", "www nx nodata +nostats", "+tcp www txt TXT +notcp",
		"-f FILE", "-f FILE www", "+noall +answer -f FILE", "+nocookie", "example AXFR www",
	} {
		words := strings.Fields(line)
		for i, w := range words {
			switch {
			case w == "FILE":
				words[i] = file
			case w == "example":
				words[i] = "example.test"
			case strings.ToLower(w) == w && strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") == "":
				words[i] += ".example.test"
			}
		}
		args := append([]string{"+nocookie", "@127.0.0.1", "-p", port}, words...)
		want, _ := foreign(t, "dig", args...)
		got, errors, code := runHere(t, append([]string{"dig"}, args...)...)
		if diff := differ(unchanging(got), unchanging(want)); diff != "" || code != 0 || errors != "" {
			t.Errorf("%s: exit %d, %q, %s", line, code, errors, diff)
		}
	}
}

// A transfer that is refused, and cookies: what dig says of them.
func TestDigRefusalsAndCookiesAreDigs(t *testing.T) {
	t.Parallel()
	port := testServer(t, example(t))
	for line, code := range map[string]int{
		"refused.example.test AXFR": 1, "refused.example.test AXFR +nocmd": 1, "refused.example.test IXFR=1": 1,
		"cookie.example.test": 0, "cookie.example.test +cookie=0123456789abcdef": 0, "cookie.example.test +qr": 0, "www.example.test +qr": 0,
		"cookie.example.test +cookie=0123456789abcdef0123456789abcdef +qr": 0, "cookie.example.test +nocookie": 0,
	} {
		args := append([]string{"@127.0.0.1", "-p", port}, strings.Fields(line)...)
		want, _ := foreign(t, "dig", args...)
		got, errors, ended := runHere(t, append([]string{"dig"}, args...)...)
		if diff := differ(unchanging(got), unchanging(want)); diff != "" || ended != code || (errors != "") != (code != 0) {
			t.Errorf("%s: exit %d, %q, %s", line, ended, errors, diff)
		}
	}
}

func TestNslookupLayoutIsNslookups(t *testing.T) {
	t.Parallel()
	port := testServer(t, example(t))
	for _, line := range []string{
		"www", "-type=A www", "-query=MX mx", "-type=TXT txt", "-querytype=SOA soa", "alias", "-type=AAAA alias", "nx", "nodata",
		"-type=MX nodata", "refused", "-type=NS cached", "cached", "-type=ANY signed", "ctl", "cut", "-vc cut", "formerr",
		"-type=MX nx", "-norecurse www", "192.0.2.1", "2001:db8::1", "-type=PTR 192.0.2.1", "-type=A 192.0.2.1",
	} {
		words := strings.Fields(line)
		if last := &words[len(words)-1]; !strings.ContainsAny(*last, ".:") {
			*last += ".example.test"
		}
		args := append(append([]string{"-port=" + port}, words...), "127.0.0.1")
		want, wantCode := foreign(t, "nslookup", args...)
		got, errors, code := runHere(t, append([]string{"nslookup"}, args...)...)
		if got != want || code != wantCode || errors != "" {
			t.Errorf("%s: exit %d and %d, %q\nutopia nslookup printed\n%q\nnslookup printed\n%q", line, code, wantCode, errors, got, want)
		}
	}
}

// A conversation goes as with the program of that name, but for what it says about errors and of what it has not.
func TestNslookupTalkIsNslookups(t *testing.T) {
	t.Parallel()
	port := testServer(t, example(t))
	for _, lines := range []string{
		"www.example.test", "set type=MX\nmx.example.test\nset q=txt\ntxt.example.test", "nx.example.test", "nx.example.test\nwww.example.test",
		"set domain=example.test\nset type=A\nwww\nwww.example.test.", "set debug\nset type=ANY\nsigned.example.test\nset type=SOA\nsoa.example.test",
		"set debug\nset type=AAAA\nalias.example.test\nset type=NS\ncached.example.test\nset nodebug\nset type=A\nnodata.example.test",
		"set vc\ncut.example.test\nset novc\ncut.example.test", "192.0.2.1\n2001:db8::1", "www.example.test 127.0.0.1",
		"set timeout=3\nset retry=2\nset norecurse\nset vc\nset domain=example.test\nset type=NS\nset all",
		"server 127.0.0.1", "exit\nwww.example.test",
	} {
		file, err := os.CreateTemp(t.TempDir(), "lines")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		file.WriteString(lines + "\n")
		file.Seek(0, 0)
		want, wantCode := foreignWith(t, file, "nslookup", "-port="+port, "-", "127.0.0.1")
		got, errors, code := converse(t, lines, "-port="+port, "-", "127.0.0.1")
		if looked := strings.Contains(want, "Server:\t"); !looked {
			wantCode = code // which it gives to a conversation in which nothing was asked
		}
		if diff := differ(got, want); diff != "" || code != wantCode {
			t.Errorf("%q: exit %d and %d, %q, %s", lines, code, wantCode, errors, diff)
		}
	}
}
