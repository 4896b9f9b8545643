// Package disk is what a store does with files, behind one small interface: internal/state's stores are written
// against Folder, run on the operating system (Open), and are tried in internal/crashtest on a disk that loses whatever
// they did not sync.
//
// The rule is that of fsync(2) and POSIX.1-2024, and no more than it: the content of a file is durable after Sync of
// the file, and its name after SyncDir of the folder that holds the name. Neither does the other's work, and Close does
// neither. What was not synced may survive a power cut in whole, in part (in pieces of 512 octets, or as zeros of the
// right size) or not at all, in any order. One thing more is relied on, which every file system with a journal gives:
// Rename never loses the file, and within one folder it happens in whole or not at all.
//
// A store that keeps a file whole before it says so writes
//
//	Create a temporary name, WriteAt, Sync, Close, Rename, SyncDir
//
// in that order, which is what Replace does.
//
// There is no lock here: store.Lock holds the data folder for one process. There is no append mode either: a store
// knows the end of its file, and so can write over what a failed write has left.
package disk

import (
	"io"
	"io/fs"
)

// Folder is a folder and all that is below it. Names are slash-separated paths below it in the sense of fs.ValidPath,
// and "." is the folder itself; others are refused with fs.ErrInvalid. Nothing outside can be reached.
//
// Each error is an *fs.PathError; errors.Is knows fs.ErrNotExist and fs.ErrExist. A call that changes a name and fails
// has changed nothing. All calls are safe for concurrent use.
type Folder interface {
	// Create makes a file that did not exist, empty, to be read and written. An existing name is fs.ErrExist.
	// Durable: nothing, until the file's Sync and its folder's SyncDir.
	Create(name string) (File, error)
	// Open opens a file that exists, to be read. A folder is an error.
	Open(name string) (File, error)
	// OpenWrite opens a file that exists, to be read and written. Its content stays.
	OpenWrite(name string) (File, error)
	// Mkdir makes one folder; an existing name is fs.ErrExist. Durable: nothing, until SyncDir of the folder above;
	// what is synced inside is lost with it until then. MkdirAll does both.
	Mkdir(name string) error
	// Rename gives a file another name, in place of a file that had it: for whoever looks on, one of the two has the
	// name at any moment. A folder gets a name that is free. Durable: nothing. The new name is after SyncDir of its
	// folder; where the folders differ, the old name of a file is gone for good after SyncDir of the old folder, and
	// until then a power cut may leave both.
	Rename(from, to string) error
	// Link gives a file a second name; an existing one is fs.ErrExist. Durable: nothing, until SyncDir of the folder of
	// the second name. Whoever removes the first name before that may lose the file.
	Link(from, to string) error
	// Remove takes the name of a file or of an empty folder away. Open files stay readable. Durable: nothing, until
	// SyncDir of the folder: before that, the file may come back.
	Remove(name string) error
	// ReadDir lists a folder, sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	// Stat says what stands under a name.
	Stat(name string) (fs.FileInfo, error)
	// SyncDir makes durable which names the folder holds: all that was created, renamed, linked and removed in it
	// before. It does nothing for what is in the files, or in the folders below.
	//
	// A SyncDir that failed never succeeds again for this folder, until the whole is opened anew: the system may have
	// forgotten what it could not write, and would say that all is well. The store must not acknowledge.
	SyncDir(name string) error
}

// File is an open file. Its calls are safe for concurrent use; io.NewOffsetWriter and io.NewSectionReader make streams
// of it.
type File interface {
	// ReadAt reads as io.ReaderAt: fewer octets than asked for come with io.EOF.
	io.ReaderAt
	// WriteAt writes as io.WriterAt; octets between the old end and off are zeros. After an error, any part of it may
	// have been written. Durable: nothing, until Sync.
	io.WriterAt
	// Truncate cuts the file at size octets, or fills it with zeros up to there. Durable: nothing, until Sync.
	Truncate(size int64) error
	// Size is the length of the file in octets.
	Size() (int64, error)
	// Sync makes the content and the length durable, of everything written before it was called.
	//
	// A Sync that failed must never be tried again as if it could still succeed: Linux drops the pages that it could
	// not write, so that a second call would report success for what is lost, and reading shows octets that are on no
	// disk. So the file is poisoned: every Sync, WriteAt and Truncate after it fails with the same error. Opening the
	// file anew does not heal it; the store must not acknowledge, and writes what it still needs into a new file.
	Sync() error
	// Close gives the file back. It makes nothing durable.
	io.Closer
}
