package app

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
)

// TestNameServerMetrics asks the name server over each transport that a metric has a series for, and reads what is told.
func TestNameServerMetrics(t *testing.T) {
	dir, address := folderFor(t)
	zone := "$TTL 300\n@ SOA ns1 host 7 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n"
	if err := os.WriteFile(filepath.Join(dir, "other.zone"), []byte(zone), 0o600); err != nil {
		t.Fatal(err)
	}
	appendTo(t, filepath.Join(dir, "utopia.toml"), "\n[dns.zones.\"other.test\"]\nfile = \"other.zone\"\ndnssec = \"off\"\n\n"+
		"[dns.zones.\"copy.test\"]\nprimaries = [\""+address+":9\"]\n")
	a, _ := start(t, dir)
	mustBeUp(t, a, dnsName, webName, socketName, consoleName)
	for _, q := range []struct {
		name string
		typ  dns.Type
	}{{"www.a.test.", dns.TypeA}, {"ns1.other.test.", dns.TypeA}, {"x.copy.test.", dns.TypeMX}, {"example.org.", dns.TypeAAAA}} {
		exchangeTCP(t, address+":8053", dns.NewQuery(1, dns.MustParseName(q.name), q.typ))
	}
	response, err := http.Get("http://" + address + ":8800/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for _, want := range []string{
		`utopia_dns_queries_total{opcode="QUERY",transport="tcp",type="A"} 2`,
		`utopia_dns_queries_total{opcode="QUERY",transport="tcp",type="MX"} 1`,
		`utopia_dns_responses_total{code="NOERROR",transport="tcp"} 2`,
		`utopia_dns_responses_total{code="SERVFAIL",transport="tcp"} 1`,
		`utopia_dns_responses_total{code="REFUSED",transport="tcp"} 1`,
		`utopia_dns_truncated_responses_total{transport="udp"} 0`,
		`utopia_dns_zone_queries_total{zone="a.test."} 1`,
		`utopia_dns_zone_queries_total{zone="other.test."} 1`,
		`utopia_dns_zone_queries_total{zone="other"} 2`,
		`utopia_dns_zone_served{role="primary",zone="other.test."} 1`,
		`utopia_dns_zone_ok{role="domain",zone="a.test."} 1`,
		`utopia_dns_zone_serial{role="primary",zone="other.test."} 7`,
		`utopia_dns_zone_served{role="secondary",zone="copy.test."} 0`,
		`utopia_dns_zone_ok{role="secondary",zone="copy.test."} 0`,
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	has := func(prefix string) bool {
		return slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, prefix) })
	}
	for prefix, want := range map[string]bool{
		`utopia_dns_zone_signatures_expire_timestamp_seconds{role="domain",zone="a.test."} `: true,
		`utopia_dns_zone_signatures_expire_timestamp_seconds{role="primary"`:                 false, // it is not signed
		`utopia_dns_zone_serial{role="secondary"`:                                            false, // nothing has come
		`utopia_dns_zone_expires_timestamp_seconds`:                                          false,
		`utopia_dns_zone_ok{role="reverse"`:                                                  false,
	} {
		if has(prefix) != want {
			t.Errorf("%s: %v", prefix, !want)
		}
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, append(before, text...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func exchangeTCP(t *testing.T, address string, q *dns.Message) {
	t.Helper()
	wire, err := q.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(append([]byte{byte(len(wire) >> 8), byte(len(wire))}, wire...)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
}
