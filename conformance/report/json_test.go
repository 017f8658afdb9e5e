package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/report"
)

func compile(t *testing.T, fragment string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat = true
	c.AssertContent = true
	require.NoError(t, c.AddResource("schema.json", bytes.NewReader(report.Schema)))
	s, err := c.Compile("schema.json" + fragment)
	require.NoError(t, err)
	return s
}

func validate(s *jsonschema.Schema, document string) error {
	var v any
	if err := json.Unmarshal([]byte(document), &v); err != nil {
		return err
	}
	return s.Validate(v)
}

func TestSchema(t *testing.T) {
	whole, line := compile(t, ""), compile(t, "#/$defs/line")
	gone := sample()
	gone.Gone = true
	for _, r := range []*conformance.Report{sample(), gone} {
		assert.NoError(t, validate(whole, write(t, "json", r, nil)))
		for l := range strings.Lines(write(t, "jsonl", r, nil)) {
			assert.NoError(t, validate(line, l), l)
		}
	}
	good := write(t, "json", sample(), nil)
	for name, change := range map[string][2]string{
		"version": {`"schema": 1`, `"schema": 2`}, "outcome": {`"HANG"`, `"hang"`}, "level": {`"MUST"`, `"must"`},
		"name": {`"fcgi/3.3/plain"`, `"plain"`}, "time": {`"2026-11-22T08:00:00Z"`, `"today"`},
		"data": {`"data": "dW5`, `"data": "!!!`}, "missing": {`"quote"`, `"quotation"`},
		"role": {`"role": "app"`, `"role": "peer"`}, "kind": {`"recv"`, `"received"`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		require.NotEqual(t, good, bad, name)
		assert.Error(t, validate(whole, bad), name)
	}
	for _, bad := range []string{`{}`, `{"type":"result"}`, `{"type":"end"}`, `{"type":"start"}`, `{"type":"other"}`} {
		assert.Error(t, validate(line, bad), bad)
	}
}

// TestSchemaHasAllFields: what the types have, the schema has, and the other way round.
func TestSchemaHasAllFields(t *testing.T) {
	object := `"type": "object",`
	strict := bytes.ReplaceAll(report.Schema, []byte(object), []byte(object+`"unevaluatedProperties": false,`))
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("strict.json", bytes.NewReader(strict)))
	s, err := c.Compile("strict.json")
	require.NoError(t, err)
	r := sample()
	r.Gone = true
	document := write(t, "json", r, nil)
	assert.NoError(t, validate(s, document))
	assert.Error(t, validate(s, strings.Replace(document, `"gone"`, `"gones"`, 1)))

	for _, outcome := range conformance.Outcomes {
		assert.Contains(t, string(report.Schema), `"`+string(outcome)+`"`)
	}
	for _, level := range conformance.Levels {
		assert.Contains(t, string(report.Schema), `"`+string(level)+`"`)
	}
}

func TestRead(t *testing.T) {
	want := sample()
	for _, format := range []string{"json", "jsonl"} {
		text := write(t, format, want, nil)
		got, err := report.Read(strings.NewReader(text))
		require.NoError(t, err, format)
		got.Results[2].Got, got.Target.Facts["evil"] = evil, evil // JSON has no bytes that are not UTF-8
		assert.Equal(t, want, got, format)
	}
	lines := write(t, "jsonl", want, nil)
	cut, err := report.Read(strings.NewReader(lines[:strings.Index(lines, "fcgi/4.1/hang")]))
	require.NoError(t, err, "a run that was cut off")
	assert.Len(t, cut.Results, 3)

	again := `{"type":"result","name":"fcgi/3.3/plain","level":"MUST","outcome":"CRASH"}` + "\n"
	later, err := report.Read(strings.NewReader(lines + again))
	require.NoError(t, err)
	assert.Len(t, later.Results, 12)
	assert.Equal(t, 2, later.Counts()[conformance.Crash], "the later line for a case holds")

	for _, bad := range []string{
		"", "x", "{}", `{"schema":2}`, `{"schema":"1"}`, `{"schema":1,"results":3}`, "[]",
		`{"schema":1,"type":"start"}` + "\n" + `{"type":"?"}` + "\n",
		`{"schema":1,"type":"start"}` + "\nnothing\n", `{"schema":1,"results":[{"name":"a","level":"MUST","outcome":"?"}]}`,
		`{"schema":1,"results":[{"name":"a","level":"?","outcome":"pass"}]}`,
	} {
		_, err := report.Read(strings.NewReader(bad))
		assert.ErrorIs(t, err, report.ErrSchema, bad)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"schema":1,"results":[{"name":"a/b/c","level":"MUST","outcome":"fail","wire":[
		{"kind":"send","data":"AQEAAQAIAAA="}]}]}`))
	f.Add([]byte(`{"schema":1,"type":"start"}
{"type":"result","name":"a","level":"MAY","outcome":"pass"}
{"type":"end"}
`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := report.Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, format := range report.Formats() {
			require.NoError(t, report.Write(&bytes.Buffer{}, format, r, nil), format)
		}
	})
}
