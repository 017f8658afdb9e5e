#!/usr/bin/env ruby
# The echo application of gangway's conformance suite in Ruby, on the gem fcgi (Debian: ruby-fcgi). It answers each
# request with what it saw of it, and QUERY_STRING can ask for other answers: see the documentation of the package echo.
#
#     spawn-fcgi -n -s /tmp/echo.sock ./echo.rb     FastCGI, with the listening socket on descriptor 0
#     REQUEST_METHOD=GET ruby echo.rb               CGI, with the standard library only
#
# SPDX-License-Identifier: Apache-2.0
require 'digest'
require 'socket'

LARGE_LINE = [*'0'..'9', *'a'..'z', *'A'..'Z'].join + "+\n"
ERROR_LINE = 'e' * 63 + "\n"

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

# The length and hash of the message-body: to CONTENT_LENGTH if there may be no end of file, as with CGI.
def body(input, limit)
  length, hash = 0, Digest::SHA256.new
  until (want = [65_536, limit && limit - length].compact.min).zero?
    part = input.read(want)
    break if part.nil? || part.empty?

    hash << part
    length += part.bytesize
  end
  "#{length} #{hash.hexdigest}"
end

def lines(env, body)
  "echo 1\n" +
    env.map { |name, value| "var #{word(name)} #{word(value)}\n" }.join +
    ARGV.map { |arg| "arg #{word(arg)}\n" }.join +
    "body #{body}\n" +
    descriptors.map { |fd| "fd #{fd}\n" }.join +
    "cwd #{word(Dir.pwd)}\npid #{Process.pid}\nend\n"
end

# Writes the bytes from...to of a line of 64 bytes that is repeated.
def repeated(out, line, from, to)
  while from < to
    part = (line * 1024)[from % 64, to - from]
    out.write(part)
    from += part.bytesize
  end
end

def modes(query)
  query.split('&').each_with_object({}) do |text, mode|
    case text
    when /\A(?:noread|binary|empty)\z/ then mode[text] = true
    when 'crash' then mode['crash at once'] = true
    when /\A(sleep|exit|stderr|large|flush|crash)=(\d+)\z/ then mode[$1] = $2.to_i
    end
  end
end

def crash
  Process.kill(:KILL, Process.pid)
  sleep
end

def respond(out, err, mode, lines)
  errors = mode['stderr'] || 0
  large = mode['crash'] || mode['large']
  text = mode['binary'] ? (0..255).to_a.pack('C*') : lines
  type = large || mode['binary'] ? 'application/octet-stream' : 'text/x-gangway-echo'
  repeated(err, ERROR_LINE, 0, errors / 2)
  err.flush
  out.write("Content-Type: #{type}\r\n\r\n")
  return ticks(out, mode['flush']) if mode['flush'] && !large && !mode['binary']

  length = large || text.bytesize
  [[0, length / 2], [length / 2, length]].each do |from, to|
    large ? repeated(out, LARGE_LINE, from, to) : out.write(text.byteslice(from, to - from))
    next if from > 0 || errors.zero?

    out.flush
    repeated(err, ERROR_LINE, errors / 2, errors)
    err.flush
  end
  return unless mode['crash']

  out.flush
  crash
end

def ticks(out, pause)
  (1..3).each do |tick|
    sleep(pause / 1000.0) if tick > 1
    out.write("tick #{tick}\n")
    out.flush
  end
end

# Answers one request and returns the exit status that it asks for.
def handle(env, input, limit, out, err)
  if env['FCGI_ROLE'] == 'AUTHORIZER'
    out.write("Status: 200\r\nVariable-ECHO: 1\r\n\r\n")
    return 0
  end
  mode = modes(env['QUERY_STRING'] || '')
  lines = lines(env, mode['noread'] ? '- -' : body(input, limit))
  sleep((mode['sleep'] || 0) / 1000.0)
  crash if mode['crash at once']
  respond(out, err, mode, lines) unless mode['empty']
  mode['exit'] || 0
end

# Whether descriptor 0 is a listening socket, FastCGI 1.0 section 2.2.
def listening?
  Socket.for_fd(0).tap { |socket| socket.autoclose = false }.getpeername && false
rescue Errno::ENOTCONN
  true
rescue SystemCallError
  false
end

if listening?
  require 'fcgi'
  FCGI.each_request { |request| handle(request.env, request.in, nil, request.out, request.err) }
else
  [$stdin, $stdout, $stderr].each(&:binmode)
  length = ENV['CONTENT_LENGTH'].to_s
  exit handle(ENV.to_h, $stdin, length.match?(/\A\d+\z/) ? length.to_i : 0, $stdout, $stderr)
end
