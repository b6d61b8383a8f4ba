#!/usr/bin/perl

# Throttles of an address are not walked round by another address of the same
# owner: an IPv6 /64 counts as one, an IPv4 address written as IPv6 for
# itself; nor by sixty requests at once.  nginx is told whom to believe the
# address of (realip), as behind a balancer.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;
use Portal::Texts;

my @http = map { "    $_;\n" } 'set_real_ip_from 127.0.0.1',
    'set_real_ip_from ::1', 'real_ip_header X-Client';
my $p = Portal->new(workers => 2,
    http => join '', @http, map { "    correspondence_$_;\n" }
        'login_rate 6', 'track_rate 0', 'codes_per_address_hour 3');
my %birth = (birth_day => 1, birth_month => 1, birth_year => 1360);

sub from { $p->browser(headers => { 'X-Client' => $_[0] }) }

# Twelve addresses of one /64, in all the ways they are written.

sub many {
    my ($net) = @_;

    return ("$net:0:0:0:1", "$net\::2", uc "$net:a:b:c:d",
            "$net:0:0:192.0.2.1", map { "$net:$_:0:0:$_" } 10 .. 17);
}

is(scalar(() = $p->value('SELECT address_group(?)', $_->[0]) eq $_->[1]), 1,
   "$_->[0] counts as $_->[1]")
    for [ '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::' ], [ '::1', '::' ],
        [ 'fe80::1', 'fe80::' ], [ '::ffff:192.0.2.7', '192.0.2.7' ],
        [ '192.0.2.7', '192.0.2.7' ], [ 'unix:', 'unix:' ], [ '', '' ],
        [ '2001:db8::', '2001:db8::' ], [ ':', ':' ], [ 'x:y', 'x:y' ];


# Guesses at letters, each at another one: ten are free, then one waits.

my $letter = 1_234_567;

sub guess {
    my ($address) = @_;
    my $code = $letter . $p->value('SELECT check_digit_11_10(?)', $letter);

    $letter++;
    return from($address)->get('/track')->post('/track',
        { tracking_code => $code, mobile_last4 => '0000' })->status;
}

# two seconds may be over before the next guess

sub wait_longer {
    $p->db->do(q{UPDATE tries SET blocked_until = blocked_until
                 + interval '1 hour'});
}

my @net = many('2001:db8:aaaa:1');

is(guess($_), 422, "a guess from $_") for @net[0 .. 9];

is($p->value(q{SELECT failures FROM tries WHERE scope = 'track'
               AND key = '2001:db8:aaaa:1::'}), 10, 'ten tries of one');
wait_longer();
is(guess($net[10]), 429, 'the eleventh address of a /64 waits');
is(guess($net[11]), 429, 'so does the twelfth');
is(guess('2001:db8:aaaa:2::1'), 422, 'the /64 beside it does not');

is(guess($_ % 2 ? '192.0.2.9' : '::ffff:192.0.2.9'), 422,
     'a guess from an IPv4 address') for 1 .. 10;
wait_longer();
is(guess('::ffff:192.0.2.9'), 429, 'written as IPv6 it is the same');
is(guess('192.0.2.8'), 422, 'the next one is another');


# Codes by SMS: three of an address in an hour.

sub code {
    my ($address) = @_;
    my $b = from($address);

    $b->get('/signup')->submit({ %birth, national_code => national_code(),
                                 mobile => mobile() });
    return $b->status;
}

@net = many('2001:db8:bbbb:1');
is(code($_), 303, "a code for $_") for @net[0 .. 2];
is(code($net[3]), 429, 'no fourth one for the /64');
is(code('2001:db8:bbbb:2::1'), 303, 'one for the /64 beside it');

# twenty at once, each of another address of the /64, mobile and person

my $csrf = from('2001:db8:cccc:1::9')->get('/signup');
my $cookies = join '; ', map { $_->name . '=' . $_->value }
    @{ $csrf->ua->cookie_jar->all };

sub send_raw {
    my ($path, $address, %fields) = @_;
    my $body = Mojo::Parameters->new(csrf => $csrf->csrf, %fields)->to_string;
    my $s = $p->socket;

    print $s "POST $path HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
             . "Cookie: $cookies\r\nX-Client: $address\r\n"
             . "Content-Type: application/x-www-form-urlencoded\r\n"
             . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
    return $s;
}

sub answers {
    my %n;

    for my $s (@_) {
        my $answer = '';
        while (sysread $s, my $piece, 65536) { $answer .= $piece }
        $n{ ($answer =~ m{^HTTP/1\.1 (\d+)})[0] // 0 }++;
    }

    return \%n;
}

my $before = $p->value('SELECT count(*) FROM codes');
my $n = answers(map { send_raw('/signup', "2001:db8:cccc:1::$_", %birth,
    national_code => national_code(), mobile => mobile()) } 10 .. 29);

is($n->{303}, 3, 'twenty at once: three codes') or diag explain $n;
is($p->value('SELECT count(*) FROM codes') - $before, 3, 'and no more rows');


# Log-ins: six in a minute, wherever the minute ends.

$n = answers(map { send_raw('/login', "2001:db8:dddd:1::$_",
    national_code => national_code(), password => 'x') } 10 .. 39);
cmp_ok($n->{429} // 0, '>=', 18, 'thirty log-ins at once: most are refused')
    or diag explain $n;


# What is kept of who it was is the address itself.

from('2001:db8:ffff:1::7')->signup;
is($p->value(q{SELECT address FROM audit WHERE action = 'signup'
               ORDER BY id DESC LIMIT 1}),
   '2001:db8:ffff:1::7', 'the audit has the whole address');

$p->check_end;


# Misbehaviour: whose codes nobody confirms meets captchas, and so do those
# who share his /64.

$p = Portal->new(captcha => 'on',
    http => join '', @http, "    correspondence_misbehaviour 4;\n");
@net = many('2001:db8:eeee:1');
is(code($_), 303, "a code for $_") for @net[0 .. 3];
ok(from($net[5])->get('/signup')->dom->at('[name="captcha"]'),
   'a captcha for the /64');
ok(!from('2001:db8:eeee:2::1')->get('/signup')->dom->at('[name="captcha"]'),
   'none for the one beside it');

$p->done;
