package console

import "sync"

// streams counts the live streams.
type streams struct {
	max, perSession int
	ended           chan struct{} // closed when all are to end

	mu   sync.Mutex
	done bool
	all  int
	of   map[*session]int
}

func newStreams(most, perSession int) *streams {
	return &streams{max: most, perSession: perSession, ended: make(chan struct{}), of: map[*session]int{}}
}

// join takes a place for a stream of the session, which calls leave at its end; ok says whether there was one.
func (s *streams) join(of *session) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done || s.all >= s.max || s.of[of] >= s.perSession {
		return nil, false
	}
	s.all++
	s.of[of]++
	return func() { s.leave(of) }, true
}

func (s *streams) leave(of *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.of[of]--; s.of[of] == 0 {
		delete(s.of, of)
	}
}

// close ends all streams and takes no further ones.
func (s *streams) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.done {
		s.done = true
		close(s.ended)
	}
}
