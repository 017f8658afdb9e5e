use strict;
use warnings;

sub {
    my $env = shift;
    my @variables = map { "$_=$env->{$_}\n" } grep { /^[A-Z]/ && defined $env->{$_} && !ref $env->{$_} } sort keys %$env;
    my $by = sprintf "served by Perl %vd, process %d\n", $^V, $$;
    return [200, ['Content-Type' => 'text/plain; charset=utf-8'], [$by, @variables]];
};
