// Caddy is Caddy with its standard modules. It is a module of its own so that gangway's go.mod does not name what Caddy
// needs.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func main() { caddycmd.Main() }
