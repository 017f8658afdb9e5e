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
