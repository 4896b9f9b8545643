package main

import (
	"bytes"
	"testing"
)

func TestSimilar(t *testing.T) {
	t.Parallel()
	commands := []string{"up", "upper", "user", "dig", "trace", "completion"}
	for wrong, want := range map[string]string{
		"usr": "user", "uper": "upper", "dgi": "dig", "UP": "up", "upp": "up", "comp": "completion", "traec": "trace", "u": "up",
		"xx": "", "x": "", "": "", "mail": "", "digging": "",
	} {
		if got := similar(wrong, commands); got != want {
			t.Errorf("%q may mean %q, want %q", wrong, got, want)
		}
	}
}

// The year 1 is no date of a page.
func TestManualPages(t *testing.T) {
	t.Parallel()
	var page bytes.Buffer
	root := newRoot(&session{out: &page, err: &bytes.Buffer{}})
	if err := writePage(root, &page, "man"); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(page.Bytes(), []byte(`.TH "UTOPIA" "1" "" "Utopia `)) {
		t.Errorf("the page begins with %.80q", page.String())
	}
}
