//go:build !linux

package store

// systemHelpers are none here: full disks and read-only folders are tried on
// Linux.
func systemHelpers() map[string]func(args []string) error {
	return map[string]func(args []string) error{}
}
