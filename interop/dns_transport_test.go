package interop

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
)

// TestDNSOverTLSAndHTTPS: foreign clients ask over TLS (RFC 7858) and over HTTPS (RFC 8484), and verify the certificate.
func TestDNSOverTLSAndHTTPS(t *testing.T) {
	for client, hows := range map[string]map[string]string{
		"kdig": {
			"TLS":                "-p 8853 +tls-ca=ROOT +tls-hostname=a.test",
			"TLS, padded":        "-p 8853 +tls-ca=ROOT +tls-hostname=a.test +padding=128",
			"HTTPS, POST":        "-p 8443 +tls-ca=ROOT +tls-hostname=a.test +https=/dns-query",
			"HTTPS, GET":         "-p 8443 +tls-ca=ROOT +tls-hostname=a.test +https=/dns-query +https-get",
			"HTTPS, by its name": "-p 8443 +tls-ca=ROOT +tls-hostname=a.test +https=a.test/dns-query",
		},
		"dig": {
			"TLS":         "-p 8853 +tls +tls-ca=ROOT +tls-hostname=a.test",
			"HTTPS, POST": "-p 8443 +https=/dns-query +tls-ca=ROOT +tls-hostname=a.test",
			"HTTPS, GET":  "-p 8443 +https-get=/dns-query +tls-ca=ROOT +tls-hostname=a.test",
		},
	} {
		t.Run(client, func(t *testing.T) {
			t.Parallel()
			path := foreign(t, client)
			in := withRecords(t)
			for how, args := range hows {
				args = strings.ReplaceAll(args, "ROOT", in.root())
				for question, want := range map[string]string{
					"www.a.test A": in.address, "nobody.a.test A": "NXDOMAIN", "many.a.test TXT": "ffffffffff", "www.example.org A": "REFUSED",
				} {
					arguments := append([]string{"@" + in.address}, append(strings.Fields(args), strings.Fields(question)...)...)
					if out, code := ask(t, "", path, arguments...); code != 0 || !strings.Contains(out, want) {
						t.Errorf("%s, %s: exit code %d, want %s in\n%s", how, question, code, want, out)
					}
				}
			}
			wrong := strings.Fields("-p 8853 +tls-ca=" + in.root() + " +tls-hostname=b.test www.a.test A")
			if client == "dig" {
				wrong = append(wrong, "+tls")
			}
			if out, _ := ask(t, "", path, append([]string{"@" + in.address}, wrong...)...); strings.Contains(out, "NOERROR") {
				t.Errorf("the certificate is taken for another name:\n%s", out)
			}
		})
	}
}

// TestCurlOverHTTPS: what HTTP says around a message, and curl's own resolver.
func TestCurlOverHTTPS(t *testing.T) {
	curl := foreign(t, "curl")
	in := withRecords(t)
	query, err := dns.NewQuery(0, dns.MustParseName("www.a.test."), dns.TypeA).Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "query")
	if err := os.WriteFile(file, query, 0o600); err != nil {
		t.Fatal(err)
	}
	base := []string{"-sS", "-m", "10", "--cacert", in.root(), "-o", "-", "-w", "\n%{http_code} %{content_type} %{http_version}"}
	url := "https://" + in.address + ":8443/dns-query"
	for how, c := range map[string]struct {
		args []string
		want string
	}{
		"POST":          {[]string{"--data-binary", "@" + file, "-H", "Content-Type: application/dns-message", url}, "200 application/dns-message 2"},
		"over HTTP/1.1": {[]string{"--http1.1", "--data-binary", "@" + file, "-H", "Content-Type: application/dns-message", url}, "200 application/dns-message 1.1"},
		"another type":  {[]string{"--data-binary", "@" + file, url}, "415 text/plain; charset=utf-8 2"},
		"PUT":           {[]string{"-T", file, url}, "405 text/plain; charset=utf-8 2"},
		"nothing":       {[]string{url}, "400 text/plain; charset=utf-8 2"},
		"over HTTP":     {[]string{"http://" + in.address + ":8080/dns-query"}, "301 text/html; charset=utf-8 1.1"},
	} {
		out, code := ask(t, "", curl, append(base, c.args...)...)
		body, end, _ := strings.Cut(out, "\n"+c.want)
		if code != 0 || end != "" || !strings.HasSuffix(out, c.want) {
			t.Errorf("%s: exit code %d, %q; want %s", how, code, out, c.want)
			continue
		}
		if m, err := dns.Parse([]byte(body)); strings.HasPrefix(c.want, "200") && (err != nil || len(m.Answer) != 1) {
			t.Errorf("%s: %s, %v", how, hex.EncodeToString([]byte(body)), err)
		}
	}
	page, code := ask(t, "", curl, "-sS", "-m", "10", "--cacert", in.root(), "-o", os.DevNull, "-w", "%{http_code} %{remote_ip}",
		"--doh-url", url, "http://www.a.test:8080/")
	if code != 0 || page != "200 "+in.address {
		t.Errorf("curl asks for the name over HTTPS, and gets the page: exit code %d, %s", code, page)
	}
}
