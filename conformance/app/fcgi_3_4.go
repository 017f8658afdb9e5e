package app

import "github.com/gangway-go/gangway/conformance"

func fcgi34() []conformance.Case { return nil }
