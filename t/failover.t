#!/usr/bin/perl

# PostgreSQL's primary is killed while letters are sent, and its standby
# promoted; then each of two nodes is killed.  What was acknowledged is there,
# once and whole.  The short form of t/torture/failover.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/torture/lib";

use Time::HiRes qw(sleep time);

use Torture::Failover;
use Torture::Letters;
use Torture::Messages;
use Torture::Watch;
use Portal;

my $f = Torture::Failover->new(redis => 0, detect => 0.3,
                               timeouts => 'connect_timeout=1s');
my $p = $f->{portal};
my $b = $p->browser;

$b->signup;
$b->set_password;

my $who = $b->{person};

$p->db->do(q{UPDATE persons SET mobile_step = 'yes', registry_step = 'yes',
             first_name = 'زهرا', last_name = 'کریمی', father_name = 'علی'
             WHERE national_code = ?}, undef, $who->{national_code});

my $letters = Torture::Letters->new($p, clients => 3, pause => 0.1,
                                    bases => [ $f->bases ]);
my $watch = Torture::Watch->new($p, $b, bases => [ $f->bases ]);

# one base behind the other, so that both nodes are asked

is(scalar $f->bases, 2, 'two nodes');

for my $base ($f->bases) {
    $b->{base} = $base;
    is($b->get('/desk/letters')->status, 200, 'one session at both');
}

sub seen {
    my ($what, $from, $to) = @_;
    my $n = $watch->answers($from, $to);

    note(sprintf '%s: %s; not well for %.1f s, the slowest answer %.1f s',
         $what, join(', ', map { "$n->{$_} times $_" } sort keys %$n),
         $watch->outage($from, $to), $watch->slowest($from, $to));
    return $n;
}

# the primary

is($p->value(q{SELECT sync_state FROM pg_stat_replication}), 'sync',
   'the standby is synchronous');

$letters->start;
$watch->start;
sleep 1.5;

my $killed = $f->lose_postgres;

ok($f->well, 'the primary is killed, its standby promoted: well again');
ok(wait_until(20, sub { $letters->acknowledged_after($killed + 0.5) }),
   'letters are accepted again');
ok(wait_until(30, sub { $watch->outage($killed) < 30 }),
   'and pages are well, after seconds');

my $n = seen('the primary killed', $killed);

is(join(' ', grep { !/^(?:200|503)$/ } keys %$n), '',
   'pages: well, or 503 until then');
is($p->value('SELECT pg_is_in_recovery()'), 0, 'it is the promoted one');

like($p->log, qr/cannot connect to 127\.0\.0\.1:\d+: connecting took too long/,
     'a host that answers nothing stands before it');

# The former primary comes back and believes that it still is one; it stands
# first in the list.  Workers that know nothing, and those that do, leave it.

my $stale = $f->standby;

$f->postgres_gone($stale);
$f->start_postgres($stale);

my $to_stale = $f->connect($stale);

is($to_stale->selectrow_array('SELECT pg_is_in_recovery()'), 0,
   'the former primary is back, and open for writes');

my $before = $p->value('SELECT count(*) FROM letters');

ok($p->reload, 'workers that know nothing of it');
ok(wait_until(20, sub {
    $p->log =~ /connect to \Q$stale->{address}\E:5432: it was replaced/
}), 'find that it was replaced');
ok(wait_until(20, sub {
    $p->value('SELECT count(*) FROM letters') > $before + 5
}), 'letters go to the other one');
is($to_stale->selectrow_array(q{SELECT count(*) FROM letters
    WHERE created_at > to_timestamp(?)}, undef, $killed + 0.5), 0,
   'and none to it');
$to_stale->disconnect;
$stale->{instance}->stop_postgres;

# it is made anew, and follows

$f->return_postgres;
is($p->value(q{SELECT sync_state FROM pg_stat_replication}), 'sync',
   'the former primary, made anew, is the synchronous standby');

# the nodes

for my $node (1, 2) {
    my $at = $f->lose_node($node);

    ok(wait_until(20, sub { $letters->acknowledged_after($at + 0.5) }),
       "node $node is killed: letters are accepted");
    $f->return_node($node);

    my $n = seen("node $node killed", $at);

    is(join(' ', grep { $_ ne 200 } keys %$n), '',
       "node $node is killed: the other one answers");
}

ok($f->well, 'all is well');
$letters->stop;
$watch->stop;

my $a = $letters->account;

note(join ', ', map { "$a->{answers}{$_} times $_" }
                sort keys %{ $a->{answers} });
cmp_ok($a->{acknowledged}, '>', 20, 'letters were acknowledged');
is($a->{lost}, 0, 'none of them lost');
is($a->{doubled}, 0, 'none doubled');
is($a->{half}, 0, 'none by half');

$letters->again;
is($a->{again}, $a->{sent}, 'each was sent again with its key');
is_deeply($a->{problems}, [], 'all is accounted for')
    or diag join "\n", map { substr $_, 0, 300 } @{ $a->{problems} };

my $messages = Torture::Messages->new($p);

ok($messages->drain(60), 'all messages have left');

my $m = $messages->account;

is($m->{lost}, 0, 'and arrived');
is_deeply($m->{problems}, [], 'once') or diag explain $m->{problems};

# A switch: the standby is promoted, the former primary takes no more writes,
# and nobody closes connections.  The next write finds out.

my $old = $f->primary;
my $to_old = $f->connect($old);

$f->synchronous('');
$f->promote;
$to_old->do('ALTER SYSTEM SET default_transaction_read_only = on');
$to_old->do('SELECT pg_reload_conf()');

$b->{base} = ($f->bases)[0];

my $code = eval { $b->send_letter };

ok($code, 'a switch: the next letter is accepted') or diag $@;
is($p->value('SELECT count(*) FROM letters WHERE tracking_code = ?', $code),
   1, 'by the new primary');
ok(wait_until(20, sub {
    $b->post('/desk/letters', {}) for 1 .. 4;
    !$to_old->selectrow_array(q{SELECT count(*) FROM pg_stat_activity
        WHERE usename = 'correspondence_portal'})
}), 'nobody is connected to the old one');

$f->done;
