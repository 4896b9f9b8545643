package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/internal/foreign"
)

// contestant is a server that can be started with one zone.
type contestant interface {
	name() string
	// start returns when the server answers for the zone. Sign says whether it may sign the zone, if it can by itself.
	start(ctx context.Context, zoneFile string, sign bool) (running, error)
}

// running is a server that was started.
type running struct {
	pid     int
	address netip.AddrPort
	stop    func() error
}

func (r running) usage() (foreign.Usage, error) { return foreign.UsageOf(r.pid) }

func (r running) cpu() (time.Duration, error) { return foreign.CPUOf(r.pid) }

// serverNames are the servers in the order of the table.
func serverNames() []string {
	var names []string
	for _, p := range foreign.Programs() {
		names = append(names, string(p))
	}
	return append(names, "utopia")
}

// contestants are the servers that were chosen and can be had, and the names of those that cannot.
func contestants(o dnsOptions, dir string) (found []contestant, missing []string) {
	for _, name := range o.servers {
		if name == "utopia" {
			found = append(found, ours{binary: o.utopia, dir: dir, threads: o.threads})
		} else if _, err := foreign.Program(name).Path(); err == nil {
			found = append(found, theirs{foreign.Program(name), o.threads})
		} else {
			missing = append(missing, name+" is not installed")
		}
	}
	return found, missing
}

// theirs is one of the foreign servers.
type theirs struct {
	program foreign.Program
	threads int
}

func (t theirs) name() string { return string(t.program) }

func (t theirs) start(ctx context.Context, zoneFile string, _ bool) (running, error) {
	srv, err := foreign.Start(ctx, t.program, foreign.Settings{
		Zones: []foreign.Zone{{Name: zoneName, File: zoneFile}}, Threads: t.threads,
	})
	if err != nil {
		return running{}, err
	}
	return running{pid: srv.PID(), address: srv.Address, stop: srv.Stop}, nil
}

// ours is Utopia: the real binary with a utopia.toml, and with the name server alone.
type ours struct {
	binary, dir string
	threads     int
	access      string // further settings of [dns]: who may do what
}

func (ours) name() string { return "utopia" }

const settings = `domain = %q
address = [%q]
port-offset = %d
[dns]
zone-file = "bench.zone"
dnssec = %q
%s
[web]
enabled = false
[socket]
enabled = false
[console]
enabled = false
[log]
level = "warn"
`

// Offsets above this would move a service past the last port, and Utopia refuses them.
const (
	dnsPort   = 53
	maxOffset = 58_000
)

func (u ours) start(ctx context.Context, zoneFile string, sign bool) (running, error) {
	loopback := netip.MustParseAddr("127.0.0.1")
	at, err := foreign.FreeAddress(loopback)
	for err == nil && at.Port() > maxOffset+dnsPort {
		at, err = foreign.FreeAddress(loopback)
	}
	if err != nil {
		return running{}, err
	}
	dir, err := os.MkdirTemp(u.dir, "utopia-")
	if err != nil {
		return running{}, err
	}
	dnssec := "on"
	if !sign {
		dnssec = "off"
	}
	text := fmt.Sprintf(settings, zoneName[:len(zoneName)-1], at.Addr(), int(at.Port())-dnsPort, dnssec, u.access)
	if err := os.WriteFile(filepath.Join(dir, "utopia.toml"), []byte(text), 0o600); err != nil {
		return running{}, err
	}
	// A link and no copy: the large zone is large.
	if err := os.Link(zoneFile, filepath.Join(dir, "bench.zone")); err != nil {
		return running{}, err
	}
	up, err := startUp(ctx, u.binary, dir, u.threads)
	if err != nil {
		return running{}, err
	}
	r := running{pid: up.process.Process.Pid, address: at, stop: up.stop}
	waiting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(up.ended, func() { cancel(errors.New("it has ended")) })()
	if _, err := foreign.WaitFor(waiting, r.address, zoneName); err != nil {
		return running{}, errors.Join(err, up.stop())
	}
	return r, nil
}

// up is a running utopia up.
type up struct {
	process *exec.Cmd
	dir     string
	log     *os.File
	ended   context.Context // until the process has ended
	err     error           // how it did; to be read after that
}

func startUp(ctx context.Context, binary, dir string, threads int) (*up, error) {
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(context.WithoutCancel(ctx), binary, "up")
	c.Dir, c.Stdout, c.Stderr, c.SysProcAttr = dir, log, log, foreign.EndsWithUs()
	c.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(threads))
	if err := c.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	ended, end := context.WithCancel(context.Background())
	u := &up{process: c, dir: dir, log: log, ended: ended}
	go func() {
		u.err = c.Wait()
		end()
	}()
	return u, nil
}

// said is what it printed.
func (u *up) said() string {
	text, err := os.ReadFile(u.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// stop ends it, and is an error when it ended badly.
func (u *up) stop() error {
	_ = u.process.Process.Signal(syscall.SIGTERM) // an error means that it has ended
	select {
	case <-u.ended.Done():
	case <-time.After(20 * time.Second):
		_ = u.process.Process.Kill()
		<-u.ended.Done()
	}
	err := u.err
	if said := u.said(); err != nil {
		err = fmt.Errorf("utopia up ended badly: %w\n%s", err, said)
	} else if strings.Contains(said, "panic") {
		err = fmt.Errorf("utopia up panicked:\n%s", said)
	}
	return errors.Join(err, u.log.Close(), os.RemoveAll(u.dir))
}

// build makes our binary, as a user would.
func build(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "utopia")
	_, here, _, _ := runtime.Caller(0)
	c := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/utopia")
	c.Dir = filepath.Dir(filepath.Dir(here))
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binary, nil
}

// unsigned says why a server is not measured with a signed zone: it answers without signatures.
func unsigned(ctx context.Context, server netip.AddrPort) string {
	q := dns.NewQuery(1, dns.MustParseName(hostName(0)+"."+zoneName), dns.TypeA)
	q.EDNS = &dns.EDNS{UDPSize: 1232, DO: true}
	r, err := foreign.Ask(ctx, server, q)
	if err != nil {
		return err.Error()
	}
	for _, rr := range r.Answer {
		if rr.Type == dns.TypeRRSIG {
			return ""
		}
	}
	return "it answers without signatures"
}
