package emunet

// event is something that happens at a moment; key orders what happens at the same one.
type event struct {
	at     Time
	key    uint64
	target target
}

// target is what an event happens to: a link that delivers, a socket whose time is up, a host that sends.
type target interface{ happen(now Time) }

// The keys of events that happen at one moment begin with what they are.
const (
	keyDeliver uint64 = iota << 56
	keyHeld
	keySocket
	keyFlush
)

func (e event) before(o event) bool { return e.at < o.at || e.at == o.at && e.key < o.key }

// events is a heap with four children to a node: half as deep as one with two.
type events []event

func (h *events) push(e event) {
	*h = append(*h, e)
	s := *h
	i := len(s) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(s[parent]) {
			break
		}
		s[i] = s[parent]
		i = parent
	}
	s[i] = e
}

// pop takes the first; there must be one.
func (h *events) pop() event {
	s := *h
	first, last := s[0], s[len(s)-1]
	s[len(s)-1] = event{}
	s = s[:len(s)-1]
	*h = s
	if len(s) == 0 {
		return first
	}
	i := 0
	for {
		child := 4*i + 1
		if child >= len(s) {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, len(s)); c++ {
			if s[c].before(s[least]) {
				least = c
			}
		}
		if !s[least].before(last) {
			break
		}
		s[i] = s[least]
		i = least
	}
	s[i] = last
	return first
}
