// Package zone holds zones: it reads master files and writes them, checks what
// they say, and keeps each zone as an immutable snapshot that answers where a
// name stands in it: there, below a cut, under a wildcard, or nowhere.
//
// Sign makes the signed snapshot of a zone: keys, the chain that proves what is
// not there, signatures, all of them renewed in time.
//
// It is an engine: no I/O but the reader and the file system that it is given,
// no goroutines, no logging. A snapshot is never changed; a new one takes its
// place. So any number of readers may share it without a lock.
//
// RFCs: 1034 section 4.3.2 (the search), 1035 section 5 (master files), 2181
// sections 5 and 6 (RRsets and cuts), 1982 (serials), 1995 (differences), 2136
// (updates), 2308 section 4 ($TTL), 4035 section 2 (signing), 4592 (wildcards,
// empty non-terminals), 5155 section 7.1 and 9276 (NSEC3), 6672 (DNAME), 7344 and
// 8078 (CDS, CDNSKEY), 9077 (TTLs of denials).
package zone
