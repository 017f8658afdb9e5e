package server

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/internal/peer"
)

func TestSmoke(t *testing.T) {
	app := "fcgi://" + peer.FreeAddress(t)
	addr := peer.Nginx(t, "location / { root /tmp; } location /app { include /etc/nginx/fastcgi_params; fastcgi_split_path_info ^(/app)(.*)$; fastcgi_param SCRIPT_NAME $fastcgi_script_name; fastcgi_param PATH_INFO $fastcgi_path_info; fastcgi_pass "+app[7:]+";}")
	target := New("http://"+addr, app)
	defer target.Close()
	c := []conformance.Case{{Name: "x/y/z", Level: conformance.Must, Run: test(func(t *T) {
		x := t.Get("/app/foo%20bar?q", "X-Foo: bar")
		x.Want("HTTP_X_FOO", "bar")
		x.Want("PATH_INFO", "/foo bar")
		t.Info("%v", x.Vars)
		x = t.Post("/app/b", "hello")
		t.Check(x.Body() == "hello", "%q", x.Body())
		r := t.Reply("Status: 404 Nope\n\nbody")
		t.Intact(r, 404, "body")
	})}}
	report, err := conformance.Run(t.Context(), target, c, conformance.Options{})
	require.NoError(t, err)
	t.Logf("%+v", report.Results)
	t.Logf("%+v", report.Target)
}
