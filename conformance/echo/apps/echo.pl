#!/usr/bin/perl
# The echo application of gangway's conformance suite in Perl, on FCGI.pm (Debian: libfcgi-perl). It answers each
# request with what it saw of it, and QUERY_STRING can ask for other answers: see the documentation of the package echo.
#
#     spawn-fcgi -n -s /tmp/echo.sock ./echo.pl     FastCGI, with the listening socket on descriptor 0
#     REQUEST_METHOD=GET perl echo.pl               CGI, if descriptor 0 is no listening socket or FCGI.pm is missing
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Cwd ();
use Digest::SHA ();
use Time::HiRes ();

my $large_line = join('', 0 .. 9, 'a' .. 'z', 'A' .. 'Z') . "+\n";
my $error_line = 'e' x 63 . "\n";

sub word {
    my $s = shift;
    $s =~ s{([^A-Za-z0-9._~/-])}{sprintf '%%%02X', ord $1}ge;
    return $s;
}

# descriptors returns those above 2 that perl did not open for itself, so without close-on-exec.
sub descriptors {
    opendir my $dir, '/proc/self/fd' or return;
    my @numbers = grep { /^\d+$/ && $_ > 2 } readdir $dir;
    closedir $dir;
    return grep {
        my ($number, $info) = $_;
        open($info, '<', "/proc/self/fdinfo/$number") && join('', <$info>) =~ /flags:\s*(\d+)/ && !(oct $1 & 02000000)
    } sort { $a <=> $b } @numbers;
}

# body reads the message-body: to CONTENT_LENGTH under CGI, where its end may be no end of file, else to its end.
sub body {
    my ($env, $fastcgi) = @_;
    my $left = ($env->{CONTENT_LENGTH} // '') =~ /^(\d+)$/ ? $1 : 0;
    my ($length, $hash) = (0, Digest::SHA->new(256));
    while (my $n = read STDIN, my $buffer, $fastcgi || $left > 65536 ? 65536 : $left) {
        $hash->add($buffer);
        $length += $n;
        $left -= $n;
    }
    return "$length " . $hash->hexdigest;
}

sub lines {
    my ($env, $body) = @_;
    return join '', "echo 1\n",
        (map { 'var ' . word($_) . ' ' . word($env->{$_}) . "\n" } sort keys %$env),
        (map { 'arg ' . word($_) . "\n" } @ARGV),
        "body $body\n",
        (map { "fd $_\n" } descriptors()),
        'cwd ' . word(Cwd::getcwd()) . "\n", "pid $$\n", "end\n";
}

# repeated writes the bytes from..to of a line of 64 bytes that is repeated.
sub repeated {
    my ($handle, $line, $from, $to) = @_;
    while ($from < $to) {
        my $part = substr $line x 1024, $from % 64, $to - $from;
        print $handle $part;
        $from += length $part;
    }
}

sub respond {
    my ($flush, $lines, %mode) = @_;
    my $errors = $mode{stderr} // 0;
    my $large = $mode{crash} // $mode{large};
    my $text = exists $mode{binary} ? join '', map { chr } 0 .. 255 : $lines;
    my $type = defined $large || exists $mode{binary} ? 'application/octet-stream' : 'text/x-gangway-echo';
    repeated(\*STDERR, $error_line, 0, int($errors / 2));
    print "Content-Type: $type\r\n\r\n";
    if (!defined $large && !exists $mode{binary} && defined $mode{flush}) {
        for my $tick (1 .. 3) {
            Time::HiRes::sleep($mode{flush} / 1000) if $tick > 1;
            print "tick $tick\n";
            $flush->();
        }
        return;
    }
    my $length = $large // length $text;
    my $write = sub {
        defined $large ? repeated(\*STDOUT, $large_line, @_) : print substr $text, $_[0], $_[1] - $_[0];
    };
    $write->(0, int($length / 2));
    $flush->() if $errors;
    repeated(\*STDERR, $error_line, int($errors / 2), $errors);
    $write->(int($length / 2), $length);
    if (defined $mode{crash}) {
        $flush->();
        kill KILL => $$;
    }
}

# handle answers one request and returns the exit status that it asks for.
sub handle {
    my ($env, $fastcgi, $flush) = @_;
    if (($env->{FCGI_ROLE} // '') eq 'AUTHORIZER') {
        print "Status: 200\r\nVariable-ECHO: 1\r\n\r\n";
        return 0;
    }
    my $mode = qr/^(noread|binary|empty|crash)$|^(sleep|exit|stderr|large|flush|crash)=(\d+)$/;
    my %mode = map { /$mode/ ? ($1 // $2, $3) : () } split /&/, $env->{QUERY_STRING} // '';
    my $lines = lines($env, exists $mode{noread} ? '- -' : body($env, $fastcgi));
    Time::HiRes::sleep(($mode{sleep} // 0) / 1000);
    kill KILL => $$ if exists $mode{crash} && !defined $mode{crash};
    respond($flush, $lines, %mode) unless exists $mode{empty};
    return $mode{exit} // 0;
}

binmode $_ for \*STDIN, \*STDOUT, \*STDERR;
my %env;
my $request = eval { require FCGI; FCGI::Request(\*STDIN, \*STDOUT, \*STDERR, \%env) };
if (!$request || !$request->IsFastCGI) {
    exit handle(\%ENV, 0, sub { STDOUT->flush });
}
while ($request->Accept >= 0) {
    handle(\%env, 1, sub { $request->Flush });
}
