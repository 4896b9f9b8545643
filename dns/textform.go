package dns

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"strconv"
	"time"
)

// AppendDataText puts the data in presentation form behind dst, as DataString
// gives it, but with the names that are relative to origin written so; ParseData
// with that origin reads the same data. With the zero origin all names are
// absolute. For the types that large zones are made of nothing is allocated but
// what dst needs.
func (rr RR) AppendDataText(dst []byte, origin Name) []byte {
	if out, ok := rr.appendPlainText(dst, origin); ok {
		return out
	}
	return append(dst, rr.otherText()...)
}

// appendPlainText writes the types that appendPlain reads; ok is false for
// others, and for data that does not fit its type.
func (rr RR) appendPlainText(dst []byte, origin Name) (out []byte, ok bool) {
	if rr.Class != ClassIN || refusal(rr.Type, rr.Data) != "" || checkData(rr.Type, rr.Class, rr.Data) != nil {
		return dst, false
	}
	w := writer{out: dst, data: rr.Data, origin: origin}
	switch rr.Type {
	case TypeA, TypeAAAA:
		addr, _ := netip.AddrFromSlice(rr.Data) // 4 or 16 octets: the layout was checked
		return addr.AppendTo(dst), true
	case TypeNS, TypeCNAME, TypePTR, TypeDNAME:
		w.name()
	case TypeMX:
		w.numbers(2)
		w.name()
	case TypeSRV:
		w.numbers(2, 2, 2)
		w.name()
	case TypeSOA:
		w.name()
		w.name()
		w.numbers(4, 4, 4, 4, 4)
	case TypeTXT, TypeSPF:
		for len(w.data) > 0 {
			w.string()
		}
	default:
		w.security(rr.Type)
	}
	return w.out, !w.odd && len(w.data) == 0
}

// writer writes the fields of data one after the other, with a blank between
// two. The data fits the layout of its type.
type writer struct {
	out    []byte
	data   []byte // what is not written yet
	origin Name
	fields int
	odd    bool // there is no plain form for it
}

func (w *writer) blank() {
	if w.fields++; w.fields > 1 {
		w.out = append(w.out, ' ')
	}
}

// take gives so many octets, or none when there are fewer.
func (w *writer) take(n int) []byte {
	if n > len(w.data) {
		w.odd = true
		n = len(w.data)
	}
	b := w.data[:n]
	w.data = w.data[n:]
	return b
}

func (w *writer) numbers(sizes ...int) {
	for _, size := range sizes {
		v := uint64(0)
		for _, c := range w.take(size) {
			v = v<<8 | uint64(c)
		}
		w.blank()
		w.out = strconv.AppendUint(w.out, v, 10)
	}
}

func (w *writer) name() {
	size, err := wireNameLen(w.data)
	if err != nil {
		w.odd = true
		return
	}
	w.blank()
	w.out = appendRelative(w.out, w.take(size), w.origin)
}

func (w *writer) string() {
	w.blank()
	w.out = append(w.out, '"')
	for _, c := range w.take(int(w.take(1)[0])) {
		switch {
		case c == '"' || c == '\\':
			w.out = append(w.out, '\\', c)
		case c < ' ' || c > '~':
			w.out = append(w.out, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
		default:
			w.out = append(w.out, c)
		}
	}
	w.out = append(w.out, '"')
}

// security writes the types that signing adds, and those that say whom to trust.
func (w *writer) security(t Type) {
	switch t {
	case TypeDS, TypeCDS:
		w.numbers(2, 1, 1)
		w.hex(w.take(len(w.data)), "0123456789ABCDEF")
	case TypeSSHFP:
		w.numbers(1, 1)
		w.hex(w.take(len(w.data)), "0123456789ABCDEF")
	case TypeTLSA:
		w.numbers(1, 1, 1)
		w.hex(w.take(len(w.data)), "0123456789abcdef")
	case TypeDNSKEY, TypeCDNSKEY:
		w.numbers(2, 1, 1)
		w.base64()
	case TypeRRSIG:
		w.typ(w.take(2))
		w.numbers(1, 1, 4)
		w.time()
		w.time()
		w.numbers(2)
		w.name()
		w.base64()
	case TypeNSEC:
		w.name()
		w.types()
	case TypeNSEC3:
		w.nsec3()
	default:
		w.odd = true
	}
}

func (w *writer) hex(b []byte, digits string) {
	w.blank()
	w.odd = w.odd || len(b) == 0
	for _, c := range b {
		w.out = append(w.out, digits[c>>4], digits[c&15])
	}
}

func (w *writer) base64() {
	w.blank()
	w.odd = w.odd || len(w.data) == 0
	w.out = base64.StdEncoding.AppendEncode(w.out, w.take(len(w.data)))
}

// time writes a time of a signature. The 32 bits are taken for one of the years
// 1970 to 2105; miekg/dns, which looks at the clock, says the same until 2038.
func (w *writer) time() {
	b := w.take(4)
	if w.odd {
		return
	}
	w.blank()
	at := time.Unix(int64(binary.BigEndian.Uint32(b)), 0).UTC()
	w.out = at.AppendFormat(w.out, "20060102150405")
}

// typ writes a type. Those that miekg/dns does not read as it writes them are
// odd.
func (w *writer) typ(b []byte) {
	if w.odd {
		return
	}
	t := Type(binary.BigEndian.Uint16(b))
	w.blank()
	w.odd = t == 0 || t == 65535
	w.out = append(w.out, t.String()...)
}

func (w *writer) types() {
	if checkBitmap(w.data) != nil {
		w.odd = true
		return
	}
	for len(w.data) > 0 {
		head := w.take(2)
		for i, bits := range w.take(int(head[1])) {
			for bit := range 8 {
				if bits&(0x80>>bit) != 0 {
					w.typ([]byte{head[0], byte(i*8 + bit)})
				}
			}
		}
	}
}

func (w *writer) nsec3() {
	w.numbers(1, 1, 2)
	length := w.take(1)
	if w.odd {
		return
	}
	if length[0] == 0 {
		w.blank()
		w.out = append(w.out, '-')
	} else {
		w.hex(w.take(int(length[0])), "0123456789ABCDEF")
	}
	length = w.take(1)
	if w.odd || length[0] == 0 {
		w.odd = true
		return
	}
	w.blank()
	w.out = base32.HexEncoding.WithPadding(base32.NoPadding).AppendEncode(w.out, w.take(int(length[0])))
	w.types()
}
