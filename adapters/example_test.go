package adapters_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/gangway-go/gangway/adapters"
)

// Any Handler behind net/http: here two of them, divided by prefix, with a local redirect between them.
func Example() {
	news := adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		return adapters.Reply(200, "text/plain", "news at "+req.Script.Name+" about "+req.Script.PathInfo), nil
	})
	old := adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
		return &adapters.Response{LocalRedirect: "/news/today", Body: adapters.NoBody}, nil
	})
	d := &adapters.Dispatcher{Routes: []adapters.Route{
		{Prefix: "/news", To: adapters.Mount("/news", news)},
		{Prefix: "/old", To: old},
	}}
	srv := httptest.NewServer(adapters.HTTP(d))
	defer srv.Close()

	for _, path := range []string{"/news/today", "/old/address", "/nothing"} {
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Printf("%d %s\n", resp.StatusCode, body)
	}
	// Output:
	// 200 news at /news about /today
	// 200 news at /news about /today
	// 404 404 Not Found
}

// The variables that an application sees.
func ExampleRequest_All() {
	req := &adapters.Request{
		Method: "GET", Proto: "HTTP/1.1", URI: "/index.php/a?b", Query: "b",
		Header: adapters.Header{{Name: "Accept", Value: "*/*"}},
		Script: adapters.Script{Name: "/index.php", PathInfo: "/a", Filename: "/srv/index.php", Root: "/srv"},
	}
	for name, value := range req.All() {
		switch name {
		case "SCRIPT_FILENAME", "PATH_INFO", "PATH_TRANSLATED", "HTTP_ACCEPT":
			fmt.Println(name, value)
		}
	}
	// Output:
	// SCRIPT_FILENAME /srv/index.php
	// PATH_INFO /a
	// PATH_TRANSLATED /srv/a
	// HTTP_ACCEPT */*
}
