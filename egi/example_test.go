package egi_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/egi"
)

// The form of a login page, written in Go and asked without HTTP.
func ExampleRegistry() {
	var forms egi.Registry
	forms.Define("/login.egi", func(w http.ResponseWriter, r *egi.Request) error {
		form, err := r.Form()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s from %s says %s", form.Get("user"), r.Var("REMOTE_ADDR"), form.Get("word"))
		return err
	})
	resp, err := forms.Serve(context.Background(), &adapters.Request{
		Method: "POST", URI: "/login.egi", Script: adapters.Script{PathInfo: "/login.egi"},
		Header:        adapters.Header{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}},
		Body:          strings.NewReader("user=joe&word=please"),
		ContentLength: 20,
		Remote:        adapters.Endpoint{Addr: "192.0.2.1"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	fmt.Printf("%d %s\n", resp.Status, text)
	// Output: 200 joe from 192.0.2.1 says please
}
