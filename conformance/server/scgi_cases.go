package server

import "github.com/gangway-go/gangway/conformance"

func scgiCases() []conformance.Case { return nil }
