package accounts

import (
	"encoding/hex"
	"strings"
	"testing"
)

// The vector of the reference implementation's own test.
func TestKnownHash(t *testing.T) {
	t.Parallel()
	const phc = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	d, err := parsePHC(phc)
	if err != nil {
		t.Fatal(err)
	}
	if d.Memory != 256 || d.Time != 2 || d.Lanes != 1 || string(d.salt) != "somesalt" ||
		hex.EncodeToString(d.hash) != "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe" {
		t.Errorf("%+v", d)
	}
	if !d.matches("password") || d.matches("Password") || d.matches("") {
		t.Error("the hash does not tell passwords apart")
	}
	if d.String() != phc {
		t.Errorf("written again: %s", d)
	}
}

func TestDigestsDiffer(t *testing.T) {
	t.Parallel()
	a, b := newDigest(quick(), "correct horse").String(), newDigest(quick(), "correct horse").String()
	if a == b {
		t.Error("two hashes of one password are the same")
	}
	if !strings.HasPrefix(a, "$argon2id$v=19$m=16,t=1,p=1$") || strings.Contains(a, "horse") {
		t.Errorf("%s", a)
	}
}

func TestParsePHC(t *testing.T) {
	t.Parallel()
	const salt, hash = "c29tZXNhbHQ", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	b64 := func(n int) string { return strings.Repeat("AAAA", n/3) + []string{"", "AA", "AAA"}[n%3] }
	with := func(params, salt, hash string) string { return "$argon2id$v=19$" + params + "$" + salt + "$" + hash }
	for s, ok := range map[string]bool{
		with("m=16,t=1,p=1", salt, hash):                   true,
		with("m=1048576,t=64,p=64", salt, hash):            true,
		with("m=1048577,t=64,p=64", salt, hash):            false,
		with("m=1048576,t=65,p=64", salt, hash):            false,
		with("m=1048576,t=64,p=65", salt, hash):            false,
		with("m=0,t=1,p=1", salt, hash):                    false,
		with("m=16,t=0,p=1", salt, hash):                   false,
		with("m=16,t=1,p=0", salt, hash):                   false,
		with("m=16,t=1,p=257", salt, hash):                 false,
		with("m=4294967312,t=1,p=1", salt, hash):           false,
		with("m=016,t=1,p=1", salt, hash):                  false,
		with("m=+16,t=1,p=1", salt, hash):                  false,
		with("m=-16,t=1,p=1", salt, hash):                  false,
		with("m=,t=1,p=1", salt, hash):                     false,
		with("m=16,t=1", salt, hash):                       false,
		with("t=1,m=16,p=1", salt, hash):                   false,
		with("m=16,t=1,p=1,k=1", salt, hash):               false,
		with("m=16,t=1,p=1", b64(8), b64(8)):               true,
		with("m=16,t=1,p=1", b64(7), b64(8)):               false,
		with("m=16,t=1,p=1", b64(8), b64(7)):               false,
		with("m=16,t=1,p=1", b64(64), b64(64)):             true,
		with("m=16,t=1,p=1", b64(65), b64(64)):             false,
		with("m=16,t=1,p=1", b64(64), b64(65)):             false,
		with("m=16,t=1,p=1", salt+"=", hash):               false,
		with("m=16,t=1,p=1", "c29tZXNhbHR", hash):          false, // bits behind the end
		with("m=16,t=1,p=1", "c29tZXNh\nbHQ", hash):        false,
		with("m=16,t=1,p=1", salt, hash+"$x"):              false,
		"x" + with("m=16,t=1,p=1", salt, hash):             false,
		"$argon2i$v=19$m=16,t=1,p=1$" + salt + "$" + hash:  false,
		"$argon2id$v=16$m=16,t=1,p=1$" + salt + "$" + hash: false,
		"": false, "$": false, "$$$$$": false, "password": false,
		strings.Repeat("$", 10_000): false,
	} {
		d, err := parsePHC(s)
		if (err == nil) != ok {
			t.Errorf("%s: %v", s, err)
		}
		if err == nil && d.String() != s {
			t.Errorf("%s became %s", s, d)
		}
	}
}

func TestParams(t *testing.T) {
	t.Parallel()
	for in, want := range map[Params]Params{
		{}:          {DefaultMemory, DefaultTime, DefaultLanes},
		{Memory: 1}: {1, DefaultTime, DefaultLanes},
		{Memory: 1 << 31, Time: 1000, Lanes: 255}: {maxMemory, maxTime, maxLanes},
	} {
		if got := in.withDefaults(); got != want {
			t.Errorf("%+v: %+v", in, got)
		}
	}
	// What is written can be read back.
	p := Params{Memory: maxMemory, Time: maxTime, Lanes: maxLanes}
	d := digest{Params: p, salt: make([]byte, saltLen), hash: make([]byte, hashLen)}
	if back, err := parsePHC(d.String()); err != nil || back.Params != p {
		t.Errorf("%+v, %v", back, err)
	}
}

// Whatever is accepted has bounded parameters and is written as it was read.
func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$$")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := parsePHC(s)
		if err != nil {
			return
		}
		if d.Memory < 1 || d.Memory > maxMemory || d.Time < 1 || d.Time > maxTime || d.Lanes < 1 || d.Lanes > maxLanes ||
			!fits(d.salt) || !fits(d.hash) {
			t.Errorf("%q: %+v", s, d)
		}
		if d.String() != s {
			t.Errorf("%q became %q", s, d)
		}
	})
}

// Every app password has its one form, however it is typed.
func FuzzAppSecret(f *testing.F) {
	f.Add("abcd-efgh-jkmn-pqrs-tvwx-yz01-2345-6789")
	f.Add("OILoil00 0000 0000 0000 0000 0000 0000 0000")
	f.Fuzz(func(t *testing.T, s string) {
		plain, ok := appSecret(s)
		if !ok {
			return
		}
		if len(plain) != appLen || strings.Trim(plain, appAlphabet) != "" {
			t.Fatalf("%q became %q", s, plain)
		}
		for _, as := range []string{plain, group(plain), strings.ToUpper(plain)} {
			if again, ok := appSecret(as); !ok || again != plain {
				t.Errorf("%q became %q", as, again)
			}
		}
	})
}

func TestNewAppSecret(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	var counts [256]int
	const n = 2000
	for range n {
		s := newAppSecret()
		if plain, ok := appSecret(group(s)); !ok || plain != s || seen[s] || len(group(s)) != 39 {
			t.Fatalf("%q, %q", s, plain)
		}
		seen[s] = true
		for i := range len(s) {
			counts[s[i]]++
		}
	}
	for _, c := range []byte(appAlphabet) { // each is expected n times
		if counts[c] < n*3/4 || counts[c] > n*5/4 {
			t.Errorf("%c occurs %d times", c, counts[c])
		}
	}
}

func BenchmarkHash(b *testing.B) {
	for b.Loop() {
		newDigest(Params{}.withDefaults(), "correct horse")
	}
}
