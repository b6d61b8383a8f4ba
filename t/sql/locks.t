#!/usr/bin/perl

# What is decided while somebody else's change is on its way: who comes second
# waits, and then sees what the first one did.

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
my @clerks = map { $pg->make_staff('clerk') } 1 .. 3;
my $manager = $pg->make_staff('manager');
my $admin = $pg->make_staff('admin');

$pg->make_staff('expert', unit => 'finance');


sub letter { $pg->send_letter($db, $ali, @_) }


# The second one begins when the first has done its part, and the first is not
# committed before the second waits for it; what the second one died of, or
# gave.
sub meanwhile {
    my ($first, $second) = @_;

    my @got = $pg->parallel(2, sub {
        my ($dbh, $i) = @_;

        my $until = sub {
            for (1 .. 60) {
                return if $dbh->selectrow_array($_[0]);
                select undef, undef, undef, 0.05;
            }
        };

        if ($i == 1) {
            $until->(q{SELECT 1 FROM pg_locks WHERE locktype = 'advisory'
                        AND objid = 4711 AND granted});
            return fate($dbh, $second);
        }

        my ($who, @call) = @$first;

        $dbh->begin_work;
        $pg->call($dbh, 'staff_guard_write', $who->{id}, 1, '', '1')
            if $who && $who->{role};
        $pg->call($dbh, 'person_guard_write', @$who{qw(id epoch)}, 1, '1')
            if $who && !$who->{role};
        $pg->call($dbh, @call);
        $dbh->do('SELECT pg_advisory_xact_lock(4711)');
        $until->('SELECT 1 FROM pg_locks WHERE NOT granted');
        $dbh->commit;
        return '';
    });

    return $got[0] || $got[1];
}


# What became of [ who, statement, … ]; without who it is the portal itself.
sub fate {
    my ($dbh, $act) = @_;
    my ($who, @call) = @$act;
    my $rows;

    my $died = $pg->refused($dbh, sub {
        $rows = !$who ? $pg->call($dbh, @call)
              : $who->{role} ? $pg->staff($dbh, $who, @call)
              : $pg->person($dbh, $who, @call) });

    return $died ne 'nothing' ? $died
         : join ' ', 'gave', map { my $row = $_;
                                map { $_ // '-' } @$row{sort keys %$row} }
                          @$rows;
}


# A file that is removed, and a row of it that is made -------------------------

sub hash_of { unpack('H*', $_[0] x 32) =~ /^(.{64})/ ? $1 : die }

is meanwhile([ undef, 'file_removal_begin', hash_of('v') ],
             [ $ali, 'letter_submit',
               Cluster::letter_form(files => Cluster::file_list('u', 'v')) ]),
   'CR503 file_busy', 'a letter with a file that is just being removed';
is $owner->selectrow_array(q{SELECT count(*) FROM files
       WHERE sha256 = decode(?, 'hex')}, undef, hash_of('v')), 0,
   'has no row of it';
is meanwhile([ $ali, 'draft_save', undef, '{}', Cluster::file_list('w'),
               undef ],
             [ undef, 'file_removal_begin', hash_of('w') ]),
   'gave 0', 'a file of which a row is just being made stays';
is $owner->selectrow_array(q{SELECT count(*) FROM file_removals
       WHERE sha256 = decode(?, 'hex')}, undef, hash_of('w')), 0,
   'without a mark';

# A mark of eleven minutes is of a collector that died; another one goes on
# where it was, and what is stored anew meanwhile is not refused for it.

$owner->do(q{INSERT INTO file_removals (sha256, at)
             VALUES (decode(?, 'hex'), now() - ? * interval '1 minute')},
           undef, hash_of($_->[0]), $_->[1]) for ['x', 9], ['y', 11];
is join(' ', map { $_->{sha256} } @{$pg->call($db, 'file_removals')}),
   hash_of('y'), 'what a dead collector left, and nothing of a living one';
is fate($db, [ $ali, 'letter_submit', Cluster::letter_form(
       files => Cluster::file_list('x')) ]),
   'CR503 file_busy', 'a file that is being removed';
like fate($db, [ $ali, 'letter_submit', Cluster::letter_form(
         files => Cluster::file_list('y')) ]),
     qr/^gave /, 'one that was to be';

# A draft that is old, and taken up again in that moment.

my $draft = $pg->person($db, $ali, 'draft_save', undef, '{}', '[]',
                        undef)->[0]{draft};

$owner->do(q{UPDATE drafts SET updated_at = now() - interval '31 days'
              WHERE id = ?}, undef, $draft);
is meanwhile([ $ali, 'draft_save', $draft, '{"subject":"نو"}', '[]', undef ],
             [ undef, 'housekeeping', 30 ]),
   'gave 0 0', 'a draft that is being saved does not go';

# One form thirty times at once ------------------------------------------------


# What became of them, and how often.
sub at_once {
    my ($act) = @_;
    my %times;

    $times{$_}++ for $pg->parallel(30, sub { fate($_[0], $act) });

    return join ', ', map { "$times{$_} $_" } sort keys %times;
}


my $t = letter();

is at_once([ $clerks[0], 'letter_note', Cluster::key(), $t, 'یادداشت' ]),
   '1 gave 0, 29 gave 1', 'a note: written once, and every answer says so';
is $owner->selectrow_array(q{SELECT count(*) FROM events
       WHERE kind = 'note'}), 1, 'one is there';
like at_once([ $manager, 'canned_save', Cluster::key(), undef, 'ع', 'سلام',
               undef, 1 ]), qr/^30 gave \d+$/, 'a canned reply: the same for all';
is $owner->selectrow_array('SELECT count(*) FROM canned'), 1, 'one is there';
like at_once([ $admin, 'unit_save', Cluster::key(), undef, 'once', 'یک بار',
               undef, 1 ]), qr/^30 gave \d+$/, 'a unit';
like at_once([ $ali, 'ticket_create', Cluster::key(), 'موضوع', 'متن', '[]' ]),
   qr/^1 gave 0 (\d+), 29 gave 1 \1$/, 'a person’s ticket';
is $owner->selectrow_array('SELECT count(*) FROM tickets'), 1, 'one is there';

# What somebody was given meanwhile, and what was closed -----------------------

my ($c3, $c4, $c5) = @clerks;
my ($new, $t2) = (letter(), letter());
my $unit = $pg->staff($db, $admin, 'unit_save', Cluster::key(), undef,
                      'passing', 'گذرا', undef, 1)->[0]{unit_id};
my ($finance) = $owner->selectrow_array(
    q{SELECT id FROM units WHERE code = 'finance'});

is meanwhile([ $c3, 'letter_take', Cluster::key(), $new ],
             [ $admin, 'staff_save', $c3->{id}, 'نام', 'expert', $finance ]),
   'CR409 staff_has_work', 'a letter taken meanwhile: no expert';
is meanwhile([ $admin, 'staff_disable', $c4->{id} ],
             [ $c4, 'letter_note', Cluster::key(), $t2, 'یادداشت' ]),
   'CR401 session_ended', 'an account closed meanwhile writes nothing';
$pg->staff($db, $admin, 'staff_enable', $c4->{id});
is meanwhile([ $admin, 'staff_disable', $c4->{id} ],
             [ $manager, 'staff_handover', $c3->{id}, $c4->{id} ]),
   'CR422 to:staff_unknown', 'an account closed meanwhile gets no letters';

# Each of two administrators sees the other one, until one of them is none.

my $second = $pg->make_staff('admin');
is meanwhile([ $admin, 'staff_save', $admin->{id}, 'نام', 'clerk', undef ],
             [ $second, 'staff_save', $second->{id}, 'نام', 'clerk', undef ]),
   'CR409 staff_last_admin', 'of two administrators who leave one stays';
$pg->staff($db, $second, 'staff_save', $admin->{id}, 'نام', 'admin', undef);

is meanwhile([ $c5, 'letter_refer', Cluster::key(), $t2,
               qq(["$unit"]), '', undef, undef ],
             [ $admin, 'unit_save', Cluster::key(), $unit, 'passing', 'گذرا',
               undef, 0 ]),
   'CR409 unit_in_use', 'a referral meanwhile: the unit is not closed';

my $ref = $owner->selectrow_array(
    'SELECT id FROM referrals WHERE unit_id = ? AND outcome IS NULL', undef,
    $unit);
$pg->staff($db, $manager, 'referral_recall', Cluster::key(), $ref, 'نه');

is meanwhile([ $admin, 'staff_save', $c5->{id}, 'نام', 'clerk', $unit ],
             [ $admin, 'unit_save', Cluster::key(), $unit, 'passing', 'گذرا',
               undef, 0 ]),
   'CR409 unit_in_use', 'nor when a colleague comes to it';
$pg->staff($db, $admin, 'staff_save', $c5->{id}, 'نام', 'clerk', undef);

is meanwhile([ $admin, 'unit_save', Cluster::key(), $unit, 'passing', 'گذرا',
               undef, 0 ],
             [ $c5, 'letter_refer', Cluster::key(), $t2, qq(["$unit"]), '',
               undef, undef ]),
   'CR422 unit:unit_unknown', 'a unit closed meanwhile gets no letter';

# What a setting was before is what the one in front has set.

is meanwhile([ $admin, 'setting_set', 'due_days', 12 ],
             [ $admin, 'setting_set', 'due_days', 13 ]), 'gave 1',
   'a setting is set twice';
is join(' ', @{$owner->selectcol_arrayref(
       q{SELECT details ->> 'value_before' FROM audit
          WHERE action = 'setting_set' ORDER BY id})}), '10 12',
   'and each says what it changed';

# A log-in, which ends the account's link, and a password chosen by that link:
# both want the account, which somebody else has, and neither has what the
# other one waits for.

my $c6 = $pg->make_staff('clerk');

$pg->staff($db, $admin, 'staff_reinvite', $c6->{id}, 'link', 48);

my @ends = $pg->parallel(3, sub {
    my ($dbh, $i) = @_;

    my $until = sub {
        for (1 .. 60) {
            return if $dbh->selectrow_array(@_);
            select undef, undef, undef, 0.05;
        }
    };
    my $waiting = 'SELECT 1 FROM pg_locks WHERE NOT granted
                   HAVING count(*) >= ?';

    if ($i == 0) {
        my $holder = $pg->owner;

        $holder->begin_work;
        $holder->do('SELECT FROM staff WHERE id = ? FOR UPDATE', undef,
                    $c6->{id});
        $holder->do('SELECT pg_advisory_xact_lock(4712)');
        $until->($waiting, undef, 2);
        $holder->commit;
        return '';
    }

    if ($i == 1) {
        $until->(q{SELECT 1 FROM pg_locks WHERE locktype = 'advisory'
                    AND objid = 4712 AND granted});
        return fate($dbh, [ undef, 'staff_totp_done', $c6->{id}, 1, 70, 'b',
                            '1', undef ]);
    }

    $until->($waiting, undef, 1);
    return fate($dbh, [ undef, 'invitation_password', 'link', 'theirs', 's',
                        '1' ]);
});

is join(', ', @ends[1, 2]), "gave 1 1 $c6->{id}, gave - - expired",
   'a log-in ends the link that is just being used';

done_testing;
