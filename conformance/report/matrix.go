package report

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/gangway-go/gangway/conformance"
)

// MatrixLimit is how many bytes the file of a matrix has at most: with more peers and failures than usual the wire logs
// get shorter.
const MatrixLimit = 8 << 20

var matrixLimit = MatrixLimit // tests lower it

// matrixWire is how many bytes of each direction of a wire log a matrix shows.
const matrixWire = 2 << 10

var (
	//go:embed matrix.html
	matrixPage string
	//go:embed matrix.css
	matrixStyle string
	//go:embed matrix.js
	matrixScript string

	matrixTemplate = template.Must(template.New("matrix").Parse(matrixPage))
)

// Matrix writes the reports as one HTML file that needs nothing else: a row for each case, a column for each report,
// and behind each cell what happened. A link to a cell is the file's address and "#PEER/CASE".
func Matrix(w io.Writer, reports []*conformance.Report) error {
	m := newMatrix(reports)
	var page []byte
	for limit := matrixWire; ; limit /= 2 {
		var err error
		if page, err = m.render(limit); err != nil {
			return err
		}
		if len(page) <= matrixLimit || limit == 0 {
			break
		}
	}
	_, err := w.Write(page)
	return err
}

// matrix is the data of the page. What is needed to draw it stands there as it is, what the panel shows is in blocks.
type matrix struct {
	Suite    string                `json:"suite"`
	Outcomes []conformance.Outcome `json:"outcomes"`
	Levels   []conformance.Level   `json:"levels"`
	Peers    []matrixPeer          `json:"peers"`
	Cases    []matrixCase          `json:"cases"`
	PerBlock int                   `json:"perBlock"` // how many cases a block is for
	Blocks   []string              `json:"blocks"`

	reports []*conformance.Report
	results []map[string]*conformance.Result // by report and name
}

type matrixPeer struct {
	ID       string              `json:"id"`
	Subject  conformance.Subject `json:"subject"`
	Suite    string              `json:"suite"`
	Date     string              `json:"date"`
	Seconds  float64             `json:"seconds"`
	Gone     bool                `json:"gone"`
	Withheld bool                `json:"withheld"`
	// Results has a letter for each case: its outcome's, as in matrixLetters, or a space.
	Results string `json:"results"`
}

type matrixCase struct {
	Name     string `json:"name"`
	Role     string `json:"role"`
	Level    int    `json:"level"`
	Source   string `json:"source"`
	Quote    string `json:"quote"`
	Sends    string `json:"sends"`
	Expected string `json:"expected"`
}

// matrixLetters are those of conformance.Outcomes, and of what is withheld.
const matrixLetters, withheldLetter = "pfhc~wisde", "x"

func newMatrix(reports []*conformance.Report) *matrix {
	m := &matrix{Outcomes: conformance.Outcomes, Levels: conformance.Levels, PerBlock: 12, reports: reports}
	ids := map[string]bool{}
	for _, r := range reports {
		byName := map[string]*conformance.Result{}
		for i := range r.Results {
			byName[r.Results[i].Name] = &r.Results[i]
		}
		m.results = append(m.results, byName)
		m.Suite = max(m.Suite, r.Suite)
		m.Peers = append(m.Peers, matrixPeer{
			ID: peerID(r, ids), Subject: r.Target, Suite: r.Suite, Date: r.Started.UTC().Format(time.DateOnly),
			Seconds: r.Ended.Sub(r.Started).Seconds(), Gone: r.Gone, Withheld: r.Target.Facts[withheld] != "",
		})
	}
	m.collectCases()
	for i := range m.Peers {
		m.Peers[i].Results = m.letters(i)
	}
	return m
}

// peerID returns an identifier for links.
func peerID(r *conformance.Report, used map[string]bool) string {
	id := strings.Join(strings.FieldsFunc(strings.ToLower(r.Target.Name+" "+r.Target.Version+" "+r.Target.Protocol),
		func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' }), "-")
	unique := id
	for n := 2; used[unique]; n++ {
		unique = fmt.Sprintf("%s-%d", id, n)
	}
	used[unique] = true
	return unique
}

// collectCases finds the cases of all reports. Those of a section stand together; else they are in the order of the
// reports.
func (m *matrix) collectCases() {
	seen := map[string]bool{}
	sections := map[string]int{}
	for _, r := range m.reports {
		for i := range r.Results {
			result := &r.Results[i]
			if seen[result.Name] {
				continue
			}
			seen[result.Name] = true
			if key := section(result.Name); sections[key] == 0 {
				sections[key] = len(sections) + 1
			}
			m.Cases = append(m.Cases, matrixCase{
				Name: result.Name, Role: r.Target.Role, Level: slices.Index(conformance.Levels, result.Level),
				Source: result.Source, Quote: result.Quote, Sends: result.Sends, Expected: result.Expected,
			})
		}
	}
	slices.SortStableFunc(m.Cases, func(a, b matrixCase) int {
		return cmp.Compare(sections[section(a.Name)], sections[section(b.Name)])
	})
}

// section is PROTOCOL/SECTION of a case.
func section(name string) string {
	if parts := strings.SplitN(name, "/", 3); len(parts) == 3 {
		return parts[0] + "/" + parts[1]
	}
	return name
}

func (m *matrix) letters(peer int) string {
	letters := make([]byte, len(m.Cases))
	for i := range m.Cases {
		c := &m.Cases[i]
		result := m.results[peer][c.Name]
		switch {
		case result != nil:
			letters[i] = matrixLetters[slices.Index(conformance.Outcomes, result.Outcome)]
		case m.Peers[peer].Withheld && c.Level == 0 && c.Role == m.Peers[peer].Subject.Role:
			letters[i] = withheldLetter[0]
		default:
			letters[i] = ' '
		}
	}
	return string(letters)
}

// render returns the page with wire logs of that length.
func (m *matrix) render(limit int) ([]byte, error) {
	m.Blocks = nil
	for start := 0; start < len(m.Cases); start += m.PerBlock {
		block, err := m.block(start, min(start+m.PerBlock, len(m.Cases)), limit)
		if err != nil {
			return nil, err
		}
		m.Blocks = append(m.Blocks, block)
	}
	data, err := json.Marshal(m) // escapes "<", so that nothing in it ends the element
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(matrixScript))
	var page bytes.Buffer
	err = matrixTemplate.Execute(&page, map[string]any{
		"Style": template.CSS(matrixStyle), "Script": template.JS(matrixScript), "Data": template.JS(data),
		"Hash": base64.StdEncoding.EncodeToString(sum[:]),
	})
	return page.Bytes(), err
}
