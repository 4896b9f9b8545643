package crashtest_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/internal/crashtest"
)

func TestRightStores(t *testing.T) {
	t.Parallel()
	crashtest.Run(t, shelfScenario(""))
	crashtest.Run(t, journalScenario(""))
}

// Each planted bug is found, at the first step at which it shows, and for the reason that it is.
func TestPlantedBugs(t *testing.T) {
	t.Parallel()
	shelf, journal := shelfScenario, journalScenario
	for _, c := range []struct {
		scenario func(flaw) crashtest.Scenario[known]
		flaw     flaw
		name     string // of the case
		call     string // at which it shows
		err      string
	}{
		{shelf, noSyncDirAfterRename, "before step 9, lost", "create tmp/2", `"one" was acknowledged, and is lost`},
		{shelf, noSyncBeforeRename, "after step 7, names", "rename tmp/1 -> new/1", `"" (0 octets) was never sent`},
		{shelf, earlyAcknowledgement, "before step 5, lost", "create tmp/1", `"one" was acknowledged, and is lost`},
		{shelf, noSyncDirAfterRemove, "at the end, lost", "", `"one" is back`},
		{shelf, noSyncOfNewFolders, "before step 8, lost", "create tmp/2", `"one" was acknowledged, and is lost`},
		{shelf, wrongFolderSynced, "before step 10, lost", "create tmp/2", `"one" was acknowledged, and is lost`},
		{shelf, writtenInPlace, "after step 5, kept", "create new/1", `"" (0 octets) was never sent`},
		{shelf, leftoversStay, "after step 5, kept", "create tmp/1", `create tmp/1: file already exists`},
		{shelf, syncTriedAgain, "no space at step 12, lost", "sync tmp/2", `"" (0 octets) was never sent`},
		{shelf, syncIgnored, "no space at step 12, lost", "sync tmp/2", `"" (0 octets) was never sent`},
		{journal, noSyncDirAfterCreate, "before step 4, lost", "write journal [11:1319]", `"one" was acknowledged, and is lost`},
		{journal, tornTailIsAnError, "after step 3, sizes", "write journal [0:11]", `open again: half a record`},
		{journal, noChecksum, "after step 3, shredded:3", "write journal [0:11]", `"\x00\x00\x00" (3 octets) was never sent`},
		{journal, tailIsLeft, "after step 3, sizes", "write journal [0:11]", `"after the crash" was acknowledged, and cannot be read`},
		{journal, noSyncAfterReset, "before step 8, lost", "write journal [0:11]", `"one" is back`},
		{journal, syncIgnored, "before step 4, lost", "sync journal", `"one" was acknowledged, and is lost`},
	} {
		t.Run(string(c.flaw), func(t *testing.T) {
			t.Parallel()
			f := found(t, c.scenario(c.flaw))
			if f.Case != c.name || f.Call != c.call || f.Err.Error() != c.err {
				t.Errorf("found as %q, %q, %q\n%v", f.Case, f.Call, f.Err, f)
			}
			// That case alone is found again.
			s := c.scenario(c.flaw)
			s.Only = f.Case
			if again := found(t, s); again.Error() != f.Error() {
				t.Errorf("alone, it is\n%v\nbefore it was\n%v", again, f)
			}
		})
	}
}

// found explores a scenario that has a bug.
func found(t *testing.T, s crashtest.Scenario[known]) *crashtest.Failure {
	t.Helper()
	report, err := crashtest.Explore(s)
	var f *crashtest.Failure
	if !errors.As(err, &f) {
		t.Fatalf("not found: %v, %v", report, err)
	}
	return f
}

func TestGroupCommit(t *testing.T) {
	t.Parallel()
	for how, bug := range map[flaw]bool{"": false, countedAfterSync: true} {
		synctest.Test(t, func(t *testing.T) {
			s := journalScenario(how)
			s.Work = func(d *crashtest.Disk) (known, error) { return group(d, how) }
			s.Disk.SyncTime = time.Millisecond
			report, err := crashtest.Explore(s)
			if (err != nil) != bug || bug && !strings.Contains(err.Error(), "was acknowledged, and is lost") {
				t.Errorf("%q: %v, %v", how, report, err)
			}
			t.Log(report)
		})
	}
}
