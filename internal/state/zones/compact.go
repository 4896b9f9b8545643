package zones

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/state/disk"
)

// Compact writes the journal anew, smaller: of the steps it keeps the last ones, as far as they have no more than keep
// octets, and the older changes as their sum. What was written before is durable afterwards. After an error the
// journal is as it was, or broken.
func (j *Journal) Compact(keep int64) error {
	return j.rewrite("compact", func(entries []entry) ([]byte, error) { return compacted(entries, keep) })
}

// Restart writes the journal anew with nothing but a version: for a secondary whose copy holds all that came before.
// Refreshed is when it was last up to date.
func (j *Journal) Restart(v Version, refreshed time.Time) error {
	return j.rewrite("restart", func([]entry) ([]byte, error) {
		return appendRefreshed(appendVersion(nil, v), refreshed), nil
	})
}

// trim takes away older steps: it leaves those that lead on from the version with a serial, and of the others the last
// ones, as far as they have no more than keep octets. Writers wait for the end of it alone.
func (j *Journal) trim(serial uint32, keep int64) error {
	err := j.trimmed(serial, keep)
	if err != nil {
		err = fmt.Errorf("the journal of %s: trim: %w", j.apex, err)
	}
	return err
}

func (j *Journal) trimmed(serial uint32, keep int64) error {
	j.mu.Lock()
	data, err := j.load()
	j.mu.Unlock()
	if err != nil {
		return err
	}
	entries, end, err := j.entries(data)
	if err != nil {
		return err
	}
	needed := int64(0)
	for i := len(entries) - 1; i >= 0 && entries[i].kind == kindStep; i-- {
		needed += int64(entries[i].size)
		if from, _, _ := entries[i].difference.Serials(); from == serial {
			keep = max(keep, needed)
			break
		}
	}
	first := firstKept(entries, keep)
	for _, e := range entries[first:] {
		end -= e.size
	}
	head := append(j.head(), appendVersion(nil, Version{Serial: stateOf(entries[:first]).Version.Serial})...)
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return j.broken
	}
	tail := make([]byte, j.end-int64(end)) // with what was written meanwhile
	if _, err := j.file.ReadAt(tail, int64(end)); err != nil && len(tail) > 0 {
		return err
	}
	if err := j.replace(append(head, tail...)); err != nil {
		return err
	}
	j.synced = j.written
	return nil
}

// rewrite puts a new file in the place of the journal's, with the records that are made of those of the old one.
func (j *Journal) rewrite(what string, records func([]entry) ([]byte, error)) error {
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return j.broken
	}
	err := j.rewriteLocked(records)
	if err != nil {
		return fmt.Errorf("the journal of %s: %s: %w", j.apex, what, err)
	}
	j.synced = j.written
	return nil
}

func (j *Journal) rewriteLocked(records func([]entry) ([]byte, error)) error {
	data, err := j.load()
	if err != nil {
		return err
	}
	entries, _, err := j.entries(data)
	if err != nil {
		return err
	}
	tail, err := records(entries)
	if err != nil {
		return err
	}
	return j.replace(append(j.head(), tail...))
}

// replace gives the journal a new file with a durable content, in place of the one that it may have. When the last
// step fails the new name may be durable or not: then nothing can be acknowledged, in neither of the files.
func (j *Journal) replace(content []byte) error {
	f, draft := j.store.f, j.name()+draftEnd
	if err := f.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := writeFile(f, draft, content)
	if err != nil {
		return err
	}
	if err := f.Rename(draft, j.name()); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := f.SyncDir("."); err != nil {
		j.broken = fmt.Errorf("the journal of %s: %w", j.apex, err)
		return errors.Join(err, file.Close())
	}
	if j.file != nil {
		_ = j.file.Close() // nothing of it is needed
	}
	j.file, j.end = file, int64(len(content))
	return nil
}

// writeFile makes a file with a durable content, which stays open; its name is not durable.
func writeFile(f disk.Folder, name string, content []byte) (disk.File, error) {
	file, err := f.Create(name)
	if err != nil {
		return nil, err
	}
	if _, err = file.WriteAt(content, 0); err == nil {
		err = file.Sync()
	}
	if err != nil {
		err = errors.Join(err, file.Close())
		_ = f.Remove(name) // or else the next one does
		return nil, err
	}
	return file, nil
}

// compacted gives the records that say what entries say, in short.
func compacted(entries []entry, keep int64) ([]byte, error) {
	first := firstKept(entries, keep)
	var old State
	for _, e := range entries[:first] {
		old.take(e)
	}
	var out []byte
	var err error
	if sum := zone.Join(old.Changes...); !sum.IsEmpty() {
		if out, err = appendDifference(out, kindOverlay, sum); err != nil {
			return nil, err
		}
	}
	if old.HasVersion {
		out = appendVersion(out, old.Version)
	}
	all := old
	for _, e := range entries[first:] {
		all.take(e)
		if e.kind == kindStep {
			if out, err = appendDifference(out, kindStep, e.difference); err != nil {
				return nil, err
			}
		}
	}
	if !all.Refreshed.IsZero() {
		out = appendRefreshed(out, all.Refreshed)
	}
	return out, nil
}

// firstKept gives the first entry of those that stay as they are: of the last ones that are steps, as many as have keep
// octets.
func firstKept(entries []entry, keep int64) int {
	first := len(entries)
	for i := len(entries) - 1; i >= 0; i-- {
		switch entries[i].kind {
		case kindStep:
			if keep -= int64(entries[i].size); keep < 0 {
				return first
			}
			first = i
		case kindVersion, kindOverlay:
			return first
		}
	}
	return first
}
