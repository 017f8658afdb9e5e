package server

import "github.com/gangway-go/gangway/conformance"

func fcgiCases() []conformance.Case { return nil }
