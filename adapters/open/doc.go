// Package open turns addresses into Handlers and listeners: "fcgi+unix:///run/php.sock" into a fastcgi.Client,
// "scgi://127.0.0.1:4000" into a listener. It is the only place that parses addresses, and it links every protocol; a
// program that uses one protocol imports that package instead.
//
// Begin with [Handler] and [Listen]; [Open] takes the options that map paths to scripts.
package open
