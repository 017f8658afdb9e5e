# Serves a Rack application (SPEC of Rack 2 and 3) over SCGI on a Unix socket, one request at a time.
#
#     ruby rack.rb SOCKET DIR FILE
#
# It loads FILE, a config.ru in DIR, and then listens. After SIGTERM, or when its standard input ends, it finishes the
# current request and exits. It needs the gem rack, and Bundler's if DIR has a Gemfile.

require "socket"
require "stringio"
require "tempfile"
require "uri" # Rack::Lint uses it and relies on the server

module Gangway
  BUFFERED = 1 << 20 # a longer request body goes to a file

  # The response body as a stream, for a Rack 3 body that has call.
  class Stream
    def initialize(response, input)
      @response = response
      @input = input
    end

    def read(*args) = @input.read(*args)

    def write(*parts)
      parts.each { |part| @response.write(part.to_s) }
      parts.sum { |part| part.to_s.bytesize }
    end

    def <<(part)
      write(part)
      self
    end

    def flush = self
    def close_read = nil
    def close(*) = @closed = true
    def closed? = !!@closed
    alias close_write close
  end

  class Response
    attr_reader :sent

    def body? = @has_body

    def initialize(conn, method)
      @conn = conn
      @method = method
    end

    # Takes status and header; length is that of the body, nil if it is not known.
    def start(status, headers, length)
      head = +"Status: #{Integer(status)}\r\n".b
      framed = false
      headers.each do |name, value|
        next if name.start_with?("rack.")
        framed ||= name.match?(/\A(content-length|transfer-encoding)\z/i)
        values = value.is_a?(Array) ? value : value.to_s.split("\n")
        (values.empty? ? [""] : values).each { |v| head << field(name, v) }
      end
      @chunked = false
      @has_body = @method != "HEAD" && ![204, 304].include?(Integer(status))
      if @has_body && !framed
        @chunked = length.nil? # on a Unix socket SCGI cannot tell the end from a death otherwise
        head << (@chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: #{length}\r\n")
      end
      @head = head << "\r\n"
    end

    def field(name, value)
      line = "#{name}: #{value}".b
      raise ArgumentError, "control character in the response header: #{line.inspect}" if line.match?(/[\r\n\0]/n)
      line << "\r\n"
    end

    # Sends data, and the header before it.
    def write(data)
      return if data.empty? # a chunk of length 0 is the last one
      data = "#{data.bytesize.to_s(16)}\r\n".b << data.b << "\r\n" if @chunked
      send(data)
    end

    def finish
      send(@chunked ? "0\r\n\r\n" : "")
    end

    def send(data)
      head, @head = @head, nil
      @sent = true
      data = head << data.b if head
      @conn.write(data) unless data.empty?
    end
  end

  module_function

  def main(path, dir, file)
    Dir.chdir(dir)
    $stdout.sync = true
    app = load_app(file)
    awake, wake = IO.pipe
    trap("TERM") { wake.write_nonblock(".") }
    listener = UNIXServer.new(path)
    listener.listen(1024)
    while IO.select([listener, awake, $stdin])[0] == [listener]
      conn = listener.accept
      begin
        serve(app, conn)
      ensure
        conn.close
      end
    end
  end

  def load_app(file)
    need("bundler/setup", "Ruby has no Bundler for the Gemfile: apt install ruby-bundler") if File.exist?("Gemfile")
    need("rack", "Ruby has no Rack: apt install ruby-rack")
    app = Rack::Builder.parse_file(file)
    app.is_a?(Array) ? app.first : app # Rack 2 returns the options too
  rescue ScriptError, StandardError => e
    $stderr.puts(e.full_message(highlight: false))
    abort "#{e.message.lines.first.to_s.chomp} (#{e.class})"
  end

  def need(feature, advice)
    require feature
  rescue LoadError => e
    abort(e.path == feature ? advice : e.message)
  end

  def serve(app, conn)
    env = read_env(conn) or return
    response = Response.new(conn, env["REQUEST_METHOD"])
    length = env["CONTENT_LENGTH"].to_i
    input = env["rack.input"] = length > BUFFERED ? Tempfile.new("gangway", binmode: true) : StringIO.new("".b)
    # The body is read before the application is asked, since it may rewind it.
    return unless IO.copy_stream(conn, input, length) == length
    input.rewind
    respond(app, env, response)
  rescue Errno::EPIPE, Errno::ECONNRESET
    # The gateway has gone.
  rescue Exception => e # exit too: it ends the request, not the process
    $stderr.puts(e.full_message(highlight: false))
    fail(response) if response
  ensure
    input.close! if input.is_a?(Tempfile)
  end

  def fail(response)
    return if response.sent
    response.start(500, {"content-type" => "text/plain"}, 22)
    response.write("Internal Server Error\n") if response.body?
    response.finish
  rescue SystemCallError
    # The gateway has gone.
  end

  def respond(app, env, response)
    status, headers, body = app.call(env)
    begin
      parts = body.to_ary if body.respond_to?(:to_ary)
      response.start(status, headers, parts&.sum(&:bytesize))
      if !response.body?
        # HEAD and the like
      elsif parts || body.respond_to?(:each)
        (parts || body).each { |part| response.write(part) }
      else
        body.call(Stream.new(response, env["rack.input"]))
      end
      response.finish
    ensure
      body.close if body.respond_to?(:close)
    end
  end

  # Reads the header of an SCGI request. A connection that ends before is no request.
  def read_env(conn)
    size = conn.gets(":", 16) or return
    header = conn.read(size.to_i)
    return unless conn.read(1) == ","
    env = header.split("\0", -1).each_slice(2).to_a[0..-2].to_h
    env.delete("SCGI")
    env["SERVER_NAME"] = "localhost" if env["SERVER_NAME"].to_s.empty?
    env["SERVER_PORT"] = "80" if env["SERVER_PORT"].to_s.empty?
    env["PATH_INFO"] ||= ""
    env["rack.version"] = [1, 6]
    env["rack.url_scheme"] = env["HTTPS"] == "on" ? "https" : "http"
    env["rack.errors"] = $stderr
    env.merge!("rack.multithread" => false, "rack.multiprocess" => true, "rack.run_once" => false)
    env
  end
end

Gangway.main(*ARGV) if $0 == __FILE__
