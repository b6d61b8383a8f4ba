#!/usr/bin/perl

# Bodies that no browser sends, clients that go away, answers that get lost,
# reloads under load: each has its answer, and nothing is done twice.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use IO::Select;
use Mojo::Promise;
use Mojo::UserAgent;
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(sleep time);

use Portal;
use Portal::Texts;

my $p = Portal->new(proxies => [ 'postgres', 'shahkar' ],
                    workers => 1,
                    replace => [ [ qr/connections=3;/, 'connections=2 '
                                   . 'timeout=2s connect_timeout=1s;' ] ]);
my $b = $p->browser;
my $person = $b->signup;
my ($worker) = $p->workers;

my $cookies = join '; ', map { $_->name . '=' . $_->value }
                         @{ $b->ua->cookie_jar->all };

# A request as bytes; the status, and the whole answer.

sub head {
    my ($path, $type, $length, @more) = @_;

    return join "\r\n", "POST $path HTTP/1.1", 'Host: localhost',
        "Cookie: $cookies", "Content-Type: $type", 'Connection: close',
        defined $length ? "Content-Length: $length"
                        : 'Transfer-Encoding: chunked', @more, '', '';
}

sub answer {
    my ($s, $seconds) = @_;
    my ($text, $until) = ('', time + ($seconds // 10));

    while (time < $until) {
        next if !IO::Select->new($s)->can_read(0.5);
        my $n = sysread $s, $text, 65536, length $text;
        last if !$n;
    }

    my ($status) = $text =~ m{^HTTP/1\.1 (\d+)};
    return ($status // 0, $text);
}

sub raw {
    my ($bytes, $size, $pause) = @_;
    my $s = $p->socket;

    if ($size) {
        for (my $i = 0; $i < length $bytes; $i += $size) {
            syswrite $s, substr $bytes, $i, $size or last;
            sleep $pause if $pause;
        }
    } else {
        syswrite $s, $bytes;
    }

    return answer($s);
}

sub multipart {
    my ($boundary, @parts) = @_;

    return join '', (map { "--$boundary\r\n$_->[0]\r\n\r\n$_->[1]\r\n" }
                     @parts), "--$boundary--\r\n";
}

sub field { [ qq(Content-Disposition: form-data; name="$_[0]"), $_[1] ] }

$b->get('/desk/tickets/new');
my $csrf = $b->csrf;
my $form = 'application/x-www-form-urlencoded';
my $mp = 'multipart/form-data; boundary=XX';


# One byte at a time, and chunked.

my $key = 'k' x 32;
my $text = multipart('XX', field(csrf => $csrf),
    field(submission_key => $key), field(subject => 'one'),
    field(body => 'byte'));
my ($status, $page) = raw(head('/desk/tickets', $mp, length $text) . $text,
                          1);
is($status, 303, 'one byte at a time');
($status, $page) = raw(head('/desk/tickets', $mp, length $text) . $text, 7);
is($status, 303, 'again, seven bytes at a time');
($status, $page) = raw(head('/desk/tickets', $mp, undef)
    . join '', map { sprintf "%x\r\n%s\r\n", length, $_ }
               ($text =~ /(.{1,11})/gs), '');
is($status, 303, 'again, in chunks of eleven');
is($p->value('SELECT count(*) FROM tickets'), 1, 'which is one ticket');


# What cannot be read.

my %garbage = (
    'no boundary' => [ 'multipart/form-data', 'x', 400 ],
    'a boundary too long' => [ 'multipart/form-data; boundary='
                               . 'x' x 200, 'x', 400 ],
    'no delimiter' => [ $mp, 'x' x 1000, 400 ],
    'no end' => [ $mp, "--XX\r\n" . field('a', 'b')->[0] . "\r\n\r\nb", 400 ],
    'no name' => [ $mp, multipart('XX', [ 'X: y', 'z' ]), 400 ],
    'LF alone' => [ $mp, "--XX\nContent-Disposition: form-data; "
                         . "name=\"a\"\n\nb\n--XX--\n", 400 ],
    'a header too long' => [ $mp, multipart('XX', [
        'Content-Disposition: form-data; name="a"; x="' . 'y' x 9000 . '"',
        'z' ]), qr/^(?:400|413)$/ ],
    'a thousand parts' => [ $mp, multipart('XX', map { field("f$_", 'x') }
                                           1 .. 1000), 413 ],
    'a thousand fields' => [ $form, join('&', map { "f$_=x" } 1 .. 1000),
                             413 ],
    'a half escape' => [ $form, "csrf=$csrf&a=%4", 400 ],
    'a wrong escape' => [ $form, "csrf=$csrf&a=%zz", 400 ],
    'another type' => [ 'application/json', '{"a":1}', 415 ],
    'no type' => [ 'text/plain', 'a=1', 415 ],
    'zeros' => [ $mp, "\0" x 5000, 400 ],
    'a body over the limit' => [ $form, 'a=' . 'x' x 400_000, 413 ],
    'a field over the limit' => [ $mp, multipart('XX', field(csrf => $csrf),
        field(body => 'x' x 400_000)), 413 ],
);

for my $what (sort keys %garbage) {
    my ($type, $body, $want) = @{ $garbage{$what} };

    for my $size (0, 1400) {
        my ($status, $page) = raw(head('/desk/tickets', $type, length $body)
                                  . $body, $size);
        like($status, ref $want ? $want : qr/^$want$/, "$what: refused");
        utf8::decode($page);
        like($page, qr/\p{Arabic}{3}.*شناسهٔ این خطا/s, "$what: in words")
            if !$size;
    }
}

# over the limit in chunks, where no length tells it before

my $s = $p->socket;
syswrite $s, head('/desk/tickets', $form, undef);
for (1 .. 100) {
    syswrite $s, sprintf "%x\r\n%s\r\n", 8192, 'x' x 8192 or last;
}
is((answer($s))[0], 413, 'a chunked body without an end');

# fields that are too long or no text at all

for my $case ([ "\xff\xfe", 400 ], [ "a\0b", 400 ], [ "\xc0\xaf", 400 ],
              [ "a\x01b", 422, 'subject_wrong' ],
              [ "a\x1bb", 422, 'subject_wrong' ])
{
    my ($value, $want, $name) = @$case;
    my $text = multipart('XX', field(csrf => $csrf),
        field(submission_key => 'q' x 32), field(subject => $value),
        field(body => 'x'));
    my ($status, $page) = raw(head('/desk/tickets', $mp, length $text)
                              . $text);

    utf8::decode($page);
    is($status, $want, 'no text: refused');
    ok(index($page, msg($name // 'bad_request')) >= 0, 'in words');
}


# Slow, and gone.

$s = $p->socket;
syswrite $s, head('/desk/tickets', $mp, 1000) . "--XX\r\n";
my $slow = $s;

for my $part (0, 10, length($text) - 3, length $text) {
    for my $path ('/desk/tickets', '/login', '/signup', '/desk/letters') {
        for my $reset (0, 1) {
            my $s = $p->socket;

            syswrite $s, head($path, $mp, length $text)
                         . substr $text, 0, $part;
            setsockopt $s, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 if $reset;
            close $s;
        }
    }
}

is($b->get('/desk/tickets')->status, 200, 'clients went away in the middle');

# while a statement, a password or a gateway is waited for

my $proxy = $p->proxy('postgres');
my $shahkar = $p->proxy('shahkar');

for my $path ('/desk', '/desk/tickets', '/signup/code', '/login/code/mobile')
{
    $proxy->mode('stall');
    for (1 .. 3) {
        my $s = $p->socket;
        syswrite $s, "GET $path HTTP/1.1\r\nHost: localhost\r\n"
                     . "Cookie: $cookies\r\n\r\n";
        sleep 0.05;
        setsockopt $s, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
        close $s;
    }
    $proxy->mode('pass');
}

$shahkar->mode('stall');
my $urlencoded = "csrf=$csrf";
$s = $p->socket;
syswrite $s, head('/desk/identity/mobile', $form, length $urlencoded)
             . $urlencoded;
sleep 0.3;
setsockopt $s, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
close $s;
sleep 0.3;
$shahkar->mode('pass');

for (1 .. 5) {
    my $body = "csrf=$csrf&national_code=" . national_code() . '&password=x';
    my $s = $p->socket;
    syswrite $s, head('/login', $form, length $body) . $body;
    sleep 0.01 * $_;
    close $s;
}

ok(wait_until(10, sub { $b->get('/desk')->status == 200 }),
   'clients went away while something was waited for');
is(($p->workers)[0], $worker, 'it is the same worker');

my ($late) = answer($slow, 0.1);
is($late, 0, 'the slow one still has no answer');
close $slow;


# The answer of a COMMIT that is lost: looked up again, done once.

ok(wait_until(10, sub { ($b->json('/health')->{postgres}{connections} // 0)
                        == 2 }), 'PostgreSQL is well');

for my $mode ('lose', 'drop') {
    my $before = $p->value('SELECT count(*) FROM tickets');

    $b->get('/desk/tickets/new');
    my %fields = (subject => "an answer: $mode", body => 'text',
                  submission_key => $b->dom->at('[name="submission_key"]')
                                    ->val, csrf => $b->csrf);
    $proxy->mode($mode);

    my $back = fork // die;
    if (!$back) {
        sleep 0.5;
        $proxy->{owner} = 0;
        $proxy->mode('pass');
        POSIX::_exit(0);
    }

    $b->post('/desk/tickets', \%fields);
    waitpid $back, 0;
    $proxy->mode('pass');

    my $made = $p->value('SELECT count(*) FROM tickets') - $before;

    if ($b->status == 303) {
        is($made, 1, "$mode: told that it was taken, and it was");

    } else {
        is($b->status, 503, "$mode: or told that nobody knows");
        cmp_ok($made, '<=', 1, "$mode: nothing twice");
        my $told = $b->text;
        like($told, $made ? qr/معلوم نیست/ : qr/معلوم نیست|دریافت نشد/,
             "$mode: in words that are true");
    }

    ok(wait_until(10, sub {
        $b->post('/desk/tickets', \%fields)->status == 303 }),
       "$mode: sending it again works");
    is($p->value('SELECT count(*) FROM tickets') - $before, 1,
       "$mode: there is one");
}


# A database that is gone says so, and that nothing was taken.

$proxy->mode('refuse');
ok(wait_until(10, sub { $b->get('/login')->status == 200
                        && $b->post('/login', {
                            national_code => $person->{national_code},
                            password => 'x' })->status == 503 }),
   'PostgreSQL is away');
like($b->text, qr/پاسخ نمی‌دهد/, 'in words');
ok(index($b->text, msg('kept_not_taken')) >= 0, 'nothing was taken')
    or diag $b->text;
is($b->get('/')->status, 200, 'the home page works');
$proxy->mode('pass');
ok(wait_until(10, sub { $b->get('/desk')->status == 200 }), 'and back');


# Reloads, and the end, under load.

$p->configure(main => '');
my %seen;
my $stop = time + 6;
my @loops = map {
    my $ua = Mojo::UserAgent->new(max_connections => 0, request_timeout => 20,
                                  max_redirects => 0);
    $ua->proxy->http(undef);
    my $loop;
    $loop = sub {
        return Mojo::Promise->resolve if time > $stop;
        $ua->get_p($p->base . ('/desk/tickets', '/login', '/desk')[rand 3],
                   { Cookie => $cookies })->then(sub {
            $seen{ $_[0]->res->code }++;
        }, sub { $seen{"@_"}++ })->then($loop);
    };
    $loop->();
} 1 .. 8;

my $reloads = fork // die;
if (!$reloads) {
    for (1 .. 4) {
        kill HUP => $p->nginx_pid;
        sleep 1.2;
    }
    POSIX::_exit(0);
}

Mojo::Promise->all(@loops)->wait;
waitpid $reloads, 0;

my $good = delete $seen{200};
cmp_ok($good // 0, '>', 100, "four reloads under load: $good pages");
is_deeply(\%seen, {}, 'and nothing else') or diag explain \%seen;

$p->done;
