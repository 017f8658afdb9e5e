package app

import "github.com/gangway-go/gangway/conformance"

func fcgi22() []conformance.Case { return nil }
