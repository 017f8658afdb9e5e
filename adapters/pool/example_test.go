package pool_test

import (
	"context"
	"log"
	"net/http"
	"os/exec"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/pool"
	"github.com/gangway-go/gangway/fastcgi"
)

// Four processes of a FastCGI program that accepts connections on its standard input, as those made with libfcgi do.
func Example() {
	shop := &pool.Group{Name: "shop", Processes: 4, MaxRequests: 10000, Spawner: &pool.Command{
		Cmd:     func(string) (*exec.Cmd, error) { return exec.Command("/srv/shop/shop.fcgi"), nil },
		Inherit: true,
		Backend: func(socket string) adapters.Handler {
			return &fastcgi.Client{Network: "unix", Address: socket, MaxConns: 1}
		},
	}}
	if err := shop.Start(context.Background()); err != nil {
		log.Print(err) // it goes on trying
	}
	defer shop.Close(context.Background())
	http.ListenAndServe("127.0.0.1:8080", adapters.HTTP(shop))
}
