#!/usr/bin/perl

# Several nodes, each an nginx of its own, on one database: they share the
# messages and the budgets, and one that dies loses its leases and nothing
# else.  And a provider that can tell nothing about its messages.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;
use Time::HiRes qw(sleep time);

my $p = Portal->new(workers => 2,
                    http => "correspondence_relay_lease 8s;\n");
my $i = $p->instance;
my $port = Instance::free_port();


# A second node: the same configuration, other places of its own.

sub start_other {
    my $conf = Instance::slurp($p->dir . '/nginx/nginx.conf');
    my $dir = $p->dir;

    $conf =~ s{^( +listen +\S+:)\d+;}{$1$port;}mg;
    $conf =~ s{^pid .*;}{pid $dir/nginx/other.pid;}m;
    $i->write_file("$dir/nginx/other.conf", $conf, 0600);
    $i->spawn('other', 'TERM', $i->{nginx}, '-p', "$dir/nginx", '-c',
              "$dir/nginx/other.conf", '-e', "$dir/logs/error.log");
    Instance::wait_for(20, sub {
        Instance::answers($port, '/health', 200) })
        or die "the other node does not answer\n";
}


sub other_workers {
    my $master = $i->child('other');

    return split ' ', Instance::slurp("/proc/$master/task/$master/children");
}


sub stop_other { $i->stop_one('other', [ QUIT => 15 ]) }


my $n = 0;

sub add {
    my ($count) = @_;
    my @ids = map { $_->{id} } $p->sql(q{
        INSERT INTO messages (template, params, mobile)
        SELECT 'letter_sent', '{"tracking_code": "12345674"}',
               '0936' || lpad((?::int + n)::text, 7, '0')
          FROM generate_series(1, ?::int) AS n RETURNING id}, $n, $count);

    $n += $count;
    return @ids;
}


# Who holds messages now: { pid => [ ids ] }.

sub held {
    my %held;

    push @{ $held{ $_->{lease_by} =~ s/.*://r } }, $_->{id}
        for $p->sql(q{SELECT id, lease_by FROM messages
                       WHERE state = 'sending'});
    return \%held;
}


sub all_sent {
    my ($seconds, @ids) = @_;

    return wait_until($seconds, sub {
        $p->value(q{SELECT count(*) FROM messages WHERE id = ANY (?)
                     AND state IN ('sent', 'delivered')}, \@ids) == @ids
    });
}


# How often each came to the provider, by our number.

sub came {
    my %came;

    $came{ id_of($_->{localid}) } += $_->{came}
        for grep { defined $_->{localid} } $p->messages;
    return \%came;
}


start_other();

subtest 'two nodes share the work' => sub {
    my (%did, %node);

    $p->fault(service => 'sms', kind => 'delay', seconds => 0.5);
    my @ids = add(160);

    wait_until(60, sub {
        %node = ((map { $_ => 'first' } $p->workers),
                 map { $_ => 'other' } other_workers());
        my $held = held();
        $did{ $node{$_} // 'nobody' }++ for keys %$held;
        return !%$held && $p->value(q{SELECT count(*) FROM messages
                                       WHERE state = 'queued'}) == 0;
    });

    ok(all_sent(30, @ids), 'all are sent');
    ok($did{first}, 'some by the first');
    ok($did{other}, 'some by the other');
    ok(!$did{nobody}, 'by nobody else');

    my $came = came();
    is_deeply([ grep { ($came->{$_} // 0) != 1 } @ids ], [],
              'each of them once');
    $p->no_faults;
};

subtest 'a node dies in the middle of sending' => sub {
    my (@mine, $held);

    $p->fault(service => 'sms', kind => 'delay', seconds => 2);
    my @ids = add(100);
    my @pids = other_workers();

    wait_until(20, sub {
        $held = held();
        @mine = map { @{ $held->{$_} // [] } } @pids;
        return @mine >= 5;
    });
    cmp_ok(scalar @mine, '>=', 5, 'it holds some');

    $i->stop_one('other', [ KILL => 5 ]);
    kill KILL => @pids;
    $held = held();
    @mine = map { @{ $held->{$_} // [] } } @pids;
    $p->no_faults;

    ok(all_sent(60, @ids), 'all are sent by the one that lives');

    my %mine = map { $_ => 1 } @mine;
    my %sends = map { $_->{message_id} => $_->{n} } $p->sql(q{
        SELECT message_id, count(*) AS n FROM message_attempts
         WHERE kind = 'send' GROUP BY 1});
    my $came = came();

    is_deeply([ grep { !$came->{$_} } @ids ], [], 'none is lost');
    is_deeply([ grep { !$mine{$_} && $sends{$_} != 1 } @ids ], [],
              'what the dead one did not hold was sent once, as ever');
    is_deeply([ grep { $came->{$_} > 1 } @ids ], [],
              'what it held was looked up before it was sent again');
    is($p->value(q{SELECT count(*) FROM messages WHERE id = ANY (?)
                    AND tries > 2}, \@mine), 0, 'a second try was enough');
    is_deeply([ grep { !$mine{$_} } map { $_->{id} } $p->sql(q{
        SELECT id FROM messages WHERE id = ANY (?) AND tries > 1}, \@ids) ],
        [], 'for its own alone');
};

subtest 'one budget for both' => sub {
    $p->stop_nginx;
    $p->configure(replace => [ [ qr/^(    correspondence_gateway sms \{)/m,
        "    correspondence_gateway sms {\n        budget 30; rate 5;" ] ]);
    $p->start_nginx;
    start_other();

    my @ids = add(80);
    my ($used, $same) = (0, 0);

    # until nothing moves any more

    wait_until(60, sub {
        my $now = $p->value(q{SELECT used FROM gateway_budgets
                               WHERE kind = 'sms'}) // 0;
        $same = $now == $used ? $same + 1 : 0;
        $used = $now;
        sleep 0.5;
        return $used >= 30 && $same > 8;
    });

    my $left = $p->value(q{SELECT count(*) FROM messages WHERE id = ANY (?)
                            AND state = 'queued'}, \@ids);

    cmp_ok($used, '>=', 30, 'it is used up');
    cmp_ok($used, '<=', 30 + 2 * 5 * 2, 'but for what two seconds took');
    is(80 - $left, $used, 'and is what was sent');

    # a node that starts anew knows

    stop_other();
    start_other();
    sleep 3;
    is($p->value(q{SELECT count(*) FROM messages WHERE id = ANY (?)
                    AND state = 'queued'}, \@ids), $left,
       'nor does one begin at nought');
    $p->sql(q{UPDATE messages SET state = 'expired' WHERE state = 'queued'});
    stop_other();
};

# No number of ours, no status query: what got no answer goes out again, but
# not for ever.

subtest 'a provider that can tell nothing' => sub {
    my $count = sub { scalar(() = $p->messages($_[0])) };
    my $hurry = sub {
        $p->sql(q{UPDATE messages SET next_at = now()
                   WHERE mobile = ? AND state IN ('queued', 'unknown')},
                $_[0]);
    };
    my $add = sub {
        $p->value(q{INSERT INTO messages (template, params, mobile) VALUES
            ('letter_sent', '{"tracking_code": "12345674"}', ?)
            RETURNING id}, $_[0]);
    };
    my $state = sub {
        $p->value('SELECT state FROM messages WHERE id = ?', $_[0]) };

    $p->stop_nginx;
    $p->configure(replace => [
        [ qr/^    correspondence_gateway sms_status \{.*?^    \}\n/ms, '' ],
        [ qr/&localid=\$local_id/, '' ] ]);
    $p->start_nginx;

    $p->fault(service => 'sms', kind => 'lose', mobile => '09371110001',
              times => 1);
    my $once = $add->('09371110001');
    ok(wait_until(30, sub { $hurry->('09371110001');
                            $state->($once) eq 'sent' }), 'sent again');
    is($count->('09371110001'), 2, 'one copy too many');

    $p->fault(service => 'sms', kind => 'lose', mobile => '09371110002');
    my $never = $add->('09371110002');
    ok(wait_until(60, sub { $hurry->('09371110002');
                            $state->($never) eq 'failed' }),
       'given up, never called sent') or diag($state->($never));
    is($count->('09371110002'), 3, 'after three');
    $p->no_faults;
};

$p->done;
