package accounts

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Params are the parameters of argon2id (RFC 9106 section 3.1).
type Params struct {
	Memory uint32 // in KiB
	Time   uint32 // passes
	Lanes  uint8  // degree of parallelism
}

// Defaults of Params: what OWASP recommends where memory is scarce.
const (
	DefaultMemory = 19 * 1024
	DefaultTime   = 2
	DefaultLanes  = 1
)

const (
	saltLen = 16
	hashLen = 32
	// What a stored hash may ask for. More can only be a mistake or an attack.
	maxMemory = 1 << 20 // KiB
	maxTime   = 64
	maxLanes  = 64
	minBytes  = 8  // of salt and hash, each
	maxBytes  = 64 // of salt and hash, each
	maxPHC    = 512
)

// errPHC means that a stored hash is not one of argon2id.
var errPHC = errors.New("the stored password is damaged")

// withDefaults fills in what is 0, and keeps the rest within what can be read
// back.
func (p Params) withDefaults() Params {
	d := Params{Memory: DefaultMemory, Time: DefaultTime, Lanes: DefaultLanes}
	if p.Memory != 0 {
		d.Memory = min(p.Memory, maxMemory)
	}
	if p.Time != 0 {
		d.Time = min(p.Time, maxTime)
	}
	if p.Lanes != 0 {
		d.Lanes = min(p.Lanes, maxLanes)
	}
	return d
}

// digest is a hashed password with all that is needed to check it.
type digest struct {
	Params
	salt, hash []byte
}

// newDigest hashes password with a new salt.
func newDigest(p Params, password string) digest {
	d := digest{Params: p, salt: make([]byte, saltLen)}
	_, _ = rand.Read(d.salt) // never fails
	d.hash = d.of(password, hashLen)
	return d
}

// of hashes password with the parameters and the salt of d.
func (d digest) of(password string, n int) []byte {
	return argon2.IDKey([]byte(password), d.salt, d.Time, d.Memory, d.Lanes, uint32(n))
}

// matches says whether d was made from password. The comparison takes the
// same time wherever the difference is.
func (d digest) matches(password string) bool {
	return subtle.ConstantTimeCompare(d.of(password, len(d.hash)), d.hash) == 1
}

// String writes d in the PHC string format.
func (d digest) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, d.Memory, d.Time, d.Lanes,
		b64.EncodeToString(d.salt), b64.EncodeToString(d.hash))
}

// parsePHC reads what String writes, or returns errPHC.
func parsePHC(s string) (digest, error) {
	if len(s) > maxPHC {
		return digest{}, errPHC
	}
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return digest{}, errPHC
	}
	params := strings.Split(parts[3], ",")
	if len(params) != 3 {
		return digest{}, errPHC
	}
	m, mOK := number(params[0], "m=", maxMemory)
	t, tOK := number(params[1], "t=", maxTime)
	p, pOK := number(params[2], "p=", maxLanes)
	salt, saltErr := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	hash, hashErr := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if !mOK || !tOK || !pOK || saltErr != nil || hashErr != nil || !fits(salt) || !fits(hash) {
		return digest{}, errPHC
	}
	d := digest{Params: Params{Memory: m, Time: t, Lanes: uint8(p)}, salt: salt, hash: hash}
	if d.String() != s { // signs, leading zeros, newlines within the base64
		return digest{}, errPHC
	}
	return d, nil
}

func fits(b []byte) bool { return minBytes <= len(b) && len(b) <= maxBytes }

// number reads prefix and a decimal number of 1 to most.
func number(s, prefix string, most uint32) (uint32, bool) {
	digits, ok := strings.CutPrefix(s, prefix)
	n, err := strconv.ParseUint(digits, 10, 32)
	return uint32(n), ok && err == nil && 1 <= n && n <= uint64(most)
}
