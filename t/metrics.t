#!/usr/bin/perl

# What /metrics and /health say: in Prometheus' format, of all workers, and
# true.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;
use Portal::Prometheus;
use Time::HiRes qw(sleep);

my $p = Portal->new(workers => 3, http => "correspondence_login_rate 1000;\n",
    replace => [ [ qr/^(    correspondence_gateway sms \{)/m,
                   "    correspondence_gateway sms {\n        budget 20;" ] ]);
my $b = $p->browser;


sub metrics {
    my $text = $p->browser->get('/metrics')->body;

    return (Portal::Prometheus->new($text), $text);
}


# Workers fill in their figures once a second.

sub becomes {
    my ($wanted, $what, @which) = @_;
    my $is;

    wait_until(10, sub {
        my ($m) = metrics();
        $is = $m->sum(@which);
        return ref $wanted ? $wanted->($is) : $is == $wanted;
    });

    ok(ref $wanted ? $wanted->($is) : $is == $wanted, $what)
        or diag("is $is");
}


subtest 'the format' => sub {
    my $person = $b->signup;

    $b->get('/desk');
    is($b->get('/no/such/page')->status, 404, 'a page that is not there');
    like($p->browser->get('/metrics')->header('Content-Type'),
         qr{^text/plain; version=0\.0\.4}, 'the type');

    my ($m, $text) = metrics();

    ok($m, 'is read');
    is_deeply([ $m->lint ], [], 'as it is usual');

    my ($ok, $said) = Portal::Prometheus::promtool($text);

    if (defined $ok) {
        ok($ok, 'promtool finds nothing');
        is($said, '', 'and says nothing');

    } else {
        note('promtool is not here');
    }

    ok(!grep({ index($text, $_) >= 0 } $person->{national_code},
             $person->{mobile}), 'nobody is in it');
};

subtest 'every kind of figure' => sub {
    my ($m) = metrics();

    for my $dependency (qw(postgres redis http cpu disk relay)) {
        defined $m->value("correspondence_$_", dependency => $dependency)
            or fail("$_ of $dependency")
            for qw(operations_total operation_failures_total
                   operation_timeouts_total operations_in_flight
                   operations_queued connections connections_wanted);
    }

    is($m->value('correspondence_messages', state => $_) // 'none',
       $p->value('SELECT count(*) FROM messages WHERE state = ?', $_),
       "messages: $_") for qw(queued sending unknown expired failed);
    ok(defined $m->value('correspondence_messages_oldest_seconds',
                         state => $_), "age: $_") for qw(queued unknown);
    ok(scalar($m->matching('correspondence_gateway_requests_total',
                           kind => $_)), "gateway: $_")
        for qw(shahkar registry company sms sms_status);
    ok($m->sum('correspondence_gateway_requests_total', kind => 'sms') >= 1,
       'the code was sent by one');
    ok(scalar($m->matching('correspondence_gateway_latency_seconds',
                           kind => 'sms')) >= 1,
       'a worker has seen how fast it is');
    is($m->value('correspondence_gateway_budget', kind => 'sms'), 20,
       'its budget');
    ok($m->value('correspondence_sessions_started_total') >= 1, 'sessions');
    ok($m->value('correspondence_database_up'), 'the database');
    ok(defined $m->value("correspondence_$_"), $_)
        for qw(letters_new letters_late identity_pending companies_pending
               audit_unsealed oldest_unsent_seconds oldest_unknown_seconds
               audit_broken_seq audit_last_sealed_seconds
               redis_error_replies_total store_free_bytes
               housekeeping_timestamp_seconds);
    is(scalar(grep { /schema="\d{3}_\w+"/ && /version="[\w.-]+"/ }
              ($p->browser->get('/metrics')->body
               =~ /^(correspondence_info\{.*\}) 1$/mg)), 1,
       'which module, which schema');
};

subtest 'requests, by route and status' => sub {
    my ($before) = metrics();
    my @home = ('correspondence_requests_total', location => 'citizen',
                method => 'GET', route => '/', status => '200');
    my @wrong = ('correspondence_requests_total', method => 'POST',
                 route => '/login', status => '422');
    my @took = ('correspondence_request_duration_seconds_count',
                location => 'citizen');
    my $n = $before->sum(@home);
    my $took = $before->sum(@took);

    # each on a connection of its own: any of the workers may take it

    $p->browser->get('/') for 1 .. 12;
    becomes($n + 12, 'all workers are counted', @home);
    becomes(sub { $_[0] >= $took + 12 }, 'and timed', @took);

    my $refused = $before->sum('correspondence_signins_refused_total');
    my $other = $p->browser;

    $other->get('/login');
    $other->post('/login', { national_code => '0084575948',
                             password => 'not this one' });
    is($other->status, 422, 'a wrong password');
    becomes(1, 'has its status', @wrong);
    becomes($refused + 1, 'is a refused sign-in',
            'correspondence_signins_refused_total');

    my $clerk = $p->browser;

    $clerk->get('/clerk/login');
    $clerk->post('/clerk/login', { username => 'nobody',
                                   password => 'not this one' });
    is($clerk->status, 422, 'a wrong password of a clerk');
    becomes(1, 'is one of theirs',
            'correspondence_clerk_signins_refused_total');
    becomes($refused + 1, 'and of nobody else',
            'correspondence_signins_refused_total');
};

subtest 'a reload and a kill forget nothing' => sub {
    my @home = ('correspondence_requests_total', route => '/',
                status => '200');
    my @ops = ('correspondence_operations_total', dependency => 'postgres');

    sleep 2;
    my ($before) = metrics();
    my $n = $before->sum(@home);
    my $ops = $before->sum(@ops);

    ok($p->reload, 'a reload');
    becomes($n, 'the same requests', @home);
    becomes(sub { $_[0] >= $ops }, 'no fewer operations', @ops);

    $p->allow(qr/exited on signal 9/);
    sleep 2;
    ($before) = metrics();
    $ops = $before->sum(@ops);
    my %old = map { $_ => 1 } $p->workers;

    kill KILL => keys %old;
    ok(wait_until(20, sub {
        my @new = $p->workers;
        return @new == 3 && !grep { $old{$_} } @new;
    }), 'all workers killed');
    becomes($n, 'the same requests', @home);
    becomes(sub { $_[0] >= $ops }, 'no fewer operations', @ops);
};

subtest 'time-outs are told apart' => sub {
    my ($before) = metrics();
    my @what = ('correspondence_operation_timeouts_total',
                dependency => 'http');
    my $n = $before->sum(@what);

    $p->fault(service => 'sms', kind => 'delay', seconds => 30, times => 1,
              mobile => '09351110001');
    $p->sql(q{INSERT INTO messages (template, params, mobile) VALUES
              ('letter_sent', '{"tracking_code": "12345674"}',
               '09351110001')});
    wait_until(30, sub {
        my ($m) = metrics();
        return $m->sum(@what) > $n;
    });
    becomes(sub { $_[0] > $n }, 'of a gateway', @what);
    $p->no_faults;
};

subtest 'budgets: alarms in the log, /metrics and /health' => sub {
    my $used = sub {
        $p->value(q{SELECT used FROM gateway_budgets
                     WHERE kind = 'sms' AND name = 'sms'}) // 0 };
    my $add = sub {
        $p->sql(q{INSERT INTO messages (template, params, mobile)
            SELECT 'letter_sent', '{"tracking_code": "12345674"}',
                   '0936' || lpad(n::text, 7, '0')
              FROM generate_series(1, ?::int) AS n}, $_[0]) if $_[0] > 0;
    };
    my $alarm = 0;

    for my $part (50, 75, 90, 100) {
        $add->($part / 5 - $used->());
        ok(wait_until(20, sub { $used->() >= $part / 5 }),
           "$part%: the database knows") or diag($used->());
        becomes($part, "$part%: /metrics",
                'correspondence_gateway_budget_alarm', kind => 'sms');
        ok(wait_until(5, sub {
               $p->log =~ /"sms" has used $part% of its budget of 20/ }),
           "$part%: the log");

        my $health = $p->browser->json('/health');
        my ($s) = grep { $_->{kind} eq 'sms' } @{ $health->{budgets} };

        is($s->{alarm}, $part, "$part%: /health");
        is($health->{degraded} ? 1 : 0, $part >= 90 ? 1 : 0,
           "$part%: degraded or not");
        is($health->{ready}, 1, "$part%: ready");
    }

    $add->(3);
    sleep 2;
    is($used->(), 20, 'no more than it may');
    is($p->value(q{SELECT count(*) FROM messages WHERE state = 'queued'}), 3,
       'what is above it waits');
    my ($m) = metrics();
    is($m->value('correspondence_messages', state => 'queued'), 3,
       'and is counted');
};

$p->done;
