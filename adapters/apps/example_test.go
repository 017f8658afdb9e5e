package apps_test

import (
	"context"
	"log"
	"net/http"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/apps"
)

// A Flask application beneath /shop of a Go program.
func ExampleStart() {
	shop, err := apps.Start(context.Background(), apps.WSGI, "/srv/shop", apps.Options{Processes: 4})
	if err != nil {
		log.Fatal(err) // such as "wsgi: python3 not found: apt install python3"
	}
	defer shop.Close(context.Background())
	http.Handle("/shop/", adapters.HTTP(adapters.Mount("/shop", shop)))
	http.ListenAndServe("127.0.0.1:8080", nil)
}

// Whatever a folder holds.
func ExampleOpen() {
	site, err := apps.Open(context.Background(), "", "/srv/site", apps.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer site.Close(context.Background())
	for _, m := range site.Mounts {
		log.Printf("%s/: %s %v", m.Prefix, m.Kind, m.Err)
	}
	http.ListenAndServe("127.0.0.1:8080", adapters.HTTP(site))
}
