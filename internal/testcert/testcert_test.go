package testcert_test

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/network-utopia/utopia/internal/testcert"
)

func TestCertificate(t *testing.T) {
	t.Parallel()
	c, other := testcert.New(t, "ns1.example.test", "192.0.2.1", "2001:db8::1"), testcert.New(t, "ns1.example.test")
	given, err := c.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(given.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, when := range []time.Time{time.Now(), time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		for name, want := range map[string]bool{"ns1.example.test": true, "192.0.2.1": true, "2001:db8::1": true, "ns2.example.test": false} {
			_, err := leaf.Verify(x509.VerifyOptions{Roots: c.Roots, DNSName: name, CurrentTime: when})
			if (err == nil) != want {
				t.Errorf("%s at %v: %v", name, when, err)
			}
		}
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: other.Roots, DNSName: "ns1.example.test"}); err == nil {
		t.Error("another certificate vouches for it")
	}
}
