package status_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/status"
	"github.com/gangway-go/gangway/egi"
)

// What was answered, as Prometheus asks for it.
func ExampleStatus() {
	s := status.New()
	app := adapters.HTTP(s.Wrap(egi.HTTP(http.NotFoundHandler())))
	app.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))

	w := httptest.NewRecorder()
	adapters.HTTP(s).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.Contains(line, `"4xx"`) {
			fmt.Print(line)
		}
	}
	// Output: gangway_responses_total{class="4xx"} 1
}
