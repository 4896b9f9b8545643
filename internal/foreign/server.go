package foreign

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	politely = 5 * time.Second // how long a server may take to end after SIGTERM
	maxSaid  = 64 << 10        // octets of what a server prints that are kept: the last ones
)

// Server is a foreign name server that runs.
type Server struct {
	Program Program
	Address netip.AddrPort
	Dir     string // its own folder, which goes when it is stopped

	process *exec.Cmd
	said    said
	ended   chan struct{} // closed when the process has ended
}

// Start starts a server, and returns when it answers for every zone that it is the primary of. The context limits the
// wait alone: a server that is started runs until it is stopped. An error says what the server printed.
func Start(ctx context.Context, p Program, s Settings) (*Server, error) {
	srv, err := Launch(p, s)
	if err != nil {
		return nil, err
	}
	for _, z := range s.Zones {
		if z.secondary() {
			continue
		}
		if err := srv.Wait(ctx, z.Name); err != nil {
			return nil, errors.Join(err, srv.Stop())
		}
	}
	return srv, nil
}

// Launch starts a server, and does not wait until it answers.
func Launch(p Program, s Settings) (*Server, error) {
	path, err := p.Path()
	if err != nil {
		return nil, err
	}
	if !s.Address.IsValid() {
		if s.Address, err = FreeAddress(netip.MustParseAddr("127.0.0.1")); err != nil {
			return nil, err
		}
	}
	s.Threads = max(s.Threads, 1)
	dir, err := os.MkdirTemp("", string(p)+"-") // short: a Unix socket's name holds about 100 octets
	if err != nil {
		return nil, fmt.Errorf("foreign: %w", err)
	}
	srv := &Server{Program: p, Address: s.Address, Dir: dir, ended: make(chan struct{})}
	if err := srv.launch(path, s); err != nil {
		return nil, errors.Join(fmt.Errorf("foreign: start %s: %w", p, err), os.RemoveAll(dir))
	}
	return srv, nil
}

func (srv *Server) launch(path string, s Settings) error {
	text, err := settingsFile(srv.Program, srv.Dir, s)
	if err != nil {
		return err
	}
	file := filepath.Join(srv.Dir, "settings")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	args := []string{"-c", file}
	switch srv.Program {
	case NSD:
		args = append(args, "-d")
	case BIND:
		args = append(args, "-g", "-n", strconv.Itoa(s.Threads))
	}
	srv.process = exec.CommandContext(context.Background(), path, args...)
	srv.process.Dir = srv.Dir
	srv.process.Stdout, srv.process.Stderr = &srv.said, &srv.said
	srv.process.SysProcAttr = EndsWithUs()
	// A child of NSD that outlives it would hold the pipe: nobody waits for that longer than this.
	srv.process.WaitDelay = time.Second
	if err := srv.process.Start(); err != nil {
		return err
	}
	go func() {
		_ = srv.process.Wait() // how it ended, ProcessState says
		close(srv.ended)
	}()
	return nil
}

// PID is the process that was started; NSD's others are its children.
func (srv *Server) PID() int { return srv.process.Process.Pid }

// Said is the end of what the server printed.
func (srv *Server) Said() string { return srv.said.String() }

// Wait waits until the server answers with authority for a zone.
func (srv *Server) Wait(ctx context.Context, name string) error {
	stop := make(chan struct{})
	defer close(stop)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-srv.ended:
			cancel(fmt.Errorf("it ended: %v", srv.process.ProcessState))
		case <-stop:
		}
	}()
	if _, err := WaitFor(ctx, srv.Address, name); err != nil {
		return fmt.Errorf("foreign: %s: %w\n%s", srv.Program, err, srv.Said())
	}
	return nil
}

// Reload has the server read its zone files again.
func (srv *Server) Reload() error {
	if err := srv.process.Process.Signal(syscall.SIGHUP); err != nil {
		return fmt.Errorf("foreign: reload %s: %w", srv.Program, err)
	}
	return nil
}

// Running says whether the process is still there.
func (srv *Server) Running() bool {
	select {
	case <-srv.ended:
		return false
	default:
		return true
	}
}

// Stop ends the server, with violence if it must, and removes its folder.
func (srv *Server) Stop() error {
	if srv.Running() {
		_ = srv.process.Process.Signal(syscall.SIGTERM) // an error means that it just ended
		select {
		case <-srv.ended:
		case <-time.After(politely):
		}
	}
	// What it left behind ends too. A moment passes until it has.
	for end := time.Now().Add(200 * time.Millisecond); endGroup(srv.PID()) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	<-srv.ended
	if err := os.RemoveAll(srv.Dir); err != nil {
		return fmt.Errorf("foreign: stop %s: %w", srv.Program, err)
	}
	return nil
}

// FreeAddress finds a port of an address that nobody uses over UDP and TCP. Somebody may take it before it is used.
func FreeAddress(a netip.Addr) (netip.AddrPort, error) {
	for range 100 {
		udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 0)))
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("foreign: %w", err)
		}
		at := udp.LocalAddr().(*net.UDPAddr).AddrPort()
		tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
		_ = udp.Close()
		if err == nil {
			_ = tcp.Close()
			return netip.AddrPortFrom(a, at.Port()), nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("foreign: no free port at %s", a)
}

// said keeps the end of what a program prints.
type said struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write takes all that it is given, and forgets the oldest.
func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf.Write(p)
	if over := s.buf.Len() - maxSaid; over > 0 {
		s.buf.Next(over)
	}
	return len(p), nil
}

// String gives what was kept.
func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}
