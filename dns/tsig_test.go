package dns

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
	"pgregory.net/rapid"
)

var (
	tsigAlgorithms = []TSIGAlgorithm{HMACSHA1, HMACSHA224, HMACSHA256, HMACSHA384, HMACSHA512}
	tsigNow        = time.Unix(1_800_000_000, 0)
)

func tsigKeyOf(a TSIGAlgorithm) TSIGKey {
	return TSIGKey{Name: MustParseName("Key.example."), Algorithm: a, Secret: []byte("secret of two sides that is long")}
}

// ring gives the keys that a server has.
func ring(keys ...TSIGKey) func(Name, TSIGAlgorithm) (TSIGKey, bool) {
	return func(n Name, _ TSIGAlgorithm) (TSIGKey, bool) {
		for _, k := range keys {
			if k.Name.Equal(n) {
				return k, true
			}
		}
		return TSIGKey{}, false
	}
}

func mustAppend(t testing.TB, m *Message) []byte {
	t.Helper()
	wire, err := m.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

func tsigQuery(t testing.TB) []byte {
	t.Helper()
	q := NewQuery(4711, MustParseName("www.example.test."), TypeA)
	q.EDNS = &EDNS{UDPSize: 1232}
	return mustAppend(t, q)
}

func tsigReply(t testing.TB, id uint16, text string) []byte {
	t.Helper()
	r := NewQuery(id, MustParseName("www.example.test."), TypeTXT).Reply(RcodeSuccess)
	rr, err := TXTRR(r.Question[0].Name, 60, text)
	if err != nil {
		t.Fatal(err)
	}
	r.Answer = []RR{rr}
	return mustAppend(t, r)
}

// exchange gives both ends of an exchange, after the request.
func exchange(t testing.TB, key TSIGKey) (*TSIGSigner, *TSIGVerifier) {
	t.Helper()
	request, verifier, err := SignTSIG(nil, tsigQuery(t), key, tsigNow)
	if err != nil {
		t.Fatal(err)
	}
	signer, fault := OpenTSIG(request, ring(key), tsigNow)
	if fault != nil || signer == nil {
		t.Fatal(signer, fault)
	}
	return signer, verifier
}

func codeOf(t testing.TB, err error) Rcode {
	t.Helper()
	var e *TSIGError
	if !errors.As(err, &e) {
		t.Fatalf("want a *TSIGError: %v", err)
	}
	return e.Code
}

// TestTSIGOfOthers opens requests that dig, kdig and nsupdate have signed.
func TestTSIGOfOthers(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/tsig-requests.txt")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for line := range strings.Lines(string(text)) {
		program, octets, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok {
			continue
		}
		count++
		wire, err := hex.DecodeString(octets)
		if err != nil {
			t.Fatal(err)
		}
		record, _, _, err := findTSIG(wire)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Unix(int64(record.TimeSigned)+TSIGFudge, 0)
		a, _ := algorithmOf(record.Algorithm)
		if signer, fault := OpenTSIG(wire, ring(tsigKeyOf(a)), now); fault != nil || signer == nil {
			t.Errorf("%s: %v", program, fault)
		}
		for i := range wire {
			wire[i] ^= 1
			if signer, fault := OpenTSIG(wire, ring(tsigKeyOf(a)), now); signer != nil && fault == nil && i >= 2 { // a forwarder may change the ID
				t.Errorf("%s: nobody saw that octet %d is another", program, i)
			}
			wire[i] ^= 1
		}
	}
	if count != 7 {
		t.Errorf("%d requests", count)
	}
}

// TestTSIGOracle has miekg/dns check what we sign, and the other way round.
func TestTSIGOracle(t *testing.T) {
	t.Parallel()
	for _, a := range tsigAlgorithms {
		key := tsigKeyOf(a)
		secret := base64.StdEncoding.EncodeToString(key.Secret)
		now := time.Now()
		request, verifier, err := SignTSIG([]byte("before"), tsigQuery(t), key, now)
		if err != nil {
			t.Fatal(err)
		}
		request, ok := bytes.CutPrefix(request, []byte("before"))
		if !ok || len(request) != len(tsigQuery(t))+TSIGSize(key) {
			t.Errorf("%s: %d octets more", a, len(request)-len(tsigQuery(t)))
		}
		if err := mdns.TsigVerify(bytes.Clone(request), secret, "", false); err != nil {
			t.Errorf("%s: request: %v", a, err)
		}
		record, _, _, _ := findTSIG(request)

		// miekg's server answers with three messages, ours verifies.
		prior := hex.EncodeToString(record.MAC)
		for i := range 3 {
			var m mdns.Msg
			if err := m.Unpack(tsigReply(t, 4711, fmt.Sprint("of miekg ", i))); err != nil {
				t.Fatal(err)
			}
			m.SetTsig("key.example.", string(a)+".", 300, now.Unix())
			wire, mac, err := mdns.TsigGenerate(&m, secret, prior, i > 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := verifier.Verify(wire, now); err != nil {
				t.Errorf("%s: message %d of miekg's: %v", a, i, err)
			}
			prior = mac
		}
		// Our server answers, miekg verifies.
		signer, fault := OpenTSIG(request, ring(key), now)
		if fault != nil {
			t.Fatal(fault)
		}
		prior = hex.EncodeToString(record.MAC)
		for i := range 3 {
			wire, err := signer.Sign(nil, tsigReply(t, 4711, fmt.Sprint("ours ", i)), now)
			if err != nil {
				t.Fatal(err)
			}
			record, _, _, _ := findTSIG(wire)
			if err := mdns.TsigVerify(wire, secret, prior, i > 0); err != nil {
				t.Errorf("%s: message %d of ours: %v", a, i, err)
			}
			prior = hex.EncodeToString(record.MAC)
		}
	}
}

func TestTSIGRequestErrors(t *testing.T) {
	t.Parallel()
	key := tsigKeyOf(HMACSHA256)
	other := key
	other.Secret = []byte("another")
	longer := key
	longer.Algorithm = HMACSHA512
	request, _, err := SignTSIG(nil, tsigQuery(t), key, tsigNow)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(change func(*TSIG)) []byte {
		record, start, _, _ := findTSIG(request)
		change(&record)
		wire := bytes.Clone(request[:start])
		binary.BigEndian.PutUint16(wire[10:], 1)
		out, err := appendTSIG(nil, wire, record)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	cut := func(n int) []byte { return edit(func(r *TSIG) { r.MAC = r.MAC[:n] }) }
	at := func(seconds int) time.Time { return tsigNow.Add(time.Duration(seconds) * time.Second) }
	for _, tt := range []struct {
		name string
		wire []byte
		keys []TSIGKey
		now  time.Time
		want Rcode
	}{
		{"good", request, []TSIGKey{key}, tsigNow, RcodeSuccess},
		{"no key", request, nil, tsigNow, RcodeBadKey},
		{"key of another algorithm", request, []TSIGKey{longer}, tsigNow, RcodeBadKey},
		{"key without a secret", request, []TSIGKey{{Name: key.Name}}, tsigNow, RcodeBadKey},
		{"unknown algorithm", edit(func(r *TSIG) { r.Algorithm = MustParseName("hmac-md5.sig-alg.reg.int.") }), []TSIGKey{key}, tsigNow, RcodeBadKey},
		{"other secret", request, []TSIGKey{other}, tsigNow, RcodeBadSig},
		{"other error code", edit(func(r *TSIG) { r.Error = RcodeBadTime }), []TSIGKey{key}, tsigNow, RcodeBadSig},
		{"other fudge", edit(func(r *TSIG) { r.Fudge++ }), []TSIGKey{key}, tsigNow, RcodeBadSig},
		{"oldest", request, []TSIGKey{key}, at(TSIGFudge), RcodeSuccess},
		{"too old", request, []TSIGKey{key}, at(TSIGFudge + 1), RcodeBadTime},
		{"youngest", request, []TSIGKey{key}, at(-TSIGFudge), RcodeSuccess},
		{"from the future", request, []TSIGKey{key}, at(-TSIGFudge - 1), RcodeBadTime},
		{"forged and too old", request, []TSIGKey{other}, at(TSIGFudge + 1), RcodeBadSig},
		{"MAC cut to half", cut(16), []TSIGKey{key}, tsigNow, RcodeBadTrunc},
		{"MAC cut by one", cut(31), []TSIGKey{key}, tsigNow, RcodeBadTrunc},
		{"MAC cut to less than half", cut(15), []TSIGKey{key}, tsigNow, RcodeFormErr},
		{"MAC empty", cut(0), []TSIGKey{key}, tsigNow, RcodeFormErr},
		{"MAC too long", edit(func(r *TSIG) { r.MAC = append(r.MAC, 0) }), []TSIGKey{key}, tsigNow, RcodeFormErr},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := bytes.Clone(tt.wire)
			signer, fault := OpenTSIG(tt.wire, ring(tt.keys...), tt.now)
			if !bytes.Equal(before, tt.wire) {
				t.Error("the request was changed")
			}
			if tt.want == RcodeSuccess {
				if fault != nil || signer == nil {
					t.Fatal(fault)
				}
				return
			}
			if fault == nil || fault.Code != tt.want || signer != nil {
				t.Fatalf("%v, want %d", fault, tt.want)
			}
			checkErrorResponse(t, fault, tt.wire, key, tt.now)
		})
	}
}

// checkErrorResponse: RFC 8945 section 5.3.2 says what an error is answered.
func checkErrorResponse(t *testing.T, fault *TSIGError, request []byte, key TSIGKey, now time.Time) {
	t.Helper()
	wire, err := fault.Respond([]byte("x"), request, now)
	if err != nil || wire[0] != 'x' {
		t.Fatal(err)
	}
	wire = wire[1:]
	m, err := Parse(wire)
	if err != nil {
		t.Fatal(err)
	}
	if !m.Response || m.ID != 4711 || len(m.Question) != 1 || m.Rcode != fault.Rcode() || m.EDNS == nil {
		t.Error(Summary(m))
	}
	record, _, ok, err := findTSIG(wire)
	if err != nil || ok == (fault.Code == RcodeFormErr) {
		t.Fatal(ok, err)
	}
	if !ok {
		if m.Rcode != RcodeFormErr {
			t.Error(m.Rcode)
		}
		return
	}
	signed := fault.Code == RcodeBadTime || fault.Code == RcodeBadTrunc
	if m.Rcode != RcodeNotAuth || record.Error != fault.Code || (len(record.MAC) > 0) != signed {
		t.Errorf("%s: %+v", Summary(m), record)
	}
	// What the client makes of it.
	sent, _, _, _ := findTSIG(request)
	verifier := &TSIGVerifier{digest: newDigester(key)}
	verifier.digest.prior(sent.MAC)
	var told *TSIGError
	if err := verifier.Verify(wire, tsigNow); !errors.As(err, &told) {
		t.Fatal(err)
	}
	if known := record.Algorithm == key.Algorithm.Name(); known && (told.Code != fault.Code || !told.Peer || told.Signed != signed) {
		t.Errorf("the client is told %v, signed %v", told, told.Signed)
	}
	if peer, ok := told.TSIG.PeerTime(); ok != (fault.Code == RcodeBadTime) || ok && !peer.Equal(now) {
		t.Errorf("the server's time: %v %v, want %v", peer, ok, now)
	}
}

// TestTSIGPlace: the record is the last one, in the additional section, and the
// only one of its kind (RFC 8945 section 5.2).
func TestTSIGPlace(t *testing.T) {
	t.Parallel()
	key := tsigKeyOf("")
	request, _, err := SignTSIG(nil, tsigQuery(t), key, tsigNow)
	if err != nil {
		t.Fatal(err)
	}
	record, _, _, _ := findTSIG(request)
	a, err := ParseRR("a.test. 60 A 192.0.2.1", Root, 0)
	if err != nil {
		t.Fatal(err)
	}
	message := func(answer, additional []RR) []byte {
		m := NewQuery(1, Root, TypeA)
		m.Answer, m.Additional = answer, additional
		return mustAppend(t, m)
	}
	classIN, ttl := record.RR(), record.RR()
	classIN.Class, ttl.TTL = ClassIN, 1
	short := record.RR()
	short.Data = short.Data[:len(short.Data)-1]
	for name, wire := range map[string][]byte{
		"doubled":           message(nil, []RR{record.RR(), record.RR()}),
		"not last":          message(nil, []RR{record.RR(), a}),
		"in the answer":     message([]RR{record.RR()}, nil),
		"octets follow":     append(bytes.Clone(request), 0),
		"class IN":          message(nil, []RR{classIN}),
		"TTL 1":             message(nil, []RR{ttl}),
		"data too short":    message(nil, []RR{short}),
		"no header":         request[:11],
		"cut in question":   request[:20],
		"cut before a name": request[:12],
		"cut in a record":   request[:len(request)-1],
		"cut in the fixed":  request[:len(tsigQuery(t))+len(key.Name)+4],
	} {
		if signer, fault := OpenTSIG(wire, ring(key), tsigNow); signer != nil || fault == nil || fault.Code != RcodeFormErr {
			t.Errorf("%s: %v", name, fault)
		}
		verifier := &TSIGVerifier{digest: newDigester(key)}
		if err := verifier.Verify(wire, tsigNow); codeOf(t, err) != RcodeFormErr {
			t.Errorf("%s: the client: %v", name, err)
		}
	}
	if signer, fault := OpenTSIG(tsigQuery(t), ring(key), tsigNow); signer != nil || fault != nil {
		t.Errorf("a request without a signature: %v, %v", signer, fault)
	}
}

// TestTSIGForwarded: a forwarder gives the message another ID, and may compress
// the owner of the record.
func TestTSIGForwarded(t *testing.T) {
	t.Parallel()
	key := tsigKeyOf(HMACSHA256)
	key.Name = MustParseName("example.test.")
	request, _, err := SignTSIG(nil, tsigQuery(t), key, tsigNow)
	if err != nil {
		t.Fatal(err)
	}
	record, start, _, _ := findTSIG(request)
	forwarded := binary.BigEndian.AppendUint16(bytes.Clone(request[:start]), 0xc000|16) // www.|example.test.
	forwarded = append(forwarded, record.RR().appendWire(nil)[len(key.Name):]...)
	binary.BigEndian.PutUint16(forwarded, 9)
	signer, fault := OpenTSIG(forwarded, ring(key), tsigNow)
	if fault != nil {
		t.Fatal(fault)
	}
	if signer.Key().Name != key.Name || signer.Size() != TSIGSize(key) {
		t.Errorf("%v, %d", signer.Key(), signer.Size())
	}
}

func TestTSIGResponses(t *testing.T) {
	t.Parallel()
	key := tsigKeyOf(HMACSHA256)
	signer, verifier := exchange(t, key)
	good, err := signer.Sign(nil, tsigReply(t, 4711, "good"), tsigNow)
	if err != nil {
		t.Fatal(err)
	}
	forger := key
	forger.Secret = []byte("guess")
	_, stranger, _ := SignTSIG(nil, tsigQuery(t), forger, tsigNow)
	forged, _ := (&TSIGSigner{digest: stranger.digest}).Sign(nil, tsigReply(t, 4711, "bad"), tsigNow)
	elsewhere, _ := exchange(t, TSIGKey{Name: MustParseName("other."), Secret: []byte("x")})
	otherKey, _ := elsewhere.Sign(nil, tsigReply(t, 4711, "bad"), tsigNow)
	for _, tt := range []struct {
		name string
		wire []byte
		now  time.Time
		want Rcode
	}{
		{"no signature", tsigReply(t, 4711, "bad"), tsigNow, RcodeFormErr},
		{"forged", forged, tsigNow, RcodeBadSig},
		{"other key", otherKey, tsigNow, RcodeBadKey},
		{"late", good, tsigNow.Add(301 * time.Second), RcodeBadTime},
	} {
		err := verifier.Verify(tt.wire, tt.now)
		if got := codeOf(t, err); got != tt.want || err.(*TSIGError).Peer {
			t.Errorf("%s: %v", tt.name, err)
		}
		if verifier.Finish() == nil {
			t.Errorf("%s: finished", tt.name)
		}
	}
	// NSD signs no error, although RFC 8945 section 5.3.2 wants BADTIME signed.
	for _, code := range []Rcode{RcodeBadKey, RcodeBadSig, RcodeBadTime, RcodeBadTrunc} {
		record := TSIG{Key: key.Name, Algorithm: key.Algorithm.Name(), Error: code}
		wire, err := appendTSIG(nil, tsigReply(t, 4711, "error"), record)
		if err != nil {
			t.Fatal(err)
		}
		var told *TSIGError
		if err := verifier.Verify(wire, tsigNow); !errors.As(err, &told) || told.Code != code || !told.Peer || told.Signed {
			t.Errorf("unsigned %s: %v", code, err)
		}
	}
	// The true answer is taken, after all of those.
	if err := verifier.Verify(good, tsigNow.Add(300*time.Second)); err != nil {
		t.Error(err)
	}
	if err := verifier.Finish(); err != nil {
		t.Error(err)
	}
}

// TestTSIGCase: names of keys and algorithms are digested in lower case, however
// they are written (RFC 8945 section 4.3.3).
func TestTSIGCase(t *testing.T) {
	t.Parallel()
	key := tsigKeyOf(HMACSHA256)
	request, verifier, err := SignTSIG(nil, tsigQuery(t), key, tsigNow)
	if err != nil {
		t.Fatal(err)
	}
	shout := func(wire []byte) []byte {
		record, start, _, err := findTSIG(wire)
		if err != nil {
			t.Fatal(err)
		}
		record.Key, record.Algorithm = MustParseName("KEY.EXAMPLE."), MustParseName("HMAC-SHA256.")
		return append(bytes.Clone(wire[:start]), record.RR().appendWire(nil)...)
	}
	var asked Name
	signer, fault := OpenTSIG(shout(request), func(n Name, a TSIGAlgorithm) (TSIGKey, bool) {
		asked = n
		return key, a == HMACSHA256
	}, tsigNow)
	if fault != nil || asked != MustParseName("key.example.") {
		t.Fatal(asked, fault)
	}
	response, err := signer.Sign(nil, tsigReply(t, 4711, "quiet"), tsigNow)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify(shout(response), tsigNow); err != nil {
		t.Error(err)
	}
}

// TestTSIGWrongKeys: what the key ring gives is looked at too.
func TestTSIGWrongKeys(t *testing.T) {
	t.Parallel()
	key := tsigKeyOf(HMACSHA256)
	request, _, err := SignTSIG(nil, tsigQuery(t), key, tsigNow)
	if err != nil {
		t.Fatal(err)
	}
	other := key
	other.Name = MustParseName("other.example.")
	any := func(Name, TSIGAlgorithm) (TSIGKey, bool) { return other, true }
	if signer, fault := OpenTSIG(request, any, tsigNow); signer != nil || fault == nil || fault.Code != RcodeBadKey {
		t.Errorf("a key of another name: %v", fault)
	}
}

// TestTSIGWeakerResponses: a response has the algorithm of the request and all
// of its MAC, so that nobody in between makes forging easier.
func TestTSIGWeakerResponses(t *testing.T) {
	t.Parallel()
	signer, verifier := exchange(t, tsigKeyOf(HMACSHA512))
	good, err := signer.Sign(nil, tsigReply(t, 4711, "good"), tsigNow)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(change func(*TSIG)) []byte {
		record, start, _, _ := findTSIG(bytes.Clone(good))
		change(&record)
		return append(bytes.Clone(good[:start]), record.RR().appendWire(nil)...)
	}
	for want, wire := range map[Rcode][]byte{
		RcodeBadKey:   edit(func(r *TSIG) { r.Algorithm = HMACSHA1.Name() }),
		RcodeBadTrunc: edit(func(r *TSIG) { r.MAC = r.MAC[:63] }),
		RcodeBadSig:   edit(func(r *TSIG) { r.MAC[0] ^= 1 }),
		RcodeFormErr:  edit(func(r *TSIG) { r.MAC = r.MAC[:31] }),
	} {
		if err := verifier.Verify(wire, tsigNow); codeOf(t, err) != want || err.(*TSIGError).Peer {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := verifier.Verify(good, tsigNow); err != nil {
		t.Error(err)
	}
}

// TestTSIGErrorsAreSmall: an error is no longer than it must be, whatever the
// request holds, and so is none to reflect floods with.
func TestTSIGErrorsAreSmall(t *testing.T) {
	t.Parallel()
	q := NewQuery(4711, MustParseName("www.example.test."), TypeA)
	for range 20 {
		q.Question = append(q.Question, q.Question[0])
	}
	q.Answer = []RR{recordOf(t, "a. 1 TXT a")}
	request, _, err := SignTSIG(nil, mustAppend(t, q), tsigKeyOf(HMACSHA256), tsigNow)
	if err != nil {
		t.Fatal(err)
	}
	_, fault := OpenTSIG(request, ring(), tsigNow)
	out, err := fault.Respond(nil, request, tsigNow)
	if err != nil || len(out) >= len(request) {
		t.Errorf("%d octets to %d, %v", len(out), len(request), err)
	}
	if m, err := Parse(out); err != nil || len(m.Question) != 1 || len(m.Answer) != 0 {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestTSIGShortMACs: RFC 8945 section 5.2.2.1: at least 10 octets and half of
// what the algorithm makes; and here, as a policy, all of it.
func TestTSIGShortMACs(t *testing.T) {
	t.Parallel()
	for a, least := range map[TSIGAlgorithm]int{HMACSHA1: 10, HMACSHA224: 14, HMACSHA256: 16, HMACSHA384: 24, HMACSHA512: 32} {
		key := tsigKeyOf(a)
		request, _, err := SignTSIG(nil, tsigQuery(t), key, tsigNow)
		if err != nil {
			t.Fatal(err)
		}
		record, start, _, _ := findTSIG(request)
		if len(record.MAC) != a.Size() {
			t.Errorf("%s: %d octets", a, len(record.MAC))
		}
		for n, whole := len(record.MAC), record.MAC; n >= 0; n-- {
			record.MAC = whole[:n]
			wire := append(bytes.Clone(request[:start]), record.RR().appendWire(nil)...)
			_, fault := OpenTSIG(wire, ring(key), tsigNow)
			switch {
			case n == len(whole) && fault != nil,
				n < len(whole) && n >= least && (fault == nil || fault.Code != RcodeBadTrunc),
				n < least && (fault == nil || fault.Code != RcodeFormErr):
				t.Errorf("%s: %d of %d octets: %v", a, n, len(whole), fault)
			}
		}
	}
	// Half of a hash of 16 octets would be 8, and is not enough.
	want := make([]byte, 16)
	for n, code := range map[int]Rcode{16: RcodeSuccess, 10: RcodeSuccess, 9: RcodeFormErr, 17: RcodeFormErr} {
		if got, _ := checkMAC(make([]byte, n), want); got != code {
			t.Errorf("%d octets: %s", n, got)
		}
	}
}

// TestTSIGAlgorithms: names on the wire, sizes, and what is none.
func TestTSIGAlgorithms(t *testing.T) {
	t.Parallel()
	for a, size := range map[TSIGAlgorithm]int{HMACSHA1: 20, HMACSHA224: 28, HMACSHA256: 32, HMACSHA384: 48, HMACSHA512: 64, "": 32, "hmac-md5": 0} {
		if a.Size() != size {
			t.Errorf("%s has %d octets", a, a.Size())
		}
		name := MustParseName(string(a) + ".")
		if a == "" {
			name = MustParseName("hmac-sha256.")
		}
		if a.Name() != name {
			t.Errorf("%s is %s", a, a.Name())
		}
		got, ok := algorithmOf(Name(strings.ToUpper(string(name))))
		if ok != (size > 0) || ok && got.Name() != name {
			t.Errorf("%s: %s, %v", name, got, ok)
		}
	}
	long := tsigKeyOf(HMACSHA256)
	long.Secret = make([]byte, MaxTSIGSecret)
	if err := long.Valid(); err != nil {
		t.Error(err)
	}
	for what, k := range map[string]TSIGKey{
		"no name":       {Secret: []byte("x")},
		"root":          {Name: Root, Secret: []byte("x")},
		"no secret":     {Name: long.Name},
		"long secret":   {Name: long.Name, Secret: make([]byte, MaxTSIGSecret+1)},
		"MD5":           {Name: long.Name, Algorithm: "hmac-md5.sig-alg.reg.int", Secret: []byte("x")},
		"final dot":     {Name: long.Name, Algorithm: "hmac-sha256.", Secret: []byte("x")},
		"not by a wire": {Name: "key", Secret: []byte("x")},
	} {
		if k.Valid() == nil {
			t.Errorf("%s is valid", what)
		}
		if _, _, err := SignTSIG(nil, tsigQuery(t), k, tsigNow); err == nil {
			t.Errorf("%s signs", what)
		}
	}
}

// TestTSIGStream sends streams with signatures here and there.
func TestTSIGStream(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		signer, verifier := exchange(t, tsigKeyOf(rapid.SampledFrom(tsigAlgorithms).Draw(r, "algorithm")))
		gaps := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 5).Draw(r, "unsigned before each signature")
		spoil := rapid.IntRange(-1, 20).Draw(r, "spoilt message")
		var stream [][]byte
		add := func(wire []byte, err error) {
			if err != nil {
				r.Fatal(err)
			}
			stream = append(stream, wire)
		}
		add(signer.Sign(nil, tsigReply(t, 4711, "first"), tsigNow))
		for _, gap := range gaps {
			for i := range gap {
				plain := tsigReply(t, uint16(i), "between")
				add(plain, signer.Unsigned(plain))
			}
			add(signer.Sign(nil, tsigReply(t, 4711, "signed"), tsigNow))
		}
		if spoil >= len(stream) {
			spoil = -1
		}
		if spoil >= 0 {
			stream[spoil][3] ^= 0x40
		}
		var err error
		for _, wire := range stream {
			if err = verifier.Verify(wire, tsigNow); err != nil {
				break
			}
		}
		if err == nil {
			err = verifier.Finish()
		}
		if (err == nil) != (spoil < 0) {
			r.Fatalf("spoilt %d of %d: %v", spoil, len(stream), err)
		}
	})
}

// TestTSIGStreamLimits: 99 messages without a signature, and not one more; the
// first and the last have one.
func TestTSIGStreamLimits(t *testing.T) {
	t.Parallel()
	key := tsigKeyOf(HMACSHA256)
	plain := tsigReply(t, 4711, "plain")
	signer, verifier := exchange(t, key)
	if err := signer.Unsigned(plain); !errors.Is(err, ErrTSIGUnsigned) {
		t.Errorf("first message: %v", err)
	}
	first, _ := signer.Sign(nil, plain, tsigNow)
	if err := verifier.Verify(first, tsigNow); err != nil {
		t.Fatal(err)
	}
	for i := range MaxTSIGUnsigned {
		if err := errors.Join(signer.Unsigned(plain), verifier.Verify(plain, tsigNow)); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := signer.Unsigned(plain); !errors.Is(err, ErrTSIGUnsigned) {
		t.Errorf("one more: %v", err)
	}
	if err := verifier.Finish(); !errors.Is(err, ErrTSIGUnsigned) {
		t.Errorf("ended without a signature: %v", err)
	}
	last, _ := signer.Sign(nil, plain, tsigNow)
	if err := errors.Join(verifier.Verify(last, tsigNow), verifier.Finish()); err != nil {
		t.Error(err)
	}
	for i := range MaxTSIGUnsigned {
		if err := verifier.Verify(plain, tsigNow); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := verifier.Verify(plain, tsigNow); codeOf(t, err) != RcodeFormErr {
		t.Errorf("one more: %v", err)
	}
}

func TestTSIGSizes(t *testing.T) {
	t.Parallel()
	key := tsigKeyOf(HMACSHA512)
	full := append(tsigQuery(t), make([]byte, MaxMessageLen)...)[:MaxMessageLen-TSIGSize(key)]
	wire, _, err := SignTSIG(nil, full, key, tsigNow)
	if err != nil || len(wire) != MaxMessageLen {
		t.Errorf("the longest message: %d, %v", len(wire), err)
	}
	if _, _, err := SignTSIG(nil, append(full, 0), key, tsigNow); !errors.Is(err, ErrTooLarge) {
		t.Errorf("one octet more: %v", err)
	}
	many := tsigQuery(t)
	many[10], many[11] = 0xff, 0xff
	if _, _, err := SignTSIG(nil, many, key, tsigNow); !errors.Is(err, ErrTooLarge) {
		t.Errorf("65535 additional records: %v", err)
	}
	signer, _ := exchange(t, key)
	if _, err := signer.Sign(nil, append(full, 0), tsigNow); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a response one octet too long: %v", err)
	}
	for _, err := range []error{
		second(SignTSIG(nil, make([]byte, 11), key, tsigNow)), last(signer.Sign(nil, make([]byte, 11), tsigNow)),
		(&TSIGSigner{digest: newDigester(key), stream: true}).Unsigned(make([]byte, 11)),
	} {
		if !errors.Is(err, errShort) {
			t.Errorf("eleven octets: %v", err)
		}
	}
}

func second[A, B any](_ A, _ B, err error) error { return err }
func last[A any](_ A, err error) error           { return err }

// TestTSIGSecretsStayInside: a key in a log or an error shows no secret.
func TestTSIGSecretsStayInside(t *testing.T) {
	t.Parallel()
	key := tsigKeyOf("")
	encoded, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	type holder struct{ Key TSIGKey }
	shown := fmt.Sprintf("%v %+v %#v %s %v %+v", key, key, key, key, holder{key}, &holder{key}) + string(encoded)
	for _, secret := range []string{string(key.Secret), base64.StdEncoding.EncodeToString(key.Secret), hex.EncodeToString(key.Secret), "115 101 99"} {
		if strings.Contains(shown, secret) {
			t.Errorf("%q is in %s", secret, shown)
		}
	}
	if got := key.String(); got != "hmac-sha256:Key.example." {
		t.Error(got)
	}
}

func TestTSIGErrorText(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]*TSIGError{
		"dns: TSIG: BADSIG: key k.":                           {Code: RcodeBadSig, TSIG: TSIG{Key: MustParseName("k.")}},
		"dns: TSIG: BADTIME says the peer: key k.: its clock": {Code: RcodeBadTime, Peer: true, TSIG: TSIG{Key: MustParseName("k.")}, Reason: "its clock"},
		"dns: TSIG: FORMERR: malformed":                       {Code: RcodeFormErr, Reason: "malformed"},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if wire, err := (&TSIGError{Code: RcodeBadKey}).Respond(nil, []byte("\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00"), tsigNow); wire != nil || err != nil {
		t.Errorf("a response is answered: %x, %v", wire, err)
	}
}

// FuzzOpenTSIG: no octets crash it, none that the key did not sign are opened,
// and every fault has an answer.
func FuzzOpenTSIG(f *testing.F) {
	key := tsigKeyOf(HMACSHA256)
	request, _, err := SignTSIG(nil, tsigQuery(f), key, tsigNow)
	if err != nil {
		f.Fatal(err)
	}
	record, start, _, _ := findTSIG(request)
	f.Add(request)
	f.Add(tsigQuery(f))
	f.Add(request[:len(request)-1])
	f.Fuzz(func(t *testing.T, wire []byte) {
		before := bytes.Clone(wire)
		signer, fault := OpenTSIG(wire, ring(key), tsigNow)
		if !bytes.Equal(before, wire) {
			t.Fatal("the message was changed")
		}
		if signer != nil && (len(wire) < start || !bytes.Equal(wire[2:start], request[2:start])) {
			t.Fatalf("opened: %x", wire)
		}
		if fault != nil {
			if _, err := fault.Respond(nil, wire, tsigNow); err != nil {
				t.Fatalf("%x: %v", wire, err)
			}
		}
		verifier := &TSIGVerifier{digest: newDigester(key)}
		verifier.digest.prior(record.MAC)
		if err := verifier.Verify(wire, tsigNow); err == nil {
			t.Fatalf("verified as a response: %x", wire)
		}
	})
}
