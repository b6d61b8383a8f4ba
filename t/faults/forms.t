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
                    replace => [ [ qr/connections=3;/, 'connections=2 writers=0 '
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

for my $value ("\xff\xfe", "a\0b", "\xc0\xaf", "\xed\xa0\x80", "a\x01b",
               "a\x1bb")
{
    my $text = multipart('XX', field(csrf => $csrf),
        field(submission_key => 'q' x 32), field(subject => $value),
        field(body => 'x'));
    my ($status, $page) = raw(head('/desk/tickets', $mp, length $text)
                              . $text);

    utf8::decode($page);
    is($status, 422, 'no text: refused');
    ok(index($page, msg('subject_wrong')) >= 0, 'in words, at its field');
    like($page, qr/<textarea[^>]*>x</, 'and the rest is kept');
}

# in an urlencoded form as well, and in a field of every other kind

for my $case ([ '/login', 'national_code', 'national_code_format',
                'password=x' ],
              [ '/login', 'password', 'login_wrong',
                'national_code=' . national_code() ],
              [ '/login/code', 'national_code', 'national_code_format', '' ],
              [ '/track', 'tracking_code', 'tracking_code_wrong',
                'mobile_last4=1234' ])
{
    my ($path, $name, $message, $rest) = @$case;
    my $nobody = $p->browser;

    $nobody->get($path);

    my $token = $nobody->dom->at('[name="csrf"]')->attr('value');

    for my $bytes ('%00', '1%ff2', '%e2%80') {
        $nobody->request(POST => $path,
            { 'Content-Type' => 'application/x-www-form-urlencoded' },
            "csrf=$token&$rest&$name=$bytes");
        is($nobody->status, 422, "$path, $name, $bytes");
        ok(index($nobody->body, msg($message)) >= 0
           || index(Mojo::Util::decode('UTF-8', $nobody->body),
                    msg($message)) >= 0, 'is told at the field')
            or diag $nobody->text;
    }
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

$b->identify;

for my $case (map { my $mode = $_; map { [ $mode, $_ ] } qw(tickets letters) }
              'lose', 'drop')
{
    my ($mode, $table) = @$case;
    my $count = sub { $p->value("SELECT count(*) FROM $table") };
    my $before = $count->();

    $b->get("/desk/$table/new")->expect(200, "the form of $table");
    my %fields = (subject => "an answer: $mode", body => 'text',
                  submission_key => $b->dom->at('[name="submission_key"]')
                                    ->val, csrf => $b->csrf,
                  $table eq 'tickets' ? ()
                  : (person_kind => 'natural', address => 'here',
                     file => [ [ 'a.png', Portal::Browser::tiny_png($mode),
                                 'image/png' ] ]));

    # files go to the store before anything is said to PostgreSQL
    $proxy->mode($mode);

    my $back = fork // die;
    if (!$back) {
        sleep 0.5;
        $proxy->{owner} = 0;
        $proxy->mode('pass');
        POSIX::_exit(0);
    }

    $b->post("/desk/$table", { %fields });
    waitpid $back, 0;
    $proxy->mode('pass');

    my $made = $count->() - $before;
    my $to = $b->path;

    if ($b->status == 303) {
        is($made, 1, "$table, $mode: told that it was taken, and it was");

    } else {
        is($b->status, 503, "$table, $mode: or told that nobody knows");
        cmp_ok($made, '<=', 1, "$table, $mode: nothing twice");
        my $told = $b->text;
        like($told, $made ? qr/معلوم نیست/ : qr/معلوم نیست|دریافت نشد/,
             "$table, $mode: in words that are true");
    }

    ok(wait_until(10, sub {
        $b->post("/desk/$table", { %fields })->status == 303 }),
       "$table, $mode: sending it again works");
    is($b->path, $to // $b->path, "$table, $mode: and leads to the same");
    is($count->() - $before, 1, "$table, $mode: there is one");
}

is($p->value(q{SELECT count(*) FROM messages WHERE letter_id IS NOT NULL}), 2,
   'each letter has its one SMS');


# What would count twice is not sent again when its answer was lost, or that
# of another which stood before it on the connection.

my $leaver = $p->browser;
my $gone = $leaver->signup;
my $tries = sub { $p->value('SELECT coalesce(sum(failures), 0) FROM tries
                              WHERE scope = ?', $_[0]) };

for my $case (
    [ $p->browser, '/login', sub { $tries->('password') },
      { national_code => $person->{national_code}, password => 'wrong' } ],
    [ $p->browser, '/clerk/login', sub { $tries->('staff_password') },
      { username => 'nobody', password => 'wrong' } ],
    [ $p->browser, '/track', sub { $tries->('track') },
      { tracking_code => $p->value('SELECT min(tracking_code) FROM letters'),
        mobile_last4 => '0000' } ],
    [ $leaver, '/desk/sessions',
      sub { $p->value('SELECT session_epoch FROM persons
                        WHERE national_code = ?', $gone->{national_code}) },
      { all => 1 } ])
{
    my ($who, $path, $count, $fields) = @$case;

    ok(wait_until(10, sub { ($b->json('/health')->{postgres}{connections}
                             // 0) == 2 }), "$path: PostgreSQL is well");
    $who->get($path)->expect(200, $path);

    my $before = $count->();

    $proxy->mode('lose');

    my $back = fork // die;
    if (!$back) {
        sleep 0.5;
        $proxy->{owner} = 0;
        $proxy->mode('pass');
        POSIX::_exit(0);
    }

    $who->post($path, $fields);
    waitpid $back, 0;
    $proxy->mode('pass');
    is($who->status, 503, "$path: its answer was lost");
    ok(!$who->dom->at('#written'), "$path: nobody says it was not taken");
    cmp_ok($count->() - $before, '<=', 1, "$path: and nothing was done twice");
}


# A database that is gone says so, and that nothing was taken.

my $writer = $p->browser;
$writer->signup;
$writer->get('/desk/tickets/new');
$proxy->mode('refuse');
ok(wait_until(10, sub { $b->get('/login')->status == 200
                        && $b->post('/login', {
                            national_code => $person->{national_code},
                            password => 'x' })->status == 503 }),
   'PostgreSQL is away');
like($b->text, qr/پاسخ نمی‌دهد/, 'in words');
ok(index($b->text, msg('kept_not_taken')) >= 0, 'nothing was taken')
    or diag $b->text;
is($writer->submit({ subject => 'پرسش', body => 'متنی بلند' })->status, 503,
   'a text');
is($writer->dom->at('#written')->val, 'متنی بلند', 'is shown again');
is($b->get('/')->status, 200, 'the home page works');
$proxy->mode('pass');
ok(wait_until(10, sub { $b->get('/desk')->status == 200 }), 'and back');


# Reloads, and the end, under load.  A machine that is slow is given the time
# that it takes: nobody waits for two seconds only.

$p->configure(main => '', replace => []);
ok($p->reload, 'with the usual time-outs');

my %seen;
my $reloads = fork // die;

if (!$reloads) {
    $p->reload or POSIX::_exit(1) for 1 .. 4;
    POSIX::_exit(0);
}

my ($reloaded, $limit) = (undef, time + 120);
my $over = sub {
    $reloaded //= $? if waitpid($reloads, POSIX::WNOHANG()) == $reloads;
    return defined $reloaded && ($seen{200} // 0) > 100 || time > $limit;
};

my @loops = map {
    my $ua = Mojo::UserAgent->new(max_connections => 0, request_timeout => 60,
                                  inactivity_timeout => 60,
                                  max_redirects => 0);
    $ua->proxy->http(undef);
    my $loop;
    $loop = sub {
        return Mojo::Promise->resolve if $over->();
        $ua->get_p($p->base . ('/desk/tickets', '/login', '/desk')[rand 3],
                   { Cookie => $cookies })->then(sub {
            $seen{ $_[0]->res->code }++;
        }, sub { $seen{"@_"}++ })->then($loop);
    };
    $loop->();
} 1 .. 8;

Mojo::Promise->all(@loops)->wait;
is($reloaded, 0, 'new workers four times');

my $good = delete $seen{200};
cmp_ok($good // 0, '>', 100, "four reloads under load: $good pages");
is_deeply(\%seen, {}, 'and nothing else') or diag explain \%seen;

$p->done;
