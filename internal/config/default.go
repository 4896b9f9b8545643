package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// Default returns the text of the settings file that a first run writes: the
// domain, the addresses, no users, and all else as it is when nothing is said.
// Without addresses it takes 127.0.0.1.
func Default(domain string, addresses []netip.Addr) []byte {
	if len(addresses) == 0 {
		addresses = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	list := make([]string, len(addresses))
	for i, a := range addresses {
		list[i] = quoteTOML(a.String())
	}
	return fmt.Appendf(nil, `# The settings of this domain, and the only source of them.
# "utopia config check" checks this file, "utopia reload" makes a running
# utopia read it again, "utopia config reference" explains every setting.

domain  = %s
address = [%s]  # listened on, and given by the domain's records

[users]
# "utopia user add alice --admin" adds a line such as the next one, and asks
# for the password, which is not kept here.
# alice = { admin = true }

[web]
root = "www"  # the files of the web site
`, quoteTOML(domain), strings.Join(list, ", "))
}
