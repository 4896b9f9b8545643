package interop

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestSocketsOfSystemd hands sockets over as systemd does (sd_listen_fds(3)): open at descriptor 3 and up, with their
// number and the process in the environment. While they are open nobody else can bind their addresses, so an instance
// that answers there was given them.
func TestSocketsOfSystemd(t *testing.T) {
	t.Parallel()
	in := newInstance(t, "a.test")
	l, err := net.Listen("tcp", in.at(80))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p, err := net.ListenPacket("udp", in.at(53))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var files []*os.File
	for _, s := range []interface{ File() (*os.File, error) }{l.(*net.TCPListener), p.(*net.UDPConn)} {
		f, err := s.File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("sh", "-c", "LISTEN_PID=$$ LISTEN_FDS=2 exec "+program+" up a.test --address "+in.address)
	c.Dir, c.ExtraFiles = in.dir, files
	c.Stdout, c.Stderr = &in.printed, &in.printed
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	out, err := in.run("", "status", "--wait", "20s")
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, out, in.printed.String())
	}
	if got, err := in.run("", "dig", "@"+in.address, "-p", "8053", "www.a.test", "+short"); err != nil || strings.TrimSpace(got) != in.address {
		t.Errorf("%v: %q", err, got)
	}
	// A service that stops and starts again gets the same socket.
	in.write("utopia.toml", "domain = \"a.test\"\naddress = [\""+in.address+"\"]\n[web]\nenabled = false\n")
	if out, err := in.run("", "reload"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	in.write("utopia.toml", "domain = \"a.test\"\naddress = [\""+in.address+"\"]\n")
	if out, err := in.run("", "reload"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := in.run("", "status", "--wait", "5s"); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
