package crashtest_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"sync"

	"github.com/network-utopia/utopia/internal/crashtest"
	"github.com/network-utopia/utopia/internal/state/disk"
)

// journal is a store of messages in one file, one record after the other: what the mail queue does, in small. Those who
// append at the same time share one sync.
type journal struct {
	f    disk.Folder
	flaw flaw
	file disk.File

	mu      sync.Mutex // guards what follows, and the writes
	texts   []string
	end     int64
	written int
	broken  error

	// One sync at a time. It is no sync.Mutex, since in a synctest bubble time stands still while somebody waits for one.
	turn   chan struct{}
	synced int // how many records are durable
}

const (
	noSyncDirAfterCreate flaw = "no sync of the folder after the journal was made"
	tornTailIsAnError    flaw = "a torn tail is taken for damage"
	noChecksum           flaw = "a torn tail is taken for a record"
	tailIsLeft           flaw = "a torn tail stays in the file"
	noSyncAfterReset     flaw = "no sync after the journal was emptied"
	countedAfterSync     flaw = "the group commit takes for synced what was written while it ran"
)

const recordHead = 8 // octets: length, CRC-32

func openJournal(f disk.Folder, how flaw) (*journal, error) {
	j := &journal{f: f, flaw: how, turn: make(chan struct{}, 1)}
	var err error
	if j.file, err = f.OpenWrite("journal"); errors.Is(err, fs.ErrNotExist) {
		j.file, err = f.Create("journal")
	}
	if err != nil {
		return nil, err
	}
	if how != noSyncDirAfterCreate { // also of one that is there: a killed process may have made it just now
		if err := f.SyncDir("."); err != nil {
			return nil, err
		}
	}
	return j, j.read()
}

// read takes the records up to the first that is not whole, and cuts the file there.
func (j *journal) read() error {
	size, err := j.file.Size()
	if err != nil {
		return err
	}
	data := make([]byte, size)
	if _, err := j.file.ReadAt(data, 0); err != nil && size > 0 {
		return err
	}
	for int(j.end) < len(data) {
		text, err := record(data[j.end:], j.flaw)
		if err != nil && j.flaw == tornTailIsAnError {
			return err
		}
		if err != nil {
			break
		}
		j.texts = append(j.texts, text)
		j.end += recordHead + int64(len(text))
	}
	if j.end == size || j.flaw == tailIsLeft {
		j.end = size
		return nil
	}
	if err := j.file.Truncate(j.end); err != nil {
		return err
	}
	return j.file.Sync()
}

func record(data []byte, how flaw) (string, error) {
	if len(data) < recordHead {
		return "", errors.New("half a head")
	}
	n := binary.BigEndian.Uint32(data)
	if n == 0 || int(n) > len(data)-recordHead {
		return "", errors.New("half a record")
	}
	text := data[recordHead : recordHead+n]
	if crc32.ChecksumIEEE(text) != binary.BigEndian.Uint32(data[4:]) && how != noChecksum {
		return "", errors.New("a wrong checksum")
	}
	return string(text), nil
}

// Append keeps a message; it is durable when Append returns nil.
func (j *journal) Append(text string) error {
	data := binary.BigEndian.AppendUint32(nil, uint32(len(text)))
	data = binary.BigEndian.AppendUint32(data, crc32.ChecksumIEEE([]byte(text)))
	mine, err := j.write(append(data, text...))
	if err != nil {
		return err
	}
	return j.commit(mine)
}

func (j *journal) write(data []byte) (mine int, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return 0, j.broken
	}
	if _, err := j.file.WriteAt(data, j.end); err != nil {
		// What was written in part is no record; where it cannot be cut off, nothing may follow it.
		j.broken = j.file.Truncate(j.end)
		return 0, err
	}
	j.end += int64(len(data))
	j.written++
	return j.written, nil
}

// commit makes the first n records durable, and those that came until now with them.
func (j *journal) commit(n int) error {
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	if j.synced >= n {
		return nil
	}
	all := j.count()
	err := j.file.Sync()
	if err != nil && j.flaw != syncIgnored {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.broken = err
		return err
	}
	if j.flaw == countedAfterSync {
		all = j.count()
	}
	j.synced = all
	return nil
}

func (j *journal) count() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.written
}

// Reset empties the journal, durably: what follows must not be read as the end of what was there.
func (j *journal) Reset() error {
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.file.Truncate(0); err != nil {
		return err
	}
	j.end = 0
	if j.flaw == noSyncAfterReset {
		return nil
	}
	j.broken = j.file.Sync()
	return j.broken
}

// journalScenario appends two messages, the second over several sectors, empties the journal, and appends two more of
// the same sizes.
func journalScenario(how flaw) crashtest.Scenario[known] {
	return crashtest.Scenario[known]{
		Work:  func(d *crashtest.Disk) (known, error) { return useJournal(d, how) },
		Check: func(d *crashtest.Disk, k known) error { return checkJournal(d, how, k) },
	}
}

func useJournal(d *crashtest.Disk, how flaw) (known, error) {
	k := newKnown()
	k.sent[afterwards] = true // by the check
	j, err := openJournal(d, how)
	if err != nil {
		return k, err
	}
	var errs error
	put := func(text string) {
		k.sent[text] = true
		if err := j.Append(text); err != nil {
			errs = errors.Join(errs, err)
			return
		}
		d.Note("acknowledged %.8q", text)
		k.kept[text] = true
	}
	put("one")
	put(long("two", 1300))
	if d.Crashed() {
		return k, errs
	}
	kept := k.kept
	k.kept = map[string]bool{} // they may go from here
	if err := j.Reset(); err != nil {
		return k, errors.Join(errs, err)
	}
	d.Note("reset acknowledged")
	k.removed = kept
	put("uno")
	put(long("due", 1300))
	return k, errors.Join(errs, j.file.Close())
}

func checkJournal(d *crashtest.Disk, how flaw, k known) error {
	j, err := openJournal(d, how)
	if err != nil {
		return fmt.Errorf("open again: %w", err)
	}
	if err := k.agrees(j.texts); err != nil {
		return err
	}
	// What is put now, is there when the journal is opened once more.
	if len(j.texts) == 0 || j.texts[len(j.texts)-1] != afterwards {
		if err := j.Append(afterwards); err != nil {
			return err
		}
		d.Note("acknowledged %q", afterwards)
	}
	if j, err = openJournal(d, how); err != nil {
		return fmt.Errorf("open once more: %w", err)
	}
	if n := len(j.texts); n == 0 || j.texts[n-1] != afterwards {
		return fmt.Errorf("%q was acknowledged, and cannot be read", afterwards)
	}
	return nil
}

// group appends from several goroutines at a time, in two rounds.
func group(d *crashtest.Disk, how flaw) (known, error) {
	k := newKnown()
	k.sent[afterwards] = true // by the check
	j, err := openJournal(d, how)
	if err != nil {
		return k, err
	}
	var mu sync.Mutex // guards k and errs
	var errs error
	for round := range 2 {
		var wg sync.WaitGroup
		for i := range 4 {
			text := long(fmt.Sprintf("%d of round %d", i, round), 300)
			k.sent[text] = true
			wg.Go(func() {
				err := j.Append(text)
				mu.Lock()
				defer mu.Unlock()
				if errs = errors.Join(errs, err); err == nil {
					d.Note("acknowledged %.15q", text)
					k.kept[text] = true
				}
			})
		}
		wg.Wait()
	}
	return k, errs
}
