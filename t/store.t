#!/usr/bin/perl

# The store of files against the rows about them: fsck finds each difference
# that is planted and no other, also while letters come in; a backup taken
# meanwhile (database, then files) restores whole.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/torture/lib";

use Digest::SHA qw(sha256_hex);
use Portal;
use Time::HiRes qw(sleep time);
use Torture::Letters;

my $p = Portal->new(workers => 2);
my $i = $p->instance;
my $store = $p->dir . '/store';
my $sockets = $i->{sockets};
my $bin = Instance::postgres_bin($p->dir . '/pg');


# (what it ended with, its lines, its sums)

sub fsck {
    my ($dir, $database, @options) = @_;
    my $said = $p->dir . '/fsck.said';

    open my $f, '-|', 'sh', '-c', '"$@" 2> "$0"', $said,
         "$i->{top}/sql/fsck", '-d',
         "host=$sockets user=postgres dbname=$database", @options, $dir
        or die "fsck: $!\n";
    my @lines = sort <$f>;
    close $f;
    chomp @lines;
    my $end = $? >> 8;
    my %sum = reverse Instance::slurp($said) =~ /(\d+) (\w+)/g;

    return ($end, \@lines, \%sum);
}

sub path { "$_[0]/" . join '/', $_[1] =~ /^(..)(..)/, $_[1] }


# What is there first.

my $letters = Torture::Letters->new($p, clients => 3, pause => 0.05);
my $who = $letters->{persons}[0][0];
my $b = $p->browser;

ok(Torture::Letters::visit($b, $who), 'somebody is logged in');
$b->send_letter(files => [ map { [ "$_.png", Portal::Browser::tiny_png(
                                   $_ x 2000), 'image/png' ] } 1 .. 2 ])
    for 1 .. 2;
$b->send_letter(files => [ map { [ "$_.png", Portal::Browser::tiny_png(
                                   $_ x 2000), 'image/png' ] } 3 .. 6 ]);

my @rows = $p->sql(q{SELECT DISTINCT encode(sha256, 'hex') AS hash, size
                       FROM files ORDER BY 1});
is(@rows, 6, 'six contents, two of them sent twice');

my ($end, $lines, $sum) = fsck($store, 'correspondence');
is_deeply([ $end, $lines, $sum ],
          [ 0, [], { good => 6, missing => 0, trashed => 0, damaged => 0,
                     extra => 0, new => 0, back => 0 } ], 'nothing to say')
    or diag explain $sum;


# One of each.

sub keep {
    my ($row, $change) = @_;
    my $path = path($store, $row->{hash});
    my $bytes = Instance::slurp($path);
    my @stat = stat $path;

    $change->($path, $bytes);
    return sub { $i->write_file($path, $bytes, $stat[2] & 0777) };
}

sub put {
    my ($path, $bytes) = @_;

    open my $f, '>:raw', $path or die "$path: $!\n";
    print $f $bytes;
    close $f or die "$path: $!\n";
}

sub plant {
    my ($bytes, $age) = @_;
    my $hash = sha256_hex($bytes);
    my $path = path($store, $hash);

    $i->own_dir($path =~ s{/[^/]+/[^/]+$}{}r);
    $i->own_dir($path =~ s{/[^/]+$}{}r);
    put($path, $bytes);
    utime time - $age, time - $age, $path;
    return $hash;
}

$i->own_dir("$store/trash");

my @back = (
    keep($rows[0], sub { unlink $_[0] }),
    keep($rows[1], sub { put($_[0], $_[1] ^ "\0" x 500 . "\1") }),
    keep($rows[2], sub { put($_[0], substr $_[1], 0, -1) }),
    keep($rows[3], sub { put($_[0], '') }),
    keep($rows[4], sub { rename $_[0], "$store/trash/$rows[4]{hash}" }),
    keep($rows[5], sub { unlink $_[0] }),
);

# In the trash: one that nobody misses, and one that cannot be the missing one.

put("$store/trash/" . sha256_hex('of nobody'), 'of nobody');
put("$store/trash/$rows[5]{hash}", 'x');

my $old = plant('an old one of nobody', 2 * 86400);
my $new = plant('a new one of nobody', 10);
my @planted = sort "missing $rows[0]{hash} $rows[0]{size}",
    "damaged $rows[1]{hash} $rows[1]{size}",
    "damaged $rows[2]{hash} " . ($rows[2]{size} - 1),
    "damaged $rows[3]{hash} 0", "trashed $rows[4]{hash} $rows[4]{size}",
    "missing $rows[5]{hash} $rows[5]{size}", "extra $old 20";

($end, $lines, $sum) = fsck($store, 'correspondence');
is($end, 1, 'differences');
is_deeply($lines, \@planted, 'each that was planted, and no other');
is_deeply($sum, { good => 0, missing => 2, trashed => 1, damaged => 3,
                  extra => 1, new => 1, back => 0 }, 'and their sums');

($end, $lines) = fsck($store, 'correspondence', '-q');
is_deeply($lines, [ grep { !/$rows[1]{hash}/ } @planted ],
          'without reading: all but the bit that turned');

($end, $lines) = fsck($store, 'correspondence', '-a', 5);
is_deeply($lines, [ sort @planted, "extra $new 19" ],
          'a shorter age finds the new one');

($end, $lines) = fsck($store, 'correspondence', '-t');
is_deeply([ $end, $lines ],
          [ 1, [ sort map { s/^trashed/back/r } @planted ] ],
          'what lies whole in the trash is taken back');

# the same bytes sent again mend what is gone, cut or turned

for my $some ([ 1 .. 3 ], [ 4 .. 6 ]) {
    $b->send_letter(files => [ map { [ "$_.png", Portal::Browser::tiny_png(
                                       $_ x 2000), 'image/png' ] } @$some ]);
}

($end, $lines) = fsck($store, 'correspondence');
is_deeply($lines, [ "extra $old 20" ], 'sent again: all six are whole');

$_->() for @back;
unlink path($store, $_) for $old, $new;
($end, $lines) = fsck($store, 'correspondence');
is_deeply([ $end, $lines ], [ 0, [] ], 'put back: nothing to say');


# Others: longer, in another's place, no file, and a row that says otherwise.

my $elsewhere = path($store, $rows[2]{hash}) =~ s{/[^/]+$}{}r;

$elsewhere =~ s{..$}{sprintf '%02x', (hex($&) + 1) % 256}e;
$i->own_dir($elsewhere);

@back = (
    keep($rows[0], sub { put($_[0], $_[1] . "\0") }),
    keep($rows[1], sub { unlink $_[0]; mkdir $_[0] }),
    keep($rows[2], sub { rename $_[0], "$elsewhere/$rows[2]{hash}" }),
);
$p->sql(q{UPDATE files SET size = size + 1
           WHERE sha256 = decode(?, 'hex')}, $rows[3]{hash});

@planted = sort "damaged $rows[0]{hash} " . ($rows[0]{size} + 1),
    "missing $rows[1]{hash} $rows[1]{size}",
    "missing $rows[2]{hash} $rows[2]{size}",
    "damaged $rows[3]{hash} $rows[3]{size}";

($end, $lines) = fsck($store, 'correspondence');
is_deeply([ $end, $lines ], [ 1, \@planted ],
          'longer, no file, elsewhere, another length in its row');

rmdir path($store, $rows[1]{hash});
unlink "$elsewhere/$rows[2]{hash}";
$_->() for @back;
$p->sql(q{UPDATE files SET size = size - 1
           WHERE sha256 = decode(?, 'hex')}, $rows[3]{hash});
($end, $lines) = fsck($store, 'correspondence');
is_deeply([ $end, $lines ], [ 0, [] ], 'put right: nothing to say');


# What cannot be looked at is not called well.

is((fsck("$store/none", 'correspondence'))[0], 2, 'no such directory');
is((fsck($store, 'postgres'))[0], 2, 'no such rows');
is((fsck($store, 'none'))[0], 2, 'no such database');


# While letters come in.

$letters->start;

for (1 .. 5) {
    sleep 0.5;
    ($end, $lines) = fsck($store, 'correspondence');
    is_deeply([ $end, $lines ], [ 0, [] ], 'nothing to say under load');
}

my %before = map { $_->{tracking_code} => 1 }
             $p->sql('SELECT tracking_code FROM letters');
my $copy = $p->dir . '/backup';

sub run { system(@_) == 0 or die "$_[0] failed\n" }

run("$bin/pg_dump", '-h', $sockets, '-U', 'postgres', '-Fc', '-f',
    "$copy.dump", 'correspondence');
sleep 1;
run('cp', '-a', $store, $copy);
sleep 1;
$letters->stop;

my $sent = $letters->sent;

cmp_ok(scalar keys %$sent, '>', 20, 'letters were sent meanwhile');
run("$bin/createdb", '-h', $sockets, '-U', 'postgres', '-T', 'template0',
    'restored');
run("$bin/pg_restore", '-h', $sockets, '-U', 'postgres', '-d', 'restored',
    '--exit-on-error', "$copy.dump");

($end, $lines, $sum) = fsck($copy, 'restored');
is_deeply([ $end, $lines ], [ 0, [] ],
          'restored: each row has its file, and each file is whole');
cmp_ok($sum->{new}, '>', 0, 'files that came after the dump are there, too');

my $restored = DBI->connect("dbi:Pg:dbname=restored;host=$sockets",
                            'postgres', '', { RaiseError => 1 });
my %after = map { $_->[0] => 1 } @{ $restored->selectall_arrayref(
    'SELECT tracking_code FROM correspondence.letters') };

is_deeply([ grep { !$after{$_} } sort keys %before ], [],
          'with every letter that was there');
is($restored->selectrow_array(
       'SELECT ok FROM correspondence.audit_verify(NULL, NULL)'), 1,
   'and an audit whose chain holds');
$restored->disconnect;

my $a = $letters->account;
is_deeply([ grep { !/^درخواست was never sent/ } @{ $a->{problems} } ], [],
          'and here nothing is lost');



# The portal on what was restored, as docs/operations.md has it.

my $guide = Instance::slurp("$i->{top}/docs/operations.md");
my ($expire) = $guide =~ /(UPDATE correspondence\.messages .*?)"$/ms;
my ($number) = $guide =~ /(UPDATE correspondence\.register_counters .*?);/ms;

$p->stop_nginx;
run('sh', '-c', "'$i->{top}/sql/migrate' 'host=$sockets user=postgres "
    . "dbname=restored' > /dev/null");
run('redis-cli', '-s', "$sockets/redis.sock", 'FLUSHALL');
is(system("$i->{top}/sql/audit-verify -d 'host=$sockets dbname=restored "
          . "user=correspondence_portal' > /dev/null"), 0, 'audit-verify');

my $db = DBI->connect("dbi:Pg:dbname=restored;host=$sockets", 'postgres', '',
                      { RaiseError => 1 });

$db->do(q{UPDATE correspondence.messages SET state = 'queued',
          sent_at = NULL WHERE id IN (SELECT id FROM correspondence.messages
                                       WHERE template = 'letter_sent'
                                       ORDER BY id LIMIT 3)});
cmp_ok($db->do($expire), '>=', 3, 'what waits is not to be sent again');
ok(eval { $db->do($number) }, 'the counter of a book is set') or diag $@;

my $sms = () = $p->messages;

$p->configure(replace => [
    [ qr/dbname=correspondence/m, 'dbname=restored' ],
    [ qr/correspondence_store .*;/m, "correspondence_store $copy;" ] ]);
$p->start_nginx;

is($b->get('/desk')->status, 303, 'an old session opens nothing');

# one that was being sent when the dump was made waits for its lease (60 s)

ok(Portal::wait_until(90, sub {
    !$db->selectrow_array(q{SELECT count(*) FROM correspondence.messages
        WHERE state IN ('queued', 'sending', 'unknown')}) }),
   'what waited has expired');
is(scalar(() = $p->messages), $sms, 'and was not sent');

ok(Torture::Letters::visit($b, $who), 'people log in again');

my ($file) = $db->selectrow_array(q{
    SELECT f.id FROM correspondence.files AS f
      JOIN correspondence.persons AS p ON p.id = f.person_id
     WHERE p.national_code = ? ORDER BY f.created_at LIMIT 1}, undef,
    $who->{national_code});

is($b->get("/desk/files/$file")->status, 200, 'and read their files');
like($b->send_letter, qr/^\d{8}$/, 'and write');
$db->disconnect;

$p->done;
