package batch

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/network-utopia/utopia/host"
)

// stagger is how far apart the buffers of datagrams are beyond their size. Buffers a power of two apart would share the
// same few lines of the processor's cache, since most datagrams are much shorter than their buffer.
const stagger = 64

// unheard is how many datagrams may be taken and answered without a word to the scheduler.
const unheard = 4096

// maxZones bounds the names of interfaces that are remembered.
const maxZones = 64

// address is a sockaddr_in or sockaddr_in6 as the kernel has it.
type address [unix.SizeofSockaddrInet6]byte

// system reads and answers with recvmmsg(2) and sendmmsg(2). Messages point into arrays that never move.
type system struct {
	raw     syscall.RawConn
	sock    *host.DatagramSocket
	most    int               // octets of a datagram
	control int               // octets of a datagram's control messages
	zones   map[uint32]string // names of interfaces, which link-local addresses have

	// What recvmmsg fills, one of each for a datagram.
	in        []unix.Mmsghdr
	data      []unix.Iovec
	addresses []address
	controls  []byte
	buffers   []byte
	got       int           // filled the last time; all at first, to be made ready
	failed    syscall.Errno // of recvmmsg

	// What sendmmsg takes: the answers that there are, close together.
	out     []unix.Mmsghdr
	answers []unix.Iovec
	of      []int // the datagram that each answers
	queued  int
	sent    int // of those that are queued: sent or failed
	batch   []Datagram

	group    *Group                // nil for none
	full     int                   // batches in a row
	quiet    int                   // datagrams since the scheduler was told of a call
	sendmmsg func(fd uintptr) bool // trySend: made once, since a method value is an allocation
}

func newSystem(conn *net.UDPConn, sock *host.DatagramSocket, opts Options) (*system, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	n, control, apart := opts.Size, sock.ControlSize(), opts.MaxDatagram+stagger
	s := &system{
		raw: raw, sock: sock, group: opts.Group, most: opts.MaxDatagram, control: control, zones: map[uint32]string{},
		in: make([]unix.Mmsghdr, n), data: make([]unix.Iovec, n), addresses: make([]address, n),
		controls: make([]byte, n*control), buffers: make([]byte, n*apart), got: n,
		out: make([]unix.Mmsghdr, n), answers: make([]unix.Iovec, n), of: make([]int, n),
	}
	s.sendmmsg = s.trySend
	for i := range n {
		s.data[i].Base = &s.buffers[i*apart]
		s.data[i].SetLen(opts.MaxDatagram)
		in, out := &s.in[i].Hdr, &s.out[i].Hdr
		in.Name = &s.addresses[i][0]
		in.Iov, out.Iov = &s.data[i], &s.answers[i]
		in.SetIovlen(1)
		out.SetIovlen(1)
		if control > 0 {
			in.Control = &s.controls[i*control]
		}
	}
	return s, nil
}

// serve calls handle with the number of datagrams that were read, again and again.
//
// It all happens inside of one Read of the raw connection, which is how the runtime waits for a socket: a batch that is
// not full has emptied the socket, as the kernel itself has found, and the poller tells of whatever comes later. So
// serve waits at once, where a new Read would have to ask the kernel again first.
func (s *system) serve(handle func(n int)) error {
	step := func(fd uintptr) (over bool) {
		if !s.tryReceive(fd) {
			return false
		}
		if s.failed == 0 {
			s.handle(fd, handle)
		}
		return s.failed != 0 || s.got == len(s.in) // a new Read looks at the deadline, which else none may do for long
	}
	for {
		if err := s.raw.Read(step); err != nil {
			return fmt.Errorf("batch: %w", err)
		}
		if s.failed != 0 {
			return fmt.Errorf("batch: %w", os.NewSyscallError("recvmmsg", s.failed))
		}
	}
}

// handle has a batch answered, and tells the group of it.
func (s *system) handle(fd uintptr, answer func(n int)) {
	if s.group == nil {
		answer(s.got)
		return
	}
	began := time.Now()
	answer(s.got)
	if s.full++; s.got < len(s.in) {
		s.full = 0
	}
	s.group.worked(s.full, began, time.Now(), func(toOne bool) error { return steerSockets(int(fd), toOne) })
}

// steerSockets has the first of the sockets that share an address with fd get all of its datagrams, or, as it is before
// anybody asks for that, each socket those of some clients (SO_ATTACH_REUSEPORT_CBPF in socket(7)).
func steerSockets(fd int, toOne bool) error {
	if !toOne {
		return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_REUSEPORT_BPF, 0))
	}
	first := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0} // the program's result is the socket's number
	program := unix.SockFprog{Len: 1, Filter: &first}
	return os.NewSyscallError("setsockopt", unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &program))
}

// tryReceive takes what is there; false when there is nothing.
func (s *system) tryReceive(fd uintptr) bool {
	for i := range s.in[:s.got] { // what the last call has changed
		s.in[i].Hdr.Namelen = unix.SizeofSockaddrInet6
		s.in[i].Hdr.SetControllen(s.control)
	}
	s.failed = 0
	for {
		n, errno := s.call(unix.SYS_RECVMMSG, fd, s.in)
		switch errno {
		case 0:
			s.got = n
			s.quiet += n
			return true
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			s.failed = errno
			return true
		}
	}
}

// call makes a system call that does not wait.
//
// A call that the scheduler is told of, so that others get the processor meanwhile, wakes the runtime's monitor thread
// whenever that sleeps. It then looks around every 20 µs for a while, which costs more than the calls. So the scheduler
// is not told; but now and then it must be, or the monitor would sleep through a flood, and nobody would interrupt the
// readers.
func (s *system) call(number, fd uintptr, messages []unix.Mmsghdr) (int, syscall.Errno) {
	if s.quiet < unheard {
		n, _, errno := unix.RawSyscall6(number, fd, uintptr(unsafe.Pointer(&messages[0])), uintptr(len(messages)), unix.MSG_DONTWAIT, 0, 0)
		return int(n), errno
	}
	s.quiet = 0
	n, _, errno := unix.Syscall6(number, fd, uintptr(unsafe.Pointer(&messages[0])), uintptr(len(messages)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// read makes a datagram of the i-th message that was received.
func (s *system) read(i int, d *Datagram) {
	m := &s.in[i]
	at := i * (s.most + stagger)
	size := int(m.Len)
	d.Data, d.Cut = s.buffers[at:at+size:at+size], m.Hdr.Flags&unix.MSG_TRUNC != 0
	d.Remote = s.remote(&s.addresses[i])
	d.Local = s.sock.Asked(s.told(i))
}

// told gives the control messages that came with the i-th message.
func (s *system) told(i int) []byte {
	at := i * s.control
	return s.controls[at : at+int(s.in[i].Hdr.Controllen)]
}

// remote reads an address as package net does.
func (s *system) remote(a *address) netip.AddrPort {
	port := binary.BigEndian.Uint16(a[2:4])
	switch binary.NativeEndian.Uint16(a[0:2]) {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a[4:8])), port)
	case unix.AF_INET6:
		addr := netip.AddrFrom16([16]byte(a[8:24])).Unmap()
		if zone := binary.NativeEndian.Uint32(a[24:28]); zone != 0 && addr.Is6() {
			addr = addr.WithZone(s.zone(zone))
		}
		return netip.AddrPortFrom(addr, port)
	}
	return netip.AddrPort{}
}

// zone gives the name of an interface, or its number where it has none.
func (s *system) zone(index uint32) string {
	if name, ok := s.zones[index]; ok {
		return name
	}
	name := strconv.FormatUint(uint64(index), 10)
	if i, err := net.InterfaceByIndex(int(index)); err == nil {
		name = i.Name
	}
	if len(s.zones) < maxZones {
		s.zones[index] = name
	}
	return name
}

// queue puts an answer to the i-th datagram among those to be sent. Where a control message told the address that was
// asked, it goes out with the answer and is its source.
func (s *system) queue(i int, answer []byte) {
	s.of[s.queued] = i
	s.answers[s.queued].Base = &answer[0]
	s.answers[s.queued].SetLen(len(answer))
	in, out := &s.in[i].Hdr, &s.out[s.queued].Hdr
	out.Name, out.Namelen = in.Name, in.Namelen
	out.Control, out.Controllen = in.Control, in.Controllen
	s.queued++
}

// send sends what is queued, and tells the datagrams of the batch whose answers cannot be sent.
func (s *system) send(batch []Datagram) {
	if s.queued == 0 {
		return
	}
	s.batch, s.sent = batch, 0
	if err := s.raw.Write(s.sendmmsg); err != nil { // the socket is closed, or a deadline is over
		for _, i := range s.of[s.sent:s.queued] {
			batch[i].Err = fmt.Errorf("batch: %w", err)
		}
	}
	s.queued = 0
}

// trySend sends what is queued; false when the socket takes no more for now.
func (s *system) trySend(fd uintptr) bool {
	for s.sent < s.queued {
		n, errno := s.call(unix.SYS_SENDMMSG, fd, s.out[s.sent:s.queued])
		switch errno {
		case 0:
			s.sent += n
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default: // it is of the first of them alone
			s.batch[s.of[s.sent]].Err = fmt.Errorf("batch: %w", os.NewSyscallError("sendmmsg", errno))
			s.sent++
		}
	}
	return true
}
