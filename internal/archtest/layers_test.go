package archtest

import (
	"cmp"
	"slices"
	"strings"
	"testing"
)

// layer is a floor of the house. Arrows go down only.
type layer struct {
	number   int
	name     string
	packages []string // paths below the module; a trailing /... takes what is under it too
}

// layers is the import table. A package that no line names fails the tests.
var layers = []layer{
	{0, "ground", []string{
		"host", "host/batch", "host/emunet", "host/emunet/tcp", "host/pcapng", "transcript", "transcript/pcap", "crlf",
		"internal/config", "internal/supervise", "internal/guard", "internal/control", "internal/listen",
		"internal/state/store", "internal/state/store/storetest", "internal/state/disk", "internal/state/disk/disktest",
		"internal/state/blob", "internal/state/blob/blobtest", "internal/crashtest", "internal/leftout", "internal/testcert",
	}},
	{1, "vocabulary", []string{
		"dns", "ftp", "mail/message", "mail/sasl", "mail/smtp", "mail/pop3", "mail/imap",
		"torrent/bencode", "torrent/metainfo", "torrent/peerwire", "torrent/krpc",
	}},
	{2, "engines", []string{
		"dns/zone", "dns/authority", "dns/ratelimit", "dns/resolve", "web/httpcache", "mail/mailauth", "mail/retry",
		"torrent/picker", "torrent/choker", "ring",
	}},
	{3, "wires", []string{
		"host/serve", "dns/querylog", "dns/dnsserver", "dns/dnsserver/dnsservertest", "dns/dnsclient",
		"web/http1", "web/static", "web/proxy", "web/webclient",
		"ftp/ftpserver", "ftp/ftpclient", "mail/smtpserver", "mail/smtpclient", "mail/pop3server", "mail/pop3client",
		"mail/imapserver", "mail/imapclient", "torrent/tracker", "torrent/dht", "torrent/swarm", "ring/ringnode",
		"socket",
	}},
	{4, "state", []string{
		"internal/state/accounts", "internal/state/certs", "internal/state/zones", "internal/state/files",
		"internal/state/mailbox", "internal/state/mailqueue", "internal/state/observe",
	}},
	{5, "services", []string{"internal/service/..."}},
	{6, "root", []string{"internal/app"}},
	{7, "doors", []string{"lab", "internal/app/apptest", "cmd/utopia"}},
}

// outside are the packages that check the house and are no part of it.
var outside = []string{"internal/archtest", "internal/dialogue", "internal/foreign", "interop", "bench"}

// within are further rules: what the packages on the left may import of this module. Those of the ground that are not
// here may import nothing of it.
var within = map[string][]string{
	"host/serve":                     {"host"},
	"host/batch":                     {"host"},
	"host/emunet":                    {"host", "host/emunet/tcp", "host/pcapng"},
	"transcript/pcap":                {"transcript", "host/pcapng"},
	"internal/control":               {"host", "transcript"},
	"internal/listen":                {"host", "transcript", "internal/control"},
	"internal/state/store/storetest": {"internal/state/store"},
	"internal/state/disk/disktest":   {"internal/state/disk"},
	"internal/crashtest":             {"internal/state/disk"},
	"internal/state/blob/blobtest":   {"internal/state/blob"},
	"lab":                            {"internal/app", "host/...", "transcript"},
	// Servers for tests on an emulated internet: instances, and the name servers above them.
	"internal/app/apptest": {"internal/app", "host/...", "dns/dnsserver", "dns/dnsserver/dnsservertest"},
	// The doors reach the house through its root, the control socket and the rooms that are clients.
	"cmd/utopia": {"internal/app", "internal/control", "lab", "host", "host/...", "transcript", "transcript/...", "dns",
		"dns/dnsclient", "dns/querylog", "web/webclient", "ftp/ftpclient", "mail/...", "torrent/...", "ring/ringnode", "socket"},
}

// drivers are the modules that others have written, and the packages that may stand on each; a new one is a decision.
var drivers = map[string][]string{
	"github.com/spf13":                    {"cmd/utopia"},
	"golang.org/x/term":                   {"cmd/utopia"},
	"github.com/miekg/dns":                {"dns"}, // at the edges alone: never in an engine, never in the serving loop
	"golang.org/x/sys":                    {"host", "host/...", "internal/state/store"},
	"github.com/pelletier/go-toml":        {"internal/config"},
	"golang.org/x/crypto":                 {"internal/state/accounts"},
	"github.com/pressly/goose":            {"internal/state/store"},
	"modernc.org/sqlite":                  {"internal/state/store"},
	"github.com/prometheus/client_golang": {"internal/state/observe", "internal/app"},
}

// stateOf names the house whose vocabulary and engines a package of the state may import.
var stateOf = map[string]string{
	"internal/state/zones": "dns", "internal/state/mailbox": "mail", "internal/state/mailqueue": "mail",
}

const maxLayers = 8

func layerOf(path string) (layer, bool) {
	for _, l := range layers {
		if matchAny(l.packages, path) {
			return l, true
		}
	}
	return layer{}, false
}

func matchAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if prefix, ok := strings.CutSuffix(p, "/..."); ok {
			return strings.HasPrefix(path, prefix+"/")
		}
		return p == path
	})
}

// houseOf names the house that a package of the layers 1 to 3 belongs to; "" for all others.
func houseOf(path string) string {
	if strings.HasPrefix(path, "internal/") {
		return ""
	}
	house, _, _ := strings.Cut(path, "/")
	if slices.Contains([]string{"dns", "web", "ftp", "mail", "torrent", "ring", "socket"}, house) {
		return house
	}
	return ""
}

func public(path string) bool {
	return !strings.HasPrefix(path, "internal/") && path != "cmd/utopia" && path != "lab" && !slices.Contains(outside, path)
}

func TestEveryPackageHasItsLayer(t *testing.T) {
	if len(layers) > maxLayers {
		t.Errorf("%d layers, at most %d", len(layers), maxLayers)
	}
	for _, p := range load(t) {
		if _, ok := layerOf(p.path); !ok && !slices.Contains(outside, p.path) {
			t.Errorf("%s stands in no layer: add it to layers, where the design puts it", p.path)
		}
	}
}

func TestArrowsGoDown(t *testing.T) {
	for _, p := range load(t) {
		for _, imported := range p.imports {
			if why := forbidden(p.path, imported); why != "" && exceptions.imports[p.path+" -> "+imported] == "" {
				t.Errorf("%s imports %s: %s", p.path, imported, why)
			}
		}
	}
}

func TestDrivers(t *testing.T) {
	for _, p := range load(t) {
		if slices.Contains(outside, p.path) {
			continue
		}
		for _, path := range p.drivers {
			if !mayDrive(p.path, path) && exceptions.imports[p.path+" -> "+path] == "" {
				t.Errorf("%s imports %s: the table of drivers does not have it", p.path, path)
			}
		}
	}
	for arrow, want := range map[string]bool{
		"dns -> github.com/miekg/dns": true, "dns/dnsserver -> github.com/miekg/dns": false, "cmd/utopia -> github.com/spf13/cobra/doc": true,
		"internal/app -> github.com/spf13/cobra": false, "internal/supervise -> github.com/pelletier/go-toml/v2": false,
		"dns -> github.com/miekg/dnsfork": false, "socket -> example.org/new": false,
	} {
		if from, path, _ := strings.Cut(arrow, " -> "); mayDrive(from, path) != want {
			t.Errorf("%s is allowed: %v", arrow, !want)
		}
	}
}

func mayDrive(from, path string) bool {
	for driver, who := range drivers {
		if (path == driver || strings.HasPrefix(path, driver+"/")) && matchAny(who, from) {
			return true
		}
	}
	return false
}

// forbidden says why one package may not import another; "" when it may.
func forbidden(from, to string) string {
	if slices.Contains(outside, from) {
		return ""
	}
	above, ok1 := layerOf(from)
	below, ok2 := layerOf(to)
	if !ok1 || !ok2 {
		return "one of them stands in no layer"
	}
	if allowed, ok := within[from]; (ok || above.number == 0) && !matchAny(allowed, to) {
		return "of this module it may import " + cmp.Or(strings.Join(allowed, ", "), "nothing")
	}
	house, other := houseOf(from), houseOf(to)
	switch {
	case below.number > above.number:
		return "arrows go down only"
	case above.name == "services" && below.name == "services":
		return "a service never imports another"
	case house != "" && other != "" && house != other:
		return "houses never import each other"
	case public(from) && strings.HasPrefix(to, "internal/"):
		return "a public package stands on nothing internal"
	case above.number == 1 || above.number == 2:
		if house != other && to != "crlf" {
			return "a vocabulary or an engine imports its own house and crlf"
		}
	case above.name == "state" && below.number > 2:
		return "a state stands on the ground, and never on another state or a wire"
	case above.name == "state" && below.number > 0 && stateOf[from] != other:
		return "a state imports the vocabulary and the engines of its own house alone"
	case above.number == 3 && house != other && below.number == 0 && !matchAny([]string{"host", "host/...", "transcript", "crlf"}, to):
		return "a wire takes what else it needs through an interface"
	}
	return ""
}

func TestTheTableForbids(t *testing.T) {
	for _, arrow := range []string{
		"dns -> host", "dns -> socket", "dns/zone -> dns/dnsserver", "dns/dnsserver -> web/static",
		"dns/dnsserver -> internal/guard", "host -> transcript", "host/serve -> transcript", "internal/config -> dns",
		"internal/service/dnssvc -> internal/service/websvc", "internal/service/dnssvc -> internal/app",
		"internal/state/store -> internal/state/accounts", "internal/state/store -> transcript", "host/batch -> transcript",
		"internal/state/accounts -> internal/state/certs", "internal/state/accounts -> dns", "internal/state/zones -> dns/dnsserver",
		"internal/state/zones -> mail/smtp", "internal/guard -> host", "cmd/utopia -> internal/state/store",
		"cmd/utopia -> dns/dnsserver", "internal/app -> cmd/utopia", "internal/supervise -> transcript",
	} {
		from, to, _ := strings.Cut(arrow, " -> ")
		if forbidden(from, to) == "" {
			t.Errorf("%s is not forbidden", arrow)
		}
	}
	for _, arrow := range []string{
		"dns/zone -> dns", "dns/dnsserver -> host", "dns/dnsserver -> host/serve", "dns/dnsserver -> dns/authority", "socket -> transcript",
		"internal/service/dnssvc -> dns/dnsserver", "internal/app -> internal/service/dnssvc", "cmd/utopia -> socket",
		"internal/state/accounts -> internal/state/store", "mail/smtp -> crlf",
		"internal/state/zones -> dns/zone", "internal/state/observe -> transcript", "host/emunet -> host",
	} {
		from, to, _ := strings.Cut(arrow, " -> ")
		if why := forbidden(from, to); why != "" {
			t.Errorf("%s is forbidden: %s", arrow, why)
		}
	}
}
