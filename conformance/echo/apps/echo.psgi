# The echo application of gangway's conformance suite in Perl as a PSGI application (specification 1.1), for Plack and
# other servers (Debian: libplack-perl, libfcgi-perl). It answers each request with what it saw of it, and QUERY_STRING
# can ask for other answers: see the documentation of the package echo.
#
#     plackup -E deployment -s FCGI --manager= --listen /tmp/echo.sock echo.psgi      FastCGI; without --listen the
#                                                                                     listening socket is descriptor 0
#     REQUEST_METHOD=GET plackup -E deployment -s CGI echo.psgi                       CGI
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

# body reads the message-body to CONTENT_LENGTH; the specification promises no end after it.
sub body {
    my $env = shift;
    my $left = ($env->{CONTENT_LENGTH} // '') =~ /^(\d+)$/ ? $1 : 0;
    my ($length, $hash) = (0, Digest::SHA->new(256));
    while (my $n = $env->{'psgi.input'}->read(my $buffer, $left > 65536 ? 65536 : $left)) {
        $hash->add($buffer);
        $length += $n;
        $left -= $n;
    }
    return "$length " . $hash->hexdigest;
}

sub lines {
    my ($env, $body) = @_;
    my @names = sort grep { !/^(?:psgix?|plack)\./ } keys %$env;
    return join '', "echo 1\n",
        (map { 'var ' . word($_) . ' ' . word($env->{$_} // '') . "\n" } @names),
        "body $body\n",
        (map { "fd $_\n" } descriptors()),
        'cwd ' . word(Cwd::getcwd()) . "\n", "pid $$\n", "end\n";
}

# repeated calls $write with the bytes from..to of a line of 64 bytes that is repeated.
sub repeated {
    my ($write, $line, $from, $to) = @_;
    while ($from < $to) {
        my $part = substr $line x 1024, $from % 64, $to - $from;
        $write->($part);
        $from += length $part;
    }
}

sub respond {
    my ($env, $respond, $lines, %mode) = @_;
    my $error = sub { $env->{'psgi.errors'}->print(@_) };
    my $errors = $mode{stderr} // 0;
    my $large = $mode{crash} // $mode{large};
    my $text = exists $mode{binary} ? join '', map { chr } 0 .. 255 : $lines;
    my $type = defined $large || exists $mode{binary} ? 'application/octet-stream' : 'text/x-gangway-echo';
    repeated($error, $error_line, 0, int($errors / 2));
    my $writer = $respond->([200, ['Content-Type' => $type]]);
    if (!defined $large && !exists $mode{binary} && defined $mode{flush}) {
        for my $tick (1 .. 3) {
            Time::HiRes::sleep($mode{flush} / 1000) if $tick > 1;
            $writer->write("tick $tick\n");
        }
        return $writer->close;
    }
    my $length = $large // length $text;
    for ([0, int($length / 2)], [int($length / 2), $length]) {
        my ($from, $to) = @$_;
        if (defined $large) {
            repeated(sub { $writer->write(@_) }, $large_line, $from, $to);
        } else {
            $writer->write(substr $text, $from, $to - $from);
        }
        repeated($error, $error_line, int($errors / 2), $from == 0 ? $errors : 0);
    }
    kill KILL => $$ if defined $mode{crash};
    $writer->close;
}

return sub {
    my $env = shift;
    if (($env->{FCGI_ROLE} // '') eq 'AUTHORIZER') {
        return [200, ['Variable-ECHO' => '1'], []];
    }
    my $mode = qr/^(noread|binary|empty|crash)$|^(sleep|stderr|large|flush|crash)=(\d+)$/;
    my %mode = map { /$mode/ ? ($1 // $2, $3) : () } split /&/, $env->{QUERY_STRING} // '';
    my $lines = lines($env, exists $mode{noread} ? '- -' : body($env));
    Time::HiRes::sleep(($mode{sleep} // 0) / 1000);
    kill KILL => $$ if exists $mode{crash} && !defined $mode{crash};
    return [200, [], []] if exists $mode{empty};    # as near to nothing as PSGI allows
    return sub { respond($env, shift, $lines, %mode) };
};
