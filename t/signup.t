#!/usr/bin/perl

# Sign-up: every refusal of a field, every way a person types it, the code.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Mojo::Promise;
use Mojo::UserAgent;

use Portal;
use Portal::Texts;

my $p = Portal->new(http => "    correspondence_code_lifetime 10m;\n"
                          . "    correspondence_codes_per_address_hour 1000;\n");
my $b = $p->browser;

my %good = (national_code => national_code(), mobile => mobile(),
            birth_day => 27, birth_month => 3, birth_year => 1365);

sub summary {
    my ($page) = @_;

    return join ' | ', map { $_->all_text =~ s/\s+/ /gr =~ s/^ | $//gr }
        $page->dom->find('#error-summary li')->each;
}


# Fields.

$b->get('/signup');
is($b->status, 200, 'the form');
is($b->header('Cache-Control'), 'no-store', 'is not kept');

# nine digits of which the first are 0 are asked for in full
my $nine = substr $good{national_code}, 0, 9;

my @refused = (
    [ national_code => '', 'national_code_required' ],
    [ national_code => '   ', 'national_code_required' ],
    [ national_code => "\x{200e}\x{200f}", 'national_code_required' ],
    [ national_code => $nine, 'national_code_format' ],
    [ national_code => "$good{national_code}1", 'national_code_format' ],
    [ national_code => 'abcdefghij', 'national_code_format' ],
    [ national_code => wrong_national_code(), 'national_code_checksum' ],
    [ national_code => '1111111111', 'national_code_checksum' ],
    [ national_code => '9' x 5000, 'national_code_format' ],
    [ mobile => '', 'mobile_required' ],
    [ mobile => '0912345678', 'mobile_wrong' ],
    [ mobile => '091234567890', 'mobile_wrong' ],
    [ mobile => '02188776655', 'mobile_wrong' ],
    [ mobile => '<script>alert(1)</script>', 'mobile_wrong' ],
    [ birth_day => '', 'birth_day_required' ],
    [ birth_day => '0', 'birth_day_wrong' ],
    [ birth_day => '32', 'birth_day_wrong' ],
    [ birth_day => '-1', 'birth_day_wrong' ],
    [ birth_day => 'x', 'birth_day_wrong' ],
    [ birth_day => '99999999999999999999', 'birth_day_wrong' ],
    [ birth_month => '', 'birth_month_required' ],
    [ birth_month => '13', 'birth_month_wrong' ],
    [ birth_month => '0', 'birth_month_wrong' ],
    [ birth_year => '', 'birth_year_required' ],
    [ birth_year => '65', 'birth_year_wrong' ],
    [ birth_year => '1600', 'birth_year_wrong' ],
    [ birth_year => '1270', 'birth_date_too_old' ],
    [ birth_year => '1450', 'birth_date_future' ],
    [ birth_year => '1986', 'birth_year_gregorian', year => '1986',
      jalali_year => '1365' ],
);

for my $case (@refused) {
    my ($field, $value, $name, %values) = @$case;
    my $what = "$field=" . substr $value, 0, 20;

    $what =~ s/[^ -~]/?/g;
    $b->get('/signup')->submit({ %good, $field => $value });
    is($b->status, 422, "$what: refused");
    is($b->error($field), 'خطا: ' . msg($name, %values), "$what: $name");
    is(summary($b), msg($name, %values), "$what: in the summary");
    my $other = $field eq 'mobile' ? 'national_code' : 'mobile';
    is($b->dom->at("#$other")->attr('value'), $good{$other},
       "$what: other values are kept");
}

# 30 Esfand of a common year, and 31 of a month of thirty days

$b->get('/signup')->submit({ %good, birth_day => 30, birth_month => 12,
                             birth_year => 1367 });
is($b->error('birth_day'), 'خطا: ' . msg('birth_date_leap', year => 1367),
   '30 Esfand 1367');
$b->get('/signup')->submit({ %good, birth_day => 31, birth_month => 7 });
is($b->error('birth_day'), 'خطا: ' . msg('birth_date_unreal'), '31 Mehr');
ok($b->dom->at('#birth_month option[value="7"][selected]'),
   'the month stays chosen');

# all errors at once, the date's among them

$b->get('/signup')->submit({ national_code => '', mobile => '1',
    birth_day => 31, birth_month => 8, birth_year => 1360 });
is(summary($b), join(' | ', map { msg($_) } qw(national_code_required
   mobile_wrong birth_date_unreal)), 'all errors at once');

# as JSON

$b->post('/signup', { %good, mobile => 'x' }, { Accept => 'application/json' });
is($b->status, 422, 'JSON: refused');
my $j = $b->tx->res->json;
is($j->{form}{mobile}{error}, msg('mobile_wrong'), 'JSON: at the field');
is($j->{errors}[0]{field}, 'mobile', 'JSON: in the list');
is($j->{form}{national_code}{value}, $good{national_code}, 'JSON: kept');

is($p->value('SELECT count(*) FROM codes'), 0, 'no code was made by all that');


# As people type.

my @typed = (
    [ 'Persian digits', sub { fa($_[0]) } ],
    [ 'Arabic digits', sub { ar($_[0]) } ],
    [ 'spaces', sub { '  ' . join(' ', $_[0] =~ /(\d{1,3})/g) . " \t" } ],
    [ 'direction marks', sub { "\x{200e}$_[0]\x{200f}\x{202c}" } ],
);

for my $way (@typed) {
    my ($name, $type) = @$way;
    my ($code, $mobile) = (national_code(), mobile());

    $p->secret($code);
    my $other = $p->browser;
    $other->get('/signup')->submit({
        national_code => $type->($code), mobile => $type->($mobile),
        birth_day => $type->(1), birth_month => 1,
        birth_year => $name eq 'spaces' ? 1360 : $type->(1360) });
    is($other->status, 303, "$name: taken") or diag summary($other);
    $other->follow->submit({ code => $type->($p->sms_code($mobile)) });
    is($other->status, 303, "$name: the code is taken");
    is($p->value('SELECT mobile FROM persons WHERE national_code = ?', $code),
       $mobile, "$name: stored plainly");
    is($p->value('SELECT birth_date::text FROM persons
                   WHERE national_code = ?', $code), '1981-03-21',
       "$name: 1 Farvardin 1360 is 21 March 1981");
}

for my $form ('+98%s', '0098%s', '98%s', '%s') {
    my $mobile = mobile();
    my $other = $p->browser;

    $other->get('/signup')->submit({ %good, national_code => national_code(),
        mobile => sprintf $form, substr $mobile, 1 });
    is($other->status, 303, "$form is a mobile");
    ok($p->sms_code($mobile), "$form: its code came");
}


# The code.

my $mobile = mobile();
$p->secret($good{national_code});
$b->get('/signup')->submit({ %good, mobile => $mobile })->follow;
is($b->status, 200, 'the page of the code');
my $masked = fa(substr($mobile, 0, 4)) . '•••' . fa(substr $mobile, 7);
like($b->text, qr/\Q$masked\E/, 'shows the mobile masked');
unlike($b->body, qr/$mobile/, 'and not as it is');

my $sms = $p->message($mobile, qr/#\d{6}/);
like($sms->{text}, qr/\n@\S+ #\d{6}\z/, 'the last line is that of WebOTP');
my ($code) = $sms->{text} =~ /#(\d{6})\z/;
my $wrong = sprintf '%06d', ($code + 1) % 1000000;

$b->submit({ code => '' });
is($b->error('code'), 'خطا: ' . msg('code_required'), 'no code');
$b->submit({ code => '12345' });
is($b->error('code'), 'خطا: ' . msg('code_format'), 'five digits');
$b->submit({ code => 'abcdef' });
is($b->error('code'), 'خطا: ' . msg('code_format'), 'letters');

# another browser cannot use it

my $thief = $p->browser;
is($thief->post('/signup/code', { code => $code })->status, 303,
   'a code of another browser: there is nothing to confirm')
    or diag $thief->error('code');
is($thief->path, '/signup?gone=1', 'start with the form');
is($thief->get('/signup/code')->path, '/signup?gone=1',
   'nor is there its page');
is(summary($thief->follow), msg('code_none'), 'which says so');

for my $left (4, 3, 2, 1) {
    $b->submit({ code => $wrong });
    is($b->status, 422, "a wrong code, $left left");
    is($b->error('code'), 'خطا: ' . msg('code_wrong', tries_left => $left),
       'says how many are left');
    ok(!length($b->dom->at('#code')->attr('value') // ''),
       'the code is not shown again');
}

$b->submit({ code => $wrong });
is($b->error('code'), 'خطا: ' . msg('code_wrong_last'), 'the last wrong one');
$b->submit({ code => $code });
is($b->error('code'), 'خطا: ' . msg('code_expired'),
   'the right one comes too late');
is($p->value('SELECT count(*) FROM persons WHERE national_code = ?',
             $good{national_code}), 0, 'there is no account');

# another one has to be waited for, and the page says how long

$b->get('/signup/code');
my ($left) = $b->dom->at('[data-countdown]')->attr('data-countdown');
ok($left > 30 && $left <= 60, "another one in $left seconds");
$b->submit({}, 'form[action$="resend"]');
is($b->status, 429, 'asked for too early');
like(summary($b), qr/^کد تازه را [۰-۹]+ ثانیه/, 'says how long to wait');

# the form again is the same question
$b->get('/signup')->submit({ %good, mobile => $mobile });
is($b->status, 429, 'the form once more, too early');
like(summary($b), qr/^کد تازه را [۰-۹]+ ثانیه/, 'says how long to wait too');

$p->db->do("UPDATE codes SET created_at = created_at - interval '61 s'
             WHERE mobile = ?", undef, $mobile);
$b->get('/signup/code');
ok(!$b->dom->at('[data-countdown]'), 'a minute later there is no wait');
$b->submit({}, 'form[action$="resend"]');
is($b->status, 303, 'another code');
$b->follow;
is($b->flash, msg('flash_code_sent'), 'the page says that it was sent');
my $second = $p->sms_code($mobile, $sms->{id});

# it expires

my ($ends) = $p->sql('SELECT expires_at - created_at AS after FROM codes
                      WHERE mobile = ? ORDER BY created_at DESC LIMIT 1',
                     $mobile);
is($ends->{after} =~ s/\..*//r, '00:10:00', 'as long as the directive says');
$p->db->do('UPDATE codes SET expires_at = now() WHERE mobile = ?', undef,
           $mobile);
$b->submit({ code => $second });
is($b->error('code'), 'خطا: ' . msg('code_expired'), 'too late');

# fifty at once: one wins

my $fast = $p->browser;
my $runner = mobile();
$fast->get('/signup')->submit({ %good, mobile => $runner })->follow;
my $right = $p->sms_code($runner);
my @cookies = map { $_->name . '=' . $_->value }
              @{ $fast->ua->cookie_jar->all };
my @agents = map { Mojo::UserAgent->new(request_timeout => 30) } 1 .. 50;
my %status;

Mojo::Promise->all(map {
    $_->proxy->http(undef);
    $_->post_p($p->base . '/signup/code',
               { Cookie => join '; ', @cookies },
               form => { csrf => $fast->csrf, code => $right })
} @agents)->then(sub {
    $status{ $_->[0]->res->headers->location =~ s{^http://[^/]+}{}r }++
        for @_;
})->catch(sub { diag "@_" })->wait;

is_deeply(\%status, { '/desk?flash=signed_up' => 1, '/signup?gone=1' => 49 },
          'one of fifty wins');
is($p->value('SELECT count(*) FROM persons WHERE national_code = ?',
             $good{national_code}), 1, 'there is one account');

# methods, tokens

for my $bad ([ 'no token', { csrf => undef } ],
             [ 'a wrong token', { csrf => '0' x 64 } ],
             [ 'another browser\'s', { csrf => $fast->csrf } ])
{
    my $other = $p->browser;
    $other->get('/signup');
    $other->post('/signup', { %good, %{ $bad->[1] } });
    is($other->status, 403, "$bad->[0]: refused");
    ok(index($other->text, msg('csrf_failed')) >= 0, "$bad->[0]: in words");
}

for my $site ('cross-site', 'same-site') {
    my $other = $p->browser;
    $other->get('/signup');
    $other->post('/signup', { %good }, { 'Sec-Fetch-Site' => $site });
    is($other->status, 403, "from $site: refused");
}

$p->done;
