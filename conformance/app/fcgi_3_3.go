package app

import "github.com/gangway-go/gangway/conformance"

func fcgi33() []conformance.Case { return nil }
