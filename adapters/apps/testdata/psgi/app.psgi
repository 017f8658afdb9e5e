# The application of the loader tests, for PSGI.
use strict;
use warnings;

package Streamed;    # a body that is told as it goes, and waits for a file in between
sub new { my ($class, $query) = @_; bless {parts => ["one\n", "two\n", ''], query => $query}, $class }

sub getline {
    my ($self) = @_;
    my $part = shift @{$self->{parts}};
    if (defined $part && $part eq "two\n") { select undef, undef, undef, 0.001 until -e $self->{query} }
    return $part;
}
sub close { print STDERR "closed\n" }

package Cut;
sub getline { my ($self) = @_; die "cut on purpose\n" if $$self++; 'begin' }
sub close   { }

package main;

sub special {
    my ($name, $env) = @_;
    my $input = $env->{'psgi.input'};
    if ($name eq 'lines') {
        my $first = <$input>;
        $input->seek(0, 0);
        $input->read(my $three, 3);
        my @rest = <$input>;
        my $end = $input->read(my $none, 5);
        return [200, [], [join '|', $first, $three, @rest, $end]];
    }
    if ($name eq 'delayed') {
        return sub { $_[0]->([201, ['X-Delayed' => 1], ['delayed']]) };
    }
    if ($name eq 'writer') {
        return sub {
            my $writer = $_[0]->([200, []]);
            $writer->write($_) for 'a', '', 'b';
            $writer->close;
        };
    }
    if ($name eq 'writer-cut') {
        return sub { $_[0]->([200, []])->write('begin'); die "cut on purpose\n" };
    }
    if ($name eq 'never') { return sub { } }
    if ($name eq 'file') {
        open my $fh, '<', __FILE__ or die;
        return [200, [], $fh];
    }
    if ($name eq 'wide')   { return [200, [], ["\x{263a}"]] }
    if ($name eq 'latin1') { my $s = "caf\xe9"; utf8::upgrade($s); return [200, [], [$s]] }
    if ($name eq 'spec') {
        my @names = qw(version url_scheme multithread multiprocess run_once nonblocking streaming);
        return [200, [], [join ' ', map { ref $_ ? "@$_" : "'$_'" } map { $env->{"psgi.$_"} } @names]];
    }
    return 5;
}

sub {
    my ($env) = @_;
    my ($path, $query) = @$env{qw(PATH_INFO QUERY_STRING)};
    my ($status, $headers, $body) = (200, ['Content-Type' => 'text/plain'], ["ok\n"]);
    if ($path eq '/env') {
        $body = [map { "$_=$env->{$_}\n" } sort grep { !/^psgi/ } keys %$env];
    }
    elsif ($path eq '/body') {
        my $data = do { local $/; readline $env->{'psgi.input'} } // '';
        $body = [length($data) . ' ' . unpack('%32C*', $data) % 65521 . "\n"];
    }
    elsif ($path eq '/two-parts') { $body = ['one,', 'two'] }
    elsif ($path eq '/stream')    { $body = Streamed->new($query) }
    elsif ($path eq '/fail')      { die "failed on purpose\n" }
    elsif ($path eq '/exit')      { exit 3 }
    elsif ($path eq '/cut')       { $body = bless \(my $n = 0), 'Cut' }
    elsif ($path eq '/status') {
        $status = $query;
        $body = [] if $status == 204 || $status == 304;
    }
    elsif ($path eq '/headers')    { $headers = ['X-Two', 'a', 'X-Two', 'b', 'X-Bytes', "caf\xe9", 'X-Empty', ''] }
    elsif ($path eq '/bad-header') { $headers = ['X-Bad', "a\r\nX-Split: b"] }
    elsif ($path eq '/big')        { $body    = [pack('C*', 0 .. 255) x 4096] }
    elsif ($path eq '/pid')        { $body    = [$$] }
    elsif ($path eq '/log') {
        print STDOUT "to stdout\n";
        print STDERR "to stderr\n";
        $env->{'psgi.errors'}->print("to the error stream\n");
    }
    elsif ($path =~ m{^/psgi/(.*)}) { return special($1, $env) }
    return [$status, $headers, $body];
};
