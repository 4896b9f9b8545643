package main

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/internal/dialogue"
)

// questions are what is mutated, in the words of the dialogues: something of every kind that a server reads.
const questions = `
www.bench.test. IN A
www.bench.test. IN A +edns
www.bench.test. IN A +edns=4096 +do
bench.test. IN MX +rd
bench.test. IN HTTPS +do
bench.test. IN ANY +edns
bench.test. IN SOA +version=1
bench.test. IN DNSKEY +do
alias.bench.test. IN A
x.y.wild.bench.test. IN TXT
a.tree.bench.test. IN A
c.bench.test. IN SRV
host.sub.bench.test. IN AAAA +do
sub.bench.test. IN DS
many.bench.test. IN A
no.bench.test. IN A +do
. IN NS
www.example.org. IN A +edns
version.bind. CH TXT
bench.test. IN AXFR
bench.test. IN IXFR
bench.test. IN SOA +opcode=NOTIFY
bench.test. IN SOA +opcode=UPDATE
www.bench.test. IN A +opcode=STATUS
www.bench.test. IN A +questions=2
LONG.LONG.LONG.tree.bench.test. IN A
`

// The octets of what the words have no form for.
const (
	header    = "1267 0000 0001 0000 0000 0001"
	www       = "03777777 0562656e6368 0474657374 00 0001 0001"
	apex      = "0562656e6368 0474657374 00"
	clientKey = "0123456789abcdef"
)

// packets are further messages, in hexadecimal.
func packets() map[string]string {
	opt := func(data string) string {
		octets := strings.ReplaceAll(data, " ", "")
		return fmt.Sprintf("%s %s 00 0029 04d0 00000000 %04x %s", header, www, len(octets)/2, octets)
	}
	return map[string]string{
		"a client's cookie":    opt("000a 0008 " + clientKey),
		"both cookies":         opt("000a 0018 " + clientKey + " 01000000 5f000000 0123456789abcdef"),
		"NSID":                 opt("0003 0000"),
		"client subnet":        opt("0008 0007 0001 1800 c00002"),
		"padding":              opt("000c 0010 00000000000000000000000000000000"),
		"keepalive":            opt("000b 0000"),
		"an option not known":  opt("fde9 0004 deadbeef"),
		"several options":      opt("0003 0000 000a 0008 " + clientKey + " 000c 0004 00000000"),
		"IXFR with its SOA":    "1267 0000 0001 0000 0001 0000 " + apex + " 00fb 0001 c00c 0006 0001 00000000 0016 00 00 00000001 00000000 00000000 00000000 00000000",
		"NOTIFY with the SOA":  "1267 2400 0001 0001 0000 0000 " + apex + " 0006 0001 c00c 0006 0001 00000000 0016 00 00 00000002 00000000 00000000 00000000 00000000",
		"an update that adds":  "1267 2800 0001 0000 0001 0000 " + apex + " 0006 0001 036e6577 c00c 0001 0001 0000003c 0004 c0000203",
		"one that deletes":     "1267 2800 0001 0000 0001 0000 " + apex + " 0006 0001 03777777 c00c 00ff 00ff 00000000 0000",
		"one with conditions":  "1267 2800 0001 0002 0001 0000 " + apex + " 0006 0001 03777777 c00c 00ff 00ff 00000000 0000 036e6f6e c00c 00ff 00fe 00000000 0000 03777777 c00c 0001 00fe 00000000 0004 c0000201",
		"TSIG":                 header + " " + www + tsig,
		"an update with TSIG":  "1267 2800 0001 0000 0001 0001 " + apex + " 0006 0001 036e6577 c00c 0001 0001 0000003c 0004 c0000203" + tsig,
		"a transfer with TSIG": "1267 0000 0001 0000 0000 0001 " + apex + " 00fc 0001" + tsig,
		"a response":           "1267 8400 0001 0001 0000 0000 " + www + " c00c 0001 0001 0000003c 0004 c0000201",
	}
}

// tsig is a TSIG record with hmac-sha256 and a hash that is wrong.
const tsig = " 036b6579 00 00fa 00ff 00000000 003d 0b686d61632d736861323536 00 000065000000 012c 0020" +
	" 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f 1267 0000 0000"

// corpus makes the messages that are mutated.
func corpus() ([][]byte, error) {
	var all [][]byte
	long := strings.Repeat("a", dns.MaxLabelLen)
	for line := range strings.Lines(strings.ReplaceAll(strings.TrimSpace(questions), "LONG", long)) {
		wire, _, err := dialogue.Query(strings.TrimSpace(line))
		if err != nil {
			return nil, err
		}
		all = append(all, wire)
	}
	more := packets()
	var names []string
	for name := range more {
		names = append(names, name)
	}
	slices.Sort(names) // so that the same seed gives the same packets
	for _, name := range names {
		wire, err := hex.DecodeString(strings.ReplaceAll(more[name], " ", ""))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, wire)
	}
	return all, nil
}

// maxPacket is the most octets of a packet.
const maxPacket = 4096

// mutator makes packets of a corpus. The same seed and number give the same packet.
type mutator struct {
	corpus [][]byte
	seed   uint64
	pcg    *rand.PCG
	r      *rand.Rand
	buf    []byte
}

func newMutator(corpus [][]byte, seed uint64) *mutator {
	pcg := rand.NewPCG(seed, 0)
	return &mutator{corpus: corpus, seed: seed, pcg: pcg, r: rand.New(pcg)}
}

// packet gives the packet of a number; it is good until the next one.
func (m *mutator) packet(number uint64) []byte {
	m.pcg.Seed(m.seed, number)
	m.buf = append(m.buf[:0], m.pick()...)
	for again := true; again; again = m.r.IntN(2) == 0 { // two on average: with many more nothing would be understood
		m.mutate()
	}
	m.buf = m.buf[:min(len(m.buf), maxPacket)]
	return m.buf
}

func (m *mutator) pick() []byte { return m.corpus[m.r.IntN(len(m.corpus))] }

// at is a place in the packet, or its end.
func (m *mutator) at() int { return m.r.IntN(len(m.buf) + 1) }

// mutate changes one thing.
func (m *mutator) mutate() {
	if len(m.buf) == 0 {
		m.buf = append(m.buf, m.pick()...)
		return
	}
	i := m.r.IntN(len(m.buf))
	switch m.r.IntN(16) { // what keeps the message readable comes oftener
	default:
		m.buf[i] ^= 1 << m.r.IntN(8)
	case 1:
		m.buf[i] = byte(m.r.Uint32())
	case 2: // what lengths, labels, pointers and counts turn at
		edges := []byte{0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff}
		m.buf[i] = edges[m.r.IntN(len(edges))]
	case 3: // one of the counts of the header
		if j := 4 + m.r.IntN(8); j < len(m.buf) {
			m.buf[j] = byte(m.r.IntN(4))
		}
	case 4: // opcode and flags
		if j := 2 + m.r.IntN(2); j < len(m.buf) {
			m.buf[j] = byte(m.r.Uint32())
		}
	case 5:
		m.buf = m.buf[:i]
	case 6: // a part goes
		end := min(i+1+m.r.IntN(8), len(m.buf))
		m.buf = slices.Delete(m.buf, i, end)
	case 7: // a part comes again elsewhere
		part := slices.Clone(m.buf[i:min(i+1+m.r.IntN(64), len(m.buf))])
		m.buf = slices.Insert(m.buf, m.at(), part...)
	case 8: // the end of another message
		other := m.pick()
		m.buf = append(m.buf[:i], other[m.r.IntN(len(other)):]...)
	case 9: // noise
		for range 1 + m.r.IntN(32) {
			m.buf = append(m.buf, byte(m.r.Uint32()))
		}
	}
}
