package app

import "github.com/gangway-go/gangway/conformance"

func fcgi32() []conformance.Case { return nil }
