#!/usr/bin/perl

# nginx reloaded and stopped while people read, send letters and wait for a
# gateway.  The short form of t/torture/reloads.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/torture/lib";

use Portal;
use Portal::Wire;
use Torture::Letters;
use Torture::Reloads;

my $p = Portal->new(Torture::Reloads::options, workers => 2);
my $w = Portal::Wire->new($p);
my $letters = Torture::Letters->new($p, clients => 2, fresh => 1);
my $r = Torture::Reloads->new(portal => $p, wire => $w, letters => $letters);

$letters->start;
$r->reloads(6, 0.5);
$letters->stop;

my $a = $r->letters;

cmp_ok($a->{acknowledged}, '>', 5, 'letters were acknowledged');

# again, now with stops

$letters->start;
$r->stops(3);
$letters->stop;
$r->letters('some have no answer');

my $is = $r->figures;

note(join ', ', map { "$_ $is->{$_}" } sort keys %$is);
cmp_ok($is->{answered}, '>', 20, 'people were answered');
is_deeply($r->problems, [], 'all is well')
    or diag join "\n", @{ $r->problems };

$p->done;
