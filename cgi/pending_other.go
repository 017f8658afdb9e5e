//go:build !linux

package cgi

// pending would return how many bytes can be read at once; 0 says that this cannot be told.
func (o *output) pending() int { return 0 }
