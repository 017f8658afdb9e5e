package fastcgi

// Open returns how many connections c has or opens.
func Open(c *Client) int {
	c.conns.mu.Lock()
	defer c.conns.mu.Unlock()
	return c.conns.open
}

// Idle returns how many of them are idle.
func Idle(c *Client) int {
	c.conns.mu.Lock()
	defer c.conns.mu.Unlock()
	return len(c.conns.idle)
}

// NearlySteady lets c believe that its application has kept its connections for nearly as long as makes it steady.
func NearlySteady(c *Client) { c.steady.Store(steadyAfter - 1) }
