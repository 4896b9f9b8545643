package foreign

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/internal/leftout"
)

// The settings for updates work: who has the key may change the zone, and nobody else.
func TestUpdatesWithAKey(t *testing.T) {
	nsupdate := leftout.Without(t, "nsupdate")
	key := Key{Name: "update.key", Algorithm: "hmac-sha256", Secret: "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}
	for _, p := range []Program{Knot, BIND} {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			installed(t, p)
			srv := start(t, p, Settings{Zones: []Zone{{Name: "example.test.", File: zoneFile(t, zoneText), Update: []Key{key}}}})
			update := func(name string, args ...string) (string, error) {
				c := exec.CommandContext(t.Context(), nsupdate, args...)
				c.Stdin = strings.NewReader(fmt.Sprintf("server %s %d\nzone example.test.\nadd %s.example.test. 60 A 192.0.2.9\nsend\n",
					srv.Address.Addr(), srv.Address.Port(), name))
				out, err := c.CombinedOutput()
				return string(out), err
			}
			if out, err := update("stranger"); err == nil {
				t.Errorf("without a key: %s", out)
			}
			if out, err := update("new", "-y", key.Algorithm+":"+key.Name+":"+key.Secret); err != nil {
				t.Errorf("with the key: %v %s\n%s", err, out, srv.Said())
			}
			serial(t, srv, "example.test.", 8)
		})
	}
}
