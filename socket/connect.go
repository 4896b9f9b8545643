package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/transcript"
)

// Connect opens a TCP connection to address (host and port) and joins it to in and out, as telnet is used to talk to
// a server by hand: lines of in are sent with CR LF, whichever end they had, and what arrives is printed as it comes.
// There is no telnet negotiation. A last line without an end is sent without one.
//
// At the end of in it ends its own side of the connection and waits for the peer to end the other (RFC 9293 section
// 3.6), as nc -N does; it returns nil once the peer has. When the peer ends first, it returns nil at once.
// A failure to connect is an [UnreachableError].
func Connect(ctx context.Context, h host.Host, address string, in io.Reader, out io.Writer, opts ClientOptions) error {
	opts = opts.withDefaults()
	conn, err := dial(ctx, h, "tcp", address, opts.DialTimeout)
	if err != nil {
		return err
	}
	local, remote := host.AddrPort(conn.LocalAddr()), host.AddrPort(conn.RemoteAddr())
	x := opts.Transcript.Begin(ctx, "connect", "tcp", local, remote)
	defer x.End()
	ctx, cancel := context.WithCancelCause(ctx)
	closed := make(chan struct{})
	context.AfterFunc(ctx, func() { // when Connect returns, too
		_ = conn.Close()
		close(closed)
	})
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if err := sendLines(ctx, conn, readLines(ctx, in, opts.MaxLine), opts.BareLF, x); err != nil {
			cancel(err) // nothing more to say: the connection ends
		}
	}()
	err = receive(conn, newPrinter(out, opts.Terminal), x)
	if ctx.Err() != nil { // the caller's end, or sendLines's: the read failed because of it
		err = context.Cause(ctx)
	}
	cancel(nil)
	<-sent
	<-closed
	return err
}

func sendLines(ctx context.Context, conn net.Conn, lines <-chan line, bareLF bool, x *transcript.Exchange) error {
	end := "\r\n"
	if bareLF {
		end = "\n"
	}
	var secrets redactor
	for {
		var l line
		select {
		case l = <-lines:
		case <-ctx.Done():
			return nil
		}
		if errors.Is(l.err, io.EOF) {
			x.Line(transcript.Note, 0, "end of input")
			if half, ok := conn.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite() // fails only where the peer has gone, which receive sees
			}
			return nil
		}
		if l.err != nil {
			return l.err
		}
		wire := l.text
		if l.ended {
			wire += end
		}
		shown, secret := secrets.divide(l.text)
		if secret == "" {
			record(x, transcript.Sent, []byte(wire))
		} else {
			x.Secret(transcript.Sent, len(wire), shown, secret)
		}
		if n, _ := io.WriteString(conn, wire); n < len(wire) {
			return nil // the peer has gone, and receive says how
		}
	}
}

func receive(conn net.Conn, to *printer, x *transcript.Exchange) error {
	buf := make([]byte, 16<<10)
	for {
		n, err := conn.Read(buf)
		for rest := buf[:n]; len(rest) > 0; {
			piece := rest[:len(rest)-len(afterLine(rest))]
			record(x, transcript.Received, piece)
			rest = rest[len(piece):]
		}
		if printErr := to.print(buf[:n]); printErr != nil {
			return fmt.Errorf("print: %w", printErr)
		}
		if errors.Is(err, io.EOF) {
			x.Line(transcript.Note, 0, "the peer has ended the connection")
			return to.flush()
		}
		if err != nil {
			x.Line(transcript.Note, 0, plain(err))
			return errors.Join(fmt.Errorf("%w: %s", ErrPeerClosed, plain(err)), to.flush())
		}
	}
}

// afterLine returns what follows the first line of text; nothing when that is the only one.
func afterLine(text []byte) []byte {
	for i, b := range text {
		if b == '\n' {
			return text[i+1:]
		}
	}
	return nil
}
