#!/usr/bin/perl

# The outbox: claims and leases, order, poison, unknown answers, delivery,
# sending again, and that nothing is sent twice or lost by racing relays.

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


sub clear { $owner->do('TRUNCATE messages, message_attempts CASCADE') }


# Messages to mobiles, in this order; their ids.
sub queue {
    return map { $owner->selectrow_array(
        q{INSERT INTO messages (template, mobile, priority, expires_at)
          VALUES ('x', ?, ?, now() + interval '1 hour') RETURNING id}, undef,
        ref $_ ? @$_ : ($_, 5)) } @_;
}


sub claim { @{$pg->call($db, 'messages_claim', $_[0] // 10, 30, 'n1',
                               $_[1])} }
sub ids { join ' ', map { $_->{id} } @_ }


sub result {
    my ($m, $outcome, %with) = @_;

    return $pg->call($db, 'message_result', $m->{id}, $m->{tries}, $outcome,
                     'kave', $with{id}, $with{reason}, $with{cost},
                     $with{text}, $with{parts})->[0]{accepted};
}


sub state {
    return scalar $owner->selectrow_array(
        'SELECT state FROM messages WHERE id = ?', undef, $_[0]);
}


sub due { $owner->do("UPDATE messages SET next_at = now() - interval '1 s'") }


# Codes first, one mobile in order -------------------------------------------------

my @m = queue('0911', '0912', '0911', ['0913', 0]);
is ids(claim()), "$m[3] $m[0] $m[1]", 'codes first; one of each mobile';
is ids(claim()), '', 'the second of 0911 waits for the first';

clear;
@m = queue('0911', '0911');
my ($first) = claim();
ok result($first, 'sent', id => 'p1', cost => 300, text => 'متن', parts => 2),
   'sent';
is state($m[0]), 'sent', 'as a state';
is ids(claim()), $m[1], 'then the next to the same mobile';

# Races ----------------------------------------------------------------------------

clear;
@m = queue(map { "09$_" } 1 .. 200);
my @claimed = $pg->parallel(8, sub {
    my ($dbh) = @_;
    $pg->{statements} = undef;
    my @got;
    while (my @c = @{$pg->call($dbh, 'messages_claim', 7, 30, 'n', undef)}) {
        push @got, map { $_->{id} } @c;
    }
    "@got";
});
my @got = sort { $a <=> $b } map { split } @claimed;
is "@got", "@m", 'eight relays: each message claimed once, none left';

# Order, when many relays race for one person.
clear;
@m = queue(('0911') x 20);
my @order = $pg->parallel(4, sub {
    my ($dbh) = @_;
    $pg->{statements} = undef;
    my @got;
    for (1 .. 60) {
        for my $c (@{$pg->call($dbh, 'messages_claim', 5, 30, 'n', undef)}) {
            my ($at) = $dbh->selectrow_array('SELECT extract(epoch FROM clock_timestamp())');
            push @got, "$at:$c->{id}";
            $pg->call($dbh, 'message_result', $c->{id}, $c->{tries}, 'sent',
                      'k', 'p', undef, undef, undef, undef);
        }
    }
    "@got";
});
my @sent = map { /:(\d+)/ } sort { ($a =~ /^(.*):/)[0] <=> ($b =~ /^(.*):/)[0] }
    map { split } @order;
is "@sent", "@m", 'one person’s messages keep their order';

# Retries --------------------------------------------------------------------------

clear;
@m = queue('0911', '0911', '0912');
for my $try (1 .. 3) {
    my ($c) = grep { $_->{id} == $m[0] } claim();
    is $c->{tries}, $try, "try $try";
    result($c, 'retry', reason => 'busy');
    is state($m[0]), 'queued', 'again later';
    due;
}
my @both = claim();
like ids(@both), qr/\b$m[1]\b/,
   'after three failures it holds up the next one no more';
result($_, 'retry', reason => 'busy') for grep { $_->{id} == $m[0] } @both;

for (5 .. 10) {
    due;
    my ($c) = grep { $_->{id} == $m[0] } claim();
    result($c, 'retry', reason => 'busy') if $c;
}
is state($m[0]), 'failed', 'ten tries and no more';

# The answer to a result was lost, and it is told again.
clear;
queue('0913');
my ($told) = claim();
result($told, 'sent', id => '7', cost => 900) for 1 .. 2;
is $owner->selectrow_array(q{SELECT count(*) || ' ' || sum(cost)
    FROM message_attempts WHERE message_id = ?}, undef, $told->{id}), '1 900',
   'one attempt, paid for once';
result($told, 'unknown');
is $owner->selectrow_array('SELECT count(*) FROM message_attempts
    WHERE message_id = ?', undef, $told->{id}), 2, 'another one is kept';

# A provider that is away is no fault of a message: it stays in its place.
clear;
@m = queue('0911', '0911');
for my $try (1 .. 12) {
    due;
    my @c = claim();
    is ids(@c), $m[0], "outage, try $try: the first one, alone";
    result($c[0], 'wait', reason => 'connect');
    is state($m[0]), 'queued', 'waits';
}
cmp_ok $owner->selectrow_array('SELECT max(next_at) - now() < interval \'6 s\'
                                  FROM messages'), '==', 1, 'not for long';

# Room is left for codes.
clear;
@m = queue('0911', '0912', '0913', ['0914', 0], ['0915', 0]);
is ids(claim(4, 1)), "$m[3] $m[4] $m[0]", 'codes, and one of the others';
is ids(claim(4, 0)), '', 'no place for others';
is ids(claim(4)), "$m[1] $m[2]", 'then they go';

clear;
@m = queue('0911');
my ($c) = claim();
result($c, 'failed', reason => 'blacklist');
is state($m[0]), 'failed', 'refused for good';
due;
is ids(claim()), '', 'not sent again';

# Leases ----------------------------------------------------------------------------

clear;
@m = queue('0911');
($c) = claim();
$owner->do(q{UPDATE messages SET lease_until = now() - interval '1 s'});
my $swept = $pg->call($db, 'messages_sweep')->[0];
is $swept->{unknown}, 1, 'a node that died leaves an unknown message';
is ids(claim()), '', 'which is not simply sent again';
my ($check) = @{$pg->call($db, 'messages_to_check', 10, 30, 1)};
is $check->{state}, 'unknown', 'the provider is asked';
is $check->{provider_key}, $c->{provider_key}, 'by our own number';
is @{$pg->call($db, 'messages_to_check', 10, 30, 1)}, 0, 'by one node';
is $pg->call($db, 'message_checked', $m[0], 'unsent', 'kave', undef, undef, 0)
      ->[0]{state}, 'queued', 'it never came there: again';
my ($second) = claim();
is $second->{tries}, 2, 'the second try';
ok !result($c, 'failed', reason => 'late'), 'the first one’s late word';
is state($m[0]), 'sending', 'changes nothing';
ok result($second, 'unknown', reason => 'timeout'), 'no answer';
is state($m[0]), 'unknown', 'is unknown, never sent';
ok result($second, 'sent', id => 'p2'), 'a late answer that it was sent';
is state($m[0]), 'sent', 'counts';

clear;
@m = queue('0911');
($c) = claim();
result($c, 'unknown');
due;
$pg->call($db, 'messages_to_check', 10, 30, 1);
is $pg->call($db, 'message_checked', $m[0], 'pending', undef, undef, undef, 1)
      ->[0]{state}, 'queued', 'nobody can tell: it waits to be sent again';
ok result($c, 'sent', id => 'p3'), 'a late answer that it was sent';
is state($m[0]), 'sent', 'counts as long as it waits';
due;
is ids(claim()), '', 'and it is not sent again';

clear;
@m = queue('0911');
($c) = claim();
result($c, 'unknown');
for my $n (1 .. 3) {
    due;
    my ($u) = @{$pg->call($db, 'messages_to_check', 10, 30, 1)};
    is $pg->call($db, 'message_checked', $m[0], 'pending', undef, undef,
                 undef, 3)->[0]{state}, $n < 3 ? 'unknown' : 'queued',
       $n < 3 ? 'nobody knows: wait' : 'after three checks: send again';
}
is $owner->selectrow_array('SELECT count(*) FROM message_attempts
       WHERE message_id = ?', undef, $m[0]), 4, 'every attempt is kept';

for my $sends (2 .. 3) {
    due;
    ($c) = claim();
    is $c->{tries}, $sends, "send $sends";
    result($c, 'unknown');
    for (1 .. 3) {
        due;
        $pg->call($db, 'messages_to_check', 10, 30, 1);
        $pg->call($db, 'message_checked', $m[0], 'pending', undef, undef,
                  undef, 3);
    }
}
is state($m[0]), 'failed', 'what nobody can tell about goes out three times';

# A clock that was set back by a day while messages waited.

clear;
@m = queue('0911', '0912', '0911');
result((claim())[0], 'unknown');
$owner->do(q{UPDATE messages SET state = 'queued' WHERE state = 'sending'});
$owner->do(q{UPDATE messages SET created_at = created_at + interval '1 day',
                 next_at = next_at + interval '1 day',
                 expires_at = expires_at + interval '1 day'});
is ids(claim()), '', 'none is due';
$pg->call($db, 'messages_sweep');
is ids(claim()), $m[1], 'they are, when somebody has looked';
is ids(@{$pg->call($db, 'messages_to_check', 10, 30, 0)}), $m[0],
   'and are asked for';
$owner->do(q{UPDATE messages SET state = 'queued', next_at = now()
                 + interval '61 minutes'});
$pg->call($db, 'messages_sweep');
is ids(claim()), '', 'an hour is as long as a message waits';

# A provider that tells about delivery, where none was for years.

clear;
@m = queue('0911', '0912');
result($_, 'sent', id => 'p') for claim();
$owner->do(q{UPDATE messages SET next_at = now() - ? * interval '1 day'
              WHERE id = ?}, undef, @$_) for [4, $m[0]], [2, $m[1]];
is ids(@{$pg->call($db, 'messages_to_check', 10, 30, 1)}), $m[1],
   'what was due for days is not asked for, before all others';

# Codes expire unsent -----------------------------------------------------------------

clear;
@m = queue(['0911', 0]);
$owner->do(q{UPDATE messages SET expires_at = now() - interval '1 s',
             secret = 'x'});
is ids(claim()), '', 'a code is not sent late';
is $pg->call($db, 'messages_sweep')->[0]{expired}, 1, 'it expires';
is $owner->selectrow_array('SELECT secret FROM messages'), undef, 'erased';

clear;
@m = queue(['0911', 0]);
$owner->do(q{UPDATE messages SET secret = 'x'});
($c) = claim();
is $c->{secret}, 'x', 'the relay gets the secret';
result($c, 'sent', id => 'p', text => 'کد: ******');
is $owner->selectrow_array('SELECT secret FROM messages'), undef,
   'erased once sent';

for my $how ('refused for good', 'refused for the tenth time',
             'not delivered', 'not delivered, whatever became of it') {
    clear;
    @m = queue(['0911', 0]);
    $owner->do(q{UPDATE messages SET secret = 'x'});
    $owner->do('UPDATE messages SET faults = 9') if $how =~ /tenth/;
    ($c) = claim();

    if ($how =~ /refused/) {
        result($c, $how =~ /tenth/ ? 'retry' : 'failed', reason => 'x');

    } else {
        result($c, 'unknown') if $how =~ /whatever/;
        result($c, 'sent', id => 'p') if $how !~ /whatever/;
        $pg->call($db, 'message_checked', $m[0], 'failed', 'kave', 'p', 'x', 0);
    }

    is state($m[0]), 'failed', "a code that was $how";
    is $owner->selectrow_array('SELECT secret IS NULL FROM messages'), 1,
       'is erased';
}

# Delivery and the letter’s mark -------------------------------------------------------

clear;
my $ali = $pg->make_person($db, level => 3);
my $clerk = $pg->make_staff('clerk');
clear;
my $t = $pg->send_letter($db, $ali);
my $marked = sub { $owner->selectrow_array(
    'SELECT undelivered FROM letters WHERE tracking_code = ?', undef, $t) };
($c) = claim();
result($c, 'sent', id => 'p9');
due;
$pg->call($db, 'messages_to_check', 10, 30, 1);
is $pg->call($db, 'message_checked', $c->{id}, 'failed', 'kave', 'p9',
             'blocked', 0)->[0]{state}, 'failed', 'not delivered';
ok $marked->(), 'the letter is in «ابلاغ‌نشده»';
is $pg->call($db, 'clerk_inbox', $clerk->{id}, 'undelivered', (undef) x 5, 9)
      ->[0]{tracking_code}, $t, 'as the tab shows';
is $pg->call($db, 'letters_events', $ali->{id}, $t)->[0]{sms_state}, 'failed',
   'the citizen sees it in plain words';

my $key = Cluster::key();
my $again = $pg->staff($db, $clerk, 'message_resend', $key, $c->{id})->[0];
ok $again->{new_id} > $c->{id}, 'sent again: a new message';
is $pg->staff($db, $clerk, 'message_resend', $key, $c->{id})->[0]{new_id},
   $again->{new_id}, 'once';
is $pg->refused($db, sub {
       $pg->staff($db, $clerk, 'message_resend', Cluster::key(), $c->{id}) }),
   'CR409 message_not_resendable', 'not from another form either';
ok !$marked->(), 'the mark is off';
($c) = claim();
result($c, 'failed', reason => 'x');
ok $marked->(), 'on again when that fails too';

# A message of a letter fails while another is sent again: whichever comes last
# sees the other.

clear;
$owner->do('UPDATE letters SET undelivered = true WHERE tracking_code = ?',
           undef, $t);

my @two = map { $owner->selectrow_array(
    q{INSERT INTO messages (template, mobile, person_id, letter_id, state,
                            tries, expires_at)
      SELECT 'letter_sent', ?, ?, id, ?, 1, now() + interval '1 hour'
        FROM letters WHERE tracking_code = ? RETURNING id}, undef,
    $ali->{mobile}, $ali->{id}, $_, $t) } qw(failed sending);

$pg->parallel(2, sub {
    my ($dbh, $i) = @_;

    $pg->{statements} = undef;

    # each goes on when the other is where it has to be

    my $until = sub {
        my ($query) = @_;

        for (1 .. 100) {
            return if $dbh->selectrow_array($query);
            select undef, undef, undef, 0.1;
        }
    };

    if ($i == 0) {
        $until->(q{SELECT 1 FROM pg_locks WHERE locktype = 'advisory'
                   AND objid = 7 AND granted});
        return $pg->staff($dbh, $clerk, 'message_resend', Cluster::key(),
                          $two[0])->[0]{new_id};
    }

    $dbh->begin_work;
    $pg->call($dbh, 'message_result', $two[1], 1, 'failed', 'kave', undef,
              'x', undef, undef, undef);
    $dbh->do('SELECT pg_advisory_xact_lock(7)');
    $until->('SELECT 1 FROM pg_locks WHERE NOT granted');
    $dbh->commit;
    return 1;
});
is join(' ', map { state($_) } @two), 'failed failed', 'both had failed';
ok $marked->(), 'one failed while the other was sent again: marked';

# To the mobile of today, but for what warns the owner of the one before.

my ($today) = $owner->selectrow_array('SELECT mobile FROM persons WHERE id = ?',
                                      undef, $ali->{id});

for my $case ([ letter_answered => $today ], [ mobile_changed => '0911' ],
              [ account_claimed => '0911' ])
{
    my ($template, $to) = @$case;
    my ($failed) = queue('0911');

    $owner->do(q{UPDATE messages SET state = 'failed', template = ?,
                 person_id = ? WHERE id = ?}, undef, $template, $ali->{id},
               $failed);

    my $new = $pg->staff($db, $clerk, 'message_resend', Cluster::key(),
                         $failed)->[0]{new_id};

    is $owner->selectrow_array('SELECT mobile FROM messages WHERE id = ?',
                               undef, $new), $to, "$template goes to $to";
}

my ($code) = queue(['0911', 0]);
$owner->do(q{UPDATE messages SET state = 'failed' WHERE id = ?}, undef, $code);
is $pg->refused($db, sub {
       $pg->staff($db, $clerk, 'message_resend', Cluster::key(), $code) }),
   'CR409 message_is_code', 'codes are not sent again';
my $expert = $pg->make_staff('expert');
is $pg->refused($db, sub {
       $pg->staff($db, $expert, 'message_resend', Cluster::key(), $c->{id}) }),
   'CR403 role_refused', 'nor by experts';

# What is on its way is not sent a second time -------------------------------------------

for my $state (qw(queued sending unknown delivered)) {
    my ($m) = queue('0911');

    $owner->do('UPDATE messages SET state = ?, lease_until = now() + ?
                 WHERE id = ?', undef, $state, '1 minute', $m);
    is $pg->refused($db, sub {
           $pg->staff($db, $clerk, 'message_resend', Cluster::key(), $m) }),
       'CR409 message_not_resendable', "nor what is $state";
}

# A sweep takes what is over, and that alone.

clear;
@m = queue(('0911') x 6);
$owner->do(q{UPDATE messages SET state = ?, lease_until = now() + ?,
                    expires_at = now() + ? WHERE id = ?}, undef, @$_)
    for [ sending => '1 minute', '1 hour', $m[0] ],
        [ sending => '-1 minute', '1 hour', $m[1] ],
        [ queued => undef, '-1 minute', $m[2] ],
        [ queued => undef, '1 minute', $m[3] ],
        [ sent => undef, '-1 minute', $m[4] ],
        [ delivered => undef, '-1 minute', $m[5] ];
$pg->call($db, 'messages_sweep');
is join(' ', map { state($_) } @m),
   'sending unknown expired queued sent delivered',
   'a lease that ran out, what nobody sent in time';

# What is known of a message stays, whatever a provider says later.

for my $state (qw(delivered failed expired queued)) {
    my ($m) = queue('0911');

    $owner->do('UPDATE messages SET state = ? WHERE id = ?', undef, $state,
               $m);
    $pg->call($db, 'message_checked', $m, $_, 'p', 'r', undef, 1)
        for qw(failed unsent delivered);
    is state($m), $state, "$state stays so";
}

# All of a period at once -------------------------------------------------------------

clear;
my $admin = $pg->make_staff('admin');
my @old = map { $owner->selectrow_array(
    q{INSERT INTO messages (template, mobile, priority, person_id, letter_id,
                            state, created_at, text)
      SELECT 'letter_sent', '0911', $1::smallint, $2,
             CASE WHEN $1::smallint > 0 THEN l.id END, $3,
             ($4::date + time '23:30') AT TIME ZONE 'Asia/Tehran', 'x'
        FROM letters AS l WHERE l.tracking_code = $5 RETURNING id}, undef,
    $_->[2] // 5, $ali->{id}, $_->[0], $_->[1], $t) }
    [ failed => '2026-03-01' ], [ failed => '2026-03-02' ],
    [ failed => '2026-03-03' ], [ expired => '2026-03-02' ],
    [ failed => '2026-03-02', 0 ], [ sent => '2026-03-02' ];

$owner->do('UPDATE letters SET undelivered = true WHERE tracking_code = ?',
           undef, $t);

sub resend_all {
    my ($who, @more) = @_;

    return $pg->staff($db, $who, 'messages_resend', @more)->[0];
}

sub resent {
    return join ' ', @{ $owner->selectcol_arrayref(
        'SELECT id FROM messages WHERE resent_as IS NOT NULL ORDER BY id') };
}

is $pg->call($db, 'messages_resendable', 'failed', '2026-03-01', '2026-03-02',
             9)->[0]{count}, 2, 'how many: no codes, and only of those days';
$key = Cluster::key();
is resend_all($admin, $key, 'failed', '2026-03-01', '2026-03-02', 9)->{resent},
   2, 'those are sent again';
is resent(), "$old[0] $old[1]", 'and say so';
is resend_all($admin, $key, 'failed', '2026-03-01', '2026-03-02', 9)->{resent},
   2, 'the same form is told the same';
is resend_all($admin, Cluster::key(), 'failed', '2026-03-01', '2026-03-02', 9)
       ->{resent}, 0, 'another one finds none';
ok $marked->(), 'the letter has others that failed';
is resend_all($admin, Cluster::key(), 'failed', undef, undef, 1)->{resent}, 1,
   'no more than was said';
is resend_all($admin, Cluster::key(), 'expired', undef, undef, 9)->{resent},
   1, 'expired ones';
ok !$marked->(), 'now all of the letter are on their way';
is $owner->selectrow_array(q{SELECT count(*) FROM messages
      WHERE state = 'queued' AND resend_of IS NOT NULL
        AND expires_at BETWEEN now() + interval '71 hours'
                           AND now() + interval '72 hours'}), 4,
   'as new messages of three days';
is $owner->selectrow_array(q{SELECT string_agg(details->>'count', ' '
      ORDER BY id) FROM audit WHERE action = 'messages_resent'}), '2 0 1 1',
   'a line of the audit each';
is $pg->refused($db, sub { resend_all($clerk, Cluster::key(), 'failed',
                                      undef, undef, 9) }),
   'CR403 role_refused', 'clerks do not';
is $pg->refused($db, sub { resend_all($admin, Cluster::key(), 'sent',
                                      undef, undef, 9) }),
   'CR409 message_not_resendable', 'nor what was sent';

# How long it may wait: what the connection says.

clear;
$db->do("SET correspondence.message_lifetime = '600'");
$owner->do('DELETE FROM messages');
($c) = queue('0911');
$owner->do(q{UPDATE messages SET state = 'failed' WHERE id = ?}, undef, $c);
$again = $pg->staff($db, $clerk, 'message_resend', Cluster::key(), $c)->[0];
is $owner->selectrow_array(q{SELECT round(extract(epoch FROM expires_at
      - created_at)) FROM messages WHERE id = ?}, undef, $again->{new_id}),
   600, 'ten minutes when the connection says so';

done_testing;
