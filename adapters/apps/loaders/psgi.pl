# Serves a PSGI application (specification 1.102) over SCGI on a Unix socket, one request at a time.
#
#     perl psgi.pl SOCKET DIR FILE
#
# It loads FILE in DIR and then listens. After SIGTERM, or when its standard input ends, it finishes the current request
# and exits. It needs Perl 5.14 and nothing else.

# The application's file is evaluated in a package of its own, and before this one has variables.
sub Gangway::evaluate { local @ARGV; local $0 = $_[0]; eval 'package Gangway::App; do $_[0] or $@ && die $@' }

package Gangway;

use strict;
use warnings;
use IO::File;
use IO::Select;
use IO::Socket::UNIX;
use Scalar::Util qw(blessed reftype);
use overload ();

use constant BUFFERED => 1 << 20;    # a longer request body goes to a file

sub main {
    my ($path, $dir, $file) = @_;
    chdir $dir or die "$dir: $!\n";
    STDOUT->autoflush(1);
    $ENV{PLACK_ENV} ||= 'development';
    my $app = load("$dir/$file");
    pipe my $awake, my $wake or die "pipe: $!\n";
    local $SIG{TERM} = sub { syswrite $wake, '.' };
    local $SIG{PIPE} = sub { };
    my $listener = IO::Socket::UNIX->new(Local => $path, Listen => 1024) or die "$path: $!\n";
    my $events = IO::Select->new($listener, $awake, \*STDIN);
    while (1) {
        my @ready = $events->can_read or next;    # a signal
        last if @ready > 1 || $ready[0] != $listener;
        my $conn = $listener->accept or next;
        binmode $conn;
        serve($app, $conn);
        close $conn;
    }
}

sub load {
    my ($file) = @_;
    die "$file: $!\n" unless -r $file;
    my $app = evaluate($file);
    print STDERR $@ if $@;
    die $1 =~ s/ \(\@INC contains:[^)]*\)//r, "\n" if $@ =~ /\A(.+)/;
    $app = $app->to_app if blessed $app && $app->can('to_app');
    return $app if ref $app && (reftype $app eq 'CODE' || overload::Method($app, '&{}'));
    die "$file does not return an application\n";
}

sub serve {
    my ($app, $conn) = @_;
    my $env = read_env($conn) or return;
    my $response = Gangway::Response->new($conn, $env->{REQUEST_METHOD});
    return if eval {
        $env->{'psgi.input'} = read_input($conn, $env->{CONTENT_LENGTH}) or return 1;
        respond($app->($env), $response);
        1;
    };
    return if $response->{gone};
    print STDERR $@ =~ /\n\z/ ? $@ : "$@\n";
    return if $response->{sent};
    eval { finish([500, ['Content-Type' => 'text/plain'], ["Internal Server Error\n"]], $response) };
}

# Answers with what the application returned.
sub respond {
    my ($result, $response) = @_;
    return finish($result, $response) if ref $result eq 'ARRAY';
    die "the application returned neither an array nor code\n" unless ref $result eq 'CODE';
    my $responded = 0;
    $result->(sub {
        my ($delayed) = @_;
        $responded = 1;
        return finish($delayed, $response) if @$delayed > 2;
        $response->start(@$delayed[0, 1], undef);
        $response->send('');
        return $response;                         # the writer
    });
    die "the application did not respond\n" unless $responded;
}

sub finish {
    my ($result, $response) = @_;
    my ($status, $headers, $body) = @$result;
    if (ref $body eq 'ARRAY') {
        my $content = join '', @$body;
        $response->start($status, $headers, length $content);
        $response->write($content);
    }
    else {
        $response->start($status, $headers, undef);
        my $done = eval {
            local $/ = \65536;
            while (defined(my $part = $body->getline)) { $response->write($part) }
            1;
        };
        my $error = $@;
        $body->close;
        die $error unless $done;
    }
    $response->close;
}

# Reads the header of an SCGI request. A connection that ends before is no request.
sub read_env {
    my ($conn) = @_;
    my $size = do { local $/ = ':'; readline $conn } // return;
    my $length = $size =~ /\A(\d+):\z/ ? $1 + 1 : return;
    my $header;
    return unless read($conn, $header, $length) == $length && $header =~ s/\0,\z//;
    my @words = split /\0/, $header, -1;
    return if @words % 2;
    my %env = @words;
    delete $env{SCGI};
    $env{PATH_INFO}   //= '';
    $env{REQUEST_URI} //= $env{SCRIPT_NAME} . $env{PATH_INFO};
    $env{SERVER_NAME} = 'localhost' if $env{SERVER_NAME} eq '';
    $env{SERVER_PORT} ||= 80;
    return {
        %env,
        'psgi.version'         => [1, 1],
        'psgi.url_scheme'      => ($env{HTTPS} // '') eq 'on' ? 'https' : 'http',
        'psgix.input.buffered' => 1,
        'psgi.errors'          => \*STDERR,
        'psgi.streaming'       => 1,
        'psgi.multiprocess'    => 1,
        map { ($_ => '') } qw(psgi.multithread psgi.run_once psgi.nonblocking),
    };
}

# The body is read before the application is asked, since it may seek in it.
sub read_input {
    my ($conn, $length) = @_;
    open my $input, '+>:raw', $length > BUFFERED ? undef : \my $memory or die "temporary file: $!\n";
    while ($length > 0) {
        my $n = read $conn, my $data, $length < 65536 ? $length : 65536 or return;
        print {$input} $data or die "temporary file: $!\n";
        $length -= $n;
    }
    seek $input, 0, 0 or die "temporary file: $!\n";    # it writes the rest
    return $input;
}

package Gangway::Response;

sub new { my ($class, $conn, $method) = @_; bless {conn => $conn, method => $method}, $class }

# Takes status and header; length is that of the body, undef if it is not known.
sub start {
    my ($self, $status, $headers, $length) = @_;
    die "bad status: $status\n" unless $status =~ /\A\d{3}\z/;
    my $head = "Status: $status\r\n";
    my $framed = $self->{chunked} = 0;
    for (my $i = 0 ; $i < @$headers ; $i += 2) {
        my $line = "$headers->[$i]: $headers->[$i + 1]";
        die "control character in the response header: $line\n" if $line =~ /[\r\n\0]/;
        $framed ||= $line =~ /\A(?:content-length|transfer-encoding):/i;
        $head .= "$line\r\n";
    }
    $self->{has_body} = $self->{method} ne 'HEAD' && $status != 204 && $status != 304;
    if ($self->{has_body} && !$framed) {
        $self->{chunked} = !defined $length;    # on a Unix socket SCGI cannot tell the end from a death otherwise
        $head .= $self->{chunked} ? "Transfer-Encoding: chunked\r\n" : "Content-Length: $length\r\n";
    }
    $self->{head} = "$head\r\n";
}

# Sends data, and the header before it.
sub write {
    my ($self, $data) = @_;
    return if !$self->{has_body} || !length $data;    # a chunk of length 0 is the last one
    $self->send($self->{chunked} ? sprintf("%x\r\n", length $data) . "$data\r\n" : $data);
}

sub close {
    my ($self) = @_;
    $self->send($self->{chunked} ? "0\r\n\r\n" : '') unless $self->{closed}++;
}

sub send {
    my ($self, $data) = @_;
    my $head = delete $self->{head};
    $data = $head . $data if defined $head;
    utf8::downgrade($data, 1) or $self->{head} = $head, die "wide character in the response\n";
    $self->{sent} = 1;
    for (my $done = 0 ; $done < length $data ;) {
        my $n = syswrite $self->{conn}, $data, length($data) - $done, $done;
        next if !defined $n && $!{EINTR};
        defined $n or $self->{gone} = 1, die "the gateway has gone: $!\n";
        $done += $n;
    }
}

package Gangway;
main(@ARGV);
