package zones

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/state/disk"
)

// A copy of a zone is a file: a line of magic, the zone's name, and then blocks of records in wire form, each behind its
// octets (4) and a checksum (4). An empty block ends it.
const copyBlock = 256 << 10

// MaxCopy is the most octets of a copy that are read.
const MaxCopy = 8 << 30

// SaveCopy keeps a zone, durably, in place of the copy that may be there: after a power cut at any moment there is the
// old one or the new one. Two at once for one zone are the caller's to prevent.
func (s *Store) SaveCopy(z *zone.Zone) error {
	if err := s.saveCopy(context.Background(), z, copyEnd); err != nil {
		return fmt.Errorf("the copy of %s: %w", z.Apex(), err)
	}
	return nil
}

func (s *Store) saveCopy(ctx context.Context, z *zone.Zone, ends string) error {
	name := fileName(z.Apex()) + ends
	draft := name + draftEnd
	if err := s.f.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := s.f.Create(draft)
	if err != nil {
		return err
	}
	if err = writeCopy(ctx, io.NewOffsetWriter(file, 0), z); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = s.f.Rename(draft, name)
	}
	if err != nil {
		_ = s.f.Remove(draft) // or else the next one does
		return err
	}
	return s.f.SyncDir(".")
}

func writeCopy(ctx context.Context, w io.Writer, z *zone.Zone) error {
	if _, err := w.Write(append([]byte(copyMagic), z.Apex()...)); err != nil {
		return err
	}
	block := make([]byte, frameHead, copyBlock)
	write := func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		seal(block)
		_, err := w.Write(block)
		block = block[:frameHead]
		return err
	}
	for rr := range z.All() {
		block = appendRR(block, rr)
		if len(block) >= copyBlock-dns.MaxMessageLen {
			if err := write(); err != nil {
				return err
			}
		}
	}
	if len(block) > frameHead {
		if err := write(); err != nil {
			return err
		}
	}
	return write() // the empty one
}

// LoadCopy reads the copy of a zone. Without one the error is fs.ErrNotExist.
func (s *Store) LoadCopy(apex dns.Name) (*zone.Zone, error) {
	z, err := s.loadCopy(apex, copyEnd)
	if err != nil {
		return nil, fmt.Errorf("the copy of %s: %w", apex, err)
	}
	return z, nil
}

func (s *Store) loadCopy(apex dns.Name, ends string) (*zone.Zone, error) {
	file, err := s.f.Open(fileName(apex) + ends)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	size, err := file.Size()
	if err != nil {
		return nil, err
	}
	if size > MaxCopy {
		return nil, fmt.Errorf("%d octets: %w", size, disk.ErrTooLarge)
	}
	return readCopy(io.NewSectionReader(file, 0, size), apex)
}

func readCopy(r io.Reader, apex dns.Name) (*zone.Zone, error) {
	want := copyMagic + string(apex.Canonical())
	head := make([]byte, len(want))
	if _, err := io.ReadFull(r, head); err != nil || string(head) != want {
		return nil, fmt.Errorf("no copy of this zone: %w", errors.Join(errForm, err))
	}
	b := zone.NewBuilder(apex)
	var block []byte
	for {
		var err error
		if block, err = readBlock(r, block); err != nil {
			return nil, err
		}
		if len(block) == 0 {
			break
		}
		for rest := block; len(rest) > 0; {
			rr, size, err := dns.ParseRecord(rest)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", errForm, err)
			}
			b.Add(zone.Record{RR: rr})
			rest = rest[size:]
		}
	}
	z, _, err := b.Build()
	return z, err
}

// readBlock reads one block, in the memory of the one before.
func readBlock(r io.Reader, buf []byte) ([]byte, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("%w: %w", errTorn, err)
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > copyBlock+dns.MaxMessageLen {
		return nil, fmt.Errorf("a block of %d octets: %w", size, errForm)
	}
	if int(size) > cap(buf) {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	if _, err := io.ReadFull(r, buf); err != nil {
		return nil, fmt.Errorf("%w: %w", errTorn, err)
	}
	if checksum(buf) != binary.BigEndian.Uint32(head[4:]) {
		return nil, fmt.Errorf("a checksum is wrong: %w", errForm)
	}
	return buf, nil
}
