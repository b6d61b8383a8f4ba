#!/usr/bin/perl

# The collector: stored files that no row names leave after a time of grace;
# those that a row names, and young ones, stay.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Digest::SHA qw(sha256_hex);
use File::Path qw(make_path);
use Portal;
use Test::More;
use Time::HiRes qw(sleep time);

my $p = Portal->new(start => 0,
                    http => "    correspondence_collect_grace 60s;\n");
my $i = $p->instance;
my (%orphan, %named, %young);


# As the store lays them: ab/cd/abcd…

sub place {
    my ($hash, $age) = @_;
    my $dir = join '/', "$p->{dir}/store", substr($hash, 0, 2),
              substr($hash, 2, 2);

    make_path($dir);
    open my $f, '>', "$dir/$hash" or die "$dir/$hash: $!\n";
    print $f 'x';
    close $f;
    utime time - $age, time - $age, "$dir/$hash";
    return "$dir/$hash";
}


# Some of each portion, since each run takes one.

for my $n (0 .. 255) {
    my $hash = sub { sprintf '%02x%s', $n, substr sha256_hex("$_[0]$n"), 2 };
    my ($orphan, $named, $young) = map { $hash->($_) } 1 .. 3;

    $orphan{$orphan} = place($orphan, 3600);
    $named{$named} = place($named, 3600);
    $young{$young} = place($young, 5);

    $p->sql(q{INSERT INTO files (sha256, size, media_type, name, purpose)
              VALUES (decode(?, 'hex'), 1, 'image/png', 'x.png', 'draft')},
            $named);
}

# A portion is seen in parts when it is large.  In some, since nobody knows
# where it begins; the orphans' names come behind all others of the shelf.

my @crowded = map { sprintf '%02x00', $_ * 64 } 0 .. 3;
my %behind;

for my $shelf (@crowded) {
    my $hash = sub { $shelf . sprintf '%060x', $_[0] };

    place($hash->($_), 3600) for 1 .. 5000;
    $behind{$shelf} = [ map { place($hash->($_), 3600) } 5001 .. 5040 ];

    $p->sql(q{INSERT INTO files (sha256, size, media_type, name, purpose)
              SELECT decode(? || lpad(to_hex(n), 60, '0'), 'hex'), 1,
                     'image/png', 'x.png', 'draft'
                FROM generate_series(1, 5000) n}, $shelf);
}

# The store is known as this database's: t/trash.t has how that comes.

$i->write_file("$p->{dir}/store/store.id",
               $p->value('SELECT id FROM installation'), 0640);
system('chown', '-R', "$i->{uid}:$i->{gid}", "$p->{dir}/store")
    if $i->{uid} != $>;
$p->start_nginx;

my $end = time + 30;
my $gone = 0;

while (time < $end && $gone < 4) {
    sleep 0.3;
    $gone = grep { !-e } values %orphan;
}

cmp_ok $gone, '>=', 4, 'orphans go, a portion at a time';
cmp_ok $gone, '<', 256, 'not all at once';
is scalar(grep { !-e } values %named), 0, 'what a row names stays';
is scalar(grep { !-e } values %young), 0, 'so do the young';

ok wait_until(60, sub { grep { !grep { -e } @$_ } values %behind }),
   'orphans go behind thousands that stay';
ok wait_until(5, sub {
       !$p->value('SELECT count(*) FROM file_removals') }),
   'no mark is left';

$p->done;
