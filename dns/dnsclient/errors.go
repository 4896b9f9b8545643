package dnsclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/network-utopia/utopia/dns"
)

// How an exchange can fail. Each stands in the chain of an [*Error].
var (
	// ErrTimeout says that no answer came in time. It proves nothing about
	// the name that was asked for, nor about the server being gone.
	ErrTimeout = errors.New("timed out")
	// ErrUnreachable says that the network refused: nothing listens there,
	// there is no way to it, or the server's name has no address.
	ErrUnreachable = errors.New("unreachable")
	// ErrClosed says that the server closed the connection before its answer
	// was whole.
	ErrClosed = errors.New("connection closed before the answer was whole")
	// ErrMalformed says that the server's answer could not be read. A
	// *dns.ParseError says where.
	ErrMalformed = errors.New("malformed answer")
	// ErrTooLong says that the answer exceeds Options.MaxMessage.
	ErrTooLong = errors.New("answer is too long")
	// ErrCertificate says that the server's certificate does not vouch for it.
	ErrCertificate = errors.New("the certificate is not to be trusted")
	// ErrHTTP says that a server on HTTPS gave something else than a DNS
	// message.
	ErrHTTP = errors.New("no DNS answer over HTTPS")
	// ErrTSIG says that an answer is not signed as the question was, or that
	// the server found fault with the question's signature. A *dns.TSIGError
	// says which.
	ErrTSIG = errors.New("the signature is no good")
	// ErrFlood says that more messages than Options.MaxIgnored did not match.
	ErrFlood = errors.New("too many messages that do not match the question")
	// ErrQuery says that the message to send is no query with one question,
	// or cannot be packed.
	ErrQuery = errors.New("not a query that can be asked")
)

// Error says what became of an exchange without an answer.
type Error struct {
	Server   string // with its port
	Network  string // "udp", "tcp", "tls" or "https", of the last try
	Question dns.Question
	Tries    int           // questions sent or attempted
	Ignored  int           // messages that did not match
	Mismatch error         // why the last of them did not; nil if there was none
	Elapsed  time.Duration // of the whole exchange
	Err      error         // has one of the errors above, or the context's cause, in its chain
}

// Error gives the server, the question and what happened, in one line.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "ask %s over %s for %s: %v", e.Server, strings.ToUpper(e.Network), e.Question, e.Err)
	if e.Tries > 1 {
		fmt.Fprintf(&b, ", after %d tries in %s", e.Tries, e.Elapsed.Round(time.Millisecond))
	}
	if e.Ignored > 0 {
		fmt.Fprintf(&b, "; ignored %d that did not match (the last: %v)", e.Ignored, e.Mismatch)
	}
	return b.String()
}

// Unwrap gives what happened.
func (e *Error) Unwrap() error { return e.Err }

// Timeout says whether the server was silent, as net.Error does.
func (e *Error) Timeout() bool { return errors.Is(e.Err, ErrTimeout) }

// Temporary says whether the same question may have better luck later.
func (e *Error) Temporary() bool { return mayRetry(e.Err) }

// mayRetry says whether another try makes sense.
func mayRetry(err error) bool {
	var noName *net.DNSError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, ErrFlood):
		return false
	case errors.As(err, &noName) && noName.IsNotFound:
		return false
	}
	return errors.Is(err, ErrTimeout) || errors.Is(err, ErrUnreachable) || errors.Is(err, ErrClosed)
}

// linkError classes what kept a link from being opened: what is classed
// already stays so.
func linkError(ctx context.Context, err error) error {
	if errors.Is(err, ErrCertificate) || errors.Is(err, ErrClosed) {
		return err
	}
	return dialError(ctx, err)
}

// dialError puts a failure to connect into one of the classes above.
func dialError(ctx context.Context, err error) error {
	if e := timeoutError(ctx, err); e != nil {
		return e
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, bare(err))
}

// connError does the same for a failure to read or write. On a connected
// datagram socket that is the network's own word (ICMP); on a stream the
// peer hung up.
func connError(ctx context.Context, network string, err error) error {
	if e := timeoutError(ctx, err); e != nil {
		return e
	}
	if network == overUDP {
		return fmt.Errorf("%w: %w", ErrUnreachable, bare(err))
	}
	return fmt.Errorf("%w: %w", ErrClosed, bare(err))
}

// bare takes off what names the sockets and the system call, which an Error
// says better.
func bare(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		err = call.Err
	}
	return err
}

// timeoutError gives nil for what is no timeout. The caller's context comes
// first: its end is what it wants to hear about.
func timeoutError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		cause := context.Cause(ctx)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return fmt.Errorf("%w: %w", ErrTimeout, cause)
		}
		return cause
	}
	var t interface{ Timeout() bool }
	if errors.As(err, &t) && t.Timeout() {
		return ErrTimeout
	}
	return nil
}
