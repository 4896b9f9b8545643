package main

import (
	"bytes"
	"testing"
)

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
