package app

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/internal/config"
	"github.com/network-utopia/utopia/internal/control"
)

// TestEditsOfARunningInstance: what commands change is in force, and places are told as the folder has them.
func TestEditsOfARunningInstance(t *testing.T) {
	t.Parallel()
	dir, address := folderFor(t)
	path := filepath.Join(dir, config.FileName)
	settings, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("more.zone", "mine 60 TXT x\n")
	write(config.FileName, string(settings)+"\n[dns]\nzone-file = 'more.zone'\n")
	a, _ := start(t, dir)
	ctx := t.Context()
	ours := control.Record{Name: "www.a.test.", TTL: 3600, Type: "A", Data: address, From: control.FromUtopia}
	mine := control.Record{Name: "mine.a.test.", TTL: 60, Type: "TXT", Data: `"x"`, From: "more.zone:1:1"}
	theirs := control.Record{Name: "www.a.test.", TTL: 3600, Type: "A", Data: "192.0.2.1", From: control.FromUpdate}
	check := func(what string, done control.Changed, err error, deleted, added []control.Record) {
		t.Helper()
		if err != nil || !slices.Equal(done.Deleted, deleted) || !slices.Equal(done.Added, added) || done.Zone != "a.test." {
			t.Errorf("%s: %+v, %v", what, done, err)
		}
	}
	done, err := a.SetRecords(ctx, control.SetRecords{At: control.At{Name: "www"}, Type: "A", Data: []string{"192.0.2.1"}})
	check("set", done, err, []control.Record{ours}, []control.Record{theirs})
	done, err = a.DeleteRecords(ctx, control.DeleteRecords{At: control.At{Name: "mine"}, Type: "TXT"})
	check("delete", done, err, []control.Record{mine}, []control.Record{})
	if _, err := a.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	done, err = a.Changes(ctx, "")
	check("changes", done, err, []control.Record{mine, ours}, []control.Record{theirs})
	done, err = a.RevertRecords(ctx, control.RevertRecords{At: control.At{Name: "www"}})
	check("revert", done, err, []control.Record{theirs}, []control.Record{ours})
	records, err := ReadRecords(filepath.Join(dir, "more.zone"), nil, "a.test")
	if err != nil || len(records) != 1 || ZoneOfFile(dir, filepath.Join(dir, "more.zone")) != "a.test" || ZoneOfFile(dir, "x") != "" || ZoneOfFile("/nowhere", "x") != "" {
		t.Errorf("%v, %v", records, err)
	}
	done, err = a.ImportRecords(ctx, control.ImportRecords{Records: records})
	check("import", done, err, []control.Record{}, []control.Record{mine})
	if records, err := ReadRecords("-", strings.NewReader("www A 192.0.2.1\n"), "a.test"); err != nil || len(records) != 1 || records[0].From != "stdin:1:1" {
		t.Errorf("%v, %v", records, err)
	}

	write(config.FileName, string(settings)+"\n[dns]\nenabled = false\n")
	if _, err := a.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	var told *control.Error
	if _, err := a.SetRecords(ctx, control.SetRecords{}); !errors.As(err, &told) || told.Message != "the name server is switched off" {
		t.Errorf("switched off: %v", err)
	}
}
