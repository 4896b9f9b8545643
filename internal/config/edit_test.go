package config

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const head = "domain = 'a.test'\n"

func TestAddUser(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, before, after string
		admin               bool
	}{
		{"no section", "", "\n[users]\nzoe = {}\n", false},
		{"no section, no line end", "# end", "# end\n\n[users]\nzoe = {}\n", false},
		{"admin", "[users]\n", "[users]\nzoe = { admin = true }\n", true},
		{"empty section, no line end", "[users]", "[users]\nzoe = {}", false},
		{"section with comments", "[users] # who\n# of us\n\n# web\n[web]\n", "[users] # who\n# of us\nzoe = {}\n\n# web\n[web]\n", false},
		{"comment at the end", "[users]\n# nobody", "[users]\n# nobody\nzoe = {}", false},
		{"after the last", "[users]\na = {} # first\n  b = {} # second\n\n[web]\n", "[users]\na = {} # first\n  b = {} # second\n  zoe = {}\n\n[web]\n", false},
		{"after the last, no line end", "[users]\na = {} # first", "[users]\na = {} # first\nzoe = {}", false},
		{"after a long one", "[users]\na = {\n admin = true,\n} # x\n# y\n", "[users]\na = {\n admin = true,\n} # x\nzoe = {}\n# y\n", false},
		{"dotted in the section", "[users]\na.admin = true\n", "[users]\na.admin = true\nzoe = {}\n", false},
		{"inline", "users = { a = {} }\n", "users = { a = {}, zoe = {} }\n", false},
		{"inline, empty", "users = {}\n", "users = { zoe = {} }\n", false},
		{"inline, blank", "users = { }\n", "users = { zoe = {} }\n", false},
		{"inline, comma at the end", "users = {\n a = {}, # x\n}\n", "users = {\n a = {}, zoe = {}, # x\n}\n", false},
		{"inline, dotted", "users = { a.admin = true, b = {}, a.quota = '1 MB' }\n", "users = { a.admin = true, b = {}, a.quota = '1 MB', zoe = {} }\n", false},
		{"inline, a comma in a text", "users = { a = {}, } # ,\n", "users = { a = {}, zoe = {}, } # ,\n", false},
		{"dotted", "users.a = {}\nusers.b.admin = true # b\n[web]\n", "users.a = {}\nusers.b.admin = true # b\nusers.zoe = {}\n[web]\n", false},
		{"sections of their own", "[users.a]\nadmin = true # a\n\n[web]\n", "[users.a]\nadmin = true # a\n\n[users.zoe]\nadmin = true\n\n[web]\n", true},
		{"sections of their own, empty", "[users.a]", "[users.a]\n\n[users.zoe]", false},
		{"both", "[users.a]\n[web]\n[users]\nb = {}\n", "[users.a]\n[web]\n[users]\nb = {}\nzoe = {}\n", false},
		{"in quotes", "[ \"users\" ]\n'a' = {}\n", "[ \"users\" ]\n'a' = {}\nzoe = {}\n", false},
		{"CRLF", "[users]\r\na = {}\r\n[web]\r\n", "[users]\r\na = {}\r\nzoe = {}\r\n[web]\r\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before := head + tt.before
			if strings.Contains(tt.before, "\r\n") {
				before = strings.TrimSuffix(head, "\n") + "\r\n" + tt.before
			}
			got, err := AddUser([]byte(before), "zoe", tt.admin)
			if err != nil {
				t.Fatal(err)
			}
			if want := before[:len(before)-len(tt.before)] + tt.after; string(got) != want {
				t.Errorf("got:\n%q\nwant:\n%q", got, want)
			}
		})
	}
}

func TestRemoveUser(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, before, after string }{
		{"a line", "[users]\na = {}\nzoe = {} # gone\n# stays\nb = {}\n", "[users]\na = {}\n# stays\nb = {}\n"},
		{"the last line", "[users]\na = {}\nzoe = {}", "[users]\na = {}\n"},
		{"several lines", "[users]\nzoe = {\n admin = true,\n}\nb = {}\n", "[users]\nb = {}\n"},
		{"dotted lines", "[users]\nzoe.admin = true\nb = {}\nzoe.quota = '1 MB'\n", "[users]\nb = {}\n"},
		{"dotted at the top", "users.zoe.admin = true\nusers.b = {}\n", "users.b = {}\n"},
		{"a section", "[users.a]\n# of a\n[users.zoe] # gone\n# stays\nadmin = true\n\nquota = '1 MB'\n[web]\n", "[users.a]\n# of a\n# stays\n\n[web]\n"},
		{"inline, the first", "users = { zoe = {}, b = {} }\n", "users = { b = {} }\n"},
		{"inline, the middle", "users = { a = {}, zoe = { admin = true } , b = {} }\n", "users = { a = {}, b = {} }\n"},
		{"inline, the last", "users = { a = {}, zoe = {} }\n", "users = { a = {} }\n"},
		{"inline, the only", "users = { zoe = {} }\n", "users = {  }\n"},
		{"inline, the only, comma", "users = { zoe = {}, }\n", "users = {  }\n"},
		{"inline, the last, comma", "users = { a = {}, zoe = {}, }\n", "users = { a = {},  }\n"},
		{"inline, twice", "users = { zoe.admin = true, a = {}, zoe.quota = '1 MB' }\n", "users = { a = {} }\n"},
		{"inline, twice at the end", "users = { a = {}, zoe.admin = true, zoe.quota = '1 MB' }\n", "users = { a = {}  }\n"},
		{"inline, comments", "users = {\n a = {}, # a\n zoe = {} # z\n # of zoe\n , # comma\n b = {} # b\n}\n", "users = {\n a = {}, # a\n  # z\n # of zoe\n # comma\n b = {} # b\n}\n"},
		{"inline, comments, the last", "users = {\n a = {} # a\n , # comma\n zoe = {} # z\n}\n", "users = {\n a = {} # a\n  # comma\n  # z\n}\n"},
		{"CRLF", "[users]\r\nzoe = {}\r\nb = {}\r\n", "[users]\r\nb = {}\r\n"},
		{"a name in quotes", "[users]\n'zoe' = {}\n", "[users]\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := RemoveUser([]byte(head+tt.before), "zoe")
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != head+tt.after {
				t.Errorf("got:\n%s\nwant:\n%s", got, head+tt.after)
			}
		})
	}
}

func TestEditErrors(t *testing.T) {
	t.Parallel()
	good := []byte(head + "[users]\nalice = {}\nbob = {}\n[mail]\naliases = { info = 'alice' }\n")
	if _, err := AddUser(good, "alice", false); !errors.Is(err, ErrUserExists) {
		t.Errorf("a user twice: %v", err)
	}
	if _, err := AddUser(good, "Alice", false); err == nil || !strings.Contains(err.Error(), "lower case") {
		t.Errorf("upper case: %v", err)
	}
	if _, err := AddUser(good, "root", false); err == nil {
		t.Error("a reserved name")
	}
	if _, err := RemoveUser(good, "bop"); !errors.Is(err, ErrNoUser) || !strings.Contains(err.Error(), `did you mean "bob"?`) {
		t.Errorf("a user that is not there: %v", err)
	}
	var p Problems
	if _, err := AddUser(good, "info", false); !errors.As(err, &p) || !strings.Contains(p[0].Message, "shadows") {
		t.Errorf("a user named as an alias: %v", err)
	}
	if _, err := RemoveUser(good, "alice"); !errors.As(err, &p) || p[0].Message != `unknown user "alice"` {
		t.Errorf("a user that an alias leads to: %v", err)
	}
	bad := append(bytes.Clone(good), "[wbe]\n"...)
	if _, err := AddUser(bad, "carol", false); !errors.As(err, &p) {
		t.Errorf("a bad file: %v", err)
	}
	if _, err := RemoveUser(bad, "bob"); !errors.As(err, &p) {
		t.Errorf("a bad file: %v", err)
	}
	full := slices.Concat(good, []byte("#"), bytes.Repeat([]byte("x"), MaxFileSize-len(good)-1))
	if _, err := AddUser(full, "carol", false); !errors.As(err, &p) || !strings.Contains(p[0].Message, "longer than") {
		t.Errorf("a file that gets too long: %v", err)
	}
}

// layout draws a settings file with its users written in one of the ways that
// TOML has, with comments everywhere.
func layout(t *rapid.T) (text string, users []string) {
	users = rapid.SliceOfNDistinct(rapid.StringMatching(`[a-f][a-f0-9_-]{0,3}(\.[a-f]{1,2})?`), 0, 5, rapid.ID[string]).Draw(t, "users")
	comments := 0
	comment := func() string {
		comments++
		return fmt.Sprintf("# comment %d, a = {}\n", comments)
	}
	maybe := func(s string) string {
		if rapid.Bool().Draw(t, "maybe") {
			return s
		}
		return ""
	}
	var top, section, own strings.Builder
	top.WriteString(comment() + "domain = 'a.test' " + comment())
	style := rapid.IntRange(0, 3).Draw(t, "style")
	switch style {
	case 0, 1: // in a section, some with sections of their own
		section.WriteString(maybe("[users] "+comment()+maybe(comment())) + "")
		if section.Len() == 0 {
			style = 1
		}
		for _, u := range users {
			k := quoteKey(u)
			switch n := rapid.IntRange(0, 2).Draw(t, "form"); {
			case n == 0 || style == 1:
				own.WriteString("[users." + k + "]" + maybe(" "+strings.TrimSuffix(comment(), "\n")) + "\n" + maybe("admin = true\n") + maybe(comment()))
			case n == 1:
				section.WriteString(maybe(comment()) + k + maybe(" ") + "= {" + maybe(" admin = true ") + "}" + maybe(" "+strings.TrimSuffix(comment(), "\n")) + "\n")
			default:
				section.WriteString(k + ".admin = true\n" + maybe(comment()) + maybe(k+".quota = '1 MB'\n"))
			}
		}
	case 2: // in one table
		top.WriteString("users = {")
		for i, u := range users {
			top.WriteString(maybe("\n "+comment()) + " " + quoteKey(u) + " = {" + maybe(" admin = true") + "}" + maybe(" "+comment()))
			if i < len(users)-1 {
				top.WriteString("," + maybe(" "+comment()))
			}
		}
		if len(users) > 0 {
			top.WriteString(maybe(", "))
		}
		top.WriteString("}\n")
	default: // in dotted keys
		for _, u := range users {
			top.WriteString("users." + quoteKey(u) + maybe(".admin") + " = ")
			if strings.HasSuffix(top.String(), ".admin = ") {
				top.WriteString("true\n" + maybe(comment()))
			} else {
				top.WriteString("{} " + comment())
			}
		}
	}
	web := "[web] " + comment() + "root = 'a' # b = {}\n" + maybe(comment())
	parts := rapid.Permutation([]string{section.String(), own.String(), web}).Draw(t, "order")
	text = top.String() + strings.Join(parts, maybe("\n"))
	if rapid.Bool().Draw(t, "no line end") {
		text = strings.TrimSuffix(text, "\n")
	}
	if rapid.Bool().Draw(t, "CRLF") {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return maybe("\xef\xbb\xbf") + text, users
}

// TestEditProperties adds a user to a file and takes it away again, and takes
// away one that was there.
func TestEditProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text, users := layout(t)
		before, err := Parse(FileName, []byte(text))
		if err != nil {
			t.Fatalf("%v\nin:\n%s", err, text)
		}
		admin := rapid.Bool().Draw(t, "admin")
		name := rapid.SampledFrom([]string{"zoe", "z.o", "g"}).Draw(t, "name")
		added, err := AddUser([]byte(text), name, admin)
		if err != nil {
			t.Fatalf("add: %v\nto:\n%s", err, text)
		}
		c, err := Parse(FileName, added)
		if err != nil {
			t.Fatal(err)
		}
		if u, ok := c.User(name); !ok || u.Admin != admin || len(c.Users) != len(users)+1 {
			t.Fatalf("users %+v in:\n%s", c.Users, added)
		}
		if !slices.Equal(commentsOf(text), commentsOf(string(added))) {
			t.Fatalf("comments changed in:\n%s", added)
		}
		if strings.Count(string(added), "\n") != strings.Count(string(added), "\r\n") && strings.Contains(text, "\r\n") {
			t.Fatalf("line ends are mixed in:\n%q", added)
		}
		removed, err := RemoveUser(added, name)
		if err != nil {
			t.Fatalf("remove: %v\nfrom:\n%s", err, added)
		}
		after, err := Parse(FileName, removed)
		if err != nil {
			t.Fatal(err)
		}
		before.Warnings, after.Warnings = nil, nil
		if !reflect.DeepEqual(before, after) {
			t.Fatalf("added and removed, not the same:\n%s\n%s", text, removed)
		}
		if !slices.Equal(commentsOf(text), commentsOf(string(removed))) {
			t.Fatalf("comments changed in:\n%s", removed)
		}
		if len(users) > 0 {
			removeOne(t, text, rapid.SampledFrom(users).Draw(t, "other"))
		}
	})
}

// removeOne takes a user of the file away: the comments that stood on lines
// of their own all stay.
func removeOne(t *rapid.T, text, name string) {
	out, err := RemoveUser([]byte(text), name)
	if err != nil {
		t.Fatalf("remove %s: %v\nfrom:\n%s", name, err, text)
	}
	c, err := Parse(FileName, out)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.User(name); ok {
		t.Fatalf("%s is still in:\n%s", name, out)
	}
	left := commentsOf(string(out))
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") && !slices.Contains(left, line) {
			t.Fatalf("%s went from:\n%s\nwith %s:\n%s", line, text, name, out)
		}
	}
}

// commentsOf returns all comments of a text that has no # elsewhere.
func commentsOf(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if i := strings.IndexByte(line, '#'); i >= 0 {
			all = append(all, strings.TrimRight(line[i:], "\r\n"))
		}
	}
	return all
}
