package websvc

import (
	"reflect"
	"testing"
)

func TestRecords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		port     uint16
		redirect bool
		want     []Record
	}{
		{443, false, nil}, // plain HTTP works: nobody is sent away from it
		{443, true, []Record{{"@", "HTTPS", "1 . alpn=h2"}, {"www", "HTTPS", "1 . alpn=h2"}}},
		{8443, false, []Record{{"_8443._https", "HTTPS", "1 @ alpn=h2"}, {"_8443._https.www", "HTTPS", "1 www alpn=h2"}}},
		{8443, true, []Record{{"_8443._https", "HTTPS", "1 @ alpn=h2"}, {"_8443._https.www", "HTTPS", "1 www alpn=h2"}}},
	} {
		if got := Records(tt.port, tt.redirect); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("port %d, redirect %v: %+v", tt.port, tt.redirect, got)
		}
	}
	if got := Hosts(); !reflect.DeepEqual(got, []string{"@", "www"}) {
		t.Errorf("hosts %v", got)
	}
}
