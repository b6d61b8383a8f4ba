#!/usr/bin/perl

# sql/migrate: installs, does nothing twice, refuses what changed, applies
# functions again when they changed, and two runs do not collide.

use strict;
use warnings;
use utf8;

use File::Temp qw(tempdir);
use FindBin;
use lib $FindBin::Bin;
use Test::More;

use Cluster;

my $pg = Cluster->new(bare => 1);
my $copy = tempdir(CLEANUP => 1);
system("cp -r $Cluster::TOP/sql $copy/") == 0 or die;

# Two branches may each add the next one.
my %number;
$number{$_}++ for map { m{/(\d+)_[^/]+\z} } glob "$copy/sql/migrations/*.sql";
is_deeply [ grep { $number{$_} > 1 } sort keys %number ], [],
    'each number once';

# Two first installations at once.
my @runs = map {
    open my $out, '-|',
        "$copy/sql/migrate 'host=$pg->{dir} user=postgres dbname=portal' 2>&1; echo rc=\$?"
        or die;
    $out;
} 1 .. 2;
my @said = map { local $/; readline $_ } @runs;
is scalar(grep { /rc=0/ } @said), 2, 'two at once: both well';
is scalar(grep { /migration 001_schema applied/ } @said), 1, 'applied by one';
is scalar(grep { /functions unchanged/ } @said), 1, 'the other had nothing to do';

my ($rc, $out) = $pg->migrate("$copy/sql");
is $rc, 0, 'again';
is $out, "functions unchanged\nschema at "
    . (sort map { m{([^/]+)\.sql$} } glob "$copy/sql/migrations/*.sql")[-1]
    . "\n", 'nothing to do';

my $db = $pg->db;
my $sth = $db->prepare_cached($pg->statement('letters_count'), undef, 3);
$sth->execute(1);
$sth->fetchall_arrayref;

# A portal that goes on running while functions change.
my $ali = $pg->make_person($db, level => 3);
open my $f, '>>', "$copy/sql/functions/00_base.sql" or die;
print $f "CREATE OR REPLACE FUNCTION brand_new() RETURNS int LANGUAGE sql AS "
         . "'SELECT 7';\n";
close $f;
($rc, $out) = $pg->migrate("$copy/sql");
like $out, qr/functions applied/, 'a changed function: applied again';
is $pg->owner->selectrow_array('SELECT brand_new()'), 7, 'it is there';
ok !eval { $db->selectrow_array('SELECT brand_new()') }, 'not the portal’s';
ok $pg->send_letter($db, $ali),
   'statements prepared before go on working afterwards';

# A mistake in a function leaves everything as it was.
open $f, '>>', "$copy/sql/functions/00_base.sql" or die;
print $f "CREATE FUNCTION broken() RETURNS int LANGUAGE sql AS 'SELECT nix';\n";
close $f;
($rc, $out) = $pg->migrate("$copy/sql");
isnt $rc, 0, 'a broken function is refused';
ok $pg->send_letter($db, $ali), 'and nothing changed';
system("cp $Cluster::TOP/sql/functions/00_base.sql $copy/sql/functions/");

# New and changed migrations.
open my $m, '>', "$copy/sql/migrations/900_test.sql" or die;
print $m "CREATE TABLE extra (id int);\n";
close $m;
($rc, $out) = $pg->migrate("$copy/sql");
like $out, qr/migration 900_test applied/, 'a new migration';
open $m, '>>', "$copy/sql/migrations/900_test.sql" or die;
print $m "-- changed\n";
close $m;
($rc, $out) = $pg->migrate("$copy/sql");
isnt $rc, 0, 'changed afterwards: refused';
like $out, qr/900_test was changed/, 'and named';
unlink "$copy/sql/migrations/900_test.sql";
($rc, $out) = $pg->migrate("$copy/sql");
like $out, qr/newer than these files/, 'older files on a newer database: refused';

# A migration that fails half-way leaves nothing.
$pg->owner->do(q{DELETE FROM schema_migrations WHERE name = '900_test'});
open $m, '>', "$copy/sql/migrations/901_bad.sql" or die;
print $m "CREATE TABLE half (id int);\nSELECT 1/0;\n";
close $m;
($rc, $out) = $pg->migrate("$copy/sql");
isnt $rc, 0, 'a failing migration';
ok !$pg->owner->selectrow_array(q{SELECT to_regclass('half') IS NOT NULL}),
   'leaves nothing behind';
unlink "$copy/sql/migrations/901_bad.sql";

# The owner alone can upgrade.
($rc, $out) = do {
    my $o = qx{$copy/sql/migrate "host=$pg->{dir} user=correspondence_owner dbname=portal" 2>&1};
    ($? >> 8, $o);
};
is $rc, 0, 'the owner may run it too';

# Who makes roles and is no superuser installs into a database of its own.
my $said = sub { my $o = qx{$_[0] 2>&1}; ($? >> 8, $o) };
my $here = Cluster->new(bare => 1);
$here->db('postgres', 'postgres')->do(
    'CREATE ROLE maker LOGIN CREATEROLE CREATEDB');
$here->db('maker', 'postgres')->do(
    q{CREATE DATABASE made TEMPLATE template0 ENCODING 'UTF8'});
($rc, $out) = $said->("$copy/sql/migrate 'host=$here->{dir} user=maker dbname=made'");
is $rc, 0, 'a role that may make roles installs it' or diag $out;

# Restored into another cluster, in each way that suggests itself.
my $dump = "$copy/portal.dump";
$pg->send_letter($db, $ali);
my $letters = $pg->owner->selectrow_array('SELECT count(*) FROM letters');
is(($said->("pg_dump -h $pg->{dir} -U postgres -Fc -f $dump portal"))[0], 0,
   'dumped');

my $other = Cluster->new(bare => 1);
my $restore = sub {
    my ($database, @options) = @_;

    $other->db('postgres', 'postgres')->do(
        "CREATE DATABASE $database TEMPLATE template0 ENCODING 'UTF8'");
    return $said->("pg_restore -h $other->{dir} -U postgres -d $database "
                   . "@options $dump");
};
my $upgrade = sub {
    my ($database, $user) = @_;

    return $said->("$copy/sql/migrate 'host=$other->{dir} user=$user dbname=$database'");
};

$restore->('without');
for my $when ('without the roles', 'with roles made too late') {
    ($rc, $out) = $upgrade->('without', 'postgres');
    isnt $rc, 0, "restored $when: refused";
    like $out, qr/belongs to postgres .*make both roles \(CREATE ROLE/,
        'and it says what to do';
    $other->db('postgres', 'postgres')->do("CREATE ROLE $_ LOGIN")
        for $when eq 'without the roles'
            ? qw(correspondence_owner correspondence_portal) : ();
}

is(($restore->('fresh', '--exit-on-error'))[0], 0, 'into an empty database');
is(($restore->('bare', '--exit-on-error', '-x'))[0], 0, 'without rights');
$other->db('postgres', 'postgres')->do('DROP DATABASE portal');
is(($said->("pg_restore -h $other->{dir} -U postgres -d postgres -C "
            . "--exit-on-error $dump"))[0], 0, 'with its database');

for my $database (qw(fresh bare portal)) {
    if ($database ne 'bare') {
        ($rc, $out) = $upgrade->($database, 'correspondence_owner');
        is $rc, 0, "$database: the owner upgrades it" or diag $out;
    }
    ($rc, $out) = $upgrade->($database, 'postgres');
    is $rc, 0, "$database: so does a superuser" or diag $out;
    my $portal = $other->db('correspondence_portal', $database);
    is $portal->selectrow_array('SHOW statement_timeout'), '20s',
       'the portal has its settings';
    is $portal->selectrow_array('SELECT count(*) FROM letters'), $letters,
       'and sees the letters';
    ok $other->send_letter($portal, $ali), 'and takes another one';
    is $other->db('correspondence_owner', $database)->selectrow_array(
           q{SELECT has_database_privilege(current_database(), 'CREATE')}), 1,
       'its owner may make the next one\'s schema';
    $other->db('postgres', $database)->do(q{SELECT correspondence.audit_seal(1000)});
    is $portal->selectrow_array('SELECT ok FROM audit_verify(NULL, NULL)'), 1,
       'the audit holds';
}

# Referrals that were there before they knew their letters' times.
my $old = Cluster->new(bare => 1);
system("mv $copy/sql/migrations/00[89]_* $copy/") == 0 or die;
$old->migrate("$copy/sql");
$old->owner->do(q{
    INSERT INTO persons (national_code, mobile, birth_date)
    VALUES ('0084575948', '09121234567', '1980-01-01');
    INSERT INTO staff (username, name, role) VALUES ('old', 'old', 'clerk');
    INSERT INTO letters (tracking_code, person_id, person_kind, first_name,
        last_name, father_name, birth_date, national_code, mobile, address,
        subject, created_at, due_on, answered_at, open_referrals)
    SELECT n, p.id, 'natural', 'a', 'b', 'c', p.birth_date, p.national_code,
           p.mobile, 'd', 'e', '2026-01-01', '2026-01-15',
           CASE n WHEN 2 THEN now() END, 1
      FROM generate_series(1, 3) AS n, persons AS p;
    INSERT INTO referrals (letter_id, unit_id, created_by, outcome, closed_at)
    SELECT l.id, 1, s.id, CASE tracking_code WHEN '3' THEN 'answered' END,
           CASE tracking_code WHEN '3' THEN now() END
      FROM letters AS l, staff AS s});
system("mv $copy/00[89]_* $copy/sql/migrations/") == 0 or die;
$old->migrate("$copy/sql");
is_deeply $old->owner->selectall_arrayref(q{
    SELECT letter_at = '2026-01-01', late_on FROM referrals ORDER BY id}),
    [ [ 1, '2026-01-15' ], [ 1, undef ], [ 1, undef ] ],
    'an upgrade: referrals know when their letters came, and are late';
$old->owner->do(q{UPDATE letters SET answered_at = now()});
is $old->owner->selectrow_array('SELECT count(late_on) FROM referrals'), 0,
   'and learn it when a letter is answered';
$old->owner->do(q{
    INSERT INTO referrals (letter_id, unit_id, created_by)
    SELECT l.id, 1, s.id FROM letters AS l, staff AS s
     WHERE l.tracking_code = '3'});
is $old->owner->selectrow_array(q{
    SELECT letter_at = '2026-01-01' FROM referrals ORDER BY id DESC LIMIT 1}),
   1, 'as new ones do';

# Notes that experts wrote before notes were of a unit.
my $notes = Cluster->new(bare => 1);
system("mkdir $copy/later && mv $copy/sql/migrations/01[89]_* "
       . "$copy/sql/migrations/02* $copy/later/") == 0 or die;
$notes->migrate("$copy/sql");
$notes->owner->do(q{
    INSERT INTO units (code, name)
    SELECT n, n FROM unnest(ARRAY['first', 'second', 'third']) AS n;
    INSERT INTO persons (national_code, mobile, birth_date)
    VALUES ('0084575948', '09121234567', '1980-01-01');
    INSERT INTO staff (username, name, role, unit_id)
    SELECT n.username, 'n', n.role, u.id
      FROM (VALUES ('here', 'expert', 'first'), ('moved', 'expert', 'third'),
                   ('clerk', 'clerk', NULL)) AS n (username, role, unit)
      LEFT JOIN units AS u ON u.name = n.unit;
    INSERT INTO letters (tracking_code, person_id, person_kind, first_name,
        last_name, father_name, birth_date, national_code, mobile, address,
        subject, due_on)
    SELECT n, p.id, 'natural', 'a', 'b', 'c', p.birth_date, p.national_code,
           p.mobile, 'd', 'e', '2026-01-15'
      FROM generate_series(1, 2) AS n, persons AS p;
    INSERT INTO referrals (letter_id, unit_id, created_by)
    SELECT l.id, u.id, s.id
      FROM letters AS l, units AS u, staff AS s
     WHERE l.tracking_code = '1' AND u.name IN ('first', 'second')
       AND s.username = 'clerk' ORDER BY u.name;
    INSERT INTO events (letter_id, kind, actor, staff_id, visibility, body)
    SELECT l.id, 'note', 'staff', s.id, 'internal', s.username
      FROM letters AS l, staff AS s});
system("mv $copy/later/* $copy/sql/migrations/") == 0 or die;
($rc, $out) = $notes->migrate("$copy/sql");
is $rc, 0, 'an upgrade from before that' or diag $out;
is_deeply $notes->owner->selectall_arrayref(q{
    SELECT l.tracking_code, e.body, u.name
      FROM events AS e JOIN letters AS l ON l.id = e.letter_id
      LEFT JOIN units AS u ON u.id = e.unit_id
     ORDER BY l.tracking_code, e.id}),
    [ [ 1, 'here', 'first' ], [ 1, 'moved', 'second' ], [ 1, 'clerk', undef ],
      map { [ 2, $_, undef ] } qw(here moved clerk) ],
    'a note is of its writer\'s unit, else of the last that had the letter; '
    . 'a clerk\'s is of none';

# create-admin.
my $admin = sub {
    my $o = qx{$Cluster::TOP/sql/create-admin -d "host=$pg->{dir} user=postgres dbname=portal" @_ 2>&1};
    ($? >> 8, $o);
};
($rc, $out) = $admin->(qw(-u https://x.ir/clerk/ root Ali));
is $rc, 0, 'the first administrator';
my ($token) = $out =~ m{^https://x\.ir/clerk/invitations/([\w-]{43})$}m;
ok $token, 'a link with 256 bits';
is $pg->call($db, 'invitation_show', $token)->[0]{role}, 'admin', 'that works';
($rc, my $again) = $admin->(qw(root Ali));
is $rc, 0, 'another link';
is @{$pg->call($db, 'invitation_show', $token)}, 0, 'the old one ended';
$pg->owner->do(q{UPDATE staff SET status = 'active'});
($rc, $out) = $admin->(qw(root Ali));
isnt $rc, 0, 'not for an account in use';
like $out, qr/username_taken/, 'and it says why';

done_testing;
