// Package slow has tests only: the gangway program between slow clients and applications that serve one or two requests
// at a time. "make slow" measures how long other clients wait meanwhile.
package slow
