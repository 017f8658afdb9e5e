package faulty

import (
	"errors"
	"io"
	"slices"
	"strings"
	"time"
)

// misanswer is a fault of a gateway that makes of the application's response what it should not. The functions may be
// nil.
type misanswer struct {
	slug, does, breaks string // breaks: names of cases, those without a protocol of cgi

	heard func(h *cgiResponse, line string) string // changes a line of the message-header as it came
	// deals with a field, or does not; no name if there is no colon
	taken  func(h *cgiResponse, name, value string) taken
	judged func(h *cgiResponse, err error) error // has its own opinion of a message-header
	sent   func(a *answer, h *cgiResponse)       // changes what the client gets
}

// taken says what became of a line.
type taken int

const (
	takenNot     taken = iota
	takenAlready       // nothing is left to do
	takenForBody       // the message-header ends before it
)

// misanswerOf is the fault with that slug, or nil.
func misanswerOf(f fault) *misanswer {
	for _, list := range [][]misanswer{misanswersForm, misanswersRedirect, misanswersStatus, misanswersField,
		misanswersLength, misanswersBody} {
		if i := slices.IndexFunc(list, func(m misanswer) bool { return f.is(m.slug) }); i >= 0 {
			return &list[i]
		}
	}
	return nil
}

func (m *misanswer) hear(h *cgiResponse, line string) string {
	if m == nil || m.heard == nil {
		return line
	}
	return m.heard(h, line)
}

func (m *misanswer) take(h *cgiResponse, line string) taken {
	if m == nil || m.taken == nil {
		return takenNot
	}
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		name, value = "", line
	}
	return m.taken(h, name, value)
}

func (m *misanswer) judge(h *cgiResponse, err error) error {
	if m == nil || m.judged == nil {
		return err
	}
	return m.judged(h, err)
}

func (m *misanswer) alter(a *answer, h *cgiResponse) {
	if m != nil && m.sent != nil {
		m.sent(a, h)
	}
}

// gatewayResponseFaults are the misanswers as faults.
func gatewayResponseFaults() (faults []Fault) {
	lists := [][]misanswer{misanswersForm, misanswersRedirect, misanswersStatus, misanswersField, misanswersLength,
		misanswersBody,
		misanswersElsewhere, misexecutions}
	for _, list := range lists {
		for _, m := range list {
			faults = append(faults, Fault{Name: "gateway/" + m.slug, Does: m.does, Breaks: caseNames(m.breaks)})
		}
	}
	return faults
}

// caseNames are the names in text; those without a protocol begin with a section of RFC 3875.
func caseNames(text string) (names []string) {
	for name := range strings.FieldsSeq(text) {
		if '0' <= name[0] && name[0] <= '9' {
			name = "cgi/" + name
		}
		names = append(names, name)
	}
	return names
}

// passing is a misanswer that sends fields to the client, as they are, that it should not.
func passing(which func(h *cgiResponse, name, value string) bool) func(*cgiResponse, string, string) taken {
	return func(h *cgiResponse, name, value string) taken {
		if name == "" || !which(h, name, value) {
			return takenNot
		}
		h.fields = append(h.fields, Var{name, strings.Trim(value, " ")})
		return takenAlready
	}
}

// named says whether the field has one of the names, in any case.
func named(name string, names ...string) bool {
	return slices.ContainsFunc(names, func(one string) bool { return strings.EqualFold(name, one) })
}

// of is the value of a field that goes to the client, or "".
func (a *answer) of(name string) string {
	for _, field := range a.fields {
		if strings.EqualFold(field.Name, name) {
			return field.Value
		}
	}
	return ""
}

// each changes the fields that go to the client.
func (a *answer) each(change func(field *Var)) {
	fields := slices.Clone(a.fields)
	for i := range fields {
		change(&fields[i])
	}
	a.fields = fields
}

// without drops fields.
func (a *answer) without(names ...string) {
	a.fields = slices.DeleteFunc(slices.Clone(a.fields), func(field Var) bool { return named(field.Name, names...) })
}

// rewrite reads all of the body and replaces it.
func (a *answer) rewrite(change func(string) string) {
	body, err := io.ReadAll(a.body)
	a.body = strings.NewReader(change(string(body)))
	if err != nil {
		a.body = io.MultiReader(a.body, failing{err})
	}
}

// failing is a reader that fails.
type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

// impatient takes a pause for the end.
type impatient struct {
	io.Reader
	limit time.Duration
}

func (r impatient) Read(b []byte) (int, error) {
	start := time.Now()
	n, err := r.Reader.Read(b)
	if time.Since(start) > r.limit {
		return 0, io.EOF
	}
	return n, err
}

// padded goes on with spaces where another reader ends.
type padded struct{ io.Reader }

func (r padded) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if n == 0 && err != nil {
		n = copy(b, strings.Repeat(" ", len(b)))
	}
	return n, nil
}

// completed takes an error for the end.
type completed struct {
	io.Reader
	is error
}

func (r completed) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if errors.Is(err, r.is) {
		err = io.EOF
	}
	return n, err
}
