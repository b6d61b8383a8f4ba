#!/usr/bin/perl

# What /health says on bad days: each of what is not well is named, and who
# cannot work is not ready.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;
use Portal::Texts;
use Time::HiRes qw(sleep);

my $p = Portal->new(http => "    correspondence_seal_interval 1s;\n");
my $redis = $p->instance->{sockets} . '/redis.sock';
my $status;

sub health {
    my $b = $p->browser;
    my $said = $b->json('/health');

    $status = $b->status;
    return $said;
}

sub problems { join ' ', sort map { $_->{name} } @{ health()->{problems} // [] } }

sub metric {
    my ($name) = @_;

    return $p->browser->get('/metrics')->body
           =~ /^correspondence_\Q$name\E (\d+)$/m ? $1 : undef;
}

# What it comes to within some seconds.

sub becomes {
    my ($wanted, $what, $seconds) = @_;
    my $is = '';

    wait_until($seconds // 10, sub { ($is = problems()) eq $wanted });
    is($is, $wanted, $what);
}

# All that an answer says.

sub told {
    my ($b, $path) = @_;
    my $said = $b->json($path);

    return join ', ', map { "$_ " . (0 + $said->{$_}) } sort keys %$said;
}

sub redis { system("redis-cli -s $redis @_ >/dev/null") == 0 or die "@_" }


subtest 'all is well' => sub {
    my $said;

    wait_until(10, sub { ($said = health())->{store}
                         && $said->{postgres}{writers} });
    is($status, 200, 'ready');
    ok($said->{ready} && !$said->{degraded}, 'and says so');
    is($said->{problems}, undef, 'no problem');
    ok($said->{redis}{writes}, 'Redis takes writes');
    ok($said->{store}{writes}, 'the store does');
    cmp_ok($said->{store}{free_bytes}, '>', 0, 'and has room');
    cmp_ok($said->{postgres}{writers}, '>', 0, 'there are connections to write');
    is(join(' ', map { "$_ $said->{gateways}{$_}" }
                 sort keys %{ $said->{gateways} }),
       'company 1 registry 1 shahkar 1 sms 1', 'and gateways');
};

subtest 'for balancers, without a figure' => sub {
    my $b = $p->browser;

    is(told($b, '/health/live'), 'live 1', 'live');
    is($b->status, 200, 'with 200');
    is(told($b, '/health/ready'), 'live 1, ready 1', 'ready');
    is($b->status, 200, 'with 200');
};

# Whatever it refuses: no session begins.

sub refuses {
    my ($words, $what) = @_;
    my $failures = sub {
        $p->browser->get('/metrics')->body
            =~ /^correspondence_operation_failures_total
                \{dependency="redis"\}\ (\d+)$/mx;
        return $1;
    };
    my $before = $failures->();
    my $b = $p->browser;

    becomes('redis_writes', "$what: an idle worker notices");

    my $said = health();

    is($status, 503, "$what: not ready");
    ok($said->{redis}{up} && !$said->{redis}{writes}, "$what: says why");
    is(told($b, '/health/ready'), 'live 1, ready 0',
       "$what: the balancer is told");
    is($b->status, 503, "$what: with 503");
    is($b->json('/health/live')->{live}, 1, "$what: it is alive");
    like($p->log, qr/redis: an error: $words/, "$what: the log has its words");

    $b->get('/clerk/login');
    $b->submit({ username => $p->staff('clerk')->{username},
                 password => $p->staff('clerk')->{password} });
    is($b->status, 503, "$what: nobody logs in");
    like($p->log, qr/session store: $words/, "$what: and the log says why");
    ok(wait_until(5, sub { $failures->() > $before }),
       "$what: a failure of Redis is counted");
}

subtest 'Redis without memory' => sub {
    redis('config set maxmemory 1');
    refuses('OOM command not allowed', 'memory');
    redis('config set maxmemory 0');
    becomes('', 'well again');
    is($status, 200, 'and ready');
};

subtest 'Redis that could not save' => sub {
    my $dir = $p->dir . '/redis';

    chmod 0500, $dir;
    redis('bgsave');
    refuses('MISCONF Redis is configured to save', 'saving');
    chmod 0700, $dir;
    redis('bgsave');
    becomes('', 'well again');
};

# An error may repeat the command, which is what Redis is asked for.

subtest 'Redis that knows no GETEX' => sub {
    my $old = Portal->new(redis => [ '--rename-command', 'GETEX', '' ]);
    my $b = $old->browser;

    $b->request(GET => '/desk', { Cookie => 'correspondence='
                                            . 'A' x 43 });
    is($b->status, 503, 'nobody is known');
    like($old->log, qr/redis: an error: ERR unknown command/,
         'the log says why');
    like($old->log, qr/session store: ERR unknown command/, 'for the page too');
    unlike($old->log, qr/with args|\bs:[0-9a-f]/, 'without the key');
    $old->check_end;
};

subtest 'messages, audit, people that wait' => sub {
    $p->sql(q{INSERT INTO messages (template, mobile, state, created_at,
                                    next_at)
              VALUES ('letter_sent', '09120000001', 'unknown',
                      now() - interval '31 minutes', 'infinity')});
    becomes('messages_unknown', 'a message of which nobody knows');
    $p->sql(q{UPDATE messages SET state = 'queued', next_at = 'infinity'});
    becomes('messages_unsent', 'one that is not sent');
    $p->sql('TRUNCATE messages, message_attempts CASCADE');

    $p->sql(q{UPDATE audit_checks SET broken_seq = 7, broken_at = now(),
                                      whole_at = now(), began_at = now(),
                                      reason = 'hash'});
    $p->sql(q{ALTER FUNCTION audit_check(integer) RENAME TO audit_check_off});
    becomes('audit_broken', 'a broken chain');
    is(metric('audit_broken_seq'), 7, 'which /metrics knows');
    $p->sql(q{UPDATE audit_checks SET broken_seq = NULL, broken_at = NULL});

    # nobody seals now
    $p->sql(q{INSERT INTO audit (at, actor, action, object)
              VALUES (now() - interval '6 minutes', 'system', 'x', 'x')});
    $p->sql(q{INSERT INTO audit_pending SELECT max(id) FROM audit
              ON CONFLICT DO NOTHING});
    becomes('audit_late', 'an audit that is not sealed');
    $p->sql(q{ALTER FUNCTION audit_check_off(integer) RENAME TO audit_check});
    becomes('', 'sealed again');
    ok(defined metric('audit_last_sealed_seconds'), 'when, says /metrics');
    cmp_ok(metric('audit_last_sealed_seconds'), '<', 30, 'just now');

    my $who = $p->browser->signup;
    my $id = $p->value('SELECT id FROM persons WHERE national_code = ?',
                       $who->{national_code});

    $p->sql(q{INSERT INTO identity_tasks (person_id, step, next_at,
                                          created_at)
              VALUES (?, 'registry', 'infinity',
                      now() - interval '2 hours')}, $id);
    becomes('identity_pending', 'somebody who is not checked');
    $p->sql('DELETE FROM identity_tasks');
    $p->sql(q{INSERT INTO companies (person_id, national_id, name,
                                     check_state, check_tries, check_next_at)
              VALUES (?, '10380284790', 'x', 'pending', 6, 'infinity')},
            $id);
    becomes('companies_pending', 'a company that is not checked');
    $p->sql('DELETE FROM companies');
    becomes('', 'well again');
};

subtest 'a gateway that fails' => sub {
    $p->fault(service => 'sms', kind => 'status', status => 500);
    $p->sql(q{INSERT INTO messages (template, params, mobile)
              SELECT 'letter_sent', '{"tracking_code": "12345674"}',
                     '0936' || lpad(n::text, 7, '0')
                FROM generate_series(1, 10) AS n});
    ok(wait_until(30, sub { problems() =~ /\bgateway_sms\b/ }), 'is named')
        or diag problems();
    ok(!health()->{gateways}{sms}, 'among the gateways');
    ok(health()->{gateways}{shahkar}, 'the others are well');
    $p->no_faults;
    $p->sql(q{UPDATE messages SET next_at = now() WHERE state = 'queued'});
    ok(wait_until(40, sub { problems() !~ /\bgateway_sms\b/ }),
       'until it answers');
    $p->sql('TRUNCATE messages, message_attempts CASCADE');
};

subtest 'a store that cannot be written' => sub {
    my @dirs = grep { -d } map { $p->dir . $_ } '/store', '/store/tmp';

    $p->allow(qr/\[crit\].*the store ".*" cannot be written/);
    chmod 0500, @dirs;
    ok($p->reload, 'workers that start');
    becomes('store_writes', 'it is named');
    like($p->log, qr{\[crit\].*the store "\S+/store" cannot be written},
         'and logged');
    is($status, 200, 'who only reads is served');
    chmod 0700, @dirs;
    becomes('', 'well again', 25);
    ok(defined metric('store_free_bytes'), 'room, says /metrics');
};

$p->done;
