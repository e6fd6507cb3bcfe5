# What pools.lua measures of rig's pools, with Perl's MCE (Debian: libmce-perl).
#
#     mce.pl map|map_1|round_trip|payload|life COUNT WORKERS
#
# Prints one line of JSON: the seconds that each of COUNT tasks (round trips, payloads, lives of a pool) took, whether
# what came back is right, and the version. Timed here, after a warm-up, so that the start of perl is in no figure.

use strict;
use warnings;
use MCE::Map;
use MCE;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

my ($what, $count, $workers) = @ARGV;

sub now { return clock_gettime(CLOCK_MONOTONIC) }

# The workers of MCE::Map stay from one call to the next, as long as the block is the same.
sub identity_map { return mce_map { $_ } @_ }

sub live {
    MCE->new(max_workers => $workers, user_func => sub { })->spawn->shutdown for 1 .. $count;
}

sub go_and_come {
    my ($item) = @_;
    my @got;
    @got = identity_map($item) for 1 .. $count;
    return @got;
}

MCE::Map->init(max_workers => $workers, chunk_size => $what eq 'map' ? 'auto' : 1);
my @items = $what =~ /^map/ ? (1 .. $count) : ($what eq 'payload' ? 'x' x (1 << 20) : 7);
identity_map($items[0]) if $what ne 'life';

my $started = now();
my @got     = $what eq 'life' ? live() : $what =~ /^map/ ? identity_map(@items) : go_and_come(@items);
my $seconds = (now() - $started) / $count;

my $right = $what eq 'life' || @got == @items;
if ($what ne 'life') {
    for (0 .. $#items) { $right &&= $got[$_] eq $items[$_] }
    MCE::Map->finish;
}
printf qq({"seconds": %.9g, "right": %s, "version": "%s"}\n), $seconds, $right ? 'true' : 'false', $MCE::VERSION;
