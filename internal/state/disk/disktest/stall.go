package disktest

import (
	"sync"

	"github.com/network-utopia/utopia/internal/state/disk"
)

// Stall is a folder on a disk that can be made to hang: its syncs then wait. It is made by NewStall.
type Stall struct {
	disk.Folder

	mu      sync.Mutex
	running chan struct{} // closed while the disk does not hang
	waiting int
}

// NewStall gives a folder that is as f until Hang is called.
func NewStall(f disk.Folder) *Stall {
	s := &Stall{Folder: f, running: make(chan struct{})}
	close(s.running)
	return s
}

// Hang has every sync that begins from now on wait, until the function that it returns is called. That may be called
// several times.
func (s *Stall) Hang() (goOn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hanging := make(chan struct{})
	s.running = hanging
	return sync.OnceFunc(func() { close(hanging) })
}

// Waiting is how many syncs wait.
func (s *Stall) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting
}

func (s *Stall) wait() {
	s.mu.Lock()
	running := s.running
	s.waiting++
	s.mu.Unlock()
	<-running
	s.mu.Lock()
	s.waiting--
	s.mu.Unlock()
}

// stalled is a file of a Stall.
type stalled struct {
	disk.File
	s *Stall
}

func (f stalled) Sync() error {
	f.s.wait()
	return f.File.Sync()
}

func (s *Stall) file(f disk.File, err error) (disk.File, error) {
	if err != nil {
		return nil, err
	}
	return stalled{f, s}, nil
}

// Create implements disk.Folder.
func (s *Stall) Create(name string) (disk.File, error) { return s.file(s.Folder.Create(name)) }

// Open implements disk.Folder.
func (s *Stall) Open(name string) (disk.File, error) { return s.file(s.Folder.Open(name)) }

// OpenWrite implements disk.Folder.
func (s *Stall) OpenWrite(name string) (disk.File, error) { return s.file(s.Folder.OpenWrite(name)) }

// SyncDir implements disk.Folder.
func (s *Stall) SyncDir(name string) error {
	s.wait()
	return s.Folder.SyncDir(name)
}
