package http1

// A State says what a connection waits for.
type State int32

// The states of a connection.
const (
	StateNew      State = iota // its first request
	StateIdle                  // the next request
	StateHeader                // the rest of a request header
	StateRunning               // the Handler
	StateWriting               // the client, to take the response, or the Handler, for more of it
	StateClosing               // the client, to take the last answer and close
	StateUpgraded              // nothing: client and application talk, or net/http has it for HTTP/2
	evicted                    // nothing more: the server has closed it, for others or at its end
)

// String returns the name of s in status reports.
func (s State) String() string {
	return [...]string{"new", "idle", "header", "running", "writing", "closing", "upgraded", "evicted"}[s]
}

// isIdle reports whether nothing of a next request has come.
func (s State) isIdle() bool { return s == StateNew || s == StateIdle }

func (c *conn) current() State { return State(c.state.Load()) }

// enter changes the state. It reports false if the server closed the connection meanwhile.
func (c *conn) enter(s State) bool {
	old := c.state.Load()
	return old != int32(evicted) && c.state.CompareAndSwap(old, int32(s))
}

// Conns returns how many connections there are in each state that there is. It looks at each of them.
func (s *Server) Conns() map[State]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := map[State]int{}
	for c := range s.conns {
		states[c.current()]++
	}
	return states
}
