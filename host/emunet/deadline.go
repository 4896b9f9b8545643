package emunet

import "time"

// limit is a deadline: none where at is 0, passed from the beginning where it is below.
type limit struct{ at Time }

// limit gives a deadline as the network counts time.
func (n *Net) limit(t time.Time) limit {
	if t.IsZero() {
		return limit{}
	}
	if at := t.Sub(n.start); at > 0 {
		return limit{at}
	}
	return limit{-1}
}

func (l limit) passed(now Time) bool { return l.at != 0 && l.at <= now }

// sleeper is the times at which a socket will be called, the next one last. One that has become needless is not taken
// away: it happens, and nothing is done; but no other is made that comes later.
type sleeper struct{ at []Time }

// until has a target called at a time, or before.
func (s *sleeper) until(n *Net, at Time, key uint64, what target) {
	if k := len(s.at); k > 0 && s.at[k-1] <= at {
		return
	}
	s.at = append(s.at, at)
	n.at(at, key, what)
}

// fired notes a call.
func (s *sleeper) fired(now Time) {
	for k := len(s.at); k > 0 && s.at[k-1] <= now; k-- {
		s.at = s.at[:k-1]
	}
}
