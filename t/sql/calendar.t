#!/usr/bin/perl

# The Jalali table against Node's Intl, every day; working days against a
# count by hand.

use strict;
use warnings;
use utf8;

use FindBin;
use lib $FindBin::Bin;
use Test::More;

use Cluster;

my $pg = Cluster->new;
my $owner = $pg->owner;

SKIP: {
    my $node = qx{node --version 2>/dev/null};
    skip 'node is not here', 2 if !$node;

    open my $in, '-|', 'node', '-e', <<'JS' or die $!;
const f = new Intl.DateTimeFormat('en-u-ca-persian-nu-latn',
    { timeZone: 'UTC', year: 'numeric', month: 'numeric', day: 'numeric' });
const out = [];
for (let t = Date.UTC(1921, 2, 21); t <= Date.UTC(2122, 2, 20); t += 864e5) {
    const p = Object.fromEntries(f.formatToParts(t).map(x => [x.type, x.value]));
    out.push(new Date(t).toISOString().slice(0, 10) + ' ' +
             [p.year, p.month, p.day].map(x => parseInt(x, 10)).join(' '));
}
console.log(out.join('\n'));
JS
    my @intl = <$in>;
    chomp @intl;

    my @table = map { join ' ', @$_ } @{$owner->selectall_arrayref(
        'SELECT day, year, month, day_of_month FROM jalali_days ORDER BY day')};

    is scalar @table, scalar @intl, 'as many days: ' . @table;
    my @differ = grep { $table[$_] ne $intl[$_] } 0 .. $#intl;
    is @differ ? "$table[$differ[0]] / $intl[$differ[0]]" : '', '',
       'every day of 1300 to 1500 as in Intl';
}

# Working days: walked one by one.
my %holiday = map { $_->[0] => 1 } @{$owner->selectall_arrayref(
    'SELECT day FROM calendar_days')};
my @days = map { @$_ } @{$owner->selectall_arrayref(
    q{SELECT d::date FROM generate_series('2026-02-01'::date, '2027-02-01',
      '1 day') AS d})};


sub works {
    my ($y, $m, $d) = split /-/, $_[0];
    require Time::Local;
    my $dow = (gmtime Time::Local::timegm(0, 0, 0, $d, $m - 1, $y))[6];
    return !($dow == 4 || $dow == 5 || $holiday{$_[0]});
}


my $wrong = 0;
for my $i (0 .. 299) {
    for my $n (1, 5, 12) {
        my ($left, $j) = ($n, $i);
        $left -= works($days[++$j]) ? 1 : 0 while $left;
        my ($got) = $owner->selectrow_array(
            'SELECT add_working_days(?, ?)', undef, $days[$i], $n);
        $wrong++ if $got ne $days[$j];
        my ($back) = $owner->selectrow_array(
            'SELECT working_days_between(?, ?)', undef, $days[$i], $got);
        $wrong++ if $back != $n;
    }
}
is $wrong, 0, '900 deadlines as counted by hand';

my ($thursday) = grep { !works($_) && !$holiday{$_} } @days;
$owner->do('INSERT INTO calendar_days (day, kind) VALUES (?, ?)', undef,
           $thursday, 'workday');
ok $owner->selectrow_array('SELECT is_working_day(?)', undef, $thursday),
   'a Thursday on which the body works';
$owner->do('DELETE FROM calendar_days WHERE day = ?', undef, $thursday);
ok !$owner->selectrow_array('SELECT is_working_day(?)', undef, $thursday),
   'and not any more, also when psql wrote the row';

done_testing;
