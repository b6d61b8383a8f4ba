package Bench::Idle;

# 10,000 browsers that are logged in, have read a page, and do nothing: their
# sockets are all they cost.

use strict;
use warnings;
use utf8;

use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep);

use Bench;

use constant BROWSERS => 10_000;


sub run {
    my ($report) = @_;
    my $p = Bench::portal(http => 'keepalive_timeout 600s;');
    my $who = Bench::person($p, 3);
    my $n = browsers();
    my @open;

    # the first thousand pay for what stays

    push @open, connected($p, $who) for 1 .. $n / 10;

    my $before = Bench::memory($p->workers);

    push @open, connected($p, $who) for 1 .. $n - $n / 10;
    sleep 1;

    my $each = (Bench::memory($p->workers) - $before) / ($n - $n / 10);
    my ($idle, $alone) = (seconds($p, 10), 0);

    close $_ for @open;
    @open = ();
    sleep 2;
    $alone = seconds($p, 10);

    $report->("$n idle browsers: processor of both workers in 10 s",
              unit => 's', ours => $idle, reference => $alone,
              of => 'with none', most => 0.1);
    $report->("$n idle browsers: memory of each", unit => 'KB',
              ours => $each, of => '(the sockets are the kernel\'s)');
    Bench::stop($p);
}


# As many as we may have files open, some kept for ourselves.

sub browsers {
    my $n = POSIX::sysconf(&POSIX::_SC_OPEN_MAX) - 200;

    return $n < BROWSERS ? $n : BROWSERS;
}


sub connected {
    my ($p, $who) = @_;
    my $s = IO::Socket::INET->new(PeerHost => '127.0.0.1',
                                  PeerPort => $p->port, Timeout => 10)
        or die "nginx: $!\n";

    print $s "GET /desk HTTP/1.1\r\nHost: localhost\r\nCookie: "
        . "$who->{cookie}\r\n\r\n";
    $s->flush;

    my ($text, $length) = ('');

    while (1) {
        sysread($s, $text, 65536, length $text) or die "no answer\n";
        $length //= $1 if $text =~ /^Content-Length: (\d+)/mi;
        my $at = index $text, "\r\n\r\n";
        last if $at >= 0 && length($text) >= $at + 4 + ($length // 0);
    }

    return $s;
}


sub seconds {
    my ($p, $seconds) = @_;
    my $sum = sub {
        my $s = 0;
        $s += Bench::processor_seconds($_) for $p->workers;
        return $s;
    };
    my $before = $sum->();

    sleep $seconds;
    return $sum->() - $before;
}

1;
