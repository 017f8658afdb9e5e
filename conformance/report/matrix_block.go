package report

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gangway-go/gangway/conformance"
)

// A block is what the panel shows for some cases with all peers: neighbours have much in common, so each string is
// there once, and the whole is deflated.
type block struct {
	Strings []string        `json:"s"`
	Cells   map[string]cell `json:"c"` // by "CASE PEER"

	index map[string]int
}

// cell is one result; its texts are indexes into the strings.
type cell struct {
	Got    int      `json:"g"`
	Info   []int    `json:"i,omitempty"`
	Millis int64    `json:"t"`
	Runs   int      `json:"n"`
	Wire   [][6]int `json:"w,omitempty"` // milliseconds, connection, kind, data, size, records
}

// block returns the block for the cases from start to end, as zlib in base64.
func (m *matrix) block(start, end, limit int) (string, error) {
	b := &block{Cells: map[string]cell{}, index: map[string]int{}}
	for i := start; i < end; i++ {
		for peer := range m.Peers {
			r := m.results[peer][m.Cases[i].Name]
			if r == nil || r.Outcome == conformance.Pass && len(r.Info) == 0 {
				continue
			}
			b.Cells[fmt.Sprint(i, " ", peer)] = b.cell(r, limit)
		}
	}
	var deflated bytes.Buffer
	z, err := zlib.NewWriterLevel(&deflated, zlib.BestCompression)
	if err != nil {
		return "", err
	}
	if err := json.NewEncoder(z).Encode(b); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(deflated.Bytes()), nil
}

func (b *block) cell(r *conformance.Result, limit int) cell {
	c := cell{Got: b.text([]byte(r.Got)), Millis: r.Duration.Milliseconds(), Runs: r.Runs}
	for _, info := range r.Info {
		c.Info = append(c.Info, b.text([]byte(info)))
	}
	if r.Outcome == conformance.Pass || limit == 0 {
		return c
	}
	for _, e := range clip(r.Wire, limit) {
		kind, data, records := b.text([]byte(e.Kind)), b.text(e.Data), b.text([]byte(e.records))
		c.Wire = append(c.Wire, [6]int{int(e.At / time.Millisecond), e.Conn, kind, data, size(&e), records})
	}
	return c
}

// text returns the index of data as a string that has a character for each byte.
func (b *block) text(data []byte) int {
	if i, ok := b.index[string(data)]; ok {
		return i
	}
	runes := make([]rune, len(data))
	for i, c := range data {
		runes[i] = rune(c)
	}
	b.index[string(data)] = len(b.Strings)
	b.Strings = append(b.Strings, string(runes))
	return len(b.Strings) - 1
}
