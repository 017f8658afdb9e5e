package app

import "github.com/gangway-go/gangway/conformance"

func uwsgiCases() []conformance.Case { return nil }

func (t *T) uwsgiAsk(query string) []byte { return nil }
