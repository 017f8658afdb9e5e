# The application of the loader tests, for Rack.

# A body that is told as it goes, and waits for a file in between.
class Streamed
  def initialize(query) = @query = query

  def each
    yield "one\n"
    sleep 0.001 until File.exist?(@query)
    yield "two\n"
    yield ""
  end

  def close = warn("closed")
end

class Cut
  def each
    yield "begin"
    raise "cut on purpose"
  end
end

class Called
  def call(stream)
    stream.write("a", 1)
    stream << "b"
    stream.flush
    stream.write(stream.read.to_s)
    stream.close
  end
end

def special(name, env)
  input = env["rack.input"]
  case name
  when "lines"
    first = input.gets
    input.rewind
    [200, {}, [[first, input.read(3), input.each.to_a, input.read, input.read(5)].inspect]]
  when "call" then [200, {}, Called.new]
  when "arrays" then [200, {"x-list" => %w[a b], "rack.private" => "x"}, []]
  when "spec"
    names = %w[version url_scheme multithread multiprocess run_once]
    values = names.map { |n| env["rack.#{n}"].inspect }
    [200, {}, [[*values, input.external_encoding, env["QUERY_STRING"].encoding].join(" ")]]
  when "nonsense" then [200, {}, 5]
  end
end

run(lambda do |env|
  path, query = env["PATH_INFO"], env["QUERY_STRING"]
  status, headers, body = 200, {"content-type" => "text/plain"}, ["ok\n"]
  case path
  when "/env" then body = env.select { |_, v| v.is_a?(String) }.map { |k, v| "#{k}=#{v}\n" }.sort
  when "/body"
    data = env["rack.input"].read
    body = ["#{data.bytesize} #{data.sum(32) % 65521}\n"]
  when "/two-parts" then body = ["one,", "two"]
  when "/stream" then body = Streamed.new(query)
  when "/fail" then raise "failed on purpose"
  when "/exit" then exit 3
  when "/cut" then body = Cut.new
  when "/status"
    status = query.to_i
    body = [] if [204, 304].include?(status)
  when "/headers" then headers = {"X-Two" => "a\nb", "X-Bytes" => "caf\xE9".b, "X-Empty" => ""}
  when "/bad-header" then headers = {"X-Bad" => "a\r", "X-Split" => "b"}
  when "/big" then body = [(0..255).to_a.pack("C*") * 4096]
  when "/pid" then body = [Process.pid.to_s]
  when "/log"
    puts "to stdout"
    warn "to stderr"
    env["rack.errors"].puts "to the error stream"
  when %r{\A/rack/} then next special($', env)
  end
  [status, headers, body]
end)
