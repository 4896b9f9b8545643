package dns

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestSipHash has the vectors of the reference implementation: key 00 01 … 0f,
// and as message the first octets of 00 01 02 …
func TestSipHash(t *testing.T) {
	t.Parallel()
	var key [16]byte
	var msg [64]byte
	for i := range msg {
		msg[i] = byte(i)
	}
	copy(key[:], msg[:])
	k0, k1 := binary.LittleEndian.Uint64(key[:8]), binary.LittleEndian.Uint64(key[8:])
	for n, want := range map[int]string{
		0: "310e0edd47db6f72", 1: "fd67dc93c539f874", 2: "5a4fa9d909806c0d", 3: "2d7efbd796666785",
		7: "37d1018bf50002ab", 8: "6224939a79f5f593", 9: "b0e4a90bdf82009e", 15: "e545be4961ca29a1",
		16: "db9bc2577fcc2a3f", 63: "724506eb4c328a95",
	} {
		got := binary.LittleEndian.AppendUint64(nil, sipHash(k0, k1, msg[:n]))
		if hex.EncodeToString(got) != want {
			t.Errorf("%d octets: %x, want %s", n, got, want)
		}
	}
}

func secretOf(t testing.TB, text string) CookieSecret {
	t.Helper()
	s, err := ParseCookieSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func cookiesOf(t testing.TB, secrets ...string) *Cookies {
	t.Helper()
	var all []CookieSecret
	for _, s := range secrets {
		all = append(all, secretOf(t, s))
	}
	c, err := NewCookies(all...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	secretA = "e5e973e5a6b2a43f48e7dc849e37bfcf"
	secretB = "dd3bdf9344b678b185a6f5cb60fca715"
	secretC = "445536bcd2513298075a5d379663c962"
)

// TestServerCookieVectors has the exchanges of RFC 9018 appendix A.
func TestServerCookieVectors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		title         string
		secrets       []string
		client        string
		now           int64
		query, answer string
		state         CookieState
	}{
		{
			"A.1 learning a new server cookie", []string{secretA}, "198.51.100.100", 1559731985,
			"2464c4abcf10c957", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", CookieClientOnly,
		},
		{
			"A.2 the same client, 40 minutes later: renewed", []string{secretA}, "198.51.100.100", 1559734385,
			"2464c4abcf10c957010000005cf79f111f8130c3eee29480", "2464c4abcf10c957010000005cf7a871d4a564a1442aca77", CookieOld,
		},
		{
			// The server of the appendix lets cookies live longer: this one is 6715 seconds old.
			"A.3 another client, reserved octets set", []string{secretA}, "203.0.113.203", 1559734700,
			"fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e", CookieBad,
		},
		{
			"A.4 IPv6, a secret that goes", []string{secretC, secretB}, "2001:db8:220:1:59de:d0f4:8769:82b8", 1559741961,
			"22681ab97d52c298010000005cf7c57926556bd0934c72f8", "22681ab97d52c298010000005cf7c609a6bb79d16625507a", CookieOld,
		},
	} {
		c := cookiesOf(t, tt.secrets...)
		client, now := netip.MustParseAddr(tt.client), time.Unix(tt.now, 0)
		query := unhex(t, tt.query)
		state := c.Check(query, client, now)
		if state != tt.state {
			t.Errorf("%s: state %d, want %d", tt.title, state, tt.state)
		}
		got := c.Append([]byte("before"), query, state, client, now)
		if string(got[:6]) != "before" || hex.EncodeToString(got[6:]) != tt.answer {
			t.Errorf("%s: %x, want %s", tt.title, got[6:], tt.answer)
		}
	}
	// The hash of A.3 counts the reserved octets as they came.
	old := unhex(t, "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5")
	if s := cookiesOf(t, secretA).Check(old, netip.MustParseAddr("203.0.113.203"), time.Unix(0x5cf78f71, 0)); s != CookieGood {
		t.Errorf("A.3 when it was made: state %d", s)
	}
}

func TestCookieStates(t *testing.T) {
	t.Parallel()
	c := cookiesOf(t, secretA, secretB)
	client := netip.MustParseAddr("198.51.100.100")
	made := time.Unix(1559731985, 0)
	good := unhex(t, "2464c4abcf10c957010000005cf79f111f8130c3eee29480")
	changed := func(i int) []byte {
		b := bytes.Clone(good)
		b[i] ^= 0x10
		return b
	}
	for title, tt := range map[string]struct {
		option []byte
		client netip.Addr
		after  time.Duration
		want   CookieState
	}{
		"at once":                              {good, client, 0, CookieGood},
		"half an hour old":                     {good, client, 30 * time.Minute, CookieGood},
		"a second more":                        {good, client, 30*time.Minute + time.Second, CookieOld},
		"an hour old":                          {good, client, time.Hour, CookieOld},
		"an hour and a second":                 {good, client, time.Hour + time.Second, CookieBad},
		"five minutes ahead":                   {good, client, -5 * time.Minute, CookieGood},
		"five minutes and a second":            {good, client, -5*time.Minute - time.Second, CookieBad},
		"another address":                      {good, netip.MustParseAddr("198.51.100.101"), 0, CookieBad},
		"its address as one of IPv6":           {good, netip.MustParseAddr("::ffff:198.51.100.100"), 0, CookieGood},
		"no address":                           {good, netip.Addr{}, 0, CookieBad},
		"another client's":                     {changed(0), client, 0, CookieBad},
		"another version":                      {changed(8), client, 0, CookieBad},
		"other reserved octets":                {changed(9), client, 0, CookieBad},
		"another time":                         {changed(15), client, 0, CookieBad},
		"another hash":                         {changed(23), client, 0, CookieBad},
		"the client's alone":                   {good[:8], client, 0, CookieClientOnly},
		"nothing":                              {nil, client, 0, CookieMalformed},
		"7 octets":                             {good[:7], client, 0, CookieMalformed},
		"9 octets":                             {good[:9], client, 0, CookieMalformed},
		"15 octets":                            {good[:15], client, 0, CookieMalformed},
		"16 octets: some server's":             {good[:16], client, 0, CookieBad},
		"23 octets: some server's":             {good[:23], client, 0, CookieBad},
		"40 octets: the most of some server's": {make([]byte, 40), client, 0, CookieBad},
		"41 octets":                            {make([]byte, 41), client, 0, CookieMalformed},
	} {
		if got := c.Check(tt.option, tt.client, made.Add(tt.after)); got != tt.want {
			t.Errorf("%s: state %d, want %d", title, got, tt.want)
		}
	}
	for state, want := range map[CookieState]bool{
		CookieMalformed: false, CookieClientOnly: false, CookieBad: false, CookieOld: true, CookieGood: true,
	} {
		if state.Proves() != want {
			t.Errorf("state %d proves: %v", state, !want)
		}
	}
}

// TestAnotherVersion: a cookie of a later version is not ours, though its hash
// be that of version 1.
func TestAnotherVersion(t *testing.T) {
	t.Parallel()
	c := cookiesOf(t, secretA)
	client, now := netip.MustParseAddr("192.0.2.1"), time.Unix(1_800_000_000, 0)
	cookie := c.Append(nil, []byte("12345678"), CookieClientOnly, client, now)
	for version, want := range map[byte]CookieState{1: CookieGood, 0: CookieBad, 2: CookieBad} {
		cookie[8] = version
		binary.LittleEndian.PutUint64(cookie[16:], c.hash(0, cookie[:16], client))
		if s := c.Check(cookie, client, now); s != want {
			t.Errorf("version %d: state %d", version, s)
		}
	}
}

// TestCookieTimeWraps: in 2106 the time starts over, and cookies stay good.
func TestCookieTimeWraps(t *testing.T) {
	t.Parallel()
	c := cookiesOf(t, secretA)
	client := netip.MustParseAddr("2001:db8::1")
	before := time.Unix(1<<32-10, 0)
	cookie := c.Append(nil, []byte("12345678"), CookieClientOnly, client, before)
	if s := c.Check(cookie, client, before.Add(20*time.Second)); s != CookieGood {
		t.Errorf("20 s later: state %d", s)
	}
	if s := c.Check(cookie, client, before.Add(2*time.Hour)); s != CookieBad {
		t.Errorf("2 h later: state %d", s)
	}
}

// TestCookieRollOver goes through the steps of RFC 9018 section 5 with two
// servers that take them one after the other.
func TestCookieRollOver(t *testing.T) {
	t.Parallel()
	steps := []*Cookies{
		cookiesOf(t, secretA), cookiesOf(t, secretA, secretB), cookiesOf(t, secretB, secretA), cookiesOf(t, secretB),
	}
	client, now := netip.MustParseAddr("192.0.2.1"), time.Unix(1_800_000_000, 0)
	for i := 1; i < len(steps); i++ {
		for _, pair := range [][2]*Cookies{{steps[i-1], steps[i]}, {steps[i], steps[i-1]}} {
			cookie := pair[0].Append(nil, []byte("12345678"), CookieBad, client, now)
			if s := pair[1].Check(cookie, client, now); !s.Proves() {
				t.Errorf("step %d: state %d", i, s)
			}
		}
	}
	old := steps[0].Append(nil, []byte("12345678"), CookieClientOnly, client, now)
	if s := steps[3].Check(old, client, now); s != CookieBad {
		t.Errorf("a secret that is gone: state %d", s)
	}
}

func TestCookieSecrets(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", secretA[1:], secretA + "0", strings.Replace(secretA, "e", "g", 1)} {
		_, err := ParseCookieSecret(bad)
		if err == nil {
			t.Errorf("%q is a secret", bad)
		} else if bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("the error tells the secret: %v", err)
		}
	}
	if a, b := secretOf(t, secretA), secretOf(t, strings.ToUpper(secretA)); a != b {
		t.Error("case counts")
	}
	if _, err := NewCookies(); err == nil {
		t.Error("no secret")
	}
	if _, err := NewCookies(make([]CookieSecret, MaxCookieSecrets)...); err != nil {
		t.Error(err)
	}
	if _, err := NewCookies(make([]CookieSecret, MaxCookieSecrets+1)...); err == nil {
		t.Error("one secret more than there may be")
	}
}

func TestCookiesAllocateNothing(t *testing.T) {
	c := cookiesOf(t, secretA, secretB)
	client, now := netip.MustParseAddr("192.0.2.1"), time.Unix(1_800_000_000, 0)
	option := c.Append(nil, []byte("12345678"), CookieClientOnly, client, now)
	buf := make([]byte, 0, CookieLen)
	if n := testing.AllocsPerRun(100, func() {
		state := c.Check(option, client, now.Add(40*time.Minute))
		buf = c.Append(buf[:0], option, state, client, now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzCookies: whatever a client sends as a cookie, only one that was made
// here for it is good, and the answer is one that it can use.
func FuzzCookies(f *testing.F) {
	c := cookiesOf(f, secretA)
	client, now := netip.MustParseAddr("192.0.2.1"), time.Unix(1_800_000_000, 0)
	f.Add(c.Append(nil, []byte("12345678"), CookieClientOnly, client, now))
	f.Add([]byte("12345678"))
	f.Add(make([]byte, 41))
	f.Fuzz(func(t *testing.T, option []byte) {
		state := c.Check(option, client, now)
		if state == CookieMalformed {
			return
		}
		out := c.Append(nil, option, state, client, now)
		if len(out) != CookieLen || !bytes.Equal(out[:8], option[:8]) || c.Check(out, client, now) != CookieGood {
			t.Fatalf("%x, state %d: answered %x", option, state, out)
		}
		if state.Proves() && option[8] != 1 {
			t.Fatalf("%x is good", option)
		}
	})
}

func BenchmarkCookieCheck(b *testing.B) {
	c := cookiesOf(b, secretA, secretB)
	client, now := netip.MustParseAddr("192.0.2.1"), time.Unix(1_800_000_000, 0)
	option := c.Append(nil, []byte("12345678"), CookieClientOnly, client, now)
	b.ReportAllocs()
	for b.Loop() {
		if c.Check(option, client, now) != CookieGood {
			b.Fatal("not good")
		}
	}
}
