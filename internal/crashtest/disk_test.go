package crashtest_test

import (
	"testing"

	"github.com/network-utopia/utopia/internal/crashtest"
	"github.com/network-utopia/utopia/internal/state/disk"
	"github.com/network-utopia/utopia/internal/state/disk/disktest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	disktest.Run(t, func(*testing.T) disk.Folder { return crashtest.New(crashtest.Options{}) })
}
