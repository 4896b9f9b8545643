package zones

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/state/disk"
)

// MaxJournal is the most octets of a journal's file that are read.
const MaxJournal = 1 << 30

// State is what a journal knows.
type State struct {
	// Version is the newest version; false in HasVersion when there was none yet.
	Version    Version
	HasVersion bool
	// Changes are all differences, the oldest first: what was changed since the journal began. The last Steps of them
	// lead to Version from one version to the next.
	Changes []zone.Difference
	Steps   int
	// Refreshed is when a secondary was last up to date; zero when it never was.
	Refreshed time.Time
	// Cut is how many octets at the end of the file were no whole record, and are gone: what a power cut has left of
	// something that was never acknowledged.
	Cut int64
}

// Past gives the steps as a history.
func (s State) Past(limits zone.HistoryLimits) zone.History {
	var h zone.History
	for _, d := range s.Changes[len(s.Changes)-s.Steps:] {
		h = h.With(d, limits)
	}
	return h
}

// From gives the steps that lead from the version with a serial to the newest; false when there are none that do.
func (s State) From(serial uint32) ([]zone.Difference, bool) {
	if s.HasVersion && s.Version.Serial == serial {
		return nil, true
	}
	for i := len(s.Changes) - 1; i >= len(s.Changes)-s.Steps; i-- {
		if from, _, _ := s.Changes[i].Serials(); from == serial {
			return s.Changes[i:], true
		}
	}
	return nil, false
}

// leadOn gives the newest version of a zone of which a copy was made: the steps that lead on from that are made. It says
// whether the steps lead to it at all; if not they are older than the copy, which is the newest then.
func (s State) leadOn(z *zone.Zone) (newest *zone.Zone, leads bool, err error) {
	steps, ok := s.From(z.SOA().Serial)
	if !ok || len(steps) == 0 {
		return z, ok, nil
	}
	e := z.Edit()
	for _, d := range steps {
		if err := e.Apply(d); err != nil {
			return nil, false, err
		}
	}
	return e.Zone(), true, nil
}

func stateOf(entries []entry) State {
	var s State
	for _, e := range entries {
		s.take(e)
	}
	return s
}

// take adds what a record says.
func (s *State) take(e entry) {
	switch e.kind {
	case kindVersion:
		s.Version, s.HasVersion, s.Steps = e.version, true, 0
	case kindRefreshed:
		s.Refreshed = e.refreshed
	case kindOverlay:
		s.Changes, s.Steps = append(s.Changes, e.difference), 0
	case kindStep:
		s.Changes = append(s.Changes, e.difference)
		from, to, ok := e.difference.Serials()
		if s.Steps++; !ok || from != s.Version.Serial {
			s.Steps = 0
		}
		s.Version = Version{to, s.Version.Digest.With(e.difference)}
	}
}

// Journal is the journal of one zone. Its methods are safe for concurrent use.
type Journal struct {
	store *Store
	apex  dns.Name
	ends  string // what its file's name ends with

	mu      sync.Mutex // guards what follows, and the writes
	file    disk.File
	end     int64
	written int   // records
	broken  error // after it nothing is acknowledged any more

	// One sync at a time. It is no sync.Mutex, since in a synctest bubble time stands still while somebody waits for one.
	turn   chan struct{}
	synced int // how many records are durable
}

// Journal opens the journal of a zone, or begins it, and says what is in it.
func (s *Store) Journal(apex dns.Name) (*Journal, State, error) { return s.journal(apex, journalEnd) }

func (s *Store) newJournal(apex dns.Name, ends string) *Journal {
	return &Journal{store: s, apex: apex.Canonical(), ends: ends, turn: make(chan struct{}, 1)}
}

func (s *Store) journal(apex dns.Name, ends string) (*Journal, State, error) {
	j := s.newJournal(apex, ends)
	state, err := j.open()
	if err != nil {
		if j.file != nil {
			err = errors.Join(err, j.file.Close())
		}
		return nil, State{}, fmt.Errorf("the journal of %s: %w", apex, err)
	}
	return j, state, nil
}

func (j *Journal) name() string { return fileName(j.apex) + j.ends }

func (j *Journal) open() (State, error) {
	var err error
	if j.file, err = j.store.f.OpenWrite(j.name()); errors.Is(err, fs.ErrNotExist) {
		if err = j.replace(j.head()); err != nil {
			return State{}, err
		}
		return State{}, nil
	}
	if err != nil {
		return State{}, err
	}
	// A killed process may have given the file its name just now.
	if err := j.store.f.SyncDir("."); err != nil {
		return State{}, err
	}
	return j.read()
}

// Look says what is in the journal of a zone, and leaves it as it is. Without one the error is fs.ErrNotExist.
func (s *Store) Look(apex dns.Name) (State, error) {
	state, err := s.newJournal(apex, journalEnd).look()
	if err != nil {
		return State{}, fmt.Errorf("the journal of %s: %w", apex, err)
	}
	return state, nil
}

// look reads the file of a journal that is not open.
func (j *Journal) look() (State, error) {
	file, err := j.store.f.Open(j.name())
	if err != nil {
		return State{}, err
	}
	j.file = file
	defer func() { _ = file.Close() }() // it was only read
	data, err := j.load()
	if err != nil {
		return State{}, err
	}
	entries, _, err := j.entries(data)
	return stateOf(entries), err
}

// head is what the file begins with.
func (j *Journal) head() []byte { return append([]byte(journalMagic), j.apex...) }

// read takes the records up to the first that is not whole, and cuts the file there.
func (j *Journal) read() (State, error) {
	data, err := j.load()
	if err != nil {
		return State{}, err
	}
	entries, end, err := j.entries(data)
	if err != nil {
		return State{}, err
	}
	s := stateOf(entries)
	j.end, s.Cut = int64(end), int64(len(data)-end)
	if s.Cut > 0 {
		if err := j.file.Truncate(j.end); err != nil {
			return State{}, err
		}
	}
	// A killed process may have written what it did not sync. Others see it from now on, so it must stay.
	if err := j.file.Sync(); err != nil {
		return State{}, err
	}
	return s, nil
}

func (j *Journal) load() ([]byte, error) {
	size, err := j.file.Size()
	if err != nil {
		return nil, err
	}
	if size > MaxJournal {
		return nil, fmt.Errorf("%d octets, at most %d: %w", size, int64(MaxJournal), disk.ErrTooLarge)
	}
	data := make([]byte, size)
	if _, err := j.file.ReadAt(data, 0); err != nil && !(errors.Is(err, io.EOF) && size == 0) {
		return nil, err
	}
	return data, nil
}

// entries reads the records of a journal's file, and says where the last whole one ends.
func (j *Journal) entries(data []byte) (all []entry, end int, err error) {
	head := string(j.head())
	if len(data) < len(head) || string(data[:len(head)]) != head {
		return nil, 0, fmt.Errorf("%s is no journal of this zone: %w", j.name(), errForm)
	}
	for end = len(head); end < len(data); {
		e, err := readEntry(data[end:])
		if errors.Is(err, errTorn) {
			break
		}
		if err != nil { // whole, and yet not what was ever written
			return nil, 0, fmt.Errorf("at octet %d: %w", end, err)
		}
		all = append(all, e)
		end += e.size
	}
	return all, end, nil
}

// Position is a place in a journal: what was written before it.
type Position int

// Write puts the step from one version to the next behind what is there. It is durable only after Commit.
func (j *Journal) Write(d zone.Difference) (Position, error) {
	data, err := appendDifference(nil, kindStep, d)
	if err != nil {
		return 0, fmt.Errorf("the journal of %s: %w", j.apex, err)
	}
	return j.write(data)
}

// Append is Write and Commit.
func (j *Journal) Append(d zone.Difference) error {
	at, err := j.Write(d)
	if err != nil {
		return err
	}
	return j.Commit(at)
}

// Begin notes a version that did not come of the one before by a step, durably.
func (j *Journal) Begin(v Version) error { return j.note(appendVersion(nil, v)) }

// Refreshed notes, durably, when a secondary was told that it is up to date.
func (j *Journal) Refreshed(at time.Time) error { return j.note(appendRefreshed(nil, at)) }

func (j *Journal) note(data []byte) error {
	at, err := j.write(data)
	if err != nil {
		return err
	}
	return j.Commit(at)
}

func (j *Journal) write(data []byte) (Position, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken == nil && j.end+int64(len(data)) > MaxJournal {
		return 0, fmt.Errorf("the journal of %s: more than %d octets: %w", j.apex, int64(MaxJournal), disk.ErrTooLarge)
	}
	if j.broken != nil {
		return 0, j.broken
	}
	if _, err := j.file.WriteAt(data, j.end); err != nil {
		// What was written in part is no record; where it cannot be cut off, nothing may follow it.
		if cutErr := j.file.Truncate(j.end); cutErr != nil {
			j.broken = fmt.Errorf("the journal of %s: %w", j.apex, errors.Join(err, cutErr))
		}
		return 0, fmt.Errorf("the journal of %s: %w", j.apex, err)
	}
	j.end += int64(len(data))
	j.written++
	return Position(j.written), nil
}

// Commit makes durable what was written up to a position, and what came until now with it. Where that fails nothing is
// acknowledged any more until the journal is opened anew: what is on the disk is not known.
func (j *Journal) Commit(at Position) error {
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	if j.synced >= int(at) {
		return nil
	}
	j.mu.Lock()
	file, all, err := j.file, j.written, j.broken
	j.mu.Unlock()
	if err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.broken = fmt.Errorf("the journal of %s: %w", j.apex, err)
		return j.broken
	}
	j.synced = all
	return nil
}

// Size is the octets of the journal's file.
func (j *Journal) Size() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.end
}

// Close gives the file back. What was not committed may be lost.
func (j *Journal) Close() error {
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.broken = fmt.Errorf("the journal of %s: %w", j.apex, fs.ErrClosed)
	return j.file.Close()
}
