// Package fastcgi speaks FastCGI 1.0 (Mark R. Brown, 29 April 1996) in both directions.
//
// [Client] is the backend: an [adapters.Handler] that asks a FastCGI application, such as php-fpm, over kept
// connections. [Server] is the frontend: it takes the requests of a web server, such as nginx, and asks any Handler.
//
//	php := &fastcgi.Client{Network: "unix", Address: "/run/php/php-fpm.sock"}
//	http.ListenAndServe(":8080", adapters.HTTP(&adapters.ScriptResolver{Root: root, To: php}))
//
// Both ends know the roles Responder, Authorizer and Filter, FCGI_ABORT_REQUEST, FCGI_STDERR and every protocolStatus.
// The records as bytes are those of package fastcgi/wire.
package fastcgi
