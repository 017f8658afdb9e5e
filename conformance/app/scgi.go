package app

import "github.com/gangway-go/gangway/conformance"

func scgiCases() []conformance.Case { return nil }

func (t *T) scgiAsk(query string) []byte { return nil }
