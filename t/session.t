#!/usr/bin/perl

# Sessions, passwords, profile, another mobile; headers and cookies of every
# reply.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Time::HiRes qw(time);

use Portal;
use Portal::Texts;

my $p = Portal->new(http => "    correspondence_session_idle 5s;\n"
                          . "    correspondence_session_absolute 14s;\n"
                          . "    correspondence_clerk_session_idle 8s;\n"
                          . "    correspondence_clerk_session_absolute 24s;\n");

sub summary {
    my ($page) = @_;

    return join ' | ', map { $_->all_text =~ s/\s+/ /gr =~ s/^ | $//gr }
        $page->dom->find('#error-summary li')->each;
}


# Idle and absolute limits.

$p->staff('clerk');

my ($idle, $busy, $thief, $idle_clerk, $busy_clerk, $until);

# a machine that makes somebody wait for five seconds makes them idle: again

for (1 .. 5) {
    my ($last, $gap) = (undef, 0);

    ($idle, $busy, $thief) = map { $p->browser } 1 .. 3;
    $_->signup for $idle, $busy, $thief;
    ($idle_clerk, $busy_clerk) = map { $p->browser->clerk_login($_) }
        qw(clerk manager);
    $last = time;
    $until = $last + 9;

    while (time < $until && $busy->get('/desk')->status == 200
           && $busy_clerk->get('/clerk/')->status == 200)
    {
        $thief->get('/desk/sessions')->post('/desk/sessions', { all => 1 });
        select undef, undef, undef, 0.5;
        $gap = time - $last if time - $last > $gap;
        $last = time;
    }

    last if $gap < 4
            || $busy->status == 200 && $busy_clerk->status == 200;
}

is($busy->status, 200, 'who works on stays');
is($busy_clerk->status, 200, 'a clerk, too');
is($idle_clerk->get('/clerk/')->status, 303, 'a clerk who is idle does not');
like($idle_clerk->path, qr{^/clerk/login\?ended=1}, 'and has to log in');
is($idle->get('/desk')->path, '/login?ended=1&next=%2Fdesk',
   'who is idle does not');
like($idle->follow->flash, qr/نشست شما پایان یافته است/, 'and is told why');
ok($idle->dom->at('.flash.note'), 'which does not look like a success');
is($p->browser->get('/desk')->follow->flash, '',
   'who never had a session is told no such thing');
$until = time + 7;
while (time < $until && $busy->get('/desk')->status == 200) {
    $thief->get('/desk/sessions')->post('/desk/sessions', { all => 1 });
    select undef, undef, undef, 1;
}
is($busy->path, '/login?ended=1&next=%2Fdesk', 'nor for ever');
$until = time + 3;
while (time < $until && $thief->get('/desk')->status == 200) {
    select undef, undef, undef, 0.5;
}
is($thief->path, '/login?ended=1&next=%2Fdesk',
   'nor who ends all other sessions again and again');
$until = time + 20;
while (time < $until && $busy_clerk->get('/clerk/')->status == 200) {
    select undef, undef, undef, 1;
}
like($busy_clerk->path, qr{^/clerk/login\?ended=1}, 'nor a clerk');

$p->configure(http => "    correspondence_session_max 20;\n");
ok($p->reload, 'with the usual limits but one');


# The list.

my $b = $p->browser(headers => { 'User-Agent' => 'First <b>' });
my $person = $b->signup;
my ($code, $mobile) = @$person{qw(national_code mobile)};

# a page that is open to everybody shows whoever is logged in the way back

for my $case ([ $p->browser, '/login', 'a stranger' ],
              [ $b, '/desk', 'a person' ]) {
    my ($who, $to, $what) = @$case;
    my $page = $who->get('/')->dom;

    is($page->at('.actions .btn')->{href}, $to, "$what: the home page");
    is($page->at('.quick li:last-child a')->{href}, $to, "$what: its header");
    is(!!$page->at('a[href="/signup"]'), $to eq '/login',
       "$what: signing up");
}

# the first password needs no current one

$b->get('/desk/password');
ok(!$b->dom->at('#current_password'), 'no current password is asked for');

for my $case ([ '', 'required' ], [ 'abc', 'short', min => 8 ],
              [ 'password', 'common' ], [ '12345678', 'common' ],
              [ $code, 'personal' ], [ $mobile, 'personal' ],
              [ fa($code), 'personal' ], [ 'x' x 2000, 'long' ])
{
    my ($word, $why, %values) = @$case;

    $b->get('/desk/password')->submit({ new_password => $word });
    is($b->status, 422, "a password that is $why");
    is($b->error('new_password'), 'خطا: ' . msg("new_password_$why", %values),
       "$why: says so");
}

my $password = $b->set_password;
is($b->flash, msg('flash_password_set'), 'the first password');
ok(!$b->dom->at('.flash.note'), 'which does');

my @more = map { $p->browser(headers => { 'User-Agent' => $_ }) }
           'Second', 'Third', 'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36'
           . ' (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36';
$_->login($code, $password) for @more;

$b->get('/desk/sessions');
is($b->dom->find('ul.tasks li')->size, 4, 'four sessions');
like($b->dom->at('ul.tasks li')->all_text, qr/مرورگر ناشناس.*همین دستگاه/s,
     'this one first');
like($b->dom->at('ul.tasks li h2')->attr('title'), qr/First <b>/,
     'what it says of itself, as text');
like($b->dom->find('ul.tasks h2')->map('text')->join("\n"),
     qr/^کروم روی اندروید$/m, 'a browser that is known, by its name');
my $list = $b->json('/desk/sessions');
is($list->{others}, 3, 'three others');
ok(!grep({ !$_->{seen_at} } @{ $list->{sessions} }), 'each with its last use')
    or diag explain $list->{sessions};

# another's is not in it
my $stranger = $p->browser;
$stranger->signup;
my ($victim) = grep { $_->{agent} eq 'Second' } @{ $list->{sessions} };
$stranger->post('/desk/sessions', { session_id => $victim->{session_id} });
is($more[0]->get('/desk')->status, 200, 'nobody ends another\'s session');

$b->get('/desk/sessions');
$b->post('/desk/sessions', { session_id => $victim->{session_id} });
is($b->follow->flash, msg('flash_session_ended'), 'one of them is ended');
is($more[0]->get('/desk')->status, 303, 'and is over');
is($p->value(q{SELECT count(*) FROM audit WHERE action = 'session_ended'
               AND actor = 'person' AND actor_id = object_id::bigint}), 1,
   'with a line in the audit');
is($more[1]->get('/desk')->status, 200, 'the others are not');
is($b->get('/desk/sessions')->dom->find('ul.tasks li')->size, 3, 'three now');

# one that ended by itself is not listed

my $redis = $p->instance->{sockets} . '/redis.sock';
my $list_of = 'p:' . $p->value('SELECT id FROM persons WHERE national_code = ?',
                               $code);

sub redis { my $said = `redis-cli -s $redis @_`; chomp $said; return $said }

sub listed { $b->get('/desk/sessions')->dom->find('ul.tasks li')->size }

my %before = map { $_ => 1 } split /\n/, redis("hkeys $list_of");

(my $short = $p->browser)->login($code, $password);

my ($dead) = grep { !$before{$_} } split /\n/, redis("hkeys $list_of");

is(listed(), 4, 'another log-in');
is(redis("del s:$dead"), 1, 'whose time has come');
is(listed(), 3, 'is listed no more');
is(redis("hexists $list_of $dead"), 0, 'nor kept');
is($short->get('/desk')->status, 303, 'and is over');

$b->post('/desk/sessions', { all => 1 });
is($b->follow->flash, msg('flash_sessions_ended'), 'all others are ended');
is($b->get('/desk')->status, 200, 'this one stays');
is($_->get('/desk')->status, 303, 'another is over') for @more[1, 2];
is($b->get('/desk/sessions')->dom->find('ul.tasks li')->size, 1, 'one now');


# The oldest end when there are too many, and what has ended is not kept.

my $now = int time;

redis('set s:f1 1');
redis("hset $list_of", map { "f$_ '" . ($now - 1000 + $_) . " 127.0.0.1 -'" }
      1 .. 30);
$more[1]->login($code, $password);
is(redis("hlen $list_of"), 20, 'twenty sessions');
is(redis('exists s:f1'), 0, 'the oldest has ended');
is($b->get('/desk')->status, 200, 'a newer one has not');
redis("hset $list_of dead '1 127.0.0.1 -'");
is($b->get('/desk/sessions')->dom->find('ul.tasks li')->size, 2,
   'those that live are listed');
is(redis("hlen $list_of"), 2, 'the others are forgotten');


# Changing the password.

$more[0]->login($code, $password);
my $old = $b->cookie('correspondence');

$b->get('/desk/password')->submit({ current_password => '',
                                    new_password => 'another-good-one-7' });
is($b->error('current_password'), 'خطا: ' . msg('current_password_required'),
   'the current one is asked for');
$b->submit({ current_password => 'wrong', new_password => 'another-good-7' });
is($b->error('current_password'), 'خطا: ' . msg('current_password_wrong'),
   'a wrong one');
$b->submit({ current_password => $password, new_password => $password });
is($b->error('new_password'), 'خطا: ' . msg('new_password_same'),
   'the same again');
$b->submit({ current_password => $password, new_password => 'abc' })
    for 1 .. 8;
is($b->error('new_password'), 'خطا: ' . msg('new_password_short', min => 8),
   'a new one that is no good');
my $seen = $p->last_message($mobile);
my $new = 'یک کلمهٔ عبور دراز با ۴ رقم';
$p->secret($new);
$b->submit({ current_password => $password, new_password => $new });
is($b->status, 303, 'changed; eight mistakes in the new one slow nobody');
is($b->follow->flash, msg('flash_password_changed'), 'the desk says so');
is($more[0]->get('/desk')->status, 303, 'other sessions are over');
isnt($b->cookie('correspondence'), $old, 'this one has a new cookie');
is($p->browser->get('/desk', { Cookie => "correspondence=$old" })->status,
   303, 'the old cookie is dead');
ok($p->message($mobile, qr/کلمه عبور/, $seen), 'an SMS tells');


# Where one was, when that is endless.

for my $path ('/desk/letters/a' . "\x{6cc}" x 700,
              '/desk/letters?a=' . 'x' x 700,
              '/login?next=/' . 'x' x 5000)
{
    my $who = $p->browser;

    $who->get($path);
    $who->get($who->location) if $who->status == 303;
    is($who->status, 200, 'an endless address leads to the log-in page');
}


# Profile.

for my $case ([ phone => '123', 'phone_wrong' ],
              [ email => 'x@', 'email_wrong' ],
              [ address => 'ن' x 501, 'address_too_long', max => 500 ])
{
    my ($field, $value, $name, %values) = @$case;

    $b->get('/desk/profile')->submit({ $field => $value });
    is($b->status, 422, "$name: refused");
    is($b->error($field), 'خطا: ' . msg($name, %values), $name);
}

$b->get('/desk/profile')->submit({
    address => "  كوي  علي\r\nپلاك ٤ ", phone => '۰۲۱-۸۸۷۷۶۶۵۵',
    email => ' Ali@Example.IR ' });
is($b->status, 303, 'the profile is saved');
is($b->follow->flash, msg('flash_profile_saved'), 'and says so');
my ($row) = $p->sql('SELECT address, phone, email FROM persons
                      WHERE national_code = ?', $code);
is($row->{address}, "کوی علی\nپلاک ٤", 'letters are folded, digits stay');
is($row->{phone}, '02188776655', 'the phone');
is($row->{email}, 'Ali@example.ir', 'the e-mail');
is($b->dom->at('#phone')->attr('value') =~ tr/۰-۹/0-9/r, '02188776655',
   'and is shown');


# Another mobile.

$b->identify;
like($b->get('/desk')->text, qr/سطح/, 'the desk shows a level');
is($p->value('SELECT level FROM persons WHERE national_code = ?', $code), 3,
   'level 3');
my $next = mobile();

$b->get('/desk/profile/mobile')->submit({ mobile => $mobile });
is($b->status, 422, 'the same mobile');
is($b->error('mobile'), 'خطا: ' . msg('mobile_unchanged'), 'says so');
$b->get('/desk/profile/mobile')->submit({ mobile => '123' });
is($b->error('mobile'), 'خطا: ' . msg('mobile_wrong'), 'no mobile at all');
$b->get('/desk/profile/mobile')->submit({ mobile => $next });
is($b->path, '/desk/profile/mobile?sent=1', 'a code is on its way');
$b->follow;
my $right = $p->sms_code($next);
$b->submit({ code => sprintf '%06d', ($right + 1) % 1000000 });
is($b->error('code'), 'خطا: ' . msg('code_wrong', tries_left => 4),
   'a wrong code');
is($p->value('SELECT mobile FROM persons WHERE national_code = ?', $code),
   $mobile, 'nothing has changed');
$seen = $p->last_message($mobile);
$b->submit({ code => $right });
is($b->path, '/desk/identity?flash=mobile_changed', 'the right one');
is($b->follow->flash, msg('flash_mobile_changed'), 'the page says so');
is($p->value('SELECT mobile FROM persons WHERE national_code = ?', $code),
   $next, 'the mobile has changed');
is($p->value('SELECT level FROM persons WHERE national_code = ?', $code), 1,
   'level 1 again');
ok($p->message($mobile, qr/./, $seen), 'the old mobile is told');


# Log out.

my $cookie = $b->cookie('correspondence');
$b->get('/desk');
$b->post('/logout', {});
is($b->path, '/login?flash=logged_out', 'logged out');
is($b->header('Clear-Site-Data'), '"cache", "storage"',
   'and what the browser kept is cleared');
is($b->follow->flash, msg('flash_logged_out'), 'the page says so');
is($p->browser->get('/desk', { Cookie => "correspondence=$cookie" })->path,
   '/login?ended=1&next=%2Fdesk', 'the cookie is dead');
my $n = $p->browser;
$n->get('/desk', { Cookie => "correspondence=$cookie",
                   Accept => 'application/json' });
is($n->status, 401, 'as JSON: 401');
is($n->tx->res->json->{text}, msg('session_ended'), 'in words');


# Cookies, headers, methods.

$n = $p->browser;
$n->get('/login');
my @set = $n->tx->res->headers->every_header('Set-Cookie')->@*;
ok(@set, 'a cookie for the browser');
for (@set) {
    like($_, qr/; HttpOnly/, 'HttpOnly');
    like($_, qr/; SameSite=Lax/, 'SameSite');
    like($_, qr{; Path=/(?:;|$)}, 'Path');
    unlike($_, qr/Domain/i, 'no Domain');
}

my $policy = "default-src 'none'; script-src 'self'; style-src 'self'; "
    . "img-src 'self'; font-src 'self'; connect-src 'self'; "
    . "media-src 'self'; frame-src 'self'; manifest-src 'self'; "
    . "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

my %want = ('X-Content-Type-Options' => qr/^nosniff$/,
            'Referrer-Policy' => qr/^no-referrer$/,
            'Content-Security-Policy' => qr/^\Q$policy\E$/,
            'Cross-Origin-Opener-Policy' => qr/^same-origin$/,
            'Cross-Origin-Resource-Policy' => qr/^same-origin$/,
            'Cache-Control' => qr/^no-store$/);

my @replies = (
    [ GET => '/', 200 ], [ GET => '/login', 200 ], [ GET => '/desk', 303 ],
    [ GET => '/nowhere', 404 ], [ DELETE => '/login', 405 ],
    [ PUT => '/desk', 405 ], [ GET => '/logout', 405 ],
    [ POST => '/', 405 ], [ POST => '/login', 403 ],
    [ GET => '/login?%zz', 400 ], [ HEAD => '/login', 200 ],
    [ OPTIONS => '/', 405 ],
    [ POST => '/signup', 413, 'x' x 300_000 ],
    [ POST => '/signup', 413, 'x' x 30_000_000 ],
    [ GET => '/login' . 'x' x 2000, 404 ],
    [ GET => '/clerk/', 303 ], [ GET => '/clerk/nowhere', 404 ],
);

for my $case (@replies) {
    my ($method, $path, $status, $body) = @$case;
    my $what = "$method " . substr($path, 0, 20)
               . ($body ? ' of ' . length $body : '');

    $n->request($method, $path,
        { $method eq 'POST' ? ('Content-Type' =>
                               'application/x-www-form-urlencoded') : () },
        $body // ());
    is($n->status, $status, "$what: $status");
    like($n->header($_) // '', $want{$_}, "$what: $_") for sort keys %want;
    is(scalar @{ $n->tx->res->headers->every_header($_) }, 1,
       "$what: $_ once") for sort keys %want;
    ok($n->header('Allow'), "$what: Allow") if $status == 405;
    like($n->header('Content-Type') // '', qr{^text/html; charset=utf-8},
         "$what: its type");
    like($n->text, qr/\p{Arabic}{3}/, "$what: in words")
        if $status >= 400 && $method ne 'HEAD';
    is($n->body, '', 'no body') if $method eq 'HEAD';
}

# nginx itself refuses this one

is($n->request(TRACE => '/login', {})->status, 405, 'no TRACE');

$n->request(GET => '/nowhere', { Accept => 'application/json' });
is($n->tx->res->json->{status}, 404, 'errors as JSON too');

$p->done;
