#!/usr/bin/perl

# Memory runs out at every allocation of a request, of pools (NGX_DEBUG_PALLOC
# makes one of each) and of libraries: no crash, no leak, a clean error, and
# the same request is well again.  The short form of t/torture/faults.

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

$t->allow_memory;

# a page, a form, a write with a file; each from another number on, so that
# many runs see them all

$t->every($_, calls => ['alloc'], step => 5, from => 1 + int rand 5)
    for 'desk', 'sign-up', 'letter', 'a letter';

# memory that stays out, through every connection's end as well

$t->every('letters', calls => ['alloc'], all => 1, step => 3,
          from => 1 + int rand 3);

my $is = $t->figures;

cmp_ok($is->{cases}, '>', 15, 'allocations have failed');
note(join ', ', map { "$_ $is->{answers}{$_}" } sort keys %{ $is->{answers} });
ok(!$f->leaks, 'no memory is lost') if ($ENV{CORR_ASAN} // 0) ne '0';
is_deeply($t->problems, [], 'all is well')
    or diag join "\n", @{ $t->problems };

$p->done;
