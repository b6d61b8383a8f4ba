#!/usr/bin/perl

# A reply that is not sent yet: kept by a button and by the page's script,
# kept when the session ends under it, seen by its writer alone.  And the
# smaller acts: a position that is proven, closing without a reply, what the
# SMS of each form will say.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;
use Portal::Numbers;

my $p = Portal->new;
my ($clerk, $manager) = map { $p->browser->clerk_login($_) }
                        qw(clerk manager);
my $citizen = $p->browser;
my $who = $citizen->signup;

$p->db->do(q{UPDATE persons SET mobile_step = 'yes', registry_step = 'yes',
             first_name = 'زهرا', last_name = 'کریمی', father_name = 'علی'
             WHERE national_code = ?}, undef, $who->{national_code});

$citizen->set_password;

my $code = $citizen->send_letter(subject => 'درخواست انشعاب');
my $other = $citizen->send_letter(subject => 'درخواست دیگر');

sub at     { "/clerk/letters/$_[0]" }
sub key    { join '', map { ('a' .. 'z')[rand 26] } 1 .. 24 }
sub body   { $_[0]->dom->at('#body')->val =~ s/\r//gr }
sub status { $p->value('SELECT status FROM letters WHERE tracking_code = ?',
                       $_[0]) }

sub end_sessions {
    my $redis = "redis-cli -s $p->{instance}{sockets}/redis.sock";

    system("$redis --scan --pattern 's:*' | xargs -r $redis del >/dev/null")
        == 0 or die;
}


# By the button.

$clerk->get(at($code));
is(body($clerk), '', 'nothing is written yet');

my $button = $clerk->dom->at('form[action$="/reply"] button[formaction]');

like($button->attr('formaction'), qr{/letters/$code/draft$}, 'a button');
is($clerk->post(at($code) . '/draft', { body => "با سلام\nو احترام" })
         ->status, 303, 'keeps what is written');
$clerk->follow;
is(body($clerk), "با سلام\nو احترام", 'it is in the form');
like($clerk->dom->at('[data-draft-news]')->text, qr/هنوز فرستاده نشده/,
     'which says that nothing was sent');
is($p->value(q{SELECT count(*) FROM events WHERE kind IN ('reply', 'interim')}),
   0, 'nor was it');
is($p->value(q{SELECT owner_id FROM letters WHERE tracking_code = ?}, $code),
   undef, 'nor taken');
is(body($manager->get(at($code))), '', 'a colleague has another');
is($clerk->post(at($code) . '/draft', { body => 'x', csrf => undef })->status,
   403, 'no csrf');
is($clerk->post(at('99999999') . '/draft', { body => 'x' })->status, 404,
   'no such letter');
is($clerk->post(at($code) . '/draft', { body => 'ا' x 8001 })->status, 422,
   'more than a reply may have');
is(length body($clerk), 8001, 'is still in the form');
is($clerk->json(at($code))->{letter}{draft_body}, "با سلام\nو احترام",
   'the kept one stays');


# The session ends under a reply.

$clerk->get(at($code));

my $form = $clerk->form({}, 'form[action$="/reply"]');
my %typed = (%{ Portal::Browser::preset($form) },
             body => "خط یک\nخط «دو»", final => 1);

end_sessions();
is($clerk->post(at($code) . '/reply', { %typed, csrf => 'x' x 64 })->status,
   403, 'a form without its token is nobody’s');
is($clerk->post(at($code) . '/reply', \%typed)->status, 303,
   'the session is over');
like($clerk->path, qr{^/clerk/login\?ended=1&next=}, 'log in');
is($p->value('SELECT count(*) FROM events WHERE kind = ?', 'reply'), 0,
   'nothing is sent for nobody');
$clerk->follow;
like($clerk->flash, qr/نشست شما پایان یافته/, 'which says why');

# somebody else at the same computer

my $staff = $p->staff('manager');

$clerk->submit({ username => $staff->{username},
                 password => $staff->{password} })->expect(303, 'another')
      ->follow;
$clerk->submit({ code => $p->totp($staff) })->expect(303, 'logs in');
is($clerk->follow->status, 200, 'comes to the letter');
like($clerk->tx->req->url->path, qr{/letters/$code$}, 'that was open');
is(body($clerk), '', 'and has nothing of it');
$clerk->post('/clerk/logout', {})->expect(303, 'and goes');

# the same person, straight back to the letter

$staff = $p->staff('clerk');
$clerk->get('/clerk/login?next=' . "/letters/$code");
$clerk->submit({ username => $staff->{username},
                 password => $staff->{password} })->expect(303, 'the same')
      ->follow;
$clerk->submit({ code => $p->totp($staff) })->expect(303, 'logs in');
like($clerk->path, qr{/letters/$code$}, 'is led to the letter');
$clerk->follow;
is(body($clerk), "خط یک\nخط «دو»", 'all of it');
like($clerk->flash, qr/هنوز فرستاده نشده/, 'and says so');
ok($clerk->dom->at('.flash.note'), 'as something to be done');
is($clerk->get(at($other))->status, 200, 'another letter');
is(body($clerk), '', 'has nothing of it');
$clerk->get(at($code));
$clerk->submit({ final => 0 }, 'form[action$="/reply"]')
      ->expect(303, 'it is sent');
is(body($clerk->get(at($code))), '', 'and is no draft any more');
is($p->value('SELECT body FROM events WHERE kind = ?', 'interim'),
   "خط یک\nخط «دو»", 'word for word');
like($p->message($who->{mobile}, qr/میانی/)->{text},
     qr/^یک پاسخ میانی برای درخواست با کد رهگیری $code ثبت شده است\.$/,
     'an interim answer’s SMS says what it is');

# all sessions were ended, on another machine

$clerk->get(at($other));
%typed = (%{ Portal::Browser::preset(
                 $clerk->form({}, 'form[action$="/reply"]')) },
          body => 'از دستگاه دیگر', final => 0);
$p->owner('UPDATE staff SET epoch = epoch + 1');
is($clerk->post(at($other) . '/reply', \%typed)->status, 303,
   'ended elsewhere');
like($clerk->path, qr{^/clerk/login\?ended=1&next=}, 'log in');
$clerk->follow;
$clerk->submit({ username => $staff->{username},
                 password => $staff->{password} })->follow;
$clerk->submit({ code => $p->totp($staff) })->expect(303, 'the same')->follow;
is(body($clerk), 'از دستگاه دیگر', 'what was written is there');

$clerk->get('/clerk/login?next=//evil.example/');
is($clerk->dom->at('[name=next]'), undef, 'no other site is led to');

end_sessions();
is($clerk->post(at($code) . '/draft', { body => 'x', csrf => 'x' },
                { Accept => 'application/json' })->status, 401,
   'a script is told that the session is over');


$citizen->login($who->{national_code}, $citizen->{person}{password});


# Before sending: the SMS of each form, with its parts.

$clerk = $p->browser->clerk_login('clerk');
$clerk->get(at($other));

my %preview = (register => qr/\(۱ بخش\)\s*درخواست $other در دبیرخانه با شماره 1 ثبت شد\./,
               reply => qr/\(۱ بخش\)\s*یک پاسخ برای درخواست با کد رهگیری $other.*\(۱ بخش\)\s*یک پاسخ میانی/s,
               'ask-correction' => qr/\(۱ بخش\)\s*درخواست $other به اصلاح نیاز دارد/,
               close => qr/\(\d|[۱۲] بخش\)\s*بررسی درخواست $other پایان یافت/);

like($clerk->dom->at(qq(form[action\$="/$_"]))->all_text, $preview{$_},
     "$_: the SMS and its parts") for sort keys %preview;


# Closing without a reply.

is($clerk->post(at($other) . '/close', { submission_key => key() })->status,
   422, 'no reason');
like($clerk->dom->at('#error-summary')->all_text, qr/دلیل بستن/, 'asks for it');
ok($clerk->dom->at('details[open] form[action$="/close"] [aria-invalid]'),
   'at the form');
$clerk->submit({ close_body => 'این نامه تکراری است.' },
               'form[action$="/close"]')->expect(303, 'with one');
is(status($other), 'answered', 'closed');
like($p->message($who->{mobile}, qr/پایان یافت/)->{text}, qr/$other/,
     'an SMS');
$citizen->get("/desk/letters/$other");
like($citizen->text, qr/این نامه تکراری است/, 'the sender reads why');
ok($citizen->dom->at('form[action$="/followups"]'), 'and may go on');
$clerk->get(at($other));
$clerk->submit({}, 'form[action$="/reopen"]')->expect(303, 'reopened');
is(status($other), 'registered', 'goes on for the sender');
like($p->message($who->{mobile}, qr/به جریان افتاد/)->{text}, qr/$other/,
     'who is told');


# A company's letter: the sender's position.

my $legal_id = legal_id();
my %company = (person_kind => 'legal', company_name => 'شرکت آب‌رسانی کویر',
    company_national_id => $legal_id,
    registration_number => substr($legal_id, 3, 6) + 0 || 1,
    company_postal_code => postal_code(), company_phone => phone(),
    position => 'مدیر عامل');

$p->secret($legal_id);

my ($first, $second) = map {
    $citizen->send_letter(subject => $_, %company) } 'یکم', 'دوم';

$clerk->get(at($first));
like($clerk->text, qr/سمت تأیید نشده/, 'the position is not proven');
is($clerk->post(at($code) . '/prove-position', { submission_key => key() })
         ->status, 409, 'a person has none');
is($p->browser->clerk_login('expert')->post(at($first) . '/prove-position',
       { submission_key => key() })->status, 403, 'not by an expert');
$clerk->get(at($first));
$clerk->submit({}, 'form[action$="/prove-position"]')->expect(303, 'proven');
$clerk->follow;
unlike($clerk->text, qr/سمت تأیید نشده/, 'now it is');
ok(!$clerk->dom->at('form[action$="/prove-position"]'), 'once and for all');
unlike($clerk->get(at($second))->text, qr/سمت تأیید نشده/,
       'for the other letter of the same position too');
is($p->value(q{SELECT count(*) FROM audit WHERE action = 'position_proven'}),
   1, 'it stands in the audit');

my $third = $citizen->send_letter(subject => 'سوم', %company,
                                  position => 'کارمند');

like($clerk->get(at($third))->text, qr/سمت تأیید نشده/,
     'another position is to be proven anew');

$p->done;
