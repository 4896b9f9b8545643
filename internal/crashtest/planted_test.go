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
		{shelf, noSyncDirAfterRename, "", "", ""},
		{shelf, noSyncBeforeRename, "", "", ""},
		{shelf, earlyAcknowledgement, "", "", ""},
		{shelf, noSyncDirAfterRemove, "", "", ""},
		{shelf, noSyncOfNewFolders, "", "", ""},
		{shelf, wrongFolderSynced, "", "", ""},
		{shelf, writtenInPlace, "", "", ""},
		{shelf, leftoversStay, "", "", ""},
		{shelf, syncTriedAgain, "", "", ""},
		{shelf, syncIgnored, "", "", ""},
		{journal, noSyncDirAfterCreate, "", "", ""},
		{journal, tornTailIsAnError, "", "", ""},
		{journal, noChecksum, "", "", ""},
		{journal, tailIsLeft, "", "", ""},
		{journal, noSyncAfterReset, "", "", ""},
		{journal, syncIgnored, "", "", ""},
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
