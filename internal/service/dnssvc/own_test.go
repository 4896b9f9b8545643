package dnssvc

import (
	"strings"
	"testing"
	"time"
)

// withServices are options of a domain with a site and all transports.
func withServices(t *testing.T, file string) Options {
	t.Helper()
	opts := withFile(t, file)
	opts.Records = opts.Records[:1]
	opts.Hosts = []string{"@", "www"}
	opts.Own = []Own{{"_8443._https", "HTTPS", "1 @ alpn=h2"}, {"www", "HTTPS", "1 . alpn=h2"}, {"mail", "MX", "5 www"}}
	opts.TLSPort, opts.HTTPSPort, opts.TTL = 8853, 8443, time.Minute
	return opts
}

const (
	siteLines = "_8443._https.@ 60 IN HTTPS 1 @ alpn=\"h2\"\nwww.@ 60 IN HTTPS 1 . alpn=\"h2\"\nmail.@ 60 IN MX 5 www.@\n"
	dnsLines  = "_dns.ns1.@ 60 IN SVCB 1 ns1.@ alpn=\"dot\" port=\"8853\"\n" +
		"_dns.ns1.@ 60 IN SVCB 2 ns1.@ alpn=\"h2\" port=\"8443\" dohpath=\"/dns-query{?dns}\"\n"
	hostLines = "@ 60 IN A 127.0.0.1\nns1.@ 60 IN A 127.0.0.1\nwww.@ 60 IN A 127.0.0.1\n"
)

func TestOwnRecords(t *testing.T) {
	t.Parallel()
	const ns = "@ 60 IN NS ns1.@\n"
	all := ns + hostLines + siteLines + dnsLines
	for name, tt := range map[string]struct{ file, want string }{
		"all":                     {"; nothing\n", all},
		"an HTTPS record":         {"www 9 HTTPS 1 other alpn=h3\n", without(all, "www.@ 60 IN HTTPS") + "www.@ 9 IN HTTPS 1 other.@ alpn=\"h3\"\n"},
		"a host of the user's":    {"www 9 A 192.0.2.1\n", without(all, "www.@ 60") + "www.@ 9 IN A 192.0.2.1\n"},
		"the domain elsewhere":    {"@ 9 A 192.0.2.1\n", without(all, "@ 60 IN A", "_8443") + "@ 9 IN A 192.0.2.1\n"},
		"ns1 elsewhere":           {"ns1 9 AAAA 2001:db8::1\n", without(all, "ns1.@", "_dns") + "ns1.@ 9 IN AAAA 2001:db8::1\n"},
		"a delegation above it":   {"_https 9 NS ns.example.com.\n", without(all, "_8443") + "_https.@ 9 IN NS ns.example.com.\n"},
		"a DNAME above it":        {"_https 9 DNAME example.com.\n", without(all, "_8443") + "_https.@ 9 IN DNAME example.com.\n"},
		"an alias of that name":   {"mail 9 CNAME www\n", without(all, "mail") + "mail.@ 9 IN CNAME www.@\n"},
		"another type of a name":  {"mail 9 TXT x\n", all + "mail.@ 9 IN TXT \"x\"\n"},
		"a DNAME at the very top": {"@ 9 DNAME example.com.\nns1.other.test. 9 A 192.0.2.1\n", ""},
	} {
		opts := withServices(t, tt.file)
		if tt.want == "" {
			if _, err := New(opts); err == nil || !strings.Contains(err.Error(), "out of zone") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if got := zoneText(newService(t, opts)); sorted(got) != sorted(tt.want) {
			t.Errorf("%s: got\n%swant\n%s", name, sorted(got), sorted(tt.want))
		}
	}

	// Switched off, a service's records go.
	opts := withServices(t, "; nothing\n")
	s := newService(t, opts)
	opts.Hosts, opts.Own, opts.TLSPort, opts.HTTPSPort, opts.Before = nil, nil, 0, 0, s
	if !s.Replace(newService(t, withPorts(opts))) {
		t.Fatal("not replaced")
	}
	if got, want := zoneText(s), ns+"ns1.@ 60 IN A 127.0.0.1\n"+"_dns.ns1.@ 60 IN SVCB 1 ns1.@ alpn=\"dot\" port=\"8853\"\n"; sorted(got) != sorted(want) {
		t.Errorf("got\n%s", got)
	}
	for _, bad := range []Own{{"a..b", "A", "192.0.2.1"}, {"a", "A", "nowhere"}, {"a", "NOTYPE", "x"}} {
		opts := withServices(t, "; nothing\n")
		opts.Own = []Own{bad}
		if _, err := New(opts); err == nil {
			t.Errorf("%+v is no record", bad)
		}
	}
	opts = withServices(t, "; nothing\n")
	opts.Hosts = []string{"a..b"}
	if _, err := New(opts); err == nil {
		t.Error("a host without a name")
	}
}

// withPorts has the ports that sockets are on, which a replacement must have too.
func withPorts(o Options) Options {
	o.TLSPort = 8853
	return o
}
