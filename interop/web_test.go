package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func sortLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestCurl(t *testing.T) {
	t.Parallel()
	curl := foreign(t, "curl")
	in := serve(t, "a.test", "www/index.html", "<p>front</p>", "www/data.txt", "0123456789", "www/.hidden", "no",
		"www/folder/index.html", "inside", "www/empty/x.txt", "x", "secret.txt", "not for the web")
	resolve := []string{
		"--resolve", "www.a.test:8080:" + in.address, "--resolve", "www.a.test:8443:" + in.address,
		"--resolve", "other.test:8080:" + in.address, "--cacert", in.root(),
	}
	base, secure := "http://www.a.test:8080", "https://www.a.test:8443"
	large := filepath.Join(in.dir, "www", "large.bin")
	if err := os.WriteFile(large, []byte(strings.Repeat("0123456789abcdef", 1<<16)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		want string // code, protocol and body, or parts of the header
	}{
		{"front page", []string{base + "/"}, "200 1.1 <p>front</p>"},
		{"by address", []string{"http://" + in.at(80) + "/data.txt"}, "200 1.1 0123456789"},
		{"HTTPS", []string{secure + "/data.txt", "--http1.1"}, "200 1.1 0123456789"},
		{"HTTP/2", []string{secure + "/data.txt"}, "200 2 0123456789"},
		{"HTTP/1.0", []string{"-0", base + "/data.txt"}, "200 1"},
		{"range", []string{base + "/data.txt", "-r", "2-4"}, "206 1.1 234"},
		{"suffix range", []string{base + "/data.txt", "-r", "-3"}, "206 1.1 789"},
		{"range past the end", []string{base + "/data.txt", "-r", "50-60"}, "416 1.1"},
		{"several ranges", []string{base + "/data.txt", "-r", "0-1,4-5"}, "206 1.1"},
		{"missing", []string{base + "/nothing"}, "404 1.1"},
		{"hidden", []string{base + "/.hidden"}, "404 1.1"},
		{"folder without its slash", []string{base + "/folder"}, "301 1.1"},
		{"folder", []string{"-L", base + "/folder"}, "200 1.1 inside"},
		{"no listing", []string{base + "/empty/"}, "404 1.1"},
		{"out of the tree", []string{"--path-as-is", base + "/../secret.txt"}, "4"},
		{"out of the tree, encoded", []string{"--path-as-is", base + "/%2e%2e/secret.txt"}, "4"},
		{"DELETE", []string{"-X", "DELETE", base + "/data.txt"}, "405 1.1"},
		{"POST", []string{"-d", "x=1", base + "/data.txt"}, "405 1.1"},
		{"somebody else's host", []string{"http://other.test:8080/"}, "421 1.1"},
	} {
		args := append([]string{"-sS", "-w", "\n%{http_code} %{http_version}"}, resolve...)
		out, code := ask(t, "", curl, append(args, c.args...)...)
		i := strings.LastIndex(out, "\n")
		got := out[i+1:] + " " + out[:max(i, 0)]
		if code != 0 || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: exit code %d, %q, want %q", c.name, code, got, c.want)
		}
	}
	conditional(t, curl, base, resolve)
	resume(t, curl, base, large, resolve)
	if out, code := ask(t, "", curl, "-sS", "-m", "5", secure+"/", "--resolve", "www.a.test:8443:"+in.address); code != 60 {
		t.Errorf("without the root curl ends with %d, want 60 (not trusted): %s", code, out)
	}
}

// conditional keeps the validators of a page, and asks with them.
func conditional(t *testing.T, curl, base string, resolve []string) {
	t.Helper()
	head, _ := ask(t, "", curl, append([]string{"-sSI", base + "/data.txt"}, resolve...)...)
	field := func(name string) string {
		for line := range strings.Lines(head) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(key, name) {
				return strings.TrimSpace(value)
			}
		}
		t.Fatalf("no %s in\n%s", name, head)
		return ""
	}
	if field("Content-Length") != "10" || !strings.HasPrefix(field("Content-Type"), "text/plain") {
		t.Errorf("HEAD says\n%s", head)
	}
	for _, c := range []struct{ header, want string }{
		{"If-None-Match: " + field("ETag"), "304"},
		{`If-None-Match: "other"`, "200"},
		{"If-Modified-Since: " + field("Last-Modified"), "304"},
		{"If-Modified-Since: Mon, 01 Jan 2001 00:00:00 GMT", "200"},
		{"If-Unmodified-Since: Mon, 01 Jan 2001 00:00:00 GMT", "412"},
		{`If-Match: "other"`, "412"},
	} {
		args := append([]string{"-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", c.header, base + "/data.txt"}, resolve...)
		if out, _ := ask(t, "", curl, args...); out != c.want {
			t.Errorf("%s: %s, want %s", c.header, out, c.want)
		}
	}
}

// resume fetches the end of a file that is there in part.
func resume(t *testing.T, curl, base, large string, resolve []string) {
	t.Helper()
	want, err := os.ReadFile(large)
	if err != nil {
		t.Fatal(err)
	}
	part := filepath.Join(t.TempDir(), "part")
	if err := os.WriteFile(part, want[:123456], 0o644); err != nil {
		t.Fatal(err)
	}
	out, code := ask(t, "", curl, append([]string{"-sS", "-C", "-", "-o", part, base + "/large.bin"}, resolve...)...)
	got, err := os.ReadFile(part)
	if code != 0 || err != nil || string(got) != string(want) {
		t.Errorf("resume: exit code %d, %d of %d bytes, %v: %s", code, len(got), len(want), err, out)
	}
}

func TestCurlAndManyConnections(t *testing.T) {
	t.Parallel()
	curl := foreign(t, "curl")
	in := serve(t, "a.test", "www/data.txt", "0123456789")
	args := []string{"-sS", "--parallel", "--parallel-max", "20"}
	for i := range 200 {
		args = append(args, "-o", "/dev/null", fmt.Sprintf("http://%s/data.txt?%d", in.at(80), i))
	}
	if out, code := ask(t, "", curl, args...); code != 0 {
		t.Errorf("exit code %d: %s", code, out)
	}
}
