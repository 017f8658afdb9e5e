// Package conformance finds out whether a program keeps to CGI/1.1 (RFC 3875, October 2004), FastCGI 1.0 (29 April 1996),
// SCGI (23 June 2008) or the uwsgi protocol: what h2spec is for HTTP/2.
//
// This package is the engine: it selects cases, runs them one after the other or side by side, makes sure after each that the
// target still answers, and returns a Report. The cases and the targets are in a package for each role that a target can
// have: package app for applications (the engine is the web server), package server for web servers and gateways (the engine
// is the HTTP client and the application behind the server), package script for CGI programs. Package report writes reports
// in many formats. Begin with Run:
//
//	report, err := conformance.Run(ctx, app.New("fcgi://127.0.0.1:9000"), app.Cases(), conformance.Options{})
package conformance
