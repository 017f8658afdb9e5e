require "action_controller/railtie"
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

  def upload
    content = params[:file].read
    render plain: "#{params[:file].original_filename} #{content.bytesize} #{Digest::SHA256.hexdigest(content)}"
  end
end
class StreamController < ActionController::Base
  include ActionController::Live
  def show
    response.headers["Content-Type"] = "text/plain"
    response.headers["Last-Modified"] = Time.now.httpdate # else Rack::ETag waits for the end
    response.stream.write "one\n"
    sleep 0.01 until File.exist?("go")
    response.stream.write "two\n"
  ensure
    response.stream.close
  end
end
App.initialize!
App.routes.draw do
  get "/hello/:name", to: "hello#show"
  post "/form", to: "hello#form"
  post "/upload", to: "hello#upload"
  get "/stream", to: "stream#show"
end
run App
