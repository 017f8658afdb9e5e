# The echo application of gangway's conformance suite in Ruby as a Rack application (Debian: ruby-rack, ruby-fcgi). It
# answers each request with what it saw of it, and QUERY_STRING can ask for other answers: see the documentation of the
# package echo.
#
#     rackup -E none -s fastcgi -O File=/tmp/echo.sock echo.ru      FastCGI, with Rack 2
#     ruby -rrack -e 'Rack::Handler::FastCGI.run(Rack::Builder.parse_file("echo.ru").first)'
#                                                                   the same, with the listening socket on descriptor 0
#     REQUEST_METHOD=GET ruby -rrack -e 'Rack::Handler::CGI.run(Rack::Builder.parse_file("echo.ru").first)'
#                                                                   CGI, where rackup does not look at its arguments
#
# SPDX-License-Identifier: Apache-2.0
require 'digest'

# An Echo is one request: it has been read when the Echo is made, and each writes the body of the answer.
class Echo
  LARGE_LINE = [*'0'..'9', *'a'..'z', *'A'..'Z'].join + "+\n"
  ERROR_LINE = 'e' * 63 + "\n"

  def self.call(env)
    return [200, { 'Variable-ECHO' => '1' }, []] if env['FCGI_ROLE'] == 'AUTHORIZER'

    echo = new(env)
    echo.empty? ? [200, {}, []] : [200, { 'Content-Type' => echo.type }, echo]
  end

  def initialize(env)
    @env = env
    @mode = modes(env['QUERY_STRING'])
    @lines = lines(@mode['noread'] ? '- -' : body)
    sleep((@mode['sleep'] || 0) / 1000.0)
    crash if @mode['crash at once']
    @large = @mode['crash'] || @mode['large']
    @errors = @mode['stderr'] || 0
    repeated(ERROR_LINE, 0, @errors / 2) { |part| error(part) } unless empty?
  end

  def empty? = @mode.key?('empty')

  def type = @large || @mode['binary'] ? 'application/octet-stream' : 'text/x-gangway-echo'

  def each(&write)
    return ticks(@mode['flush'], &write) if @mode['flush'] && !@large && !@mode['binary']

    text = @mode['binary'] ? (0..255).to_a.pack('C*') : @lines
    size = @large || text.bytesize
    [[0, size / 2], [size / 2, size]].each do |from, to|
      @large ? repeated(LARGE_LINE, from, to, &write) : write.call(text.byteslice(from, to - from))
      repeated(ERROR_LINE, @errors / 2, @errors) { |part| error(part) } if from.zero?
    end
    crash if @mode['crash']
  end

  private

  def modes(query)
    query.split('&').each_with_object({}) do |text, mode|
      case text
      when /\A(?:noread|binary|empty)\z/ then mode[text] = true
      when 'crash' then mode['crash at once'] = true
      when /\A(sleep|stderr|large|flush|crash)=(\d+)\z/ then mode[$1] = $2.to_i
      end
    end
  end

  # The length and hash of the message-body, to CONTENT_LENGTH if there is one.
  def body
    length, hash = 0, Digest::SHA256.new
    left = @env['CONTENT_LENGTH'].to_s[/\A\d+\z/].to_i
    while left > length && (part = @env['rack.input'].read([65_536, left - length].min)) && !part.empty?
      hash << part
      length += part.bytesize
    end
    "#{length} #{hash.hexdigest}"
  end

  def lines(body)
    vars = @env.select { |name, value| value.is_a?(String) && !name.start_with?('rack.') }
    "echo 1\n" +
      vars.map { |name, value| "var #{word(name)} #{word(value)}\n" }.join +
      "body #{body}\n" +
      descriptors.map { |fd| "fd #{fd}\n" }.join +
      "cwd #{word(Dir.pwd)}\npid #{Process.pid}\nend\n"
  end

  def word(string)
    string.b.gsub(%r{[^A-Za-z0-9._~/-]}n) { |byte| format('%%%02X', byte.ord) }
  end

  # Descriptors above 2 that Ruby did not open for itself, so without close-on-exec.
  def descriptors
    numbers = Dir.children('/dev/fd').map(&:to_i).select { |fd| fd > 2 }.sort
    numbers.reject do |fd|
      IO.for_fd(fd, autoclose: false).close_on_exec?
    rescue SystemCallError, ArgumentError
      true # That of the listing, or Ruby's own.
    end
  rescue SystemCallError
    []
  end

  # Yields the bytes from...to of a line of 64 bytes that is repeated.
  def repeated(line, from, to)
    while from < to
      part = (line * 1024)[from % 64, to - from]
      yield part
      from += part.bytesize
    end
  end

  def ticks(pause)
    (1..3).each do |tick|
      sleep(pause / 1000.0) if tick > 1
      yield "tick #{tick}\n"
    end
  end

  def error(text)
    @env['rack.errors'].write(text)
    @env['rack.errors'].flush
  end

  def crash
    Process.kill(:KILL, Process.pid)
    sleep
  end
end

run Echo
