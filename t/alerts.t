#!/usr/bin/perl

# docs/alerts.yml: rules that Prometheus takes, over figures that there are.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;

my $top = "$FindBin::RealBin/..";
my $rules = Instance::slurp("$top/docs/alerts.yml");
my $p = Portal->new;
my $b = $p->browser;

$b->signup;
$b->identify;
$b->send_letter;

my $said = $p->browser->get('/metrics')->body;
my %there = map { $_ => 1 } $said =~ /^(correspondence_\w+)/mg;
my %asked = map { $_ => 1 } $rules =~ /\b(correspondence_\w+)/g;
my %label = map { $_ => 1 } $said =~ /[{,](\w+)="/g;

cmp_ok(scalar keys %asked, '>', 15, 'rules over many figures');
is_deeply([ grep { !$there{$_} } sort keys %asked ], [], 'all are there');
is_deeply([ grep { !$label{$_} && $_ ne 'instance' }
            $rules =~ /\$labels\.(\w+)/g ], [], 'and so are their labels');

my ($promtool) = grep { -x } "$top/build/promtool", '/usr/bin/promtool';

SKIP: {
    skip 'no promtool', 1 if !$promtool;

    my $out = qx($promtool check rules $top/docs/alerts.yml 2>&1);
    is($?, 0, 'promtool takes them') or diag $out;
}

$p->done;
