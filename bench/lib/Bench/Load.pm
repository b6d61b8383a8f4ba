package Bench::Load;

# A file of nginx's own while the portal waits and computes: 1,000 calls of
# a gateway that does not answer, 200 log-ins that hash, 50 captchas.

use strict;
use warnings;
use utf8;

use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(sleep time);

use Bench;

# a call hangs so long, which has to do for all rounds

use constant { PERSONS => 100, CALLS => 1000, LOGINS => 200, CAPTCHAS => 50 };


sub run {
    my ($report) = @_;
    my %at = (port => Instance::free_port());
    my $p = Bench::portal(
        http => "correspondence_login_rate 0;\n"
                . "correspondence_captcha_rate 0;\n"
                . "server { listen 127.0.0.1:$at{port};"
                . ' keepalive_requests 1000000;'
                . ' location / { root ' . Bench::top() . '/html/assets; } }',
        replace => [ [ qr/timeout  5s;/m, 'timeout 50s;' ],
                     [ qr/max_queue=64;/m, 'max_queue=256;' ] ]);

    $p->allow(qr/./);

    my @people = map { Bench::browser($p) } 1 .. PERSONS;

    for my $b (@people) {
        $b->signup;
        $b->get('/desk/identity')->expect(200, 'identity');
    }

    $p->fault(service => 'shahkar', kind => 'delay', seconds => 45);

    my @idle = map { probe($at{port}) } 1 .. $Bench::Rounds;
    my @open = hang($p, @people);
    my $hanging = waiting($p);
    my $pid = fork // die "fork: $!\n";

    if (!$pid) {
        elsewhere();
        work($p);
        POSIX::_exit(0);
    }

    sleep 0.5;

    my @busy = map { probe($at{port}) } 1 .. $Bench::Rounds;

    kill TERM => $pid;
    waitpid $pid, 0;
    close $_ for @open;

    $report->("a static file's p99, $hanging gateway calls hanging, "
              . LOGINS . ' log-ins, ' . CAPTCHAS . ' captchas',
              unit => 'ms', ours => Bench::median(@busy),
              reference => Bench::median(@idle), of => 'its p99 when idle',
              ratio => Bench::median(@busy) / Bench::median(@idle),
              most => 2);
    Bench::stop($p);
}


# A reader who asks every five milliseconds, over one connection: a load of
# its own would only measure itself.  The 99th percentile in milliseconds.

sub probe {
    my ($port) = @_;
    my $s = IO::Socket::INET->new(PeerHost => '127.0.0.1', PeerPort => $port,
                                  Timeout => 10) or die "nginx: $!\n";
    my $until = time + $Bench::Seconds;
    my @ms;

    while ((my $since = time) < $until) {
        my ($text, $length) = ('');

        syswrite $s, "GET /portal.css HTTP/1.1\r\nHost: localhost\r\n\r\n";

        while (!defined $length || length $text < $length) {
            sysread($s, $text, 1 << 20, length $text) or die "no answer\n";
            $length //= $1 + index($text, "\r\n\r\n") + 4
                if $text =~ /^Content-Length: (\d+)/m;
        }

        push @ms, (time - $since) * 1000;
        sleep 0.005;
    }

    @ms = sort { $a <=> $b } @ms;
    return $ms[0.99 * @ms];
}


# Everyone asks for the mobile's check, ten times; nobody is answered.  Of a
# person one question at a time is taken: the next as if it had been an hour.

sub hang {
    my ($p, @people) = @_;
    my @open;

    for (1 .. CALLS / PERSONS) {
        $p->owner('UPDATE identity_tasks SET next_at = now()');

        for my $b (@people) {
            my $body = 'csrf=' . $b->csrf;

            push @open, request($p, 'POST', '/desk/identity/mobile',
                                Bench::cookie($b), $body);
        }

        sleep 0.5;
    }

    sleep 2;
    return @open;
}


sub request {
    my ($p, $method, $path, $cookie, $body) = @_;
    my $s = IO::Socket::INET->new(PeerHost => '127.0.0.1',
                                  PeerPort => $p->port, Timeout => 10)
        or die "nginx: $!\n";

    print $s "$method $path HTTP/1.1\r\nHost: localhost\r\n"
        . "Cookie: $cookie\r\nConnection: close\r\n"
        . 'X-Real-IP: ' . Bench::address() . "\r\n"
        . "Content-Type: application/x-www-form-urlencoded\r\n"
        . 'Content-Length: ' . length($body // '') . "\r\n\r\n"
        . ($body // '');
    $s->flush;
    return $s;
}


# Requests to gateways under way, by the portal's own count.

sub waiting {
    my ($p) = @_;
    my $ua = Mojo::UserAgent->new;

    $ua->proxy->http(undef);

    my $text = $ua->get('http://127.0.0.1:' . $p->port . '/metrics')
                  ->result->body;
    my $sum = 0;

    $sum += $1 while $text =~ /operations_in_flight\{[^}]*"http"[^}]*\} (\d+)/g;
    return $sum;
}


# Clients have processors of their own, in life: this one takes what is left,
# in slices so long (nanoseconds, Linux 6.12) that whoever wakes goes first.
# Perl has no name for sched_setattr; its number depends on the machine.

sub elsewhere {
    my %setattr = (x86_64 => 314, aarch64 => 274);
    my $number = $setattr{(POSIX::uname())[4]};
    my $attr = pack 'LLQlLQQQ', 48, 0, 0, 19, 0, 100_000_000, 0, 0;

    POSIX::nice(19);
    syscall $number, 0, $attr, 0 if $number;
}


# 200 log-ins and 50 captchas under way, until told to stop: each is asked
# again when it has been answered.  All of them at once, again and again, would
# be a crowd at the door every few seconds, which is another question.

sub work {
    my ($p) = @_;
    my $b = $p->browser;

    $b->get('/login');

    my $cookie = Bench::cookie($b);
    my $csrf = $b->csrf;
    my $select = IO::Select->new;
    my %ask = (
        login => sub {
            request($p, 'POST', '/login', $cookie, "csrf=$csrf&national_code="
                    . Portal::Numbers::national_code()
                    . '&password=nobody-has-this-1')
        },
        captcha => sub { request($p, 'POST', '/captcha', $cookie,
                                 "csrf=$csrf") },
    );
    my %answer;

    my $begin = sub {
        my ($what, $s) = @_;

        $s //= $ask{$what}->();
        $answer{$s} = [ $what, '' ];
        $select->add($s);
    };

    $begin->('login') for 1 .. LOGINS;
    $begin->('captcha') for 1 .. CAPTCHAS;

    while (1) {
        for my $s ($select->can_read) {
            my $a = $answer{$s};

            next if sysread $s, $a->[1], 65536, length $a->[1];

            $select->remove($s);
            delete $answer{$s};

            # the picture is drawn when it is asked for

            my ($picture) = $a->[1] =~ m{^Location: \S*?(/captcha/\w+\.png)}mi;

            $begin->($a->[0], $picture
                     ? request($p, 'GET', $picture, $cookie) : undef);
        }
    }
}

1;
