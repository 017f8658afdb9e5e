// Package gofast connects gangway with github.com/yookoala/gofast v0.8.0, a FastCGI 1.0 client with middleware for the
// parameters of a request. The name upstream stands for that package here.
//
// There are three ways. [Map] puts a chain of gofast's middleware before any [adapters.Handler], as a description of
// its meta-variables. [ConnFactory] puts any Handler behind programs that are written for gofast. [Engine] is gofast's
// client as a Handler, guarded against its faults, for comparison with the one of package fastcgi.
//
// Whoever does not come from gofast needs none of them: begin with fastcgi.Client.
package gofast
