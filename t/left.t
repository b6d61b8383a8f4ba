#!/usr/bin/perl

# What sessions that have ended leave lies in Redis for an hour, and whoever
# had one can send it from ever new browsers: there is room for so much of an
# address, and of all.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;

my $p = Portal->new(http => "    correspondence_left_rate 0;\n"
                            . "    set_real_ip_from 127.0.0.1;\n"
                            . "    real_ip_header X-Real-IP;\n");
my $redis = "redis-cli -s $p->{instance}{sockets}/redis.sock";

sub kept { scalar(() = `$redis --scan --pattern 'left:*'`) }


# A session, the token of its forms, and its end.

my $b = $p->browser;

$b->signup;
$b->set_password;
$b->get('/desk');

my $csrf = $b->csrf;
my ($session) = map { $_->value } grep { $_->name eq 'correspondence' }
                @{ $b->ua->cookie_jar->all };

$b->post('/logout', {});

# Six bytes of JSON for each that is sent.  No cookie of a browser: each form
# is a new one's.

sub leave {
    my ($address) = @_;
    my $s = $p->socket;
    my $body = "csrf=$csrf&submission_key=" . 'a' x 40
               . '&body=' . "\x01" x 65_000;

    print $s "POST /desk/letters HTTP/1.1\r\nHost: localhost\r\n"
             . "X-Real-IP: $address\r\nConnection: close\r\n"
             . "Content-Type: application/x-www-form-urlencoded\r\n"
             . "Cookie: correspondence=$session\r\n"
             . 'Content-Length: ' . length($body) . "\r\n\r\n$body";

    return join('', <$s>) =~ m{^HTTP/1\.1 (\d+)} ? $1 : 'nothing';
}

# of the clock: the hours are counted

sleep 3600 - time % 3600 if 3600 - time % 3600 < 60;

is_deeply([ map { leave('10.1.0.1') } 1 .. 15 ], [ (303) x 15 ],
          'fifteen forms of 390 KB');
is(kept(), 10, 'four megabytes of an address are kept');
leave('10.1.0.1');
is(kept(), 10, 'and no more');
leave('10.1.0.2');
is(kept(), 11, 'another address has its own');

my $hour = int(time / 3600);
my $all = `$redis get rate:left:all:$hour`;

cmp_ok($all, '>', 11 * 390_000, 'all are counted together');
cmp_ok($all, '<', 12 * 400_000, 'those that were kept');
system("$redis set rate:left:all:$hour 67000000 >/dev/null") == 0 or die;
is(leave('10.1.0.3'), 303, 'an hour in which all have left 64 MB');
is(kept(), 11, 'keeps nothing more');

$p->done;
