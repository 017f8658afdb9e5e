package apps_test

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/apps"
)

const sinatraApp = `require "sinatra/base"
class App < Sinatra::Base
  set :host_authorization, {permitted_hosts: []}
  get("/hello/:name") { "Hello #{params[:name]}" }
  post("/form") { redirect to("/hello/#{params[:name]}") }
end
run App
`

const railsApp = `require "action_controller/railtie"
class App < Rails::Application
  config.secret_key_base = "0" * 64
  config.hosts.clear
  config.eager_load = false
  config.logger = Logger.new($stderr)
  config.log_level = :fatal
  config.action_controller.allow_forgery_protection = false
end
class HelloController < ActionController::Base
  def show = render(plain: "Hello #{params[:name]}")
  def form = redirect_to("#{request.script_name}/hello/#{params[:name]}")
end
App.initialize!
App.routes.draw do
  get "/hello/:name", to: "hello#show"
  post "/form", to: "hello#form"
end
run App
`

const flaskApp = `from flask import Flask, redirect, request, url_for
app = Flask(__name__)

@app.get("/hello/<name>")
def hello(name):
    return "Hello " + name

@app.post("/form")
def form():
    return redirect(url_for("hello", name=request.form["name"]))
`

const djangoApp = `import django.conf
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import path, reverse

django.conf.settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="x" * 50)

def hello(request, name):
    return HttpResponse("Hello " + name)

def form(request):
    return HttpResponseRedirect(reverse("hello", args=[request.POST["name"]]))

urlpatterns = [path("hello/<str:name>", hello, name="hello"), path("form", form)]
application = get_wsgi_application()
`

const dancerApp = `package App;
use Dancer2;
set charset => 'UTF-8';
get '/hello/:name' => sub { 'Hello ' . route_parameters->get('name') };
post '/form' => sub { redirect uri_for('/hello/' . body_parameters->get('name')) };
App->to_app;
`

const mojoApp = `use Mojolicious::Lite;
app->log->level('fatal');
get '/hello/:name' => sub { my $c = shift; $c->render(text => 'Hello ' . $c->param('name')) } => 'hello';
post '/form' => sub { my $c = shift; $c->redirect_to('hello', name => $c->param('name')) };
app->start;
`

// Applications of well-known frameworks route, read a form and redirect beneath a prefix, with names in UTF-8.
func TestFrameworks(t *testing.T) {
	// Debian's frameworks are those of Debian's Python.
	python := "/usr/bin/python3"
	if _, err := os.Stat(python); err != nil {
		python = need(t, "python3")
	}
	tests := []struct{ name, program, file, text, who string }{
		{"Sinatra", "ruby", "config.ru", sinatraApp, "Jürgen"},
		{"Rails", "ruby", "config.ru", railsApp, "Jürgen"},
		{"Flask", "python3", "app.py", flaskApp, "Jürgen"},
		{"Django", "python3", "wsgi.py", djangoApp, "Jürgen"},
		{"Dancer2", "perl", "app.psgi", dancerApp, "Jürgen"},
		{"Mojolicious", "perl", "app.psgi", mojoApp, "Jim"}, // with a SCRIPT_NAME it decodes UTF-8 wrongly, behind Plack too
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			need(t, tt.program)
			log := &transcript{}
			o := log.options()
			o.Programs = map[apps.Kind]string{apps.WSGI: python}
			app, err := apps.Start(t.Context(), "", folder(t, tt.file, tt.text), o)
			require.NoError(t, err)
			defer app.Close(t.Context())
			s := serve(t, adapters.Mount("/sub", app))
			status, body := s.get("/sub/hello/" + url.PathEscape(tt.who))
			assert.Equal(t, 200, status, log)
			assert.Equal(t, "Hello "+tt.who, body)
			status, _ = s.get("/sub/nowhere")
			assert.Equal(t, 404, status)

			form := url.Values{"name": {tt.who}}.Encode()
			resp, err := s.Client().Post(s.URL+"/sub/form", "application/x-www-form-urlencoded", strings.NewReader(form))
			require.NoError(t, err)
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			assert.Contains(t, []int{http.StatusFound, http.StatusSeeOther}, resp.StatusCode, log)
			location, err := resp.Location()
			require.NoError(t, err, log)
			assert.Equal(t, s.Listener.Addr().String(), location.Host)
			status, body = s.get(location.RequestURI())
			assert.Equal(t, 200, status, location)
			assert.Equal(t, "Hello "+tt.who, body)
		})
	}
}
