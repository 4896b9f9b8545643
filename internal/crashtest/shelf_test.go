package crashtest_test

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"

	"github.com/network-utopia/utopia/internal/crashtest"
	"github.com/network-utopia/utopia/internal/state/disk"
)

// shelf is a store of messages, each in a file of its own: what the mail store and uploads do, in small. A message is
// written to tmp, synced, renamed to new, and new is synced; only then is it acknowledged.
type shelf struct {
	f    disk.Folder
	flaw flaw
	last int // the number of the newest message
}

// flaw is a mistake that is planted in a store; "" is none.
type flaw string

const (
	noSyncDirAfterRename flaw = "no sync of the folder after the rename"
	noSyncBeforeRename   flaw = "no sync of the file before the rename"
	earlyAcknowledgement flaw = "acknowledged before the sync"
	noSyncDirAfterRemove flaw = "no sync of the folder after the removal"
	noSyncOfNewFolders   flaw = "no sync of the folder above a new folder"
	wrongFolderSynced    flaw = "the folder that was left is synced, not the one that was entered"
	writtenInPlace       flaw = "written under its name"
	leftoversStay        flaw = "leftovers of a crash are in the way"
	syncTriedAgain       flaw = "a failed sync is tried again on the file opened anew"
	syncIgnored          flaw = "a failed sync is ignored"
)

func openShelf(f disk.Folder, how flaw) (*shelf, error) {
	s := &shelf{f: f, flaw: how}
	for _, name := range []string{"tmp", "new"} {
		if err := s.folder(name); err != nil {
			return nil, err
		}
	}
	ids, err := s.List()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		s.last = max(s.last, id)
	}
	return s, s.clean()
}

func (s *shelf) folder(name string) error {
	if s.flaw != noSyncOfNewFolders {
		return disk.MkdirAll(s.f, name)
	}
	if _, err := s.f.Stat(name); err == nil {
		return nil
	}
	return s.f.Mkdir(name)
}

// clean removes what a crash has left half done. That need not last: the next opening would do it again.
func (s *shelf) clean() error {
	left, err := s.f.ReadDir("tmp")
	if err != nil || s.flaw == leftoversStay {
		return err
	}
	for _, e := range left {
		if err := s.f.Remove("tmp/" + e.Name()); err != nil {
			return err
		}
	}
	return nil
}

// Put keeps a message, calls acknowledge once it is durable, and returns its number.
func (s *shelf) Put(text string, acknowledge func(id int)) error {
	id := s.last + 1
	name := strconv.Itoa(id)
	draft, final := "tmp/"+name, "new/"+name
	if s.flaw == writtenInPlace {
		draft = final
	}
	if s.flaw == earlyAcknowledgement {
		acknowledge(id)
		acknowledge = func(int) {}
	}
	if err := s.write(draft, text); err != nil {
		return err
	}
	if err := s.f.Rename(draft, final); err != nil {
		return err
	}
	s.last = id
	enters := "new"
	if s.flaw == wrongFolderSynced {
		enters = "tmp"
	}
	if s.flaw != noSyncDirAfterRename {
		if err := s.f.SyncDir(enters); err != nil {
			return err
		}
	}
	acknowledge(id)
	return nil
}

func (s *shelf) write(name, text string) error {
	if s.flaw != leftoversStay { // of a Put that failed
		_ = s.f.Remove(name)
	}
	file, err := s.f.Create(name)
	if err != nil {
		return err
	}
	_, err = file.WriteAt([]byte(text), 0)
	if err == nil {
		err = s.sync(file, name)
	}
	return errors.Join(err, file.Close())
}

func (s *shelf) sync(file disk.File, name string) error {
	if s.flaw == noSyncBeforeRename {
		return nil
	}
	err := file.Sync()
	switch {
	case err == nil || s.flaw == syncIgnored:
		return nil
	case s.flaw == syncTriedAgain:
		again, openErr := s.f.OpenWrite(name)
		if openErr != nil {
			return openErr
		}
		return errors.Join(again.Sync(), again.Close())
	}
	return err
}

// Remove takes a message away.
func (s *shelf) Remove(id int) error {
	if err := s.f.Remove("new/" + strconv.Itoa(id)); err != nil || s.flaw == noSyncDirAfterRemove {
		return err
	}
	return s.f.SyncDir("new")
}

// List gives the numbers of the messages, in order.
func (s *shelf) List() ([]int, error) {
	entries, err := s.f.ReadDir("new")
	if err != nil {
		return nil, err
	}
	var ids []int
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			return nil, fmt.Errorf("a message named %q", e.Name())
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

// Get reads a message.
func (s *shelf) Get(id int) (string, error) {
	text, err := disk.ReadFile(s.f, path.Join("new", strconv.Itoa(id)), 1<<20)
	return string(text), err
}

// known is what the outside knows of a store of messages.
type known struct {
	sent    map[string]bool // all that was tried
	kept    map[string]bool // acknowledged, and not removed since
	removed map[string]bool // whose removal was acknowledged
}

func newKnown() known {
	return known{sent: map[string]bool{}, kept: map[string]bool{}, removed: map[string]bool{}}
}

// agrees checks what a store holds.
func (k known) agrees(texts []string) error {
	there := map[string]bool{}
	for _, text := range texts {
		switch {
		case there[text]:
			return fmt.Errorf("%.20q is there twice", text)
		case k.removed[text]:
			return fmt.Errorf("%.20q is back", text)
		case !k.sent[text]:
			return fmt.Errorf("%.20q (%d octets) was never sent", text, len(text))
		}
		there[text] = true
	}
	for _, text := range slices.Sorted(maps.Keys(k.kept)) {
		if !there[text] {
			return fmt.Errorf("%.20q was acknowledged, and is lost", text)
		}
	}
	return nil
}

// shelfScenario puts three messages, one of them several sectors long, and removes the first.
func shelfScenario(how flaw) crashtest.Scenario[known] {
	return crashtest.Scenario[known]{
		Work:  func(d *crashtest.Disk) (known, error) { return useShelf(d, how) },
		Check: func(d *crashtest.Disk, k known) error { return checkShelf(d, how, k) },
	}
}

func useShelf(d *crashtest.Disk, how flaw) (known, error) {
	k := newKnown()
	k.sent[afterwards] = true // by the check
	s, err := openShelf(d, how)
	if err != nil {
		return k, err
	}
	var errs error
	for _, text := range []string{"one", long("two", 1300), "three"} {
		k.sent[text] = true
		errs = errors.Join(errs, s.Put(text, func(id int) { // and go on: a message may fail, and the next be kept
			d.Note("acknowledged %d", id)
			k.kept[text] = true
		}))
	}
	if k.kept["one"] && !d.Crashed() {
		delete(k.kept, "one")
		if err := s.Remove(1); err != nil {
			return k, errors.Join(errs, err)
		}
		d.Note("removal of 1 acknowledged")
		k.removed["one"] = true
	}
	return k, errs
}

func checkShelf(f disk.Folder, how flaw, k known) error {
	s, err := openShelf(f, how)
	if err != nil {
		return fmt.Errorf("open again: %w", err)
	}
	ids, err := s.List()
	if err != nil {
		return err
	}
	var texts []string
	for _, id := range ids {
		text, err := s.Get(id)
		if err != nil {
			return err
		}
		texts = append(texts, text)
	}
	if err := k.agrees(texts); err != nil || slices.Contains(texts, afterwards) {
		return err
	}
	return s.Put(afterwards, func(int) {}) // the store is as good as before
}

const afterwards = "after the crash"

// long is a text of n octets that says which one it is everywhere.
func long(text string, n int) string {
	all := make([]byte, 0, n)
	for i := 0; len(all) < n; i++ {
		all = fmt.Appendf(all, "%s-%d ", text, i)
	}
	return string(all[:n])
}
