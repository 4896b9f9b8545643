package tcp

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// Whatever comes, in whatever order and however it overlaps, is put together as it was, and the blocks are what is there.
func TestReceiveBuffer(t *testing.T) {
	t.Parallel()
	const size = 1000
	whole := pattern(size)
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 1))
		first := -uint32(r.IntN(size)) // past 2^32 somewhere
		b := receiveBuffer{next: first}
		there := make([]bool, size)
		var got []byte
		for len(got) < size {
			from := max(0, min(size-1, int(b.next-first)+r.IntN(400)-100))
			to := min(size, from+1+r.IntN(100))
			data := append([]byte(nil), whole[from:to]...)
			before := b.next
			inOrder, closed := b.add(first+uint32(from), data)
			for i := from; i < to; i++ {
				there[i] = true
			}
			next := 0
			for next < size && there[next] {
				next++
			}
			if b.next != first+uint32(next) {
				t.Fatalf("seed %d: expects %d, want %d", seed, b.next-first, next)
			}
			if news := before != b.next; inOrder != news || closed && !news {
				t.Fatalf("seed %d: in order %v, closed %v, from %d to %d", seed, inOrder, closed, before-first, b.next-first)
			}
			held := 0
			for i := next; i < size; i++ {
				if there[i] {
					held++
				}
			}
			if held != b.held {
				t.Fatalf("seed %d: %d octets are held, want %d", seed, b.held, held)
			}
			compareBlocks(t, &b, first, there)
			p := make([]byte, r.IntN(200))
			n := b.read(p)
			got = append(got, p[:n]...)
			if b.length != next-len(got) {
				t.Fatalf("seed %d: %d octets to read, want %d", seed, b.length, next-len(got))
			}
			if next == size {
				p = make([]byte, size)
				n := b.read(p)
				got = append(got, p[:n]...)
			}
		}
		if !bytes.Equal(got, whole) {
			t.Fatalf("seed %d: what is read is not what came", seed)
		}
		if len(b.apart)+len(b.ranges)+len(b.ready)+b.length+b.held != 0 {
			t.Fatalf("seed %d: something is left", seed)
		}
	}
}

// compareBlocks holds the blocks to what is there, and to four.
func compareBlocks(t *testing.T, b *receiveBuffer, first uint32, there []bool) {
	t.Helper()
	var s Segment
	b.blocks(&s)
	if want := min(len(b.ranges), maxBlocks); s.Sacked != want {
		t.Fatalf("%d blocks, want %d", s.Sacked, want)
	}
	next := b.next - first
	for _, x := range s.Blocks[:s.Sacked] {
		from, to := x.From-first, x.To-first
		if from <= next || to <= from || int(to) > len(there) || there[from-1] || int(to) < len(there) && there[to] {
			t.Fatalf("a block from %d to %d", from, to)
		}
		for i := from; i < to; i++ {
			if !there[i] {
				t.Fatalf("a block from %d to %d, though %d is not there", from, to, i)
			}
		}
	}
}

// What is acknowledged is let go of, block by block, and what is not stays where it is.
func TestSendBufferLetsGo(t *testing.T) {
	t.Parallel()
	var b sendBuffer
	b.base = 1 << 31
	whole := pattern(300000)
	for at := 0; at < len(whole); {
		n := min(len(whole)-at, 1+at%7000)
		b.write(whole[at : at+n])
		at += n
	}
	for at := 0; at < len(whole); {
		n := min(len(whole)-at, 1+at%9000)
		if got := b.at(b.base, n); !bytes.Equal(got, whole[at:at+n]) {
			t.Fatalf("at %d are other octets", at)
		}
		at += n
		b.release(1<<31 + uint32(at))
		if b.length != len(whole)-at || b.base != 1<<31+uint32(at) || b.end() != 1<<31+uint32(len(whole)) {
			t.Fatalf("%d octets are left at %d, up to %d", b.length, b.base-1<<31, b.end()-1<<31)
		}
		memory := 0
		for _, x := range b.blocks {
			memory += cap(x)
		}
		if memory >= b.length+2*maxBlock || b.skip > 0 && b.skip >= cap(b.blocks[0]) {
			t.Fatalf("%d octets take %d of memory, %d of them done with", b.length, memory, b.skip)
		}
	}
	if b.blocks != nil || b.skip != 0 {
		t.Error("memory is kept for nothing")
	}
}
