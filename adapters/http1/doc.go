// Package http1 is gangway's own frontend for HTTP/1.0 and HTTP/1.1 (RFC 9110 and RFC 9112, June 2022) over plain
// connections: persistent connections, pipelining, chunked bodies with trailers in both directions, interim responses,
// 100 Continue, protocol upgrades. It reads messages as strictly as the two texts ask and is nowhere laxer than
// net/http; a message that two parties could read in two ways is refused and its connection closed.
//
// Begin with [Server]. TLS and HTTP/2 are net/http's: see adapters.HTTPFrontend.
package http1
