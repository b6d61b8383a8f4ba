#!/usr/bin/perl

# The security code: its picture and sound, answers, once each.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;

my $p = Portal->new(captcha => 'on',
    replace => [ [ qr/^    correspondence_captcha +on;/m,
                   "    correspondence_captcha on;\n"
                   . "    correspondence_captcha_rate 60;\n"
                   . '    correspondence_misbehaviour 3;' ] ]);
my $png = \&Portal::Browser::tiny_png;
my $b = $p->browser;
my $who = $b->signup;

$p->db->do(q{UPDATE persons SET mobile_step = 'yes', registry_step = 'yes',
             first_name = 'زهرا', last_name = 'کریمی', father_name = 'علی'
             WHERE national_code = ?}, undef, $who->{national_code});

my %letter = (person_kind => 'natural', address => 'یزد',
              subject => 'با کد', body => '');

sub file { [ [ 'a.png', $png->(@_), 'image/png' ] ] }


# What the picture shows.

sub answer { $p->captcha_answer($_[0]) }

sub captcha_id { $b->dom->at('[name="captcha_id"]')->attr('value') }


# On the form.

$b->get('/desk/letters/new')->expect(200, 'the form');

my $id = captcha_id();

like($id, qr/^[\w-]{22}$/, 'an id');

my $img = $b->dom->at('[data-captcha] img')->attr('src');
my $wav = $b->dom->at('[data-captcha] audio')->attr('src');

is($b->get($img)->status, 200, 'the picture');
is($b->header('Content-Type'), 'image/png', 'is a PNG');
like($b->body, qr/^\x89PNG\r\n/, 'by its content');
like($b->header('Cache-Control'), qr/no-store/, 'is not kept');
is($b->header('X-Content-Type-Options'), 'nosniff', 'nor sniffed');

my $first = $b->body;

is($b->get($img)->body, $first, 'the same at the second look');
is($b->get($wav)->status, 200, 'the sound');
is($b->header('Content-Type'), 'audio/wav', 'is a WAV');
like($b->body, qr/^RIFF....WAVE/s, 'by its content');
is($b->get("/captcha/" . 'A' x 22 . '.png')->status, 404, 'one never issued');
is($b->get('/captcha/short.png')->status, 404, 'what is no id');
is($b->get("/captcha/$id.gif")->status, 404, 'another kind');


# The right answer, once.

$b->get('/desk/letters/new');
$id = captcha_id();

my $right = answer($id);

like($right, qr/^\d{5}$/, 'five digits');

my %first = (%letter, captcha_id => $id, captcha => fa($right),
             submission_key => $b->dom->at('[name="submission_key"]')
                                 ->attr('value'));

$b->post('/desk/letters', { %first, file => file() });
is($b->status, 303, 'the right answer, in Persian digits');

my $sent = $b->path;

$b->post('/desk/letters', { %first, file => file() });
is($b->status, 303, 'sent again: the key comes before the captcha');
is($b->path, $sent, 'the same letter');
is($b->get("/captcha/$id.png")->status, 404, 'its picture is gone');

$b->get('/desk/letters/new');
$b->post('/desk/letters', { %first, file => file(),
    submission_key => $b->dom->at('[name="submission_key"]')->attr('value') });
is($b->status, 422, 'it does not answer for another letter');
ok($b->error('captcha'), 'as the field says');

for my $digits (\&ar, sub { join ' ', split //, $_[0] }) {
    $b->get('/desk/letters/new');
    $b->submit({ %letter, file => file(),
                 captcha => $digits->(answer(captcha_id())) });
    is($b->status, 303, 'Arabic digits; blanks between');
}


# Wrong ones.

for my $wrong ('', '00000', 'abcde', '1') {
    $b->get('/desk/letters/new');
    $id = captcha_id();

    next if $wrong eq answer($id);

    $b->submit({ %letter, file => file(), captcha => $wrong });
    is($b->status, 422, "\"$wrong\" is refused");
    ok($b->error('captcha'), 'at its field');
    isnt(captcha_id(), $id, 'with another picture');
    ok(!defined $b->dom->at('[name="captcha"]')->attr('value'),
       'and an empty box');
    is($b->dom->at('[name="subject"]')->attr('value'), 'با کد',
       'the form stays');
    is($b->dom->find('[name="kept_file"]')->size, 1, 'and its file');
}

$b->submit({ captcha => answer(captcha_id()) }, 'form[enctype]');
is($b->status, 303, 'then right, with the file kept');

# a wrong answer uses it up

$b->get('/desk/letters/new');
$id = captcha_id();
$right = answer($id);
$b->submit({ %letter, file => file(), captcha => scalar reverse $right + 1 });
$b->submit({ captcha => $right, captcha_id => $id }, 'form[enctype]')
    if $b->status == 422;
is($b->status, 422, 'one try each');

# another field's error asks for another one

$b->get('/desk/letters/new');
$id = captcha_id();
$right = answer($id);
$b->submit({ %letter, subject => '', file => file(), captcha => $right });
is($b->status, 422, 'another field is wrong');
ok(!$b->error('captcha'), 'not this one');
$b->submit({ subject => 'دوباره', captcha_id => $id, captcha => $right },
           'form[enctype]');
is($b->status, 422, 'it was used');


# Another picture, without a script.

$b->get('/desk/letters/new');
$id = captcha_id();
$b->submit({ %letter, subject => 'می‌ماند', address => '', captcha_new => 1,
             file => file() }, 'form[enctype]');
is($b->status, 200, 'another picture');
isnt(captcha_id(), $id, 'another id');
ok(!$b->dom->at('#error-summary'), 'no errors');
is($b->dom->at('[name="subject"]')->attr('value'), 'می‌ماند', 'values kept');
is($b->dom->find('[name="kept_file"]')->size, 1, 'files kept');

# with one

$b->post('/captcha', {});
is($b->status, 303, 'POST /captcha');
like($b->path, qr{^/captcha/[\w-]{22}\.png$}, 'leads to the picture');
is($b->follow->status, 200, 'which is there');
$b->post('/captcha', {}, { Accept => 'application/json' });
is($b->status, 200, 'JSON');
like($b->tx->res->json->{captcha}{id}, qr/^[\w-]{22}$/, 'tells its id');
is($b->post('/captcha', { csrf => 'x' })->status, 403, 'with the token only');


# The way through the page of answers.

$b->get('/desk/letters/new');
$b->post('/desk/letters/check', {
    %{ Portal::Browser::preset($b->form({}, 'form[enctype]')) }, %letter,
    file => file() });
is($b->status, 422, 'checking needs the answer');
$b->post('/desk/letters/check', {
    %{ Portal::Browser::preset($b->form({}, 'form[enctype]')) },
    captcha => answer(captcha_id()) });
is($b->status, 303, 'the answer is right');
like($b->path, qr{^/desk/letters/drafts/[0-9a-f-]{36}$}, 'to the page');
$b->follow;
ok(!$b->dom->at('[name="captcha"]'), 'asked once');
$b->submit({}, 'main form');
is($b->status, 303, 'and sent');
like($b->path, qr/sent=\d+$/, 'as a letter');

# a draft of a refused form is no way around

$b->get('/desk/letters/new');
$b->submit({ %letter, file => file(), captcha => '' });

my $draft = $b->dom->at('[name="draft"]')->attr('value');

$b->post('/desk/letters', { draft => $draft, submission_key => 'd' x 32 });
is($b->status, 422, 'an unchecked draft needs the answer');
ok($b->error('captcha'), 'at its field');


# Pages of nobody: once an address misbehaves.

my $n = $p->browser;
my $redis = 'redis-cli -s ' . $p->instance->{sockets} . '/redis.sock';

system("$redis --scan --pattern 'faults:*' | xargs -r $redis del > /dev/null");
$n->get('/track')->expect(200, 'tracking');
ok(!$n->dom->at('[name="captcha"]'), 'nothing is asked at first');

my ($code) = $sent =~ /sent=(\d+)/;
my $guesses = 0;

while ($guesses < 20 && !$n->get('/track')->dom->at('[name="captcha"]')) {
    $n->submit({ tracking_code => $code, mobile_last4 => '0000' });
    $guesses++;
}

ok($guesses > 1, "nor after one wrong guess: $guesses");

$n->get('/track');
ok($n->dom->at('[name="captcha"]'), 'guessing is asked for a captcha');
$n->submit({ tracking_code => $code,
             mobile_last4 => substr($who->{mobile}, -4) });
is($n->status, 422, 'without it nothing is told');
ok($n->error('captcha'), 'at its field');
$n->submit({ captcha => answer($n->dom->at('[name="captcha_id"]')
                                 ->attr('value')) });
is($n->status, 200, 'with it the letter');


# So many in a minute.

my $status = 303;

for (1 .. 70) {
    $status = $b->post('/captcha', {})->status;
    last if $status != 303;
}

is($status, 429, 'so many in a minute');
like($b->header('Retry-After'), qr/^\d+$/, 'and when again');

# A page is asked for as often as one likes, and each has one that is noted;
# of an address no more in a minute than it may have pictures.

sub noted { scalar(() = `$redis --scan --pattern 'captcha:*'`) }

sleep 60 - time % 60 if time % 60 > 30;
system("$redis set faults:127.0.0.1 9 ex 60 >/dev/null") == 0 or die;
system("$redis --scan --pattern 'rate:captcha-issue:*' | xargs -r $redis del"
       . ' >/dev/null') == 0 or die;

my $noted = noted();

is((grep { $n->get('/track')->status == 200
           && $n->dom->at('[name="captcha_id"]') } 1 .. 300),
   300, 'three hundred pages with one');
cmp_ok(noted() - $noted, '<=', 240, 'four times the rate are noted');
cmp_ok(noted() - $noted, '>=', 200, 'and no fewer');

$p->done;
