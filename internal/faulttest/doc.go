// Package faulttest holds tests only: one for each known fault of a gateway, named after it, in up to two arms. The
// first lets gangway meet the same situation and asserts that it does not show the fault. The second is the control:
// a program that does show it, so that the test is known to see it. Controls are github.com/yookoala/gofast v0.8.0, in
// a process of its own because some faults end it, net/http/cgi, and web servers of Debian 12 (nginx, Apache,
// Caddy, lighttpd, h2o, HAProxy, fcgiwrap).
//
// TestGofast... are faults of gofast: S security, C correctness, T time-outs, L the pool, M the protocol, A the
// interface. TestGatewaysSurprise... are those that a survey of twelve gateways found. TestSmuggling tries the corpus of
// internal/smuggling on gangway, and on others for docs/smuggling.md. TestDisconnects has clients leave, and measures for docs/disconnects.md when
// applications are told. TestFaults and TestFaultsOfClients hold the table of testdata/faults.txt, which is docs/faults.md.
package faulttest
