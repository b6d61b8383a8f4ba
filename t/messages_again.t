#!/usr/bin/perl

# Messages of a bad day: how long they wait to be sent, and all that did not
# arrive sent again at once by who may.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;
use Portal::Texts;

my $p = Portal->new(http => "    correspondence_message_lifetime 8d;\n");
my ($manager, $clerk) = map { $p->browser->clerk_login($_) }
                        qw(manager clerk);

sub failed {
    my ($state, $day, $mobile) = @_;

    return $p->value(q{INSERT INTO messages (template, params, mobile, state,
                                             created_at, finished_at)
        VALUES ('letter_sent', '{"tracking_code": "12345674"}', ?, ?,
                ?::date + time '12:00', now()) RETURNING id},
        $mobile, $state, $day);
}

sub summary {
    return join ' | ', map { $_->all_text =~ s/\s+/ /gr =~ s/^ | $//gr }
        $manager->dom->find('#error-summary li')->each;
}


# What a page makes lives as long as the directive says; codes do not.

my $who = $p->browser;
my $person = $who->signup;

my $password = $who->set_password;

$who->get('/desk/password');
$who->submit({ current_password => $password,
               new_password => 'گلدان سبز لب پنجره' })
    ->expect(303, 'another password');
is($p->value(q{SELECT extract(epoch FROM expires_at - created_at)::int
               FROM messages WHERE template = 'password_changed'}),
   8 * 86400, 'a message waits eight days to be sent');
cmp_ok($p->value(q{SELECT max(extract(epoch FROM expires_at - created_at))
                   FROM messages WHERE template = 'code'}), '<=', 600,
       'a code does not');

# 1404/12/10 is 2026-03-01

my @mobiles = map { Portal::Numbers::mobile() } 1 .. 4;
my @ids = (failed('failed', '2026-03-01', $mobiles[0]),
           failed('failed', '2026-03-02', $mobiles[1]),
           failed('failed', '2026-03-09', $mobiles[2]),
           failed('expired', '2026-03-01', $mobiles[3]));

$clerk->get('/clerk/messages')->expect(200, 'the failed ones');
ok(!$clerk->dom->at('form[action$="/messages/again"]'),
   'a clerk sends them one by one');
is($clerk->get('/clerk/messages/again?state=failed')->status, 403,
   'and may not otherwise');
$manager->get('/clerk/messages?state=sent')->expect(200, 'those sent');
ok(!$manager->dom->at('form[action$="/messages/again"]'),
   'what was sent is not sent again');

my $again = '/clerk/messages/again?state=failed';

is($manager->get("$again&from=soon")->status, 422, 'a day that is none');
like(summary(), qr/\Q@{[ msg('from_wrong') ]}\E/, 'is told');
is($manager->get("$again&from=1404/12/11&to=1404/12/10")->status, 422,
   'an end before the beginning');
is($manager->get("$again&to=1404/01/01")->status, 422, 'a time without any');
like(summary(), qr/\Q@{[ msg('messages_none') ]}\E/, 'is told');

$manager->get('/clerk/messages')->expect(200, 'the failed ones');
$manager->get("$again&from=1404/12/10&to=1404/12/11")->expect(200, 'asked');
like($manager->dom->at('h1')->text, qr/^۲ پیامک/, 'how many is said');
is($p->value(q{SELECT count(*) FROM messages WHERE resend_of IS NOT NULL}), 0,
   'nothing is sent by asking');
$manager->submit({}, 'form[action$="/messages/again"]')
        ->expect(303, 'confirmed');
like($manager->follow->flash, qr/\Q@{[ msg('flash_messages_resent') ]}\E/,
     'done');
is(join(' ', map { $_->{resend_of} } $p->sql(q{SELECT resend_of FROM messages
      WHERE resend_of IS NOT NULL ORDER BY id})), "@ids[0, 1]",
   'those of the two days, and no others');
ok($p->message($_, qr/12345674/), 'it arrives') for @mobiles[0, 1];
is($p->value(q{SELECT details->>'count' || ' ' || (details->>'from')
               FROM audit WHERE action = 'messages_resent'}), '2 2026-03-01',
   'a line of the audit says who, what and how many');

is($manager->get('/clerk/messages')->dom
           ->find('form[action$="/resend"]')->size, 1,
   'one is left, which has a button of its own');
$manager->get('/clerk/messages/again?state=expired')->expect(200, 'expired');
$manager->submit({}, 'form[action$="/messages/again"]')->expect(303, 'sent');
ok($p->message($mobiles[3], qr/12345674/), 'arrives as well');

for my $wrong ({ state => 'sent' }, { from => 'x' }, { submission_key => '' }) {
    my ($name) = keys %$wrong;

    $manager->get("$again&from=1404/12/18")->expect(200, 'asked');
    is($manager->submit($wrong, 'form[action$="/messages/again"]')->status,
       422, "a form with a wrong $name is refused");
}

is($p->value(q{SELECT count(*) FROM messages WHERE resend_of IS NOT NULL}), 3,
   'and sends nothing');

$p->done;
