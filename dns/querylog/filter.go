package querylog

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/network-utopia/utopia/dns"
)

// MaxItems is the most items that one field of a Spec may have.
const MaxItems = 100

// Spec says in words which queries are wanted. Each field is a list with commas between its items, of which one has to
// fit; an empty field fits all.
type Spec struct {
	Name      string // names, and what is below them
	Type      string // such as A, TYPE65534, or UPDATE for all of an opcode
	Code      string // such as NXDOMAIN, or none where there is no answer
	Client    string // addresses and networks
	Transport string // of udp, tcp, tls and https
}

// Transports are those that a Spec knows.
func Transports() []string { return []string{"udp", "tcp", "tls", "https"} }

// Filter says which queries are wanted. The zero value wants all.
type Filter struct {
	names      []dns.Name
	kinds      []string
	codes      []string
	clients    []netip.Prefix
	transports []string
}

// SpecError is an item of a Spec that cannot be read.
type SpecError struct {
	Field string // name, type, code, client or transport
	Item  string
	Err   error
}

// Error says what is wrong.
func (e *SpecError) Error() string { return fmt.Sprintf("%s %q: %v", e.Field, e.Item, e.Err) }

// Unwrap gives what is wrong with the item.
func (e *SpecError) Unwrap() error { return e.Err }

// NewFilter reads a Spec. The error is a *SpecError.
func NewFilter(s Spec) (Filter, error) {
	var f Filter
	for _, field := range [...]struct {
		name, items string
		read        func(item string) error
	}{
		{"name", s.Name, f.readName}, {"type", s.Type, f.readKind}, {"code", s.Code, f.readCode},
		{"client", s.Client, f.readClient}, {"transport", s.Transport, f.readTransport},
	} {
		for i, item := range strings.FieldsFunc(field.items, func(r rune) bool { return r == ',' }) {
			item = strings.TrimSpace(item)
			if item == "" {
				continue
			}
			err := field.read(item)
			if i >= MaxItems {
				err = fmt.Errorf("at most %d can be given", MaxItems)
			}
			if err != nil {
				return Filter{}, &SpecError{field.name, item, err}
			}
		}
	}
	return f, nil
}

func (f *Filter) readName(item string) error {
	name, err := dns.ParseName(item, dns.Root)
	f.names = append(f.names, name)
	return err
}

func (f *Filter) readKind(item string) error {
	if op, err := dns.ParseOpcode(item); err == nil {
		f.kinds = append(f.kinds, op.String())
		return nil
	}
	t, err := dns.ParseType(item)
	f.kinds = append(f.kinds, t.String())
	return err
}

func (f *Filter) readCode(item string) error {
	if strings.EqualFold(item, NoAnswer) {
		f.codes = append(f.codes, NoAnswer)
		return nil
	}
	code, err := dns.ParseRcode(item)
	f.codes = append(f.codes, code.String())
	return err
}

func (f *Filter) readClient(item string) error {
	if address, err := netip.ParseAddr(item); err == nil {
		address = address.Unmap().WithZone("")
		f.clients = append(f.clients, netip.PrefixFrom(address, address.BitLen()))
		return nil
	}
	network, err := netip.ParsePrefix(item)
	if err != nil {
		return fmt.Errorf("neither an address nor a network, such as 192.0.2.0/24")
	}
	f.clients = append(f.clients, network.Masked())
	return nil
}

func (f *Filter) readTransport(item string) error {
	item = strings.ToLower(item)
	if !slices.Contains(Transports(), item) {
		return fmt.Errorf("there are %s", strings.Join(Transports(), ", "))
	}
	f.transports = append(f.transports, item)
	return nil
}

// All says whether nothing is filtered.
func (f Filter) All() bool {
	return len(f.names)+len(f.kinds)+len(f.codes)+len(f.clients)+len(f.transports) == 0
}

// Wants says whether a query fits.
func (f Filter) Wants(q Query) bool {
	return f.wantsName(q.Name) &&
		fits(f.kinds, func(kind string) bool {
			return kind == q.Opcode || q.Opcode == dns.OpcodeQuery.String() && kind == q.Type
		}) &&
		fits(f.codes, func(code string) bool { return code == q.Outcome() }) &&
		fits(f.clients, func(network netip.Prefix) bool { return network.Contains(q.Client.Addr().Unmap().WithZone("")) }) &&
		fits(f.transports, func(transport string) bool { return transport == q.Transport })
}

func (f Filter) wantsName(text string) bool {
	if len(f.names) == 0 {
		return true
	}
	name, err := dns.ParseName(text, dns.Root)
	return text != "" && err == nil && slices.ContainsFunc(f.names, name.IsSubdomainOf)
}

// fits says whether one of the items fits; where there are none, all does.
func fits[T any](items []T, fit func(T) bool) bool {
	return len(items) == 0 || slices.ContainsFunc(items, fit)
}
