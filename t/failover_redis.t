#!/usr/bin/perl

# Redis with three Sentinels, of which one answers nothing: the master is
# killed under load, a former master comes back, masters are exchanged.
# Sessions that the replica has go on.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/torture/lib";

use Time::HiRes qw(sleep time);

use Torture::Failover;
use Torture::Watch;
use Portal;

my $f = Torture::Failover->new(postgres => 0, nodes => 0);
my $p = $f->{portal};
my $b = $p->browser;
my $page = '/desk/identity';

$b->signup;
$b->set_password;
is($b->get($page)->status, 200, 'the Sentinels are asked for the master');

my $watch = Torture::Watch->new($p, $b);

sub redis { Torture::Failover::redis(@_) }

sub seen {
    my ($what, $from, $to) = @_;
    my $n = $watch->answers($from, $to);

    note(sprintf '%s: %s; not well for %.1f s, the slowest answer %.1f s',
         $what, join(', ', map { "$n->{$_} times $_" } sort keys %$n),
         $watch->outage($from, $to), $watch->slowest($from, $to));
    return $n;
}

# the replica has what the master had

ok(wait_until(10, sub {
    redis($f->master->{port}, 'DBSIZE')
        == redis($f->replica->{port}, 'DBSIZE') }), 'replicated');

# the master

$watch->start;
sleep 1;

my $killed = $f->lose_redis;

ok($f->well, 'the master is killed, the replica elected: well again');
ok(wait_until(30, sub {
    my $port = $f->master->{port};
    my @found = $p->log =~ /connected to 127\.0\.0\.1:$port\b/g;

    return @found == $f->{workers} && $watch->outage($killed) < 30;
}), 'after seconds each worker has found it');

my $n = seen('the master killed', $killed);

is(join(' ', grep { !/^(?:200|503)$/ } keys %$n), '',
   'pages: well, or 503 until then; nobody is logged out');
is($b->get($page)->status, 200, 'the session goes on');

my $other = $p->browser;

$other->signup;
is($other->get($page)->status, 200, 'and others come in');

# It returns as a master with nothing in it: nobody asks it.

my $stale = $f->replica;

$f->start_redis($stale);
like(redis($stale->{port}, 'ROLE'), qr/^master/, 'a former master returns');
ok($p->reload, 'workers that know nothing of it');
is($b->get($page)->status, 200, 'ask the Sentinels, not it');
is(redis($stale->{port}, 'DBSIZE'), 0, 'it was never asked')
    if redis($stale->{port}, 'ROLE') =~ /^master/;
ok(wait_until(60, sub {
    redis($stale->{port}, 'ROLE') =~ /^slave/
}), 'the Sentinels make a replica of it');
$f->in_step;
is($b->get($page)->status, 200, 'the session is there');

# Masters are exchanged by hand while we are connected to one that answers
# on: a replica, or a master that lost its replica.

sub exchange {
    my ($what, @more) = @_;
    my ($old, $new) = ($f->master, $f->replica);

    $watch->stop;
    redis($new->{port}, qw(replicaof no one));
    redis($old->{port}, @more);

    for my $port (@{ $f->{sentinels} }) {
        redis($port, qw(sentinel remove desk));
        redis($port, qw(sentinel monitor desk 127.0.0.1), $new->{port}, 2);
    }

    $f->{master} = $new->{name};
    ok(wait_until(4, sub { $b->get($page)->status == 200 }),
       "$what: the session goes on, from the other one")
        or diag $p->log;
    like($p->log, qr/lost 127\.0\.0\.1:$old->{port}: $what/, "$what: why");
    like($p->log, qr/.*connected to 127\.0\.0\.1:$new->{port}\b/s,
         "$what: the Sentinels were asked again");
}

exchange('READONLY', 'replicaof', '127.0.0.1', $f->replica->{port});
$f->in_step;
exchange('NOREPLICAS', qw(config set min-replicas-to-write 1));

# both gone: nobody is in; back, and empty: log in again

$_->{instance}->stop_redis for $f->master, $f->replica;
is($b->get($page)->status, 503, 'no master: 503');
is($b->get('/')->status, 200, 'pages that need nothing are there');
unlink $f->master->{instance}{dir} . '/redis/dump.rdb';
$f->start_redis($f->master);
ok($f->well(40), 'well again');
ok(wait_until(10, sub { $b->get($page)->status == 303 }),
   'and empty: everybody logs in again');
$b->login($b->{person}{national_code}, $b->{person}{password});
is($b->get($page)->status, 200, 'which works');

$f->done;
