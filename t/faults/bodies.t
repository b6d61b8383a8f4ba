#!/usr/bin/perl

# Replies that come before a body was read to its end: what is left of it is
# never taken for a request, and the client knows whether the connection goes
# on.  And files that are too large by their very last bytes.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use IO::Select;
use Time::HiRes qw(time);

use Portal;
use Portal::Texts;

my $max = 256 * 1024;                  # four blocks of the body's reader
my $p = Portal->new(http => "    correspondence_upload_max_size $max;\n"
                          . "    client_body_timeout 2s;\n");

# All answers on a connection: status and the header Connection of each.

sub answers {
    my ($bytes) = @_;
    my $s = $p->socket;
    my ($text, $until) = ('', time + 2);

    syswrite $s, $bytes;

    while (time < $until) {
        next if !IO::Select->new($s)->can_read(0.2);
        last if !sysread $s, $text, 65536, length $text;
    }

    return [ map { [ /^(\d+)/, /^Connection: (\S+)/m ] }
             split m{^HTTP/1\.1 }m, $text =~ s{^HTTP/1\.1 }{}r ];
}

sub head {
    my ($path, @more) = @_;

    return join "\r\n", "POST $path HTTP/1.1", 'Host: localhost',
        'Content-Type: application/x-www-form-urlencoded', @more, '', '';
}

my $hidden = "GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n" x 3;
my $next = "GET /track HTTP/1.1\r\nHost: localhost\r\n"
         . "Connection: close\r\n\r\n";

is_deeply(answers(head('/login', 'Content-Length: 200000') . $hidden
                  . 'x' x (200_000 - length $hidden) . $next),
          [ [ 413, 'close' ] ],
          'a body that is too long is dropped, and the connection ends');

is_deeply(answers(head('/login', 'Content-Length: 200000') . $hidden),
          [ [ 413, 'close' ] ], 'and no request is found in it');

is_deeply(answers(head('/login', 'Transfer-Encoding: chunked')
                  . "zz\r\n$hidden"),
          [ [ 400, 'close' ] ], 'chunks that are none end the connection');

is_deeply(answers(head('/nowhere', 'Transfer-Encoding: chunked')
                  . "zz\r\n$hidden"),
          [ [ 404, 'close' ] ], 'also at an address that there is not');

is_deeply(answers(head('/login', 'Transfer-Encoding: chunked')
                  . "5\r\na=%zz\r\n"),
          [ [ 400, 'close' ] ], 'a form refused in the middle ends it');

is_deeply(answers(head('/login', 'Content-Length: 900000',
                       'Expect: 100-continue')),
          [ [ 413, 'close' ] ], 'who asks first is not told to go on');

is_deeply(answers(head('/login', 'Content-Length: 0') . $next),
          [ [ 403, 'keep-alive' ], [ 200, 'close' ] ], 'no body at all');


# A body that stops in the middle is no fault of the portal's.

{
    my $s = $p->socket;
    my ($text, $until) = ('', time + 10);

    syswrite $s, head('/login', 'Content-Length: 1000') . 'a=';

    while (time < $until) {
        next if !IO::Select->new($s)->can_read(0.2);
        last if !sysread $s, $text, 65536, length $text;
    }

    utf8::decode($text);
    like($text, qr{^HTTP/1\.1 408 .*^Connection: close}ms, 'a slow client');
    like($text, qr/\Q@{[ msg('bad_request') ]}\E/, 'is told what happened');
}


# One byte too many, or a thousand: in the block that ends the file.

# Bytes that are no text are the name of nothing.

for my $path ('/desk/letters/%ff', '/desk/letters/%d9/receipt') {
    my $who = $p->browser;

    $who->signup;
    is($who->get($path)->status, 404, "$path is not there");
}


my $b = $p->browser;
my $png = Portal::Browser::tiny_png('large');

$b->signup;

for my $over (1, 1000, 70_000) {
    my $file = $png . "\0" x ($max + $over - length $png);

    $b->get('/desk/tickets/new')->submit({
        subject => 'subject', body => 'body',
        file => [ [ 'a.png', $file, 'image/png' ] ] });

    is($b->status, 422, "a file larger than allowed by $over");
    ok($b->error('file'), 'is refused at its field');
}

# As many files as are allowed, and the form's own fields.

$p->configure(http => "    correspondence_upload_max_files 70;\n");
$p->reload;

for my $n (70, 71) {
    $b->get('/desk/tickets/new')->submit({
        subject => "$n files", body => 'body',
        file => [ map { [ "$_.png", Portal::Browser::tiny_png($_),
                          'image/png' ] } 1 .. $n ] });
    is($b->status, $n == 70 ? 303 : 422, "$n files of 70");
}

is($p->value(q{SELECT count(*) FROM files}), 70, 'all of them are kept');

$p->done;
