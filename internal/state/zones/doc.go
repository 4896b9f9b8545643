// Package zones keeps what must last of zones: the journal of each zone, with the changes that came by update or by
// transfer, the copies of secondary zones, and those of zones as they were signed.
//
// A journal is a file of records, each with its length and checksum. What Commit has acknowledged survives a power cut;
// what was written and not acknowledged is there whole afterwards, or not at all. Writers that commit at the same time
// share one sync. docs/explanation/zone-journal.md says what the journal of a primary zone means when the zone's file
// changes.
//
// It stands on internal/state/disk, and is crashed at every step by internal/crashtest.
package zones
