package config

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse(FileName, []byte(text))
	if err != nil {
		t.Fatalf("\n%v\nin:\n%s", err, text)
	}
	return c
}

// problemsOf parses what must be wrong.
func problemsOf(t *testing.T, text string) Problems {
	t.Helper()
	_, err := Parse(FileName, []byte(text))
	var p Problems
	if !errors.As(err, &p) || len(p) == 0 {
		t.Fatalf("got %v, want Problems, for:\n%.200s", err, text)
	}
	return p
}

// TestGood compares what good files mean, and the warnings about them.
func TestGood(t *testing.T) {
	t.Parallel()
	for _, path := range files(t, "good/*.toml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			c, err := Parse(FileName, data)
			if err != nil {
				t.Fatal(err)
			}
			checkProblems(t, data, c.Warnings)
			shown := string(c.TOML())
			golden(t, strings.TrimSuffix(path, ".toml")+".want", shown+"\n"+Problems(c.Warnings).Error()+"\n")

			again := mustParse(t, shown)
			again.Warnings = c.Warnings
			if !reflect.DeepEqual(again, c) {
				t.Errorf("TOML() means something else:\n%+v\n%+v", again, c)
			}
		})
	}
}

func TestDesignExample(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/good/design.toml")
	if err != nil {
		t.Fatal(err)
	}
	c := mustParse(t, string(data))
	if c.Domain != "networkutopia.test" || len(c.Address) != 1 || c.Address[0] != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("domain %q, address %v", c.Domain, c.Address)
	}
	want := []User{{Name: "alice", Admin: true, Quota: 5e9}, {Name: "bob"}}
	if !reflect.DeepEqual(c.Users, want) {
		t.Errorf("users %+v", c.Users)
	}
	if u, ok := c.User("alice"); !ok || u != want[0] {
		t.Errorf("alice is %+v, %v", u, ok)
	}
	if _, ok := c.User("carol"); ok {
		t.Error("carol is there")
	}
	if c.Web.Cache != 1e9 || c.Mail.Aliases["info"] != "alice" || c.FTP.Publish != "www/files" || c.P2P.Seed != "www/files" {
		t.Errorf("%+v", c)
	}
	if len(c.Warnings) != 6 {
		t.Errorf("%d warnings, want 6: quota, recursive-for, cache, mail, ftp, p2p", len(c.Warnings))
	}
}

func TestWarningsOnlyForWhatRuns(t *testing.T) {
	t.Parallel()
	c := mustParse(t, "domain = 'a.test'\n[mail]\nenabled = false\n[ftp]\nenabled = false\npublish = 'x'\n[dns]\nenabled = false\nrecursive-for = ['10.0.0.0/8']\n")
	if len(c.Warnings) != 0 {
		t.Errorf("%v", c.Warnings)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)

	_, err := Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	var p Problems
	if errors.As(err, &p) {
		t.Error("a file that is not there is no problem of the file")
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}

	if err := os.WriteFile(path, []byte("domain = 'a.test'\n[web]\nroot = 'data'"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Load(path)
	if !errors.As(err, &p) || p[0].File != path || p[0].Line != 3 {
		t.Errorf("got %v", err)
	}

	// A path in full into data/ is seen too, for the folder is known.
	text := fmt.Sprintf("domain = 'a.test'\n[web]\nroot = %q\n", filepath.Join(dir, "data", "x"))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = Load(path); !errors.As(err, &p) || !strings.Contains(p[0].Message, "inside data/") {
		t.Errorf("got %v", err)
	}

	if err := os.WriteFile(path, []byte("domain = 'a.test'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.Dir() != dir {
		t.Errorf("Dir() = %q, want %q", c.Dir(), dir)
	}
}

func TestLoadTooLong(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), FileName)
	text := append([]byte("domain = 'a.test'\n#"), bytes.Repeat([]byte{'x'}, MaxFileSize)...)
	for _, tt := range []struct {
		size int
		ok   bool
	}{{MaxFileSize, true}, {MaxFileSize + 1, false}} {
		if err := os.WriteFile(path, text[:tt.size], 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		if ok := err == nil; ok != tt.ok {
			t.Errorf("%d bytes: %v", tt.size, err)
		}
		if err != nil && err.Error() != path+": the file is longer than 1 MiB" {
			t.Errorf("%v", err)
		}
	}
}

// TestLimits has each limit at its edge and one past it.
func TestLimits(t *testing.T) {
	t.Parallel()
	domain := func(n int) string {
		return "domain = '" + strings.Repeat("a23456789.", 40)[:n-4] + "test'\n"
	}
	list := func(n int, before string) string {
		items := make([]string, n)
		for i := range items {
			items[i] = fmt.Sprintf("'10.0.%d.%d'", i/256, i%256)
		}
		return "domain = 'a.test'\n" + before + " = [" + strings.Join(items, ",") + "]\n"
	}
	chain := func(n int) string {
		var b strings.Builder
		b.WriteString("domain = 'a.test'\n[users]\nu = {}\n[mail.aliases]\na = 'u'\n")
		for i := range n {
			fmt.Fprintf(&b, "%s = '%s'\n", strings.Repeat("a", i+2), strings.Repeat("a", i+1))
		}
		return b.String()
	}
	table := func(n int, header, entry string) string {
		var b strings.Builder
		b.WriteString("domain = 'a.test'\n" + header + "\n")
		for i := range n {
			fmt.Fprintf(&b, entry, i)
		}
		return b.String()
	}
	zones := func(n int) string { return table(n, "[dns.zones]", "z%d = { file = 'x' }\n") }
	keys := func(n int) string { return table(n, "[dns.keys]", "k%d = { file = 'x' }\n") }
	secret := func(n int) string {
		return "domain = 'a.test'\n[dns.keys]\nk = { secret = '" + base64.StdEncoding.EncodeToString(make([]byte, n)) + "' }\n"
	}
	tests := []struct {
		name string
		text func(n int) string
		max  int
		want string
	}{
		{"domain", domain, MaxDomain, "at most 200 characters"},
		{"label", func(n int) string { return "domain = '" + strings.Repeat("a", n) + ".test'\n" }, 63, "at most 63 characters"},
		{"user", func(n int) string { return "domain = 'a.test'\n[users]\n" + strings.Repeat("a", n) + " = {}\n" }, MaxUserName, "at most 32 characters"},
		{"list", func(n int) string { return list(n, "web.index") }, MaxList, "at most 256 items"},
		{"addresses", func(n int) string { return list(n, "address") }, MaxAddresses, "at most 60 addresses together"},
		{"text", func(n int) string { return "domain = 'a.test'\n[web]\nroot = '" + strings.Repeat("a", n) + "'\n" }, MaxText, "at most 4096 bytes"},
		{"alias chain", chain, MaxAliasSteps, "more than 10 others"},
		{"port-offset", func(n int) string { return fmt.Sprintf("domain = 'a.test'\nport-offset = %d\n", n) }, 53535, "ports end at 65535"},
		{"connections", func(n int) string { return fmt.Sprintf("domain = 'a.test'\n[limits]\nconnections = %d\n", n) }, 1000000, "at most 1000000"},
		{"zones", zones, MaxZones, "at most 1000 zones"},
		{"keys", keys, MaxKeys, "at most 256 keys"},
		{"secret", secret, MaxSecret, "at most 512 octets"},
		{"zone name", func(n int) string {
			return "domain = 'a.test'\n[dns.zones]\n'" + strings.Repeat("a23456789.", 40)[:n-1] + "a' = { file = 'x' }\n"
		}, MaxDomain, "at most 200 characters"},
		{"ttl", func(n int) string { return fmt.Sprintf("domain = 'a.test'\n[dns]\nttl = '%ds'\n", n) }, 7 * 86400, "at most 7d"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mustParse(t, tt.text(tt.max))
			p := problemsOf(t, tt.text(tt.max+1))
			if !strings.Contains(p[0].Message, tt.want) {
				t.Errorf("one past it: %s", p[0].Message)
			}
		})
	}
}

func TestDepth(t *testing.T) {
	t.Parallel()
	for _, form := range []func(n int) string{
		func(n int) string { return "x = " + strings.Repeat("[", n-1) + "1" + strings.Repeat("]", n-1) },
		func(n int) string { return strings.Repeat("x.", n-1) + "x = 1" },
		func(n int) string { return "[" + strings.Repeat("x.", n-1) + "x]" },
		func(n int) string { return "x = " + strings.Repeat("{ x = ", n-1) + "1" + strings.Repeat("}", n-1) },
	} {
		for _, n := range []int{MaxDepth, MaxDepth + 1} {
			p := problemsOf(t, "domain = 'a.test'\n"+form(n))
			if deep := strings.Contains(p.Error(), tooDeep); deep != (n > MaxDepth) {
				t.Errorf("%d deep: %v", n, p)
			}
		}
	}
}

func TestProblemLimit(t *testing.T) {
	t.Parallel()
	text := func(n int) string {
		var b strings.Builder
		b.WriteString("domain = 'a.test'\n")
		for i := range n {
			fmt.Fprintf(&b, "x%d = 1\n", i)
		}
		return b.String()
	}
	if p := problemsOf(t, text(MaxProblems)); len(p) != MaxProblems {
		t.Errorf("%d problems", len(p))
	}
	p := problemsOf(t, text(MaxProblems+7))
	if len(p) != MaxProblems+1 || p[MaxProblems].Message != "there are 7 more problems" {
		t.Errorf("%d problems, the last: %s", len(p), p[len(p)-1])
	}
}

func TestOffset(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text       string
		privileged bool
		want       int
	}{
		{"domain = 'a.test'", true, 8000},
		{"domain = 'a.test'", false, 8000},
		{"domain = 'a.TEST.'", true, 8000},
		{"domain = 'a.org'", true, 0},
		{"domain = 'a.org'", false, 8000},
		{"domain = 'latest.org'", true, 0},
		{"domain = 'a.atest'", true, 0},
		{"domain = 'a.test'\nport-offset = 0", true, 0},
		{"domain = 'a.org'\nport-offset = 5", false, 5},
	} {
		if got := mustParse(t, tt.text).Offset(tt.privileged); got != tt.want {
			t.Errorf("%s, privileged %v: %d, want %d", tt.text, tt.privileged, got, tt.want)
		}
	}
}

func TestStandardPorts(t *testing.T) {
	t.Parallel()
	seen := map[int]string{}
	last := 0
	sections := map[string]bool{}
	for _, s := range Sections() {
		sections[s.Name] = true
	}
	for _, p := range StandardPorts() {
		if seen[p.Number] != "" {
			t.Errorf("%s and %s are both on port %d", seen[p.Number], p.Name, p.Number)
		}
		seen[p.Number] = p.Name
		if p.Number < last {
			t.Errorf("%d comes after %d", p.Number, last)
		}
		last = p.Number
		if !sections[p.Section] {
			t.Errorf("%s: there is no section %s", p.Name, p.Section)
		}
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	c, err := Parse("/etc/x/utopia.toml", []byte("domain = 'a.test'"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"www": "/etc/x/www", "./a/../b": "/etc/x/b", "/srv": "/srv", "../y": "/etc/y", "": "",
	} {
		if got := c.Resolve(path); got != want {
			t.Errorf("Resolve(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	c := mustParse(t, "domain = 'a.test'\naddress = ['10.0.0.1']")
	if got := fmt.Sprint(c.PublicAddresses()); got != "[10.0.0.1]" {
		t.Error(got)
	}
	c = mustParse(t, "domain = 'a.test'\naddress = ['0.0.0.0']\ndns.public-address = ['192.0.2.1']")
	if got := fmt.Sprint(c.PublicAddresses()); got != "[192.0.2.1]" {
		t.Error(got)
	}
}

func TestEnabled(t *testing.T) {
	t.Parallel()
	for _, s := range Sections() {
		if s.Kind != KindTable || s.Name == "log" || s.Name == "limits" {
			continue
		}
		if !mustParse(t, "domain = 'a.test'").Enabled(s.Name) {
			t.Errorf("%s is off by default", s.Name)
		}
		if mustParse(t, "domain = 'a.test'\n["+s.Name+"]\nenabled = false").Enabled(s.Name) {
			t.Errorf("%s stays on", s.Name)
		}
	}
	if !(&Config{}).Enabled("log") {
		t.Error("what has no switch is off")
	}
}

func TestMarshalJSON(t *testing.T) {
	t.Parallel()
	c := mustParse(t, "domain = 'a.test'\n[users]\nbob = { quota = '1 GB' }\n[dns]\nttl = '90s'")
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"bob":{"quota":"1 GB"}`, `"ttl":"90s"`, `"ttl":"1m30s"`, `"address":["127.0.0.1"]`, `"hidden-files":false`} {
		if found := bytes.Contains(data, []byte(part)); found == (part == `"ttl":"90s"`) {
			t.Errorf("%s: found is %v in %s", part, found, data)
		}
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		path, folder string
		want         bool
	}{
		{"data", "data", true}, {"data/x", "data", true}, {"data", ".", true}, {"data", "..", true},
		{"data", "../..", true}, {"database", "data", false}, {"..data", "data", false}, {"data/../x", "data", false},
		{"../x", "data", false}, {"../data", "data", false}, {"data", "../data", false}, {"../../a/b", "../..", true},
		{"/a/b", "/a", true}, {"/a", "/a/b", false}, {"/a", "a", false}, {"a", "/", false}, {"../a/b", "../a", true},
	} {
		if got := within(tt.path, tt.folder); got != tt.want {
			t.Errorf("within(%q, %q) = %v", tt.path, tt.folder, got)
		}
	}
}

func TestConsoleAddress(t *testing.T) {
	for text, want := range map[string]string{
		`address = ["127.0.0.2"]`:                                       "127.0.0.2",
		`address = ["192.0.2.1", "127.0.0.3"]`:                          "127.0.0.3",
		`address = ["192.0.2.1"]`:                                       "127.0.0.1",
		"address = [\"127.0.0.2\"]\n[console]\naddress = \"127.0.0.9\"": "127.0.0.9",
		"address = [\"192.0.2.1\"]\n[console]\naddress = \"::1\"\n":     "::1",
	} {
		c, err := Parse("utopia.toml", []byte("domain = \"a.test\"\n"+text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := c.ConsoleAddress().String(); got != want {
			t.Errorf("%s: the console is at %s, want %s", text, got, want)
		}
	}
}
