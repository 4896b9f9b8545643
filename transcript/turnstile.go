package transcript

import (
	"sync/atomic"
	"time"
)

// Turnstile is a sink that takes nothing, and counts the exchanges of a service that it could have had: those that
// began, for other sinks or for none.
type Turnstile struct {
	service string
	count   atomic.Uint64
}

// NewTurnstile returns a Turnstile for a service; "" is for all.
func NewTurnstile(service string) *Turnstile { return &Turnstile{service: service} }

// Count is how many exchanges there were.
func (t *Turnstile) Count() uint64 { return t.count.Load() }

// Level is Off, always.
func (t *Turnstile) Level(service string) Level {
	t.pass(service, 1)
	return Off
}

// Begin is never called.
func (t *Turnstile) Begin(*Exchange) {}

// Entry is never called.
func (t *Turnstile) Entry(*Exchange, Entry) {}

// End is never called.
func (t *Turnstile) End(*Exchange) {}

// spent is true: it asks for no exchange, and is told of those that are passed.
func (t *Turnstile) spent(string, time.Time) bool { return true }

func (t *Turnstile) pass(service string, n int) {
	if t.service == "" || t.service == service {
		t.count.Add(uint64(n))
	}
}
