package dnsserver

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/querylog"
	"github.com/network-utopia/utopia/transcript"
)

// teller tells of each query whose first label is a number of zones, "limited" or "dropped".
func teller(t *testing.T) Handler {
	inner := zoneHandler(t)
	return HandlerFunc(func(dst, query []byte, from Client) []byte {
		switch label := string(query[13 : 13+query[12]]); label {
		case "three":
			from.Tell(3, false)
		case "limited":
			from.Tell(4, true)
		case "dropped":
			from.Tell(5, true)
			return dst
		}
		return inner.Respond(dst, query, from)
	})
}

// queriesOf gives what the exchanges of a ring say, the newest first.
func queriesOf(ring *transcript.Ring) string {
	var all []string
	for _, r := range ring.Recent(100) {
		for _, q := range querylog.Queries(r) {
			text := strings.TrimSuffix(q.Name, ".example.test.") + " " + q.Outcome()
			if q.Limited {
				text += " limited"
			}
			if q.Note != "" {
				text += " (" + q.Note + ")"
			}
			all = append(all, text)
		}
	}
	return strings.Join(all, ", ")
}

// TestTell: what a handler tells of one query is counted and recorded for that one, over every transport.
func TestTell(t *testing.T) {
	t.Parallel()
	ring, m := transcript.NewRing(100, 100), &counters{}
	opts := Options{Handler: teller(t), Metrics: m, Transcript: transcript.New(transcript.Options{Sinks: []transcript.Sink{ring}})}
	r := start(t, opts)
	for i, name := range []string{"three", "limited", "www"} {
		if askUDP(t, r.udp, queryWire(t, uint16(i), name, dns.TypeA, nil)) == nil {
			t.Errorf("%s is not answered", name)
		}
	}
	conn := dial(t, "udp", r.udp)
	if _, err := conn.Write(queryWire(t, 9, "dropped", dns.TypeA, nil)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what is dropped is recorded", func() bool { return strings.HasPrefix(queriesOf(ring), "dropped") })
	want := "dropped none limited (not answered: over the limit on responses), www NOERROR, limited NXDOMAIN limited, three NXDOMAIN"
	if got := queriesOf(ring); got != want {
		t.Errorf("over UDP: %s\nwant %s", got, want)
	}
	if got := m.kindsSeen(); got != "map[A:3 zone 0:1 zone 3:1 zone 4:1]" {
		t.Errorf("over UDP: %s", got)
	}

	tcp := dial(t, "tcp", r.tcp)
	for i, name := range []string{"limited", "www", "three"} {
		if _, err := tcp.Write(framed(queryWire(t, uint16(i), name, dns.TypeA, nil))); err != nil {
			t.Fatal(err)
		}
		if _, err := readTCP(tcp); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := queriesOf(ring), "limited NXDOMAIN limited, www NOERROR, three NXDOMAIN, dropped"; !strings.HasPrefix(got, want) {
		t.Errorf("over TCP: %s\nwant %s", got, want)
	}
	if got := m.kindsSeen(); got != "map[A:6 zone 0:2 zone 3:2 zone 4:2]" {
		t.Errorf("over TCP: %s", got)
	}

	server := web(t, opts)
	for _, name := range []string{"limited", "dropped"} {
		request := httptest.NewRequest(http.MethodPost, "/dns-query", bytes.NewReader(queryWire(t, 0, name, dns.TypeA, nil)))
		request.Header.Set("Content-Type", mediaType)
		server.ServeHTTP(httptest.NewRecorder(), request)
	}
	if got, want := queriesOf(ring), "dropped none limited (not answered: over the limit on responses), limited NXDOMAIN limited, limited"; !strings.HasPrefix(got, want) {
		t.Errorf("over HTTPS: %s\nwant %s", got, want)
	}
	if got := m.kindsSeen(); got != "map[A:7 zone 0:2 zone 3:2 zone 4:3]" {
		t.Errorf("over HTTPS: %s", got)
	}
	Client{}.Tell(1, true) // of nobody: nothing happens
}
