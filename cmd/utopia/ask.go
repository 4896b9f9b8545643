package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/internal/app"
)

// asker asks name servers for dig and nslookup.
type asker struct {
	client  *dnsclient.Client
	servers []string // as the user names them, without ports
	port    string   // "" for that of the transport
	// exchange asks one server; nil for the client's own way.
	exchange func(ctx context.Context, server string, q *dns.Message) (*dnsclient.Answer, error)
}

// told is an answer with what was asked, which an answer to a bad question may leave out.
type told struct {
	*dnsclient.Answer
	asked  dns.Question
	server string // as the user named it
	when   time.Time
}

// ask asks the servers in turn, until one answers and makes sense. The errors end the command with 3 where no server
// answered, and with 1 where one did and made no sense.
func (a asker) ask(ctx context.Context, q *dns.Message) (told, error) {
	exchange := a.exchange
	if exchange == nil {
		exchange = a.client.Exchange
	}
	var last error
	for _, server := range a.servers {
		answer, err := exchange(ctx, a.address(server), q)
		if err == nil {
			return told{answer, q.Question[0], server, time.Now()}, nil
		}
		if last == nil || !answeredBadly(last) { // that one answered at all says more than the silence of the next
			last = err
		}
		if ctx.Err() != nil || errors.Is(err, dnsclient.ErrQuery) {
			break
		}
	}
	return told{}, a.failure(ctx, last)
}

func (a asker) address(server string) string {
	if a.port == "" {
		return server
	}
	return net.JoinHostPort(server, a.port)
}

// answeredBadly says whether there was an answer, which is no use.
func answeredBadly(err error) bool {
	var code *dnsclient.RcodeError
	return errors.As(err, &code) || slices.ContainsFunc([]error{
		dnsclient.ErrMalformed, dnsclient.ErrTooLong, dnsclient.ErrCertificate, dnsclient.ErrHTTP, dnsclient.ErrTSIG,
		dnsclient.ErrTransfer, dnsclient.ErrLame, dnsclient.ErrNoServers, dnsclient.ErrTraceLimit,
	}, func(kind error) bool { return errors.Is(err, kind) })
}

func (a asker) failure(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return err
	case answeredBadly(err):
		return err
	case errors.Is(err, dnsclient.ErrQuery):
		return usage("%w", err)
	}
	if len(a.servers) > 1 {
		err = fmt.Errorf("none of %s answered; the last: %w", strings.Join(a.servers, ", "), err)
	}
	return unreachable(fmt.Errorf("%w%s", err, a.hint(err)))
}

// hint helps whoever asked the machine itself on the standard port, where an instance without privileges is not.
func (a asker) hint(err error) string {
	addr, bad := netip.ParseAddr(a.servers[len(a.servers)-1])
	standard := a.port == "" || a.port == dnsclient.DefaultPort
	if bad != nil || !addr.IsLoopback() || !standard || !errors.Is(err, dnsclient.ErrUnreachable) {
		return ""
	}
	return "\nhint: utopia up answers on port 8053 for a .test domain, or when it runs unprivileged: -p 8053"
}

// warnings tells on stderr what was odd about an answer that came all the same.
func (s *session) warnings(t told) {
	if t.Ignored > 0 {
		s.note(";; Warning: ignored %d that did not match the question (the last: %v)\n", t.Ignored, t.Mismatch)
	}
}

// answerJSON is an answer for programs. Response is a message in the form of RFC 8427.
type answerJSON struct {
	Server      string       `json:"server"`
	Network     string       `json:"network"`
	QueryTimeMS float64      `json:"queryTimeMs"`
	Time        time.Time    `json:"time"`
	Size        int          `json:"size"`
	Tries       int          `json:"tries"`
	Ignored     int          `json:"ignored,omitempty"`
	Response    *dns.Message `json:"responseMessage"`
}

func (t told) json() answerJSON {
	const microseconds = 1000 // in a millisecond
	return answerJSON{
		Server: t.Server.String(), Network: t.Network,
		QueryTimeMS: float64(t.Duration.Microseconds()) / microseconds,
		Time:        t.when.UTC().Truncate(time.Millisecond), Size: t.Size, Tries: t.Tries, Ignored: t.Ignored,
		Response: t.Message,
	}
}

// onlyASCII makes sure that what a stranger wrote cannot command a terminal. The presentation form has escaped it
// already: this is the last door, and it opens for printable ASCII alone.
func onlyASCII(text string) string {
	bad := func(r rune) bool { return r < ' ' || r > '~' }
	if strings.IndexFunc(text, bad) < 0 {
		return text
	}
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' {
			fmt.Fprintf(&b, `\%03d`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// dotted puts a dot for every octet that is no printable ASCII.
func dotted(data []byte) string {
	out := make([]byte, len(data))
	for i, c := range data {
		if c < ' ' || c > '~' {
			c = '.'
		}
		out[i] = c
	}
	return string(out)
}

// globalFlag sets a flag that all commands have, for the two commands that read their own arguments, and says how
// many arguments it took: none when the first is no such flag.
func globalFlag(c *cobra.Command, args []string) (taken int, err error) {
	name, value, given := strings.Cut(strings.TrimLeft(args[0], "-"), "=")
	f := c.InheritedFlags().Lookup(name)
	if !strings.HasPrefix(args[0], "--") {
		if len(name) != 1 {
			return 0, nil
		}
		f = c.InheritedFlags().ShorthandLookup(name)
	}
	if f == nil {
		return 0, nil
	}
	taken = 1
	switch {
	case given:
	case f.NoOptDefVal != "":
		value = f.NoOptDefVal
	case len(args) < 2:
		return 0, usage("%s needs a value", args[0])
	default:
		value, taken = args[1], 2
	}
	if err := c.InheritedFlags().Set(f.Name, value); err != nil {
		return 0, usage("%w", err)
	}
	return taken, nil
}

// globalWords are the flags that all commands have, for suggestions and completion.
var globalWords = [...]string{"--help", "--json", "--verbose", "--directory"}

// didYouMean gives a hint with the known option that is most like an unknown one, whatever their signs.
func didYouMean(unknown string, known []string, otherwise string) string {
	const signs = "+-"
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = strings.TrimLeft(k, signs)
	}
	name, _, _ := strings.Cut(strings.TrimLeft(unknown, signs), "=")
	if i := slices.Index(names, app.Nearest(name, names)); i >= 0 {
		return "\nhint: did you mean " + known[i] + "?"
	}
	return "\nhint: " + otherwise
}
