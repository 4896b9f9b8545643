package crashtest_test

import (
	"errors"
	"fmt"

	"github.com/network-utopia/utopia/internal/crashtest"
	"github.com/network-utopia/utopia/internal/state/disk"
)

// A store of one text that forgets to sync the folder after the rename.
func Example() {
	put := func(f disk.Folder) error {
		file, err := f.Create("draft")
		if err != nil {
			return err
		}
		_, err = file.WriteAt([]byte("text"), 0)
		if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
			return err
		}
		return f.Rename("draft", "final")
	}
	_, err := crashtest.Explore(crashtest.Scenario[bool]{
		Work: func(d *crashtest.Disk) (acknowledged bool, err error) {
			err = put(d)
			return err == nil, err
		},
		Check: func(d *crashtest.Disk, acknowledged bool) error {
			if _, err := d.Stat("final"); acknowledged && err != nil {
				return err
			}
			return nil
		},
	})
	fmt.Println(err)
	// Output:
	// crashtest: at the end, lost: stat final: file does not exist
	//    1  create draft
	//    2  write draft [0:4]
	//    3  sync draft
	//    4  rename draft -> final                         LOST
	//       *** crash
	//       --- boot; what was not synced: lost
	//
	// To run it alone: Scenario.Only = "at the end, lost"
}
