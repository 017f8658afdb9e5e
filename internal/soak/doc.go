// Package soak has a test only: the gangway program between clients and applications of every kind, for as long as one
// likes, while php-fpm is restarted, peers misbehave and clients leave. "make soak" runs it for 20 minutes.
// docs/soak.md says what must hold.
package soak
