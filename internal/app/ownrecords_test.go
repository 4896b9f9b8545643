package app

import (
	"slices"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/internal/config"
)

// TestOwnRecordsFollowTheServices: what belongs to a service is there while that is switched on.
func TestOwnRecordsFollowTheServices(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		settings, hosts, own string
		https                uint16
	}{
		{"", "@ www mail ftp", "_8443._https HTTPS 1 @ alpn=h2|_8443._https.www HTTPS 1 www alpn=h2", 8443},
		{"[web]\nenabled = false", "mail ftp", "", 0},
		{"[mail]\nenabled = false\n[ftp]\nenabled = false\n", "@ www", "_8443._https HTTPS 1 @ alpn=h2|_8443._https.www HTTPS 1 www alpn=h2", 8443},
		{"port-offset = 0\n[web]\nredirect-to-https = true", "@ www mail ftp", "@ HTTPS 1 . alpn=h2|www HTTPS 1 . alpn=h2", 443},
		{"port-offset = 0", "@ www mail ftp", "", 443},
	} {
		cfg, err := config.Parse(config.FileName, []byte("domain = 'a.test'\n"+tt.settings))
		if err != nil {
			t.Fatal(err)
		}
		opts, err := dnsOptions(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var own []string
		for _, o := range opts.Own {
			own = append(own, o.Name+" "+o.Type+" "+o.Data)
		}
		if !slices.Equal(opts.Hosts, strings.Fields(tt.hosts)) || strings.Join(own, "|") != tt.own || opts.HTTPSPort != tt.https ||
			opts.TLSPort != opts.Port+800 {
			t.Errorf("%q: hosts %v, own %q, HTTPS at %d, TLS at %d", tt.settings, opts.Hosts, own, opts.HTTPSPort, opts.TLSPort)
		}
	}
}
