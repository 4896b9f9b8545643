// Package crashtest shows what a power cut does to a store, at every moment at which one can come.
//
// A Disk is a disk.Folder in memory that keeps two states: what programs see, and what has reached the platter. It
// crashes at a step that one chooses, and Reboot gives the disk that is found thereafter, on which each change that was
// not synced survived, or did not, or in part. Run tries a store with it: a Scenario says what work to do and what must
// then be true, and Run crashes the work before and after every step, and the recovery at every step of its own, and
// fails single calls (a full disk, a broken one), and asks each time.
//
// The disk allows whatever POSIX.1-2024 and fsync(2) allow, as package disk says it: changes of names are lost singly
// and in any order, writes in pieces of 512 octets (and smaller, for fates that shred), sizes without their octets. It
// is kinder in this: a rename never loses the file; one within a folder, or of a folder, is whole or not at all, and that
// of a folder comes after all that was done before; a folder goes only after what was in it; writes to one file land, as
// far as they do, in their order; what was synced stays readable. It does not model modes, times and symbolic links,
// nor disks that lie about a sync.
//
// A program whose goroutines race may take another way in each run: then a case that failed need not fail again alone.
package crashtest
