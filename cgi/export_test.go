package cgi

import "github.com/gangway-go/gangway/adapters"

// Waiting returns how many requests wait for a script to end.
func Waiting(s *Script) int64 { return s.confinement.slots.waiting.Load() }

// Environ returns the environment that s gives a script.
func Environ(s *Script, req *adapters.Request) ([]string, error) {
	return s.environ(&command{script: "/s"}, req)
}

var ErrGoexit = errGoexit
