require "digest"
require "sinatra/base"
class App < Sinatra::Base
  set :host_authorization, {permitted_hosts: []}
  get("/hello/:name") { "Hello #{params[:name]}" }
  post("/form") { redirect to("/hello/#{params[:name]}") }
  post "/upload" do
    content = params[:file][:tempfile].read
    "#{params[:file][:filename]} #{content.bytesize} #{Digest::SHA256.hexdigest(content)}"
  end
  get "/stream" do
    stream do |out|
      out << "one\n"
      sleep 0.01 until File.exist?("go")
      out << "two\n"
    end
  end
end
run App
