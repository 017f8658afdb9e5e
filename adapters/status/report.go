package status

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A report is the JSON document.
type report struct {
	Started     time.Time                 `json:"started"`
	Connections map[string]map[string]int `json:"connections,omitempty"` // by listener and state
	Requests    struct {
		InFlight  int64            `json:"in_flight"`
		Responses map[string]int64 `json:"responses"` // by class of status
	} `json:"requests"`
	Limits map[string]int64 `json:"limits"` // how often each was reached
	Bytes  struct {
		Received int64 `json:"received"`
		Sent     int64 `json:"sent"`
	} `json:"bytes"`
}

func (s *Status) report() *report {
	r := &report{Started: s.started, Limits: s.hits()}
	if s.Conns != nil {
		r.Connections = s.Conns()
	}
	r.Requests.InFlight = s.inFlight.Load()
	r.Requests.Responses = map[string]int64{}
	for i, name := range classNames {
		r.Requests.Responses[name] = s.classes[i].Load()
	}
	r.Bytes.Received, r.Bytes.Sent = s.received.Load(), s.sent.Load()
	return r
}

func (s *Status) json() string {
	b, _ := json.MarshalIndent(s.report(), "", "  ") // there is nothing in it that could fail
	return string(b) + "\n"
}

// metrics returns the report for Prometheus.
func (s *Status) metrics() string {
	r := s.report()
	var b strings.Builder
	family := func(name, kind, help string) {
		fmt.Fprintf(&b, "# HELP gangway_%s %s\n# TYPE gangway_%[1]s %[3]s\n", name, help, kind)
	}
	family("start_time_seconds", "gauge", "When gangway began, in Unix time.")
	fmt.Fprintf(&b, "gangway_start_time_seconds %d\n", r.Started.Unix())
	family("connections", "gauge", "Connections of clients by listener and state.")
	for _, listener := range sorted(r.Connections) {
		for _, state := range sorted(r.Connections[listener]) {
			fmt.Fprintf(&b, "gangway_connections{listener=%s,state=%s} %d\n", quote(listener), quote(state),
				r.Connections[listener][state])
		}
	}
	family("requests_in_flight", "gauge", "Requests whose response is not over.")
	fmt.Fprintf(&b, "gangway_requests_in_flight %d\n", r.Requests.InFlight)
	family("responses_total", "counter", "Responses by class of status; aborted if the client had gone before.")
	for _, class := range classNames {
		fmt.Fprintf(&b, "gangway_responses_total{class=%s} %d\n", quote(class), r.Requests.Responses[class])
	}
	family("limit_hits_total", "counter", "How often each limit was reached.")
	for _, limit := range sorted(r.Limits) {
		fmt.Fprintf(&b, "gangway_limit_hits_total{limit=%s} %d\n", quote(limit), r.Limits[limit])
	}
	family("received_bytes_total", "counter", "Bytes of request bodies.")
	fmt.Fprintf(&b, "gangway_received_bytes_total %d\n", r.Bytes.Received)
	family("sent_bytes_total", "counter", "Bytes of response bodies.")
	fmt.Fprintf(&b, "gangway_sent_bytes_total %d\n", r.Bytes.Sent)
	return b.String()
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// quote returns s as a label's value.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(s) + `"`
}
