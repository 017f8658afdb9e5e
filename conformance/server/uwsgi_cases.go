package server

import "github.com/gangway-go/gangway/conformance"

func uwsgiCases() []conformance.Case { return nil }
