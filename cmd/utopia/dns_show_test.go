package main

import (
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/control"
)

func TestZoneHead(t *testing.T) {
	until := time.Date(2030, 1, 2, 3, 4, 5, 0, time.Local)
	for want, z := range map[string]control.Zone{
		"; a.test.: serial 7, 3 records, signed, from a.zone and b.zone":                {State: "served", Serial: 7, Records: 3, Signed: true, Files: []string{"a.zone", "b.zone"}},
		"; a.test.: serial 7, 0 records, served as it was before its file got an error": {State: "kept", Serial: 7},
		"; a.test.: not served: its file has an error":                                  {State: "missing"},
		"; a.test.: from 192.0.2.1:53 and 192.0.2.2:53, not served: it has not come yet": {State: "missing", Role: "secondary",
			Primaries: []string{"192.0.2.1:53", "192.0.2.2:53"}},
		"; a.test.: from 192.0.2.1:53, not served: it was good until 2030-01-02 03:04:05": {State: "missing", Role: "secondary", Primaries: []string{"192.0.2.1:53"}, Expires: until},
		"; a.test.: serial 7, 3 records, from 192.0.2.1:53, good until 2030-01-02 03:04:05": {State: "served", Role: "secondary", Serial: 7, Records: 3,
			Primaries: []string{"192.0.2.1:53"}, Expires: until},
	} {
		z.Name = "a.test."
		if got := zoneHead(z); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}
