#!/usr/bin/perl

# Clients that are gone at every point where a request waits: nothing dies,
# nothing stays behind, the next request is well.  The short form of
# t/torture/faults.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../torture/lib";

use Portal;
use Portal::Faults;
use Portal::Wire;
use Torture::Aborts;

my $f = Portal::Faults->new;
my $p = Portal->new(faults => $f, Portal::Wire::options,
                    proxies => [ Torture::Aborts::proxies ]);
my $w = Portal::Wire->new($p);
my $a = Torture::Aborts->new(portal => $p, wire => $w, faults => $f);
my @workers = $p->workers;

ok($a->quiet, 'nothing is under way at first');

my $sockets = $a->sockets;

$a->points($_) for $w->names;
$a->uploads('letter', 20);
$a->downloads(10);
$a->crowd(500);

cmp_ok($a->count, '>', 600, 'clients have gone');
note(join ', ', map { "$_ $a->{counts}{$_}" } sort keys %{ $a->counts });
ok($a->quiet, 'nothing is under way any more');
cmp_ok($a->sockets, '<=', $sockets + 1, 'no connection is left');
is_deeply([ $p->workers ], \@workers, 'the workers are the same');
ok(!$f->leaks, 'no memory is lost') if ($ENV{CORR_ASAN} // 0) ne '0';
is_deeply($a->problems, [], 'all is well')
    or diag join "\n", @{ $a->problems };

$p->done;
