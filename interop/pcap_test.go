package interop

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// capturing runs utopia trace --pcap until the function that is returned is called, which gives what it printed.
func (in *instance) capturing(args ...string) (file string, end func() string) {
	in.t.Helper()
	file = filepath.Join(in.t.TempDir(), "c.pcapng")
	told := filepath.Join(in.dir, "told")
	out, err := os.Create(told)
	if err != nil {
		in.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	in.t.Cleanup(cancel)
	c := in.command(ctx, append([]string{"trace", "--pcap", file}, args...)...)
	c.Stderr = out
	if err := c.Start(); err != nil {
		in.t.Fatal(err)
	}
	said := func() string {
		text, err := os.ReadFile(told)
		if err != nil {
			in.t.Fatal(err)
		}
		return string(text)
	}
	for until := time.Now().Add(20 * time.Second); !strings.Contains(said(), "capturing"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			in.t.Fatalf("the capture does not begin: %s", said())
		}
	}
	return file, func() string {
		in.t.Helper()
		if err := c.Wait(); err != nil {
			in.t.Fatalf("%v: %s", err, said())
		}
		out.Close()
		return said()
	}
}

// tshark reads a capture, with all checksums checked, and prints what the arguments ask for.
func tshark(t *testing.T, file string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, foreign(t, "tshark"), append([]string{
		"-r", file, "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
	}, args...)...)
	var errors bytes.Buffer
	c.Stderr = &errors
	out, err := c.Output()
	if err != nil {
		t.Fatalf("tshark %q: %v: %s", args, err, errors.String())
	}
	return string(out)
}

// badChecksum finds packets that are not what their sender has sent.
const badChecksum = "ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0"

// sound wants a capture in which tshark finds nothing wrong, and which tcpdump reads to its end.
func sound(t *testing.T, file string) {
	t.Helper()
	for _, wrong := range []string{
		"_ws.malformed", "_ws.expert.severity >= error", "_ws.expert.severity == warning",
		badChecksum,
	} {
		if out := tshark(t, file, "-Y", wrong); out != "" {
			t.Errorf("%s:\n%s", wrong, out)
		}
	}
	packets := strings.Count(tshark(t, file), "\n")
	out, code := ask(t, "", foreign(t, "tcpdump"), "-nvv", "-r", file)
	if complaint := complaint.FindString(out); code != 0 || complaint != "" {
		t.Errorf("tcpdump ends with %d, and says %q:\n%s", code, complaint, out)
	}
	if n := strings.Count(tcpdumpShort(t, file), "\n"); n != packets || n == 0 {
		t.Errorf("tcpdump reads %d packets, tshark %d", n, packets)
	}
}

// complaint is what tcpdump says of packets that it finds wrong. A checksum that is right may be 0xbad0.
var complaint = regexp.MustCompile(`truncated|\(incorrect|\[bad |bad cksum|bad-len|bad hdr`)

func tcpdumpShort(t *testing.T, file string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, foreign(t, "tcpdump"), "-nq", "-r", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestWireshark(t *testing.T) {
	t.Parallel()
	foreign(t, "tshark")
	foreign(t, "tcpdump")
	dig, curl := foreign(t, "dig"), foreign(t, "curl")
	in := serve(t, "a.test", "www/index.html", "<p>front</p>", "www/folder/x", "x")
	base := []string{"-sS", "-o", os.DevNull, "--cacert", in.root(), "--resolve", "www.a.test:8080:" + in.address, "--resolve", "www.a.test:8443:" + in.address}
	web := func(args ...string) {
		t.Helper()
		if out, code := ask(t, "", curl, append(base, args...)...); code != 0 {
			t.Fatalf("curl %q: %d, %s", args, code, out)
		}
	}
	file, end := in.capturing("--count", "8")
	for _, how := range []string{"+notcp", "+tcp"} {
		ask(t, "", dig, "@"+in.address, "-p", "8053", "www.a.test", "A", how)
	}
	web("http://www.a.test:8080/", "-H", "Cookie: id=swordfish", "-u", "alice:swordfish")
	web("https://www.a.test:8443/missing", "--http1.1")
	web("https://www.a.test:8443/folder/x")
	web("http://www.a.test:8080/", "-d", "posted=1")
	for _, args := range [][]string{{"upper", in.address + ":20000"}, {"upper", "--udp", in.address + ":20000"}} {
		if out, err := in.run("hello from a capture\n", args...); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if told := end(); !strings.Contains(told, "of 8 exchanges\n") || strings.Contains(told, "left out") {
		t.Errorf("summed up as %s", told)
	}
	sound(t, file)
	for what, c := range map[string]struct {
		args []string
		want string
	}{
		"DNS questions": {[]string{"-Y", "dns.flags.response == 0", "-T", "fields", "-e", "_ws.col.Protocol", "-e", "dns.qry.name"}, "DNS\twww.a.test\nDNS\twww.a.test\n"},
		"DNS answers":   {[]string{"-Y", "dns.flags.response == 1", "-T", "fields", "-e", "dns.a"}, in.address + "\n" + in.address + "\n"},
		"requests": {[]string{"-Y", "http.request", "-T", "fields", "-e", "http.request.method", "-e", "http.request.uri"},
			"GET\t/\nGET\t/missing\nGET\t/folder/x\nPOST\t/\n"},
		"answers": {[]string{"-Y", "http.response", "-T", "fields", "-e", "http.response.code", "-e", "http.response.phrase"},
			"200\tOK\n404\tNot Found\n200\tOK\n405\tMethod Not Allowed\n"},
		"a body":       {[]string{"-Y", "http.response.code == 200", "-T", "fields", "-e", "http.file_data"}, "<p>front</p>\nx\n"},
		"a form":       {[]string{"-Y", "http.request.method == POST", "-T", "fields", "-e", "http.file_data"}, "posted=1\n"},
		"the stream":   {[]string{"-Y", "tcp.port == 12345 && data", "-T", "fields", "-e", "data.data"}, fmt.Sprintf("%x\n%x\n", "hello from a capture\n", "HELLO FROM A CAPTURE\n")},
		"the datagram": {[]string{"-Y", "udp.port == 12345", "-T", "fields", "-e", "data.data"}, fmt.Sprintf("%x\n%x\n", "hello from a capture", "HELLO FROM A CAPTURE")},
		"a name":       {[]string{"-Y", "frame.number == 1", "-T", "fields", "-e", "frame.interface_name", "-e", "frame.encap_type"}, "transcript\t129\n"},
		"TLS":          {[]string{"-Y", "tls"}, ""},
	} {
		if got := tshark(t, file, c.args...); got != c.want {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
	if got := tshark(t, file, "-Y", "frame.comment", "-T", "fields", "-e", "frame.comment"); !strings.Contains(got, "web exchange") ||
		!strings.Contains(got, "to 8443") || !strings.Contains(got, "TLS 1.3") || !strings.Contains(got, "shown as the HTTP/1.1 that it stands for") {
		t.Errorf("comments:\n%s", got)
	}
	if text, err := os.ReadFile(file); err != nil || bytes.Contains(text, []byte("fish")) || !bytes.Contains(text, []byte("Cookie: ************\r\n")) {
		t.Errorf("a secret is in the capture, or its field is not: %v", err)
	} else if err := os.WriteFile(file, bytes.ReplaceAll(text, []byte("hello from"), []byte("jello from")), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := tshark(t, file, "-Y", badChecksum); strings.Count(got, "\n") != 2 {
		t.Errorf("of two packets with other words and the old checksums these are found:\n%s", got)
	}
}

// TestWiresharkShowsWhatIsMissing captures more than a transcript keeps.
func TestWiresharkShowsWhatIsMissing(t *testing.T) {
	t.Parallel()
	foreign(t, "tshark")
	curl := foreign(t, "curl")
	in := serve(t, "a.test", "www/large.txt", strings.Repeat("0123456789abcdef", 40000))
	file, end := in.capturing("--count", "1", "web")
	if out, code := ask(t, "", curl, "-sS", "-o", os.DevNull, "http://"+in.at(80)+"/large.txt"); code != 0 {
		t.Fatal(out)
	}
	if told := end(); !strings.Contains(told, " bytes that the transcripts did not keep: gaps in the capture\n") {
		t.Errorf("%s", told)
	}
	for _, wrong := range []string{"_ws.malformed", "_ws.expert.severity >= error", "tcp.checksum.status == 0"} {
		if out := tshark(t, file, "-Y", wrong); out != "" {
			t.Errorf("%s:\n%s", wrong, out)
		}
	}
	if out := tshark(t, file, "-Y", "tcp.analysis.lost_segment", "-T", "fields", "-e", "tcp.srcport"); out != "80\n" {
		t.Errorf("gaps: %q", out)
	}
}

// TestWiresharkLive reads a capture from a pipe while it is made.
func TestWiresharkLive(t *testing.T) {
	t.Parallel()
	shark, dig := foreign(t, "tshark"), foreign(t, "dig")
	in := serve(t, "a.test")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(ctx, "sh", "-c", `"$0" trace --pcap - --count 1 dns 2>told | "$1" -l -r - 2>/dev/null`, path, shark)
	c.Dir, c.WaitDelay = in.dir, time.Second // the context ends the shell alone
	var out bytes.Buffer
	c.Stdout = &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if told, _ := os.ReadFile(filepath.Join(in.dir, "told")); bytes.Contains(told, []byte("capturing")) {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the capture does not begin")
		}
	}
	ask(t, "", dig, "@"+in.address, "-p", "8053", "www.a.test", "A")
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, "Standard query 0x") || !strings.Contains(text, "Standard query response") {
		t.Errorf("%s", text)
	}
}
