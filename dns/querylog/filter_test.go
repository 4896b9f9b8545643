package querylog

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestFilter(t *testing.T) {
	queries := map[string]Query{
		"www":    {Name: "WWW.example.test.", Type: "A", Opcode: "QUERY", Code: "NOERROR", Transport: "udp", Client: netip.MustParseAddrPort("192.0.2.7:1")},
		"apex":   {Name: "example.test.", Type: "SOA", Opcode: "QUERY", Code: "NXDOMAIN", Transport: "tcp", Client: netip.MustParseAddrPort("[::ffff:192.0.2.9]:1")},
		"update": {Name: "example.test.", Type: "SOA", Opcode: "UPDATE", Code: "NOTAUTH", Transport: "tls", Client: netip.MustParseAddrPort("[2001:db8::7]:1")},
		"other":  {Name: "badexample.test.", Type: "TYPE65534", Opcode: "QUERY", Transport: "https", Client: netip.MustParseAddrPort("[fe80::1%eth0]:1")},
		"none":   {Malformed: "no query", Code: "FORMERR", Transport: "udp", Client: netip.MustParseAddrPort("198.51.100.1:1")},
	}
	for _, tt := range []struct {
		spec Spec
		want string
	}{
		{Spec{}, "www apex update other none"},
		{Spec{Name: " , "}, "www apex update other none"},
		{Spec{Name: "example.test"}, "www apex update"},
		{Spec{Name: "www.EXAMPLE.test.,badexample.test"}, "www other"},
		{Spec{Name: "."}, "www apex update other"},
		{Spec{Type: "a"}, "www"},
		{Spec{Type: "SOA"}, "apex"},
		{Spec{Type: "update, type65534"}, "update other"},
		{Spec{Type: "QUERY"}, "www apex other"},
		{Spec{Code: "nxdomain,NOTAUTH"}, "apex update"},
		{Spec{Code: "none"}, "other"},
		{Spec{Code: "RCODE1"}, "none"},
		{Spec{Client: "192.0.2.7"}, "www"},
		{Spec{Client: "192.0.2.1/24,2001:db8::/32"}, "www apex update"},
		{Spec{Client: "fe80::1"}, "other"},
		{Spec{Client: "::ffff:192.0.2.9"}, "apex"},
		{Spec{Transport: "UDP"}, "www none"},
		{Spec{Transport: "tls,https", Name: "test"}, "update other"},
		{Spec{Transport: "udp", Type: "A", Code: "NOERROR", Name: "test", Client: "0.0.0.0/0"}, "www"},
	} {
		f, err := NewFilter(tt.spec)
		if err != nil {
			t.Errorf("%+v: %v", tt.spec, err)
			continue
		}
		var got []string
		for _, name := range []string{"www", "apex", "update", "other", "none"} {
			if f.Wants(queries[name]) {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%+v wants %s, should %s", tt.spec, got, tt.want)
		}
		if f.All() != (strings.Trim(tt.spec.Name+tt.spec.Type+tt.spec.Code+tt.spec.Client+tt.spec.Transport, " ,") == "") {
			t.Errorf("%+v: all: %v", tt.spec, f.All())
		}
	}
}

func TestBadFilters(t *testing.T) {
	many := strings.Repeat("A,", MaxItems)
	if _, err := NewFilter(Spec{Type: many}); err != nil {
		t.Errorf("%d items: %v", MaxItems, err)
	}
	for want, spec := range map[string]Spec{
		`name "a..b"`:           {Name: "a..b"},
		`type "NOSUCH"`:         {Type: "A,NOSUCH"},
		`code "NOSUCH"`:         {Code: "NOSUCH"},
		`client "192.0.2.0/33"`: {Client: "192.0.2.0/33"},
		`client "example"`:      {Client: "example"},
		`transport "smtp"`:      {Transport: "smtp"},
		`type "AAAA": at most`:  {Type: many + "AAAA"},
	} {
		_, err := NewFilter(spec)
		var wrong *SpecError
		if !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), want) || errors.Unwrap(err) == nil {
			t.Errorf("%+v: %v, want %s", spec, err, want)
		}
	}
}
