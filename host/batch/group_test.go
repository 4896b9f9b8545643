package batch

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/leftout"
)

// step is a batch that a group is told of, and what it tells the system then.
type step struct {
	at     time.Duration // when it was answered
	worked time.Duration
	full   bool   // as the last of many
	tells  string // "", "one" or "all"
}

func TestGroup(t *testing.T) {
	t.Parallel()
	const window = groupWindow
	for name, steps := range map[string][]step{
		"quiet": {{0, time.Microsecond, false, "one"}, {1, 1, false, ""}, {window, 1, false, ""}},
		"at the limit": {
			{0, 1, true, ""}, {1, groupLittle, false, ""}, {window, 0, false, "one"},
		},
		"beyond it": {
			{0, 1, true, ""}, {1, groupLittle, false, ""}, {window, 1, false, ""}, {2*window - 1, 1, false, ""}, {2 * window, 1, false, "one"},
		},
		"full while spread": {
			{0, 1, true, ""}, {1, 1, true, ""}, {window, 1, false, ""}, {2 * window, 1, false, "one"},
		},
		"full while gathered": {
			{0, 1, false, "one"}, {1, time.Hour, false, ""}, {5, 1, true, "all"}, {6, 1, false, ""}, {4 + window, 1, false, ""}, {5 + window, 1, false, "one"},
		},
	} {
		var g Group
		start := time.Unix(1_800_000_000, 0)
		for i, s := range steps {
			told := ""
			until := start.Add(s.at)
			full := groupMany - 1
			if s.full {
				full++
			}
			g.worked(full, until.Add(-s.worked), until, func(toOne bool) error {
				told = map[bool]string{true: "one", false: "all"}[toOne]
				return nil
			})
			if told != s.tells {
				t.Errorf("%s: step %d: told %q, want %q", name, i, told, s.tells)
			}
		}
	}
}

// A system that cannot be told is asked once.
func TestGroupUnable(t *testing.T) {
	t.Parallel()
	var g Group
	asked := 0
	for i := range 5 {
		now := time.Unix(int64(i), 0)
		g.worked(i/3*groupMany, now, now, func(bool) error { asked++; return errors.ErrUnsupported })
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// Two readers turn a group at the same time: what the system was told last is what the group says.
func TestGroupTurnsOnce(t *testing.T) {
	t.Parallel()
	var g Group
	var one atomic.Bool
	var readers sync.WaitGroup
	for r := range 4 {
		readers.Go(func() {
			for i := range 2000 {
				now := time.Unix(int64(i), 0)
				g.worked((i+r)%3*groupMany, now, now, func(toOne bool) error {
					if one.Swap(toOne) == toOne {
						return errors.New("it is so already")
					}
					return nil
				})
			}
		})
	}
	readers.Wait()
	if state := g.state.Load(); state == unable || (state == gathered) != one.Load() {
		t.Errorf("state %d, told %v", state, one.Load())
	}
}

// sharing are two sockets at an address, with a reader for each that counts what it gets, and waits at its gate.
type sharing struct {
	address string
	got     [2]atomic.Int64
	gate    sync.RWMutex
}

func share(t *testing.T, size int, g *Group) *sharing {
	pcs, err := host.ListenPackets(t.Context(), host.NewOS(host.OSOptions{}), "udp", "127.0.0.1:0", 2)
	if err != nil {
		t.Fatal(err)
	}
	s := &sharing{address: pcs[0].LocalAddr().String()}
	var readers sync.WaitGroup
	for i, pc := range pcs {
		c := newConn(t, pc, Options{Size: size, Group: g})
		readers.Go(func() {
			_ = c.Serve(func(batch []Datagram) {
				s.gate.RLock()
				s.got[i].Add(int64(len(batch)))
				s.gate.RUnlock()
				c.Send()
			})
		})
	}
	t.Cleanup(func() {
		for _, pc := range pcs {
			_ = pc.Close()
		}
		readers.Wait()
	})
	return s
}

// ask sends one datagram from each of so many clients, and says how many each reader has got of them.
func (s *sharing) ask(t *testing.T, clients int) (first, second int64) {
	a, b := s.got[0].Load(), s.got[1].Load()
	for range clients {
		var d net.Dialer
		conn, err := d.DialContext(context.Background(), "udp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		write(t, conn, "x")
		_ = conn.Close()
	}
	for deadline := time.Now().Add(10 * time.Second); s.got[0].Load()+s.got[1].Load() < a+b+int64(clients); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d and %d arrived of %d", s.got[0].Load()-a, s.got[1].Load()-b, clients)
		}
	}
	return s.got[0].Load() - a, s.got[1].Load() - b
}

func TestGroupSteersTheSystem(t *testing.T) {
	if runtime.GOOS != "linux" {
		leftout.Because(t, "only Linux is told which socket gets a datagram")
	}
	const size = 32
	var g Group
	s := share(t, size, &g)
	s.ask(t, 1) // the first batch: the time before it was quiet
	if state := g.state.Load(); state != gathered {
		leftout.Because(t, "this system does not let programs say which socket gets a datagram")
	}
	if a, b := s.ask(t, size-1); a != 0 && b != 0 {
		t.Errorf("gathered: %d and %d", a, b)
	}
	s.gate.Lock() // so that they wait for the reader
	go func() {
		time.Sleep(200 * time.Millisecond)
		s.gate.Unlock()
	}()
	s.ask(t, (groupMany+1)*size)
	g.began.Store(time.Now().Add(time.Hour).UnixNano()) // so that it stays as it is
	if state := g.state.Load(); state != spread {
		t.Fatalf("full batches left it in state %d", state)
	}
	if a, b := s.ask(t, 2*size); a == 0 || b == 0 { // all of them at one by chance: once in 2^63
		t.Errorf("spread: %d and %d", a, b)
	}
}
