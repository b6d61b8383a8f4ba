#!/usr/bin/perl

# What an address has to put up with that misbehaves: captchas on sign-up
# and code requests, a rate of log-ins, of changes and of searches.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;
use Portal::Texts;

my $p = Portal->new(captcha => 'on',
    http => "    correspondence_misbehaviour 3;\n"
          . "    correspondence_login_rate 5;\n"
          . "    correspondence_search_rate 5;\n"
          . "    correspondence_changes_per_hour 4;\n");
my $redis = $p->instance->{sockets} . '/redis.sock';

sub faults {
    my $n = `redis-cli -s $redis get faults:127.0.0.1`;

    return $n =~ /^(-?\d+)/ ? $1 : 0;
}

sub forget {
    my ($what) = @_;
    my @keys = map { split ' ', `redis-cli -s $redis --scan --pattern '$_'` }
               $what // ('*127.0.0.1*', 'faults:n:*');

    system("redis-cli -s $redis del @keys >/dev/null") == 0 if @keys;
}

sub tracking_code { $p->value('SELECT correspondence.tracking_candidate(8)') }

sub summary {
    my ($page) = @_;

    return join ' | ', map { $_->all_text =~ s/\s+/ /gr =~ s/^ | $//gr }
        $page->dom->find('#error-summary li')->each;
}

my %birth = (birth_day => 1, birth_month => 1, birth_year => 1360);
my $b = $p->browser;

# who behaves sees none, however often

for (1 .. 5) {
    $p->browser->signup;
}

is(faults(), 0, 'five sign-ups that were confirmed are no fault');

{
    my $me = $p->browser->signup;

    $p->db->do("UPDATE codes SET created_at = created_at - interval '1 h'");
    $p->browser->login_code(@$me{qw(national_code mobile)}) for 1 .. 3;
    is(faults(), 0, 'nor are log-ins by code');
    $p->db->do("UPDATE codes SET created_at = created_at - interval '1 h'");
}
ok(!$b->get('/signup')->dom->at('[name="captcha"]'), 'and no captcha');

# what was forgotten before it was confirmed gives no credit

$b->get('/signup');
{
    my $to = mobile();

    $b->submit({ %birth, national_code => national_code(), mobile => $to });
    is(faults(), 1, 'a code');
    forget();
    $b->follow->submit({ code => $p->sms_code($to) });
    is($b->status, 303, 'confirmed after all was forgotten');
    is(faults(), 0, 'is none below none');
}

$b = $p->browser;

# codes that nobody confirms

my $mobile;
for (1 .. 3) {
    $mobile = mobile();
    $b->get('/signup')->submit({ %birth, national_code => national_code(),
                                 mobile => $mobile });
    is($b->status, 303, 'a code');
}

is(faults(), 3, 'three codes without a confirmation');
$b->follow;
ok($b->dom->at('form[action$="resend"] [name="captcha"]'),
   'another code needs a captcha');
ok(!$b->dom->at('form[action$="/signup/code"] [name="captcha"]'),
   'the code itself does not');

my $code = national_code();

for my $case ([ '/signup', { %birth, national_code => $code,
                             mobile => mobile() } ],
              [ '/login/code', { national_code => $code } ],
              [ '/recover', { national_code => $code, mobile => mobile() } ])
{
    my ($path, $fields) = @$case;
    my $n = $p->browser;

    $n->get($path);
    ok($n->dom->at('[name="captcha"]'), "$path: a captcha");
    my $image = $n->dom->at('.captcha img')->attr('src');
    my $page = $n->body;
    my $csrf = $n->csrf;

    is($p->browser->get($image)->header('Content-Type'), 'image/png',
       "$path: its picture");

    $n->submit($fields);
    is($n->status, 422, "$path: no answer");
    is($n->error('captcha'), 'خطا: ' . msg('captcha_required'),
       "$path: asks for it");
    is($n->dom->at('#national_code')->val, $code, "$path: values are kept");

    $n->submit({ %$fields, captcha => '00000' });
    is($n->error('captcha'), 'خطا: ' . msg('captcha_wrong'),
       "$path: a wrong answer");

    $n->submit({ %$fields, captcha_new => 1 });
    is($n->status, 200, "$path: another picture");
    is(summary($n), '', "$path: is no error");
    isnt($n->dom->at('.captcha img')->attr('src'), $image,
         "$path: it is another");
    is($n->dom->at('#national_code')->val, $code, "$path: values are kept");

    # without the field, as a program would
    $n->post($path, $fields);
    is($n->status, 422, "$path: leaving it out does not help");

    # an error elsewhere does not use an answer up
    $n->submit({ %$fields, national_code => '1', captcha => '1' });
    is($n->error('national_code'), 'خطا: ' . msg('national_code_format'),
       "$path: a wrong field");
}

$b->get('/signup/code')->submit({}, 'form[action$="resend"]');
is($b->status, 422, 'a code again, without an answer');
is($b->error('captcha'), 'خطا: ' . msg('captcha_required'), 'asks for it');

# the step of the mobile

forget();
my $n = $p->browser;
$n->get('/login/code')->submit({ national_code => $code });
$n->follow;
ok(!$n->dom->at('[name="captcha"]'), 'the mobile\'s step: none at first');
system("redis-cli -s $redis set faults:127.0.0.1 3 ex 60 >/dev/null");
$n->get('/login/code/mobile');
ok($n->dom->at('[name="captcha"]'), 'the mobile\'s step: a captcha');
$n->submit({ mobile => '123' });
is($n->error('captcha'), 'خطا: ' . msg('captcha_required'), 'asks for it');
is($n->dom->at('#mobile')->val, '123', 'the digits are kept');
is($p->value('SELECT count(*) FROM codes WHERE national_code = ?', $code), 0,
   'no code was made');

# another mobile, logged in

my $me = $p->browser;
forget();
my $mine = $me->signup;
system("redis-cli -s $redis set faults:127.0.0.1 3 ex 60 >/dev/null");
$me->get('/desk/profile/mobile');
ok($me->dom->at('[name="captcha"]'), 'another mobile: a captcha');
$mobile = mobile();
$me->submit({ mobile => $mobile });
is($me->status, 422, 'another mobile: no answer');
is($me->error('captcha'), 'خطا: ' . msg('captcha_required'), 'asks for it');
is($me->dom->at('#mobile')->val, $mobile, 'the number is kept');
$me->submit({ mobile => $mobile, captcha_new => 1 });
is($me->status, 200, 'another picture');
is(summary($me), '', 'is no error');
is($p->value('SELECT count(*) FROM codes WHERE mobile = ?', $mobile), 0,
   'no code was made');
$me->submit({ mobile => $mobile,
    captcha => $p->captcha_answer(
        $me->dom->at('[name="captcha_id"]')->attr('value')) });
is($me->path, '/desk/profile/mobile?sent=1', 'a right answer lets on');
$me->follow->submit({ code => $p->sms_code($mobile) });
is($me->path, '/desk/identity?flash=mobile_changed',
   'the code itself needs none');
system("redis-cli -s $redis set faults:127.0.0.1 3 ex 60 >/dev/null");

# a right answer, once

sub right {
    return $p->captcha_answer(
        $_[0]->dom->at('[name="captcha_id"]')->attr('value'));
}

$n->submit({ mobile => '123', captcha => fa(right($n)) });
is($n->status, 303, 'a right answer lets on');

for my $case ([ '/signup', { %birth, national_code => $code,
                             mobile => mobile() }, '/signup/code' ],
              [ '/login/code', { national_code => $code },
                '/login/code/mobile' ],
              [ '/recover', { national_code => $code, mobile => mobile() },
                '/recover/code' ])
{
    my ($path, $fields, $to) = @$case;
    my $n = $p->browser;

    $n->get($path);
    my $used = $n->dom->at('[name="captcha_id"]')->attr('value');
    my $right = right($n);
    $n->submit({ %$fields, captcha => $right });
    is($n->path, $to, "$path: a right answer lets on");
    $n->get($path);
    $n->post($path, { %$fields, captcha_id => $used, captcha => $right });
    is($n->error('captcha'), 'خطا: ' . msg('captcha_expired'),
       "$path: but once");
}

$p->db->do("UPDATE codes SET created_at = created_at - interval '1 hour'");
$b->get('/signup/code');
SKIP: {
    skip 'the code is gone', 1 if $b->status != 200;
    $b->submit({ captcha => right($b) }, 'form[action$="resend"]');
    is($b->path, '/signup/code?flash=code_sent', 'another code');
}

# wrong passwords and wrong codes count

forget();
for (1 .. 2) {
    $n->get('/login')->submit({ national_code => $code, password => 'x' });
}
is(faults(), 2, 'wrong passwords count');

# so do mobiles that were shown, masked, without a code in the end

forget();
for (1 .. 3) {
    $n->get('/login/code')->submit({ national_code => national_code() });
    is($n->path, '/login/code/mobile', 'a mobile, masked');
}
is(faults(), 3, 'mobiles that were looked at count');
$n->get('/login/code')->submit({ national_code => national_code() });
is($n->error('captcha'), 'خطا: ' . msg('captcha_required'),
   'and end in a captcha');

# Much was tried about one number, wherever from: it has captchas at every
# address, its neighbours none.

for my $case ([ '/login', national_code(), { password => 'x' },
                { '/login/code' => {}, '/signup' => { %birth,
                      mobile => mobile() },
                  '/recover' => { mobile => mobile() } } ],
              [ '/track', tracking_code(), { mobile_last4 => '1234' },
                { '/track' => { mobile_last4 => '1234' } } ])
{
    my ($path, $number, $guess, $asks) = @$case;
    my $field = $path eq '/track' ? 'tracking_code' : 'national_code';

    forget();
    for (1 .. 3) {
        $n->get($path)->submit({ $field => $number, %$guess });
        is($n->status, 422, "$path: a guess at a number");
    }
    forget('*127.0.0.1*');

    for my $ask (sort keys %$asks) {
        my $n = $p->browser;

        $n->get($ask);
        ok(!$n->dom->at('[name="captcha"]'), "$ask: this address may ask");
        $n->submit({ $field => $field eq 'tracking_code' ? tracking_code()
                               : national_code(), %{ $asks->{$ask} } });
        ok(!$n->error('captcha'), "$ask: about another number");
        forget('*127.0.0.1*');

        $n = $p->browser;
        $n->get($ask)->submit({ $field => fa($number), %{ $asks->{$ask} } });
        is($n->status, 422, "$ask: about this one");
        is($n->error('captcha'), 'خطا: ' . msg('captcha_required'),
           'a captcha is asked for');
        ok($n->dom->at('.captcha img'), 'and shown');
        $n->submit({ captcha => right($n) });
        ok(!$n->error('captcha'), "$ask: with its answer it goes on");
        forget('*127.0.0.1*');
    }
}

unlike(`redis-cli -s $redis --scan`, qr/\b\d{10}\b/,
       'no national code is the name of anything in Redis');

# the rate of log-ins

forget();

for my $case ([ '/login', { password => 'x' } ], [ '/login/code', {} ],
              [ '/clerk/login', { password => 'x' } ])
{
    my ($path, $fields) = @$case;
    my $n = $p->browser;
    my @status;

    forget();

    # another name each time: guesses at one wait for themselves

    for (1 .. 12) {
        $n->get($path)->submit({ $path =~ /clerk/ ? (username => "nobody$_")
                                 : (national_code => national_code()),
                                 %$fields });
        push @status, $n->status;
    }

    is((sort @status)[-1], 429, "$path: a rate of log-ins")
        or diag "@status";
    ok($n->status != 429 || $n->header('Retry-After') <= 60,
       "$path: for a minute");
    is($n->get($path)->status, 200, "$path: the page itself is free");
}

# of searches, each a line of the audit

forget();

{
    my $clerk = $p->browser->clerk_login('clerk');
    my @status;
    my $search = sub {
        push @status, $clerk->post('/clerk/search', { q => 'نامه' })->status;
    };

    $search->() for 1 .. 12;
    is((sort @status)[-1], 429, 'a rate of searches') or diag "@status";

    my @found = grep { $_ == 303 } @status;

    cmp_ok(scalar @found, '>=', 5, 'as many as it says are done');
    is($p->value(q{SELECT count(*) FROM audit WHERE object = 'search'}),
       @found, 'and stand in the audit, and no others');

    # a new minute may have begun

    $search->() while $clerk->status != 429 && @status < 20;
    cmp_ok($clerk->header('Retry-After') // 99, '<=', 60, 'for a minute');
    is($clerk->get('/clerk/')->status, 200, 'the inbox is free');
}

# what a person changes, each a line of the audit: of an hour of the clock

{
    my ($me, $you) = map { forget(); my $one = $p->browser; $one->signup; $one }
                     1, 2;
    my $save = sub {
        $_[0]->get('/desk/profile')->submit({ address => "یزد $_[1]" });
        return $_[0]->status;
    };

    sleep 3600 - time % 3600 if 3600 - time % 3600 < 30;

    is(join(' ', map { $save->($me, $_) } 1 .. 3), '303 303 303',
       'a profile is saved');
    is($me->post('/desk/sessions', { all => 1 })->status, 303,
       'sessions are ended');
    is($save->($me, 5), 429, 'one change too many in an hour');
    cmp_ok($me->header('Retry-After'), '<=', 3600, 'until it is over');
    is($me->post('/desk/sessions', { all => 1 })->status, 429,
       'of whatever kind');
    is($p->value(q{SELECT count(*) FROM audit WHERE action IN
                   ('profile_saved', 'sessions_ended')}), 4,
       'leaves nothing in the audit');
    is($me->get('/desk/profile')->status, 200, 'pages are free');
    is($save->($you, 1), 303, 'somebody else is not concerned');
}

# off is off

$p->configure(replace => [[ qr/correspondence_captcha on;/,
                            'correspondence_captcha off;' ]]);
$p->reload;
system("redis-cli -s $redis set faults:127.0.0.1 99 ex 60 >/dev/null");
ok(!$n->get('/signup')->dom->at('[name="captcha"]'), 'off is off');

$p->done;
