// Gangway carries requests between HTTP frontends and applications that speak a gateway protocol.
package main

import (
	"os"

	"github.com/gangway-go/gangway/cli"
)

func main() { os.Exit(cli.Main()) }
