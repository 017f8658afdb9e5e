package report

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/gangway-go/gangway/conformance"
)

// Schema is the JSON Schema (2020-12) of a report as JSON; its definition "line" is that of a line of JSON lines.
//
//go:embed schema.json
var Schema []byte

// ErrSchema reports something that is no report, or one of another version.
var ErrSchema = errors.New("report: not a report of schema version 1")

func writeJSON(w io.Writer, r *conformance.Report, _ *Terms) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// The types of lines.
const (
	startType  = "start"
	resultType = "result"
	endType    = "end"
)

// startLine is the first line of JSON lines.
type startLine struct {
	Type    string              `json:"type"`
	Schema  int                 `json:"schema"`
	Suite   string              `json:"suite"`
	Target  conformance.Subject `json:"target"`
	Started time.Time           `json:"started"`
}

type resultLine struct {
	Type string `json:"type"`
	conformance.Result
}

// endLine is the last line. Without it the run was cut off.
type endLine struct {
	Type   string                      `json:"type"`
	Ended  time.Time                   `json:"ended"`
	Gone   bool                        `json:"gone,omitempty"`
	Unrun  int                         `json:"unrun,omitempty"`
	Counts map[conformance.Outcome]int `json:"counts"`
}

// Lines writes a report as JSON lines while the run goes on.
type Lines struct{ e *json.Encoder }

// NewLines writes the first line, with what is known of the report before its results.
func NewLines(w io.Writer, r *conformance.Report) (*Lines, error) {
	l := &Lines{json.NewEncoder(w)}
	return l, l.e.Encode(startLine{startType, conformance.SchemaVersion, r.Suite, r.Target, r.Started})
}

// Result writes the line of a result.
func (l *Lines) Result(r conformance.Result) error { return l.e.Encode(resultLine{resultType, r}) }

// End writes the last line.
func (l *Lines) End(r *conformance.Report) error {
	return l.e.Encode(endLine{endType, r.Ended, r.Gone, r.Unrun, r.Counts()})
}

func writeLines(w io.Writer, r *conformance.Report, _ *Terms) error {
	l, err := NewLines(w, r)
	if err != nil {
		return err
	}
	for i := range r.Results {
		if err := l.Result(r.Results[i]); err != nil {
			return err
		}
	}
	return l.End(r)
}

// Read reads a report from JSON or JSON lines. It returns an error that wraps ErrSchema if there is something else.
func Read(r io.Reader) (*conformance.Report, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var head struct {
		Type   string
		Schema int
	}
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	if head.Schema != conformance.SchemaVersion {
		return nil, fmt.Errorf("%w: its version is %d", ErrSchema, head.Schema)
	}
	report := new(conformance.Report)
	if head.Type == startType {
		err = readLines(data, report)
	} else {
		err = json.Unmarshal(data, report)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	for _, r := range report.Results {
		if !slices.Contains(conformance.Outcomes, r.Outcome) || !slices.Contains(conformance.Levels, r.Level) {
			return nil, fmt.Errorf("%w: %s: outcome %q, level %q", ErrSchema, r.Name, r.Outcome, r.Level)
		}
	}
	return report, nil
}

func readLines(data []byte, report *conformance.Report) error {
	lines := bufio.NewReader(bytes.NewReader(data))
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return nil // a line that was cut off is as good as none
		}
		var kind struct{ Type string }
		if err := json.Unmarshal(line, &kind); err != nil {
			return err
		}
		switch kind.Type {
		case startType, endType:
			err = json.Unmarshal(line, report)
		case resultType:
			var result conformance.Result
			err = json.Unmarshal(line, &result)
			report.Results = append(slices.DeleteFunc(report.Results, func(r conformance.Result) bool {
				return r.Name == result.Name // what is found out later about a case is what holds
			}), result)
		default:
			err = fmt.Errorf("a line of type %q", kind.Type)
		}
		if err != nil {
			return err
		}
	}
}
