#!/usr/bin/perl

# What the collector does with a file that no row names, and what keeps it
# from taking those of letters whose rows are gone: the trash, the brake, and
# the mark that ties a store to its database.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Digest::SHA qw(sha256_hex);
use Portal;
use Portal::Prometheus;
use Time::HiRes qw(sleep time);

use constant GRACE => 5;       # what the collector needs for all portions

my $p = Portal->new(http => conf());
my $i = $p->instance;
my $store = $p->dir . '/store';
my $sockets = $i->{sockets};

sub conf {
    return join '', '    correspondence_collect_grace ' . GRACE . "s;\n",
                map { "    correspondence_collect$_;\n" } @_;
}

sub collect {
    $p->configure(http => conf(@_));
    $p->reload or die "nginx was not reloaded\n";
}

sub place { "$store/" . join '/', $_[0] =~ /^(..)(..)/, $_[0] }
sub trash { "$store/trash/$_[0]" }

sub age {
    my ($path, $age) = @_;

    utime time - $age, time - $age, $path or die "$path: $!\n";
}

# An old file of nobody; of a given portion, found by trying.

sub plant {
    my ($name, $prefix) = @_;
    my $n = 0;
    my ($bytes, $hash);

    do {
        $bytes = "$name " . $n++;
        $hash = sha256_hex($bytes);
    } while defined $prefix && $hash !~ /^$prefix/;

    my $path = place($hash);

    $i->own_dir($path =~ s{/[^/]+/[^/]+$}{}r);
    $i->own_dir($path =~ s{/[^/]+$}{}r);
    $i->write_file($path, $bytes, 0640);
    age($path, 3600);
    return ($hash, $bytes);
}

sub fsck {
    my @options = @_;

    open my $f, '-|', 'sh', '-c', '"$@" 2> "$0"', $p->dir . '/fsck.said',
         "$i->{top}/sql/fsck", '-d',
         "host=$sockets user=postgres dbname=correspondence", @options, $store
        or die "fsck: $!\n";
    my @lines = sort <$f>;
    close $f;
    chomp @lines;
    my $end = $? >> 8;

    system('chown', '-R', "$i->{uid}:$i->{gid}", $store) if $i->{uid} != $>;
    return [ $end, grep { !/^extra / } @lines ];
}

sub said {
    my ($like) = @_;

    return scalar(() = $p->log =~ /$like/g);
}

sub counted {
    my ($what) = @_;

    return Portal::Prometheus->new($p->browser->get('/metrics')->body)
           ->sum("correspondence_store_files_${what}_total");
}

sub round { sleep 2 * GRACE + 2 }


# The first collector marks the empty store.

ok(wait_until(15, sub {
    -s "$store/store.id"
        && $p->value('SELECT store_marked_at IS NOT NULL FROM installation')
}), 'the store is marked');

my $id = $p->value('SELECT id FROM installation');

is(Instance::slurp("$store/store.id"), "$id\n", 'with the id of its database');
is_deeply(fsck(), [ 0 ], 'nothing to say');


# Into the trash.

my $b = $p->browser;
my @bytes = map { Portal::Browser::tiny_png("letter $_") } 1 .. 3;
my @hash = map { sha256_hex($_) } @bytes;

$b->signup;
$p->sql(q{UPDATE persons SET mobile_step = 'yes', registry_step = 'yes',
          first_name = 'زهرا', last_name = 'کریمی', father_name = 'علی'});
$b->send_letter(files => [ map { [ "$_.png", $bytes[$_], 'image/png' ] }
                           0 .. 2 ]);
my @file = map { $p->value(q{SELECT id FROM files
                              WHERE sha256 = decode(?, 'hex')}, $_) } @hash;

sub downloads {
    my ($which) = @_;

    return $b->get("/desk/files/$file[$which]")->body eq $bytes[$which];
}

age(place($_), 2 * 86400) for @hash;

my %orphan = map { plant("orphan $_") } 1 .. 5;

ok(wait_until(30, sub { !grep { -e place($_) } keys %orphan }),
   'old files of nobody leave their places');
is_deeply({ map { $_ => Instance::slurp(trash($_)) } keys %orphan },
          \%orphan, 'and lie in the trash');
is(scalar(grep { (stat trash($_))[9] < time - 60 } keys %orphan), 0,
   'since now');
ok(wait_until(5, sub { counted('trashed') == 5 }), 'they are counted');
is(counted('removed'), 0, 'none is removed for good');

my $sum = 0;
$sum += $_ for $p->log =~ /\[notice\].* (\d+) files that no row names were put/g;
is($sum, 5, 'the log has the sum');
is(scalar(grep { !-e place($_) } @hash), 0, 'what rows name stays');


# An older database: the newest letters have no rows, and then have.

$p->sql('CREATE TABLE kept AS SELECT * FROM files');
$p->sql('DELETE FROM files');
ok(wait_until(30, sub { !grep { !-e trash($_) } @hash }),
   'rows that are gone: their files are in the trash at the most');

collect(' off', '_keep 1s');
my ($idle) = plant('while it is off');
$b->send_letter(files => [ [ 'a.png', $bytes[0], 'image/png' ] ]);
ok(-e place($hash[0]) && -e trash($hash[0]),
   'one of them is sent again meanwhile');
ok($b->get('/desk/files/' . $p->value('SELECT id FROM files'))->body
   eq $bytes[0], 'and can be read');

# Its own columns only: some are generated.
my $columns = $p->value(q{SELECT string_agg(quote_ident(attname), ', ')
    FROM pg_attribute WHERE attrelid = 'files'::regclass AND attnum > 0
     AND NOT attisdropped AND attgenerated = '' AND attidentity = ''});
$p->sql("INSERT INTO files ($columns) SELECT $columns FROM kept");

my @other = @hash[1, 2];
my %size = map { $hash[$_] => length $bytes[$_] } 0 .. 2;

round();
is(scalar(grep { !-e trash($_) } @hash), 0, 'off: nothing is emptied');
ok(unlink(place($idle)), 'nor taken away');

is_deeply(fsck(), [ 1, sort map { "trashed $_ $size{$_}" } @other ],
          'rows are back: fsck says where their files are');
is_deeply(fsck('-t'), [ 0, sort map { "back $_ $size{$_}" } @other ],
          'and takes them back');
is_deeply(fsck(), [ 0 ], 'then all is well');
ok(downloads($_), 'byte for byte') for 0 .. 2;

# in place of one that is damaged, but not when it is damaged itself

rename place($hash[1]), trash($hash[1]) or die;
$i->write_file(place($hash[1]), 'x' x $size{$hash[1]}, 0640);
rename place($hash[2]), trash($hash[2]) or die;
$i->write_file(trash($hash[2]), 'x' x $size{$hash[2]}, 0640);
is_deeply(fsck('-t'), [ 1, "back $hash[1] $size{$hash[1]}",
                        "missing $hash[2] $size{$hash[2]}" ],
          'damaged ones are made good, by good ones');
$i->write_file(trash($hash[2]), $bytes[2], 0640);
is_deeply(fsck('-t'), [ 0, "back $hash[2] $size{$hash[2]}" ], 'so is the last');


# Out of the trash: what no row names for good, what one names to its place.

rename place($hash[1]), trash($hash[1]) or die;
age(trash($_), 60) for @hash[0, 1], keys %orphan;
collect(' on', '_keep 30s');
ok(wait_until(30, sub {
       !grep { -e trash($_) } @hash[0, 1], keys %orphan }),
   'what lay there long enough goes');
is(scalar(grep { -e place($_) } keys %orphan), 0, 'for good');
ok(downloads($_), 'but for what a row names') for 0 .. 2;
like($p->log, qr/\[notice\].* 2 files that rows name lay in the trash/,
     'which the log tells');
ok(wait_until(5, sub { counted('removed') == 5 }), 'counted');

my ($young) = plant('young in the trash');
ok(wait_until(20, sub { -e trash($young) }), 'another one');
round();
ok(-e trash($young), 'stays there as long as it may');

collect('_keep 0s');
my ($once) = plant('at once');
ok(wait_until(20, sub { !-e place($once) }), 'without a trash');
ok(!-e trash($once), 'it goes at once');
ok(wait_until(20, sub { !-e trash($young) }), 'and the trash is emptied');


# The brake: in several portions, told once while all have their turn.

collect(' off');

my %many = map { my $n = $_; map { plant("many $_", $n) } 1 .. 70 }
           qw(1f 5f 9f df);
my ($few) = plant('few', '80');
my $since = time;

collect();
$p->allow(qr/\[crit\].* the store /, qr/\[crit\].*files.*store/);
ok(wait_until(20, sub { !-e place($few) }), 'where there are few, they go');
ok(wait_until(20, sub { said(qr/\[crit\].* 70 files of 7\d looked at/) }),
   'so many at once are told');
round();
is(scalar(grep { !-e place($_) } keys %many), 0, 'and stay');
ok(wait_until(5, sub { counted('held') >= 280 }), 'counted');
cmp_ok(said(qr/\[crit\]/), '<=', 2 + (time - $since) / GRACE, 'not each time');
collect(' force');
ok(wait_until(30, sub { !grep { !-e trash($_) } keys %many }),
   'forced, they go');


# Another's store.

my $other = 'd93a7c1e-59a5-4a51-8f4e-0b7ad1c0f3a2';
my ($theirs) = plant('theirs');

$i->write_file("$store/store.id", "$other\n", 0640);
ok(wait_until(20, sub {
       said(qr/\[crit\].* belongs to the database $other, and this one is $id/)
   }), 'another database’s store is told, forced or not');
my $stays = !-e place($theirs) ? (plant('theirs, too'))[0] : $theirs;
round();
ok(-e place($stays), 'and nothing of it is touched');
rename place($hash[1]), trash($hash[1]) or die;
is_deeply(fsck('-t'), [ 1, "marked $other",
                        "trashed $hash[1] $size{$hash[1]}" ],
          'fsck says it, and takes nothing back');


# A mark that is gone.

unlink "$store/store.id" or die;
ok(wait_until(20, sub { said(qr/\[crit\].* has no store\.id, and had one/) }),
   'a store that lost its mark is told');
round();
ok(-e place($stays), 'nothing of it is touched');
ok(!-e "$store/store.id", 'and it gets no new one');
is_deeply(fsck('-t'), [ 1, "back $hash[1] $size{$hash[1]}", 'marked none' ],
          'fsck says it');


# A database that knows of no store yet, as before an upgrade.

$p->stop_nginx;
$p->sql('UPDATE installation SET store_marked_at = NULL');
rename $store, "$store.away" or die;
$i->own_dir($store);
$p->start_nginx;
ok(wait_until(20, sub { said(qr/\[crit\].* is empty, the database is not/) }),
   'an empty store with rows is told');
ok(!-e "$store/store.id", 'and not marked');

$p->stop_nginx;
rmdir "$store/$_" for qw(tmp lock);
rmdir $store or die "$store: $!\n";
rename "$store.away", $store or die;

my @strange = map { (plant("strange $_"))[0] } 1 .. 70;
$p->start_nginx;
ok(wait_until(30, sub { said(qr/\[crit\].* of \d+ files looked at/) }),
   'so is one most of whose files have no row');
ok(!-e "$store/store.id", 'not marked either');
is(scalar(grep { !-e place($_) } @strange), 0, 'nor touched');

$p->sql(q{INSERT INTO files (sha256, size, media_type, name, purpose)
          SELECT decode(h, 'hex'), 1, 'image/png', 'x.png', 'draft'
            FROM unnest(?::text[]) h}, \@strange);
ok(wait_until(60, sub { -e "$store/store.id" }),
   'one most of whose files have rows is marked');
ok(wait_until(30, sub { -e trash($stays) }), 'and collected');
is(Instance::slurp("$store/store.id"), "$id\n", 'the id is that');

$p->done;
