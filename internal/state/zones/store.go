package zones

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/internal/state/disk"
)

// Store is the folder of journals and copies: a few files for each zone. One process has it at a time; package
// store sees to that.
type Store struct{ f disk.Folder }

// New makes a store of a folder that exists.
func New(f disk.Folder) *Store { return &Store{f} }

// The ends of the names of files, and what a file begins with.
const (
	journalEnd = ".journal"
	copyEnd    = ".zone"
	signedEnd  = ".signed"       // the copy of a zone as it was signed here
	stepsEnd   = ".signed-steps" // and its journal
	draftEnd   = ".new"

	journalMagic = "utopia zone journal 1\n"
	copyMagic    = "utopia zone copy 1\n"
)

// maxFileName is the most octets of a zone's name in a file's; longer ones are hashed.
const maxFileName = 200

// fileName gives the name of a zone's files without their end: the zone's name with what is not a letter, digit, hyphen
// or underscore as %XX.
func fileName(apex dns.Name) string {
	if apex == dns.Root {
		return "%root"
	}
	var b strings.Builder
	for n := apex.Canonical(); n != dns.Root; n = n.Parent() {
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		for _, c := range []byte(n.Label()) {
			if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		}
	}
	if b.Len() > maxFileName {
		sum := sha256.Sum256([]byte(apex.Canonical()))
		return "%" + hex.EncodeToString(sum[:])
	}
	return b.String()
}

// Remove takes away all that is kept of a zone, whose journal is closed.
func (s *Store) Remove(apex dns.Name) error {
	for _, end := range [...]string{journalEnd, copyEnd, signedEnd, stepsEnd} {
		for _, name := range [...]string{fileName(apex) + end, fileName(apex) + end + draftEnd} {
			if err := s.f.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("zone %s: remove what is kept: %w", apex, err)
			}
		}
	}
	if err := s.f.SyncDir("."); err != nil {
		return fmt.Errorf("zone %s: remove what is kept: %w", apex, err)
	}
	return nil
}
