package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/internal/control"
)

// The name server answers over TLS and over HTTPS with the certificates of the Web, and as long as it is switched on.
func TestEncryptedDNS(t *testing.T) {
	dir, address := folderFor(t)
	a, _ := start(t, dir)
	status := mustBeUp(t, a, dnsName, webName, socketName, consoleName)
	for i, want := range []control.Endpoint{
		{Protocol: "DoT", Network: "tcp", Address: address + ":8853"}, {Protocol: "DoH", Network: "tcp", Address: address + ":8443"},
	} {
		if !slices.Contains(status.Services[i].Endpoints, want) {
			t.Errorf("%s listens on %v, want %v too", status.Services[i].Name, status.Services[i].Endpoints, want)
		}
	}
	query, err := dns.NewQuery(0, dns.MustParseName("www.a.test."), dns.TypeA).Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: a.authority().RootPool(), ServerName: "a.test"}
	conn, err := tls.Dial("tcp", address+":8853", config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(append([]byte{0, byte(len(query))}, query...)); err != nil {
		t.Fatal(err)
	}
	length := make([]byte, 2)
	if _, err := io.ReadFull(conn, length); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, int(length[0])<<8|int(length[1]))
	if _, err := io.ReadFull(conn, answer); err != nil {
		t.Fatal(err)
	}
	mustAnswer(t, "over TLS", answer)

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, Timeout: 5 * time.Second}
	post := func() (int, []byte) {
		t.Helper()
		response, err := client.Post("https://"+address+":8443/dns-query", "application/dns-message", bytes.NewReader(query))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, body
	}
	code, body := post()
	if code != 200 {
		t.Errorf("over HTTPS: %d %q", code, body)
	}
	mustAnswer(t, "over HTTPS", body)

	edit(t, dir, "", "\n[dns]\nenabled = false\n")
	if _, err := a.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	status = mustBeUp(t, a, webName, socketName, consoleName)
	if slices.ContainsFunc(status.Services[0].Endpoints, func(e control.Endpoint) bool { return e.Protocol == "DoH" }) {
		t.Errorf("the endpoints are %v", status.Services[0].Endpoints)
	}
	if code, _ := post(); code == 200 {
		t.Error("it is switched off, and answers over HTTPS")
	}
	edit(t, dir, "enabled = false", "enabled = true")
	if _, err := a.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	if code, body := post(); code != 200 {
		t.Errorf("switched on again: %d %q", code, body)
	}
}

func mustAnswer(t *testing.T, how string, wire []byte) {
	t.Helper()
	if m, err := dns.Parse(wire); err != nil || !m.Authoritative || len(m.Answer) != 1 {
		t.Errorf("%s: %v, %v", how, m, err)
	}
}
