package cgi

// Waiting returns how many requests wait for a script to end.
func Waiting(s *Script) int64 { return s.confinement.slots.waiting.Load() }
