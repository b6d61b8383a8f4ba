#!/usr/bin/perl

# What the database forgets by itself, and when: a row on each side of every
# limit, and nothing of any other table.

use strict;
use warnings;
use utf8;

use FindBin;
use lib $FindBin::Bin;
use Test::More;

use Cluster;

my $pg = Cluster->new;
my $db = $pg->db;
my $owner = $pg->owner;

my $ali = $pg->make_person($db, level => 3);
my $clerk = $pg->make_staff('clerk');
my @letters = map { $pg->send_letter($db, $ali) } 1 .. 2;

$pg->staff($db, $clerk, 'letter_reply', Cluster::key(), $letters[0], 'پاسخ',
           0, undef, '[]');

# Where the rows are, the column of their age, how long they stay, and one
# more of them: $1 when, $2 0 or 1, so that no two are the same.

my @kept = (
    [ drafts => 'updated_at', '14 days',
      "INSERT INTO drafts (person_id, updated_at) VALUES ($ali->{id}, \$1)" ],
    [ codes => 'created_at', '30 days',
      q{INSERT INTO codes (purpose, national_code, mobile, browser, address,
            code_hash, created_at, expires_at)
        VALUES ('login', '1', '2', 'b', '1', 'h', $1, $1)} ],
    [ code_totals => 'hour', '2 days',
      'INSERT INTO code_totals (hour, shard, sent) VALUES ($1, $2, 1)' ],
    [ tries => 'last_at', '30 days',
      q{INSERT INTO tries (scope, key, failures, last_at)
        VALUES ('password', $2, 1, $1)} ],
    [ decoy_messages => 'created_at', '1 hour',
      q{INSERT INTO decoy_messages (template, secret, mobile, priority,
            expires_at, created_at) VALUES ('code', 's', '1', 0, $1, $1)} ],
    [ submissions => 'at', '90 days',
      q{INSERT INTO submissions (actor, actor_id, key, action, result, at)
        VALUES ('person', 1, 'some-key-' || $2, 'letter', '1', $1)} ],
    [ person_browsers => 'seen_at', '400 days',
      "INSERT INTO person_browsers (person_id, browser, seen_at)
       VALUES ($ali->{id}, 'browser-' || \$2, \$1)" ],
    [ staff_browsers => 'seen_at', '400 days',
      "INSERT INTO staff_browsers (staff_id, browser, seen_at)
       VALUES ($clerk->{id}, 'browser-' || \$2, \$1)" ],
    [ reply_drafts => 'saved_at', '90 days',
      "INSERT INTO reply_drafts (staff_id, letter_id, body, saved_at)
       SELECT $clerk->{id}, id, 'متن', \$1 FROM letters ORDER BY id
        OFFSET \$2::int LIMIT 1" ],
    [ letter_viewers => 'seen_at', '1 hour',
      'INSERT INTO letter_viewers (letter_id, staff_id, seen_at)
       VALUES (1, $2::bigint, $1)' ],
);


sub counted {
    my %rows = map { $_->[0] => $owner->selectrow_array(
                         "SELECT count(*) FROM $_->[0]") }
        @{$owner->selectall_arrayref(
            q{SELECT relname FROM pg_class WHERE relkind = 'r'
               AND relnamespace = 'correspondence'::regnamespace})};

    return \%rows;
}


# Five minutes to go, and five minutes too late.

for my $table (@kept) {
    my ($name, $column, $limit, $insert) = @$table;

    for my $n (0, 1) {
        my ($at) = $owner->selectrow_array(
            "SELECT now() - interval '$limit'
                  + interval '5 minutes' * ?::int", undef, 1 - 2 * $n);
        my $sth = $owner->prepare($insert);

        $sth->bind_param('$1', $at);
        $sth->bind_param('$2', $n) if $insert =~ /\$2/;
        $sth->execute;
    }
}

my @drafts = map { $_->[0] } @{$owner->selectall_arrayref(
    'SELECT id FROM drafts ORDER BY updated_at DESC')};
my ($ours) = $owner->selectrow_array('SELECT min(id::text)::uuid FROM files');

$owner->do(q{INSERT INTO files (sha256, size, media_type, name, purpose,
                 visibility, person_id, draft_id)
             SELECT sha256, size, media_type, name, 'draft', visibility,
                    person_id, ? FROM files WHERE id = ?}, undef, $_, $ours)
    for @drafts;

my $before = counted();
my $done;

# One node at a time.

$owner->begin_work;
$owner->do(q{SELECT pg_advisory_xact_lock(
                 hashtext('correspondence housekeeping'))});
$done = $pg->call($db, 'housekeeping', 14)->[0];
$owner->rollback;
is "@$done{qw(drafts_removed codes_removed)}", '0 0', 'another node is at it';
is_deeply counted(), $before, 'nothing is gone';

$done = $pg->call($db, 'housekeeping', 14)->[0];
is "@$done{qw(drafts_removed codes_removed)}", '1 1', 'what went is told';

my $after = counted();

for my $table (@kept) {
    my ($name, $column, $limit) = @$table;

    is $before->{$name} - $after->{$name}, 1, "$name: one goes";
    is $owner->selectrow_array("SELECT count(*) FROM $name
           WHERE $column < now() - interval '$limit'"), 0,
       "the one of more than $limit";
}

is $before->{files} - $after->{files}, 1, 'files: one';
is_deeply $owner->selectcol_arrayref(
       'SELECT draft_id FROM files WHERE draft_id IS NOT NULL'), [ $drafts[0] ],
   'the one of the draft that went';

delete @$_{'files', map { $_->[0] } @kept} for $before, $after;
is_deeply $after, $before, 'every other table is what it was';

# The days of a draft are the portal's to say.

is $pg->call($db, 'housekeeping', 15)->[0]{drafts_removed}, 0,
   'fifteen days: it stays';
is $pg->call($db, 'housekeeping', 13)->[0]{drafts_removed}, 1,
   'thirteen: it goes';

# A row that goes is looked for wherever it may be named: not by reading all
# that is there.

my %goes = map { $_ => 1 } map { /\bDELETE FROM (\w+)/g } @{
    $owner->selectcol_arrayref(
        q{SELECT prosrc FROM pg_proc
           WHERE pronamespace = 'correspondence'::regnamespace}) };

ok $goes{$_}, "$_ are removed" for qw(drafts files);
is_deeply $owner->selectcol_arrayref(
       q{SELECT c.conrelid::regclass || '.' || a.attname
           FROM pg_constraint AS c
           JOIN pg_attribute AS a
             ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
          WHERE c.contype = 'f'
            AND c.confrelid::regclass::text = ANY (?)
            AND NOT EXISTS (SELECT FROM pg_index AS i
                             WHERE i.indrelid = c.conrelid
                               AND i.indkey[0] = c.conkey[1])
          ORDER BY 1}, undef, [ sort keys %goes ]), [],
   'each reference to what is removed has an index';

# After a long while in which nobody could: in portions, whatever there is.

$owner->do(q{INSERT INTO submissions (actor, actor_id, key, action, result, at)
             SELECT 'person', 2, 'some-key-' || n, 'letter', '1',
                    now() - interval '91 days' - n * interval '1 second'
               FROM generate_series(1, 20010) AS n});
$pg->call($db, 'housekeeping', 14);
is_deeply $owner->selectcol_arrayref(q{SELECT substr(key, 10)::integer AS n
       FROM submissions WHERE actor_id = 2 ORDER BY n}), [ 1 .. 10 ],
   'a backlog: the oldest twenty thousand';
$pg->call($db, 'housekeeping', 14);
is $owner->selectrow_array('SELECT count(*) FROM submissions
                             WHERE actor_id = 2'), 0, 'the rest the next time';

# Of drafts fewer: their files go with them, and all that names those is asked.

$owner->do(q{INSERT INTO drafts (person_id, updated_at)
             SELECT min(id), now() - interval '30 days'
               FROM persons, generate_series(1, 2010) AS n GROUP BY n});
is $pg->call($db, 'housekeeping', 14)->[0]{drafts_removed}, $_, "$_ drafts"
    for 2000, 10, 0;

done_testing;
