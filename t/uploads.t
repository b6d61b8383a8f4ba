#!/usr/bin/perl

# How much may be sent: the bytes of a person in an hour, and the forms that
# sessions which have ended leave, both counted before a file is stored.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;

my $p = Portal->new(http => "    correspondence_uploads_per_hour 250k;\n"
                            . "    correspondence_left_rate 3;\n"
                            . "    set_real_ip_from 127.0.0.1;\n"
                            . "    real_ip_header X-Real-IP;\n");
my %letter = (person_kind => 'natural', address => 'یزد، خیابان کاشانی',
              subject => 'دربارهٔ اندازه', body => 'متن نامه');


# A picture of some 100 KB, no two alike.

sub picture {
    return [ 'a.png', Portal::Browser::tiny_png(
                 unpack 'H*', Instance::random_bytes(50_000)), 'image/png' ];
}


sub citizen {
    my ($address) = @_;
    my $b = $p->browser(headers => { 'X-Real-IP' => $address });
    my $who = $b->signup;

    $p->db->do(q{UPDATE persons SET mobile_step = 'yes',
                 registry_step = 'yes', first_name = 'زهرا',
                 last_name = 'کریمی', father_name = 'علی'
                 WHERE national_code = ?}, undef, $who->{national_code});
    $b->set_password;
    return $b;
}


sub form {
    my ($b, %with) = @_;

    $b->get('/desk/letters/new')->expect(200, 'the form');
    return { %{ Portal::Browser::preset($b->form({}, 'form[enctype]')) },
             %letter, %with };
}


sub stored { scalar grep { -f } glob $p->dir . '/store/??/??/*' }

# Of the clock: an hour that begins in the middle would count from nothing.

sleep 3600 - time % 3600 if 3600 - time % 3600 < 60;

my $b = citizen('10.1.0.1');
my $counted = stored();

for my $n (1, 2) {
    is($b->post('/desk/letters', form($b, file => [ picture() ]))->status,
       303, "letter $n is taken");
}

is(stored() - $counted, 2, 'its file is stored');
$counted = stored();
$b->post('/desk/letters', form($b, file => [ picture() ], subject => 'سوم'));
is($b->status, 422, 'a third would be more than 250 KB in the hour');
like($b->error('file'), qr/در این ساعت .* به سقف رسیده/, 'the form says so');
is($b->dom->at('[name="subject"]')->attr('value'), 'سوم',
   'and keeps what was written');
is(stored(), $counted, 'no file is stored');
is($p->value(q{SELECT count(*) FROM letters WHERE subject = 'سوم'}), 0,
   'nothing is sent without it');
like($p->log, qr/\[warn\].*a person sent more than 256000 bytes in an hour/,
     'it is logged');

my $code = $p->value('SELECT max(tracking_code) FROM letters');

$b->get('/desk/tickets/new');
$b->submit({ subject => 'سؤال', body => 'متن' }, 'form[enctype]');
is($b->status, 303, 'what has no file is taken');
$b->get('/desk/tickets/new');
$b->submit({ subject => 'سؤال', body => 'متن', file => [ picture() ] },
           'form[enctype]');
is($b->status, 422, 'with one it is not');
is(stored(), $counted, 'nor is that stored');

my $again = $p->browser(headers => { 'X-Real-IP' => '10.1.0.2' });

$again->login($b->{person}{national_code}, $b->{person}{password});
$again->post('/desk/letters', form($again, file => [ picture() ]));
is($again->status, 422, 'another address and session are the same person');


# A neighbour; and a body that does not say how long it is counts as the
# longest there can be.

my $other = citizen('10.1.0.1');

is($other->post('/desk/letters', form($other, file => [ picture() ]))->status,
   303, 'somebody else at the same address has an hour of his own');
$counted = stored();

my $unsaid = citizen('10.1.0.3');
my $sent = form($unsaid, file => Portal::Browser::file_part(@{ picture() }));
my $tx = $unsaid->ua->build_tx(POST => $unsaid->url('/desk/letters'),
                               form => { %$sent, csrf => $unsaid->csrf });
my $body = $tx->req->build_body;
my $socket = $p->socket;

print $socket "POST /desk/letters HTTP/1.1\r\nHost: localhost\r\n"
              . "X-Real-IP: 10.1.0.3\r\nConnection: close\r\n"
              . 'Content-Type: ' . $tx->req->headers->content_type . "\r\n"
              . 'Cookie: ' . cookies($unsaid) . "\r\n"
              . "Transfer-Encoding: chunked\r\n\r\n"
              . sprintf("%x\r\n", length $body) . "$body\r\n0\r\n\r\n";
like(join('', <$socket>), qr{^HTTP/1\.1 422 },
     'a body that does not tell its length');
is(stored(), $counted, 'counts as the longest');


# What says that it is longer than anything may be is not read, and takes
# nothing of the hour; without a session it would be that of all neighbours.

my $huge = citizen('10.1.0.6');
my $mine = form($huge, file => [ picture() ]);

for my $case ([ 413, '9000000000000000000', 'multipart/form-data; boundary=b' ],
              [ 415, '300000', 'text/plain' ])
{
    my ($status, $length, $type) = @$case;

    $socket = $p->socket;
    print $socket "POST /desk/letters HTTP/1.1\r\nHost: localhost\r\n"
                  . "X-Real-IP: 10.1.0.6\r\nConnection: close\r\n"
                  . "Content-Type: $type\r\nCookie: " . cookies($huge)
                  . "\r\nContent-Length: $length\r\n\r\n";
    like(<$socket>, qr{^HTTP/1\.1 $status }, "$length bytes of $type");
    close $socket;
}

is($huge->post('/desk/letters', $mine)->status, 303,
   'a picture is taken all the same');


# However small they are: files cost more than their bytes.

my $small = citizen('10.1.0.7');

for my $n (1 .. 64) {
    $small->get('/desk/tickets/new') if $n == 1;
    $small->post('/desk/tickets', {});
    is($small->status, 422, 'a form of nothing') if $n == 1;
}

$counted = stored();
$small->get('/desk/letters/new');
$small->post('/desk/letters', form($small,
    file => [ [ 'a.png', Portal::Browser::tiny_png('small'), 'image/png' ] ]));
is($small->status, 422, 'behind sixty-four of them a small file');
is(stored(), $counted, 'is one too many');


# A clerk answers everybody.

my $clerk = $p->browser;

$clerk->clerk_login('clerk');
$clerk->get("/clerk/letters/$code");
$clerk->submit({}, 'form[action$="/take"]');

for my $n (1 .. 4) {
    $clerk->get("/clerk/letters/$code");
    $clerk->submit({ body => "پاسخ $n", file => [ picture() ] },
                   'form[action$="/reply"]');
    is($clerk->status, 303, "a clerk's answer $n");
}


# Sessions that have ended.

sub end_sessions {
    my $redis = "redis-cli -s $p->{instance}{sockets}/redis.sock";

    system("$redis --scan --pattern 's:*' | xargs -r $redis del >/dev/null")
        == 0 or die;
}

# With the cookies it had, which the answer takes away.

sub leave {
    my ($b, $form, $cookies) = @_;

    $b->ua->cookie_jar->empty;
    return $b->post('/desk/letters', { %$form, file => [ picture() ] },
                    { Cookie => $cookies });
}

sub cookies {
    join '; ', map { $_->name . '=' . $_->value }
         @{ $_[0]->ua->cookie_jar->all };
}

my $left = citizen('10.1.0.4');
my $form = form($left);
my $elsewhere = citizen('10.1.0.5');
my $late = form($elsewhere);
my %had = (left => cookies($left), elsewhere => cookies($elsewhere));

sleep 60 - time % 60 if 60 - time % 60 < 20;     # counted by the minute
end_sessions();
$counted = stored();

for my $n (1 .. 2) {
    leave($left, $form, $had{left});
    is($left->status, 303, "what a session that ended leaves, $n");
    like($left->path, qr{^/login\?.*ended=1}, 'is kept until the log-in');
}

is(stored(), $counted + 2, 'with its file');
leave($left, $form, $had{left});
is($left->status, 303, 'a third of that address in the minute');
is(stored(), $counted + 2, 'has more bytes than an hour may');
leave($left, $form, $had{left});
is($left->status, 429, 'a fourth is not read');
is(stored(), $counted + 2, 'nor stored');
leave($elsewhere, $late, $had{elsewhere});
is($elsewhere->status, 303, 'another address');
is(stored(), $counted + 3, 'has its own');

$p->done;
