package proxy_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/proxy"
)

// An HTTP application behind a path of its own.
func ExampleHandler() {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.URL.Path, " for ", r.Header.Get("X-Forwarded-For"))
	}))
	defer app.Close()
	target, err := url.Parse(app.URL + "/shop")
	if err != nil {
		log.Fatal(err)
	}
	transport := proxy.NewTransport(nil)
	defer transport.CloseIdleConnections()

	w := httptest.NewRecorder()
	adapters.HTTP(&proxy.Handler{Target: target, Transport: transport}).
		ServeHTTP(w, httptest.NewRequest("GET", "/cart", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 200 /shop/cart for 192.0.2.1
}
