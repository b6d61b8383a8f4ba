#!/usr/bin/perl

# PostgreSQL that hangs, vanishes, comes back, forgets: requests get an answer
# in bounded time, and the portal is well again by itself.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use DBI;
use Time::HiRes qw(sleep time);

use Portal;
use Portal::Crowd;

# the page of a person: one look-up in Redis, one round trip to PostgreSQL
my $page = '/desk/identity';

my @short = [ qr/connections=3;/,
              'connections=2 writers=0 timeout=2s connect_timeout=1s;' ];

my $p = Portal->new(proxies => ['postgres'], replace => [ @short ]);
my $proxy = $p->proxy('postgres');
my $b = $p->browser;

$b->signup;
is($b->get($page)->status, 200, 'all is well at first');

sub connections {
    my $health = $b->json('/health');

    return $health ? $health->{postgres}{connections} // -1 : -1;
}

sub well {
    my ($what) = @_;

    ok(wait_until(8, sub { connections() == 2 }), "$what: well again")
        or diag $p->log;
    is($b->get($page)->status, 200, "$what: the page");
}

sub took {
    my $since = time;

    $b->get($page);
    return time - $since;
}

sub terminate {
    return $p->value('SELECT count(pg_terminate_backend(pid))'
                     . ' FROM pg_stat_activity WHERE usename = ?',
                     'correspondence_portal');
}

well('the start');

# every byte a packet: results come in pieces, requests leave in pieces

$proxy->mode('byte');

# a few only: the proxy itself is slow at it

my $crowd = Portal::Crowd->new($b, $page, 3);

is_deeply($crowd->wait(30), { 200 => 3 }, 'a byte at a time');
$proxy->mode('pass');

# closed by the server while idle: nobody notices

is(terminate(), 2, 'idle connections are closed');
well('idle ones closed');

# reset in the middle of answers

for my $bytes (1, 5, 6, 30, 200) {
    $proxy->cut($bytes);

    my $r = Portal::Crowd->new($b, $page, 5)->wait(15);

    is(($r->{200} // 0) + ($r->{503} // 0), 5,
       "cut after $bytes bytes: all have an answer");
    $proxy->mode('pass');
    well("cut after $bytes bytes");
}

# nobody listens

$proxy->mode('refuse');
$b->get($page);
is($b->get($page)->status, 503, 'refused: 503');
ok(took() < 0.5, 'at once');
is($b->get('/')->status, 200, 'refused: pages that need nothing are there');
is($b->get('/health')->status, 503, 'refused: not ready');
$proxy->mode('pass');
well('refused');

# the peer hangs: the page's time-out, then fail at once, then well

$proxy->mode('stall');
$crowd = Portal::Crowd->new($b, $page, 20);

my $r = $crowd->wait(20);

is($r->{503}, 20, 'stalled: 503 for all');
cmp_ok($crowd->slowest, '<', 12, 'within the time-out and its repeats');
ok(wait_until(10, sub { connections() == 0 }), 'and is given up');
ok(wait_until(5, sub { took() < 0.5 }), 'then the answer comes at once');
$proxy->mode('pass');
well('stalled');

# as before, but clients go away meanwhile

$proxy->mode('stall');
$crowd = Portal::Crowd->new($b, $page, 20);
sleep 0.3;
$crowd->abort;
sleep 0.3;
$proxy->mode('pass');
well('clients left');

# nobody even accepts

$proxy->mode('blackhole');
$r = Portal::Crowd->new($b, $page, 5)->wait(20);
is($r->{503}, 5, 'black hole: 503');
$proxy->mode('pass');
well('black hole');

# a read-only session (a standby after a failover) is never used

$p->sql('ALTER ROLE correspondence_portal'
        . ' SET default_transaction_read_only = on');
terminate();
ok(wait_until(5, sub { connections() == 0 }), 'a read-only server is unfit');
is($b->get($page)->status, 503, 'read-only: 503');
like($p->log, qr/postgres: cannot connect to \S+: the server is read-only/,
     'read-only: the log says why');
$p->sql('ALTER ROLE correspondence_portal'
        . ' RESET default_transaction_read_only');
well('read-only');

# The schema of another version, in the middle of an upgrade: a function that
# this module does not find costs the pages that call it, and no other.

for my $when ('while connections stand', 'for new ones') {
    $p->sql('ALTER TABLE tickets RENAME TO tickets_away');
    terminate() if $when =~ /new/;
    ok(wait_until(10, sub { connections() > 0 }), "$when: connected");
    is($b->get('/desk/tickets')->status, 503, "$when: 503 for what it lacks");
    is($b->get('/desk/profile')->status, 200, "$when: the rest goes on");
    ok((grep { ($_->{name} // '') eq 'postgres_schema' }
        @{ $b->json('/health')->{problems} // [] }), "$when: health says so")
        if $when =~ /new/;
    $p->sql('ALTER TABLE tickets_away RENAME TO tickets');
    ok(wait_until(15, sub { $b->get('/desk/tickets')->status == 200 }),
       "$when: and is found again");
}

is(() = $p->log =~ /\[error\].*statement "\w+" cannot be prepared: 42P01/g,
   1, 'the log says so once');
well('unprepared');

# without all of them nothing goes on

$p->sql('ALTER SCHEMA correspondence RENAME TO away');
terminate();
ok(wait_until(5, sub { connections() == 0 }), 'no statement fits');
is($b->get($page)->status, 503, 'no schema: 503');
$p->sql('ALTER SCHEMA away RENAME TO correspondence');
well('a schema');

# a plan that became stale: asked again on a connection that has none

for my $type (qw(varchar(4000) text)) {
    $p->sql("ALTER TABLE persons ALTER COLUMN address TYPE $type");
    is(join(' ', map { $b->get($page)->status } 1 .. 4), '200 200 200 200',
       "stale plans cost nobody an answer: $type");
}

well('stale plans');

# A server that takes no writes any more, its connections open: what wrote is
# refused by it, and reads do not stay there either.

my $write = sub { $b->post('/desk/profile', {})->status };

$p->sql('ALTER SYSTEM SET default_transaction_read_only = on');
$p->sql('SELECT pg_reload_conf()');
ok(wait_until(10, sub { $write->(); connections() == 0 }),
   'a server became read-only: its connections go');
is($write->(), 503, 'and writes are refused for now, not in error');
$p->db->do('SET default_transaction_read_only = off');
$p->sql('ALTER SYSTEM RESET default_transaction_read_only');
$p->sql('SELECT pg_reload_conf()');
well('writable again');

# reload and stop

$proxy->mode('stall');
$crowd = Portal::Crowd->new($b, $page, 10);
sleep 0.3;
kill HUP => $p->nginx_pid;
sleep 0.3;
$proxy->mode('pass');
is_deeply($crowd->wait(15), { 200 => 10 },
          'a reload loses nothing that was accepted');
well('reload');

$proxy->mode('stall');
$crowd = Portal::Crowd->new($b, $page, 10);
sleep 0.3;

my $since = time;
my $status = $p->stop_nginx;

is($status, 0, 'a stop while it is stalled');
$r = $crowd->wait(5);
is($r->{503}, 10, 'all have an answer');
cmp_ok(time - $since, '<', 15, 'in bounded time');
$proxy->mode('refuse');

# a start before the database

$p->start_nginx;
is($b->get('/health')->status, 503, 'a start without PostgreSQL');
is($b->get($page)->status, 503, 'gives 503');
$proxy->mode('pass');
well('a late database');

# Transactions that were rolled back for being in each other's way, or in a
# migration's, did nothing: they are sent again, once and once more.  The
# sequence keeps its count through roll-backs.

my $other = $p->browser;

$other->signup;
$p->db->do($_) for 'SET client_min_messages TO warning',
    'CREATE SEQUENCE public.conflicts', q{
    GRANT USAGE ON SEQUENCE public.conflicts TO PUBLIC}, q{
    CREATE FUNCTION public.conflict() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF nextval('public.conflicts') <= 0 THEN
            RAISE EXCEPTION 'in the way' USING ERRCODE = TG_ARGV[0];
        END IF;
        RETURN NEW;
    END $$};
$p->db->do('ALTER SEQUENCE public.conflicts MINVALUE -9');

for my $state (qw(40001 40P01 XX000)) {
    $p->db->do('DROP TRIGGER IF EXISTS conflict ON correspondence.persons');
    $p->db->do('CREATE TRIGGER conflict BEFORE UPDATE ON'
               . ' correspondence.persons FOR EACH ROW'
               . " EXECUTE FUNCTION public.conflict('$state')");

    for my $times (1, 2) {
        $p->db->do('SELECT setval(?, ?, false)', undef, 'public.conflicts',
                   1 - $times);
        $other->get('/desk/profile');
        $other->submit({ address => "$state $times" }, 'main form');
        is($other->status, 303, "$state, $times times: saved");
        is($p->value('SELECT address FROM persons WHERE national_code = ?',
                     $other->{person}{national_code}), "$state $times",
           'as it was written');

        # one that is otherwise never sent again
        $p->db->do('SELECT setval(?, ?, false)', undef, 'public.conflicts',
                   1 - $times);
        is($other->post('/desk/sessions', { all => 1 })->path,
           '/desk/sessions?flash=sessions_ended',
           "$state, $times times: what may be sent once only, too");
    }

    $p->db->do(q{SELECT setval('public.conflicts', -2, false)});
    $other->get('/desk/profile');
    $other->submit({ address => 'never' }, 'main form');
    is($other->status, $state eq 'XX000' ? 500 : 503,
       "$state, three times: no more");
    is($p->value('SELECT count(*) FROM persons WHERE address = ?', 'never'), 0,
       'and nothing is saved');
}


# What a connection refused goes at once to one that has nothing to do, though
# the next thing that comes is its own end, and no new one can be had.  The
# first two wait in the server; the third stands behind the first.

$p->db->do(q{
    CREATE OR REPLACE FUNCTION public.conflict() RETURNS trigger
    LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared(right(NEW.address, 1)::int);
        IF NEW.address = 'wait 1' THEN
            IF nextval('public.conflicts') <= 0 THEN
                RAISE EXCEPTION 'not here' USING ERRCODE = '26000';
            END IF;
        END IF;
        RETURN NEW;
    END $$});
$p->db->do(q{SELECT setval('public.conflicts', 0, false)});

my @who = map { $p->browser } 1 .. 3;
my @sockets;

$_->signup && $_->get('/desk/profile') for @who;
$p->sql('SELECT pg_advisory_lock(n) FROM generate_series(1, 3) AS n');
$p->sql('ALTER ROLE correspondence_portal NOLOGIN');

for my $n (1 .. 3) {
    my $who = $who[$n - 1];
    my %form = (%{ Portal::Browser::preset($who->form({}, 'main form')) },
                address => "wait $n");
    my $body = Mojo::Parameters->new(%form)->to_string;

    push @sockets, $p->socket;
    syswrite $sockets[-1],
        "POST /desk/profile HTTP/1.1\r\nHost: localhost\r\nCookie: "
        . join('; ', map { $_->name . '=' . $_->value }
               @{ $who->ua->cookie_jar->find(Mojo::URL->new($p->base)) })
        . "\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        . "Content-Length: @{[ length $body ]}\r\n\r\n$body";

    $n == 3 ? sleep 0.2 : wait_until(2, sub {
        $n == $p->value(q{SELECT count(*) FROM pg_locks
                          WHERE locktype = 'advisory' AND NOT granted})
    });
}

$p->sql('SELECT pg_advisory_unlock(2)');
like(scalar readline $sockets[1], qr{^HTTP/1\.1 303 },
     'one connection has nothing to do');

$proxy->hold(0);
$p->sql('SELECT pg_advisory_unlock(1)');
ok(wait_until(2, sub { $proxy->counts->{kept} }), 'the other one refuses');
sleep 0.2;
$proxy->spoil('not here');
$proxy->mode('pass');
like(scalar readline $sockets[0], qr{^HTTP/1\.1 303 },
     'what it refused goes elsewhere');
$p->sql('SELECT pg_advisory_unlock_all()');
$p->sql('ALTER ROLE correspondence_portal LOGIN');
$p->db->do('DROP TRIGGER conflict ON correspondence.persons');
well('a spoilt connection');


# worker_shutdown_timeout closes our sockets, too

$p->configure(replace => [ @short, [ qr/worker_shutdown_timeout .*;/,
                                     'worker_shutdown_timeout 1s;' ] ]);
$p->restart_nginx;
well('another configuration');
$proxy->mode('stall');
$crowd = Portal::Crowd->new($b, $page, 3);
sleep 0.3;
$since = time;
is($p->stop_nginx, 0, 'a stop with worker_shutdown_timeout');
cmp_ok(time - $since, '<', 4, 'comes soon');
$crowd->wait(3);

$p->done;
