#!/usr/bin/perl

# Reads and writes that are short or interrupted, on every socket and file of
# the workers: slow is not wrong.  Those that fail: t/torture/faults.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../torture/lib";

use Portal;
use Portal::Faults;
use Portal::Wire;
use Torture::Faults;

my $f = Portal::Faults->new;
my $p = Portal->new(faults => $f, Portal::Wire::options);
my $w = Portal::Wire->new($p);
my $t = Torture::Faults->new(portal => $p, wire => $w, faults => $f);

$t->allow_io;

# EAGAIN without end costs seconds: only the long form has it

for my $way (grep { !grep { $_ eq 'EAGAIN' } @$_ }
             Torture::Faults::slow_ways())
{
    $t->slow($_, @$way) for 'log-in', 'letter', 'file', 'identity';
}

cmp_ok($t->figures->{slow}, '>=', 12, 'all of them were disturbed');
ok(!$f->leaks, 'no memory is lost') if ($ENV{CORR_ASAN} // 0) ne '0';
is_deeply($t->problems, [], 'all is well')
    or diag join "\n", @{ $t->problems };

$p->done;
