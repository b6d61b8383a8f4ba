#!/usr/bin/perl

# Ten thousand letters: the tabs hold what they say, page after page, and
# neither a page nor the counts read more than a page's worth of blocks.

use strict;
use warnings;
use utf8;

use FindBin;
use lib $FindBin::Bin;
use JSON::PP qw(decode_json);
use Test::More;

use Cluster;

my $pg = Cluster->new;
my $db = $pg->db;
my $owner = $pg->owner;
my $clerk = $pg->make_staff('clerk')->{id};
my $expert = $pg->make_staff('expert', unit => 'unit1')->{id};
my $both = $pg->make_staff('expert', unit => 'unit2')->{id};

system('psql', '-Xq', '-d', "host=$pg->{dir} user=postgres dbname=portal",
       '-v', 'ON_ERROR_STOP=1', '-v', 'letters=10000', '-o', '/dev/null', '-f',
       "$Cluster::TOP/bench/load-letters.sql") == 0 or die;

# Somebody who stands in for the other expert has the letters of two units,
# some of which both have.
$owner->do(q{INSERT INTO substitutes (absent_id, substitute_id, from_on, to_on,
                 created_by) VALUES (?, ?, today(), today() + 1, ?)},
           undef, $expert, $both, $clerk);
$owner->do(q{INSERT INTO referrals (letter_id, letter_at, late_on, unit_id,
                 created_by)
             SELECT r.letter_id, r.letter_at, r.late_on, u.id, r.created_by
               FROM referrals AS r
               JOIN staff AS s ON s.id = ? AND s.unit_id = r.unit_id
               JOIN staff AS o ON o.id = ? JOIN units AS u ON u.id = o.unit_id
              WHERE r.outcome IS NULL}, undef, $expert, $both);

# What each tab is.
my %tab = (
    new => 'l.owner_id IS NULL AND l.closed_at IS NULL',
    mine => 'l.owner_id = $1 AND l.closed_at IS NULL',
    referred => 'l.open_referrals > 0',
    late => 'l.closed_at IS NULL AND l.answered_at IS NULL AND '
            . 'l.clock_stopped_on IS NULL AND l.due_on < today()',
    undelivered => 'l.undelivered',
    unit => 'true',
);
my $has = 'EXISTS (SELECT FROM referrals AS r, staff_units AS u '
          . 'WHERE r.letter_id = l.id AND u.staff_id = $1 '
          . 'AND u.unit_id = r.unit_id AND r.outcome IS NULL)';
my $sees = $has =~ s/r\.outcome IS NULL/(r.outcome IS NULL OR r.outcome = 'answered')/r;


sub expected {
    my ($who, $role, $tab) = @_;
    my $where = $tab{$tab};

    $where .= " AND $has" if $tab eq 'unit' || $role eq 'expert'
                                               && $tab eq 'late';
    $where .= " AND $sees" if $role eq 'expert';
    $where .= ' AND false' if $role eq 'expert' && $tab =~ /^(new|mine)$/;

    return $owner->selectcol_arrayref(
        "SELECT l.tracking_code FROM letters AS l WHERE $where "
        . 'AND $1::bigint IS NOT NULL '
        . 'ORDER BY l.created_at DESC, l.id DESC', undef, $who);
}


sub paged {
    my ($who, $tab, @filters) = @_;
    my (@codes, $cursor);

    @filters = (undef) x 4 if !@filters;

    while (1) {
        my $rows = $pg->call($db, 'clerk_inbox', $who, $tab, @filters,
                             $cursor, 26);
        push @codes, map { $_->{tracking_code} } @$rows;
        last if @$rows < 26;
        $cursor = $rows->[-1]{cursor};
    }

    return \@codes;
}


for ([ $clerk, 'clerk' ], [ $expert, 'expert' ], [ $both, 'expert' ]) {
    my ($who, $role) = @$_;
    my %count = map { $_->{tab} => $_->{count} }
                @{ $pg->call($db, 'clerk_tabs', $who, 99999) };

    for my $tab (sort keys %tab) {
        my $expected = expected($who, $role, $tab);
        my $n = @$expected;

        is_deeply paged($who, $tab), $expected, "$role $who, $tab: all $n";
        is $count{$tab}, $n, 'and counted' if defined $count{$tab};
    }
}

my ($unit) = $owner->selectrow_array(q{SELECT id FROM units
                                        WHERE code = 'unit3'});
is_deeply paged($clerk, 'late', 'secretariat', $unit, undef, undef),
    $owner->selectcol_arrayref(
        "SELECT l.tracking_code FROM letters AS l WHERE $tab{late} "
        . "AND l.status = 'secretariat' AND l.unit_id = ? "
        . 'ORDER BY l.created_at DESC, l.id DESC', undef, $unit),
    'late ones of a unit, in a state';

# The whole of letters is 625 blocks and more; a page of 26 has some ten for
# each: its letter, what came last of it, who has it.

my $most = $owner->selectrow_array(q{SELECT pg_relation_size('letters')
    / current_setting('block_size')::int}) * 2 / 3;


sub blocks {
    my ($name, @params) = @_;
    my $sth = $db->prepare('EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) '
                           . $pg->statement($name));

    # what a session finds out once is not the page's

    $sth->execute(@params), $sth->fetchall_arrayref for 1 .. 2;
    $sth->execute(@params);

    my $plan = decode_json($sth->fetchrow_array)->[0]{Plan};
    return $plan->{'Shared Hit Blocks'} + $plan->{'Shared Read Blocks'};
}


for ([ $clerk, '', 'mine', 'referred', 'late', 'undelivered' ],
     [ $expert, '', 'late' ])
{
    my ($who, @tabs) = @$_;

    cmp_ok blocks('clerk_inbox', $who, $_, (undef) x 5, 26), '<', $most,
           "a page of the tab $_" for @tabs;
    cmp_ok blocks('clerk_tabs', $who, 999), '<', $most, 'the counts';
}

# A provider that was down for an hour: the queue is long, and it was empty when
# PostgreSQL last counted.  Three times sixteen are claimed, each the first of
# its mobile; of the queue that would be 4,000 rows for each of them.

$owner->do('ANALYZE messages');
$owner->do(q{INSERT INTO messages (template, mobile)
             SELECT 'letter_sent', '09' || 120000000 + n % 200
               FROM generate_series(0, 3999) AS n ORDER BY n});
cmp_ok blocks('messages_claim', 16, 60, 'node', undef), '<', 1500,
       'messages of a long queue';
is $owner->selectrow_array(q{SELECT count(*) || ' ' || count(DISTINCT mobile)
    || ' ' || max(id) - min(id) FROM messages WHERE state = 'sending'}),
   '48 48 47', 'the first of each mobile, in order';

# They were counted just then; the provider came back, and nothing waits.  All
# the others expired long ago: of 34,000 messages (500 blocks and more) none is
# looked at.

$owner->do(q{UPDATE messages SET expires_at = now() - interval '1 day'
              WHERE state NOT IN ('queued', 'sending')});
$owner->do('ANALYZE messages');
$owner->do(q{UPDATE messages SET state = 'delivered'
              WHERE state IN ('queued', 'sending')});
cmp_ok blocks('messages_sweep'), '<', 300, 'a sweep behind a long queue';

# Two and a half days of them, and what /metrics asks for are those of one.

$owner->do(q{UPDATE messages AS m SET created_at = now() - (o.newest - m.id)
                    * interval '6 seconds'
               FROM (SELECT max(id) AS newest FROM messages) AS o});

my $of_a_day = $owner->selectrow_array(q{SELECT count(*) FROM messages
    WHERE created_at > now() - interval '1 day'});
my $blocks = $owner->selectrow_array(q{SELECT pg_relation_size('messages')
    / current_setting('block_size')::int});

is_deeply { map { @$_{qw(state messages)} }
            @{ $pg->call($db, 'health_messages') } },
    { delivered => $of_a_day, map { $_ => 0 } qw(queued sending unknown sent
                                                 failed expired) },
    "$of_a_day messages of a day";
$owner->do(q{UPDATE messages SET created_at = created_at - interval '1 day'});
$owner->do('VACUUM (ANALYZE) messages');
cmp_ok blocks('health_messages'), '<', $blocks / 10,
       "of none that day, not all $blocks blocks";

cmp_ok blocks('clerk_search', $clerk, '100000777', undef, 26, (undef) x 4),
       '<', $most, 'a search by code';
is @{ $pg->call($db, 'clerk_search', $clerk, 'گمرک', undef, 26,
                (undef) x 4) }, 26, 'a common word';
is_deeply [ map { $_->{tracking_code} }
            @{ $pg->call($db, 'clerk_search', $expert, 'گمرک', undef, 999,
                         (undef) x 4) } ],
    $owner->selectcol_arrayref(
        "SELECT l.tracking_code FROM letters AS l WHERE $sees "
        . "AND l.search @@ search_query('گمرک') "
        . 'ORDER BY l.created_at DESC, l.id DESC', undef, $expert),
    'an expert finds those of the unit';

# Somebody who writes for many: every fifth letter of all is theirs, and a page
# of one of them shows ten others.

$owner->do(q{UPDATE letters SET person_id = (SELECT min(person_id) FROM letters)
              WHERE id % 5 = 0});
$owner->do('VACUUM (ANALYZE) letters');

my ($theirs) = $owner->selectrow_array(q{SELECT tracking_code FROM letters
    WHERE id % 5 = 0 ORDER BY id LIMIT 1});

is_deeply [ map { $_->{tracking_code} }
            @{ $pg->call($db, 'clerk_letter_person', $theirs, $clerk) } ],
    $owner->selectcol_arrayref(q{SELECT tracking_code FROM letters
        WHERE person_id = (SELECT person_id FROM letters
                            WHERE tracking_code = $1)
          AND tracking_code <> $1
        ORDER BY created_at DESC, id DESC LIMIT 10}, undef, $theirs),
    'the newest letters of who has thousands';
cmp_ok blocks('clerk_letter_person', $theirs, $clerk), '<', 60,
       'and no more of them';

# What all letters have, of which PostgreSQL knows no more than that it is the
# beginning of a word.
cmp_ok blocks('clerk_search', $_, 'واژه', undef, 26, (undef) x 4), '<', $most,
       'the beginning of a word that each letter has'
    for $clerk, $expert;

# A year of the audit, 100,000 lines (1,400 blocks) and some of the same moment: every filter
# against a plain query, none by reading what it passes over.  Two have one name,
# of whom one left in the first months.

my ($gone, $other) = map { $pg->make_staff('clerk', username => $_,
                                             name => 'همنام')->{id} }
                     qw(left stayed);

$owner->do(q{INSERT INTO audit (at, actor, actor_id, action, object, object_id,
                                address)
    SELECT date_trunc('minute', now() - (100000 - n) * interval '5 minutes'),
           (ARRAY['staff', 'person'])[1 + n % 2],
           CASE WHEN n % 4 = 0 AND n < 20000 THEN ?::bigint
                WHEN n % 1000 = 0 THEN ?::bigint
                WHEN n % 4 = 0 THEN ?::bigint WHEN n % 4 = 2 THEN ?::bigint
                ELSE 100 + n % 700 END,
           CASE WHEN n % 20001 = 7 THEN 'staff_disabled'
                WHEN n % 4 = 0 AND n < 20000 THEN 'letter_viewed'
                ELSE (ARRAY['letter_viewed', 'login',
                            CASE n % 2 WHEN 0 THEN 'read' ELSE 'login' END])
                     [1 + n % 3] END,
           (ARRAY['letter', 'staff'])[1 + (n / 2) % 2],
           (100 + n / 5)::text, ''
      FROM generate_series(1, 100000) AS n}, undef, $gone, $other, $clerk,
    $expert);
$owner->do('VACUUM (ANALYZE) audit');

my ($day, $next) = $owner->selectrow_array(
    'SELECT today() - 300, today() - 299');
my ($name) = $owner->selectrow_array('SELECT name FROM staff WHERE id = ?',
                                     undef, $clerk);
my $of_day = q{a.at >= '%s'::timestamp AT TIME ZONE 'Asia/Tehran' AND
               a.at < '%s'::timestamp AT TIME ZONE 'Asia/Tehran'};
my %filter = (
    'all' => [ 'true' ],
    'a kind of actor' => [ q{a.actor = 'person'}, actor => 'person' ],
    'somebody' => [ "a.actor = 'staff' AND a.actor_id = $clerk",
                    who => $name ],
    'two of one name' => [ "a.actor = 'staff' AND a.actor_id "
                           . "IN ($gone, $other)", who => 'همنام' ],
    'who left' => [ "a.actor = 'staff' AND a.actor_id = $gone",
                    who => 'left' ],
    'what they never did' => [ 'false', who => 'left', action => 'read' ],
    'what no citizen does' => [ 'false', actor => 'person', action => 'read' ],
    'nobody' => [ 'false', who => 'nobody of this name' ],
    'a rare action' => [ q{a.action = 'staff_disabled'},
                         action => 'staff_disabled' ],
    'a letter' => [ q{a.object = 'letter' AND a.object_id = '107'},
                    object => 'letter', object_id => '107' ],
    'whatever has the number' => [ q{a.object_id = '109'},
                                   object_id => '109' ],
    'an old day' => [ sprintf($of_day, $day, $next), from => $day,
                      to => $day ],
    'an action of that day' => [
        sprintf($of_day, $day, $next) . q{ AND a.action = 'read'},
        from => $day, to => $day, action => 'read' ],
);

for my $what (sort keys %filter) {
    my ($where, %with) = @{ $filter{$what} };
    my @with = @with{qw(actor who action object object_id from to)};
    my (@ids, $after);

    for (1 .. 4) {
        my $lines = $pg->call($db, 'audit_list', $after, @with, 7);
        push @ids, map { $_->{line_id} } @$lines;
        last if @$lines < 7;
        $after = $lines->[-1]{line_id};
    }

    is_deeply \@ids, $owner->selectcol_arrayref(
        "SELECT a.id FROM audit AS a WHERE $where
          ORDER BY a.at DESC, a.id DESC LIMIT 28"), "the audit, $what";
    cmp_ok blocks('audit_list', undef, @with, 50), '<', 700,
           'without reading the others';
}

# Somebody leaves who has 2,345 letters: they go in portions, each with its
# lines, and nobody waits for more than a thousand.

my $manager = $pg->make_staff('manager');

$owner->do(q{UPDATE letters SET owner_id = ?, closed_at = NULL
              WHERE id IN (SELECT id FROM letters ORDER BY id LIMIT 2345)},
           undef, $gone);

my $handed = q{SELECT count(DISTINCT object_id) FROM audit AS a
    JOIN audit_pending AS p ON p.audit_id = a.id
   WHERE action = 'handed_over' AND object = 'letter'};

for ([ 1000, 0, 1 ], [ 1000, 0, 1 ], [ 345, 1, 0 ], [ 0, 0, 0 ]) {
    $owner->do(q{INSERT INTO tickets (person_id, subject, owner_id)
                 SELECT min(id), 'x', ? FROM persons}, undef, $gone)
        if $_->[0] == 345;
    my $before = $owner->selectrow_array($handed);
    my $done = $pg->staff($db, $manager, 'staff_handover', $gone, $other)->[0];
    is_deeply [ @$done{qw(letters_moved tickets_moved more)} ], $_,
        "handed over: $_->[0]";
    is $owner->selectrow_array($handed) - $before, $_->[0], 'in the audit';
}

is $owner->selectrow_array(q{SELECT count(*) FROM letters AS l
       JOIN events AS e ON e.letter_id = l.id AND e.kind = 'taken'
        AND e.staff_id = l.owner_id AND e.for_id = ?
      WHERE l.owner_id = ? AND l.version = 2}, undef, $gone, $other), 2345,
   'all of them, and in the timeline';

is_deeply $db->selectcol_arrayref(
    q{SELECT current_setting(n) FROM unnest(ARRAY['jit',
      'max_parallel_workers_per_gather']) AS n}), [ 'off', 0 ],
    'short statements: neither compiled nor shared out';

done_testing;
