#!/usr/bin/perl

# Log in by password and by code, recovery: what is refused, what is waited
# for, and that a stranger's number looks like anybody's.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;
use Portal::Texts;

my $rates = "    correspondence_login_rate 1000;\n"
            . "    correspondence_codes_per_address_hour 1000;\n";
my $p = Portal->new(http => $rates);
my $b = $p->browser;
my $person = $b->signup;
my $password = $b->set_password;
my ($code, $mobile) = @$person{qw(national_code mobile)};
my $other = $p->browser->signup;      # an account without a password

sub summary {
    my ($page) = @_;

    return join ' | ', map { $_->all_text =~ s/\s+/ /gr =~ s/^ | $//gr }
        $page->dom->find('#error-summary li')->each;
}

sub fresh { my $n = $p->browser; $n->get($_[0]); return $n }


# The password.

for my $case ([ { national_code => '', password => 'x' },
                'national_code', 'national_code_required' ],
              [ { national_code => wrong_national_code(), password => 'x' },
                'national_code', 'national_code_checksum' ],
              [ { national_code => $code, password => '' },
                'password', 'password_required' ])
{
    my $n = fresh('/login')->submit($case->[0]);
    is($n->status, 422, "$case->[2]: refused");
    is($n->error($case->[1]), 'خطا: ' . msg($case->[2]), $case->[2]);
}

my $stranger = national_code();
my %page;

for my $case ([ wrong => $code, 'not the password' ],
              [ unknown => $stranger, $password ],
              [ without => $other->{national_code}, $password ],
              [ long => $code, 'x' x 600 ],
              [ cut => $code, substr $password, 0, -1 ],
              [ blanks => $code, " $password " ],
              [ case => $code, uc $password ])
{
    my ($name, $who, $word) = @$case;
    my $n = fresh('/login')->submit({ national_code => $who,
                                      password => $word });

    is($n->status, 422, "$name: refused");
    is(summary($n), msg('login_wrong'), "$name: the same sentence");
    ok(!length($n->dom->at('#password')->attr('value') // ''),
       "$name: the password is not shown");
    $page{$name} = $n->body =~ s/$who//gr
                   =~ s/(name="csrf" value=")[^"]*/$1/gr;
}

is($page{unknown}, $page{wrong}, 'known and unknown: the same page');
is($page{without}, $page{wrong}, 'nor does an account without one differ');

my $in = fresh('/login')->submit({ national_code => fa($code),
                                   password => $password });
is($in->status, 303, 'the right one');
is($in->path, '/desk', 'leads to the desk');


# Where to, afterwards.

for my $next ('//evil.example/', '/\\evil.example/', "/\\/evil.example",
              '/%0d%0aSet-Cookie:x=1', "/\r\nSet-Cookie: x=1",
              'https://evil.example/', 'javascript:alert(1)', '/%09/evil',
              "/\t/evil.example", '/%5cevil.example', '/%2fevil.example',
              '', '\\evil')
{
    my $n = $p->browser;
    my $show = $next =~ s/[^ -~]/?/gr;

    $n->get('/login');
    $n->post('/login', { national_code => $code, password => $password,
                         next => $next });
    is($n->status, 303, "next=$show: logged in");
    is($n->path, '/desk', "next=$show: goes nowhere else");
    ok(!grep({ $_->name eq 'x' } @{ $n->tx->res->cookies }),
       "next=$show: no cookie");
}

my $n = fresh('/desk/tickets');
is($n->path, '/login?next=%2Fdesk%2Ftickets', 'a page of the desk');
$n->follow->submit({ national_code => $code, password => $password });
is($n->path, '/desk/tickets', 'comes after logging in');

$n = fresh('/desk/letters?page=1&sent=%31%26x#y');
is($n->path, '/login?next=%2Fdesk%2Fletters%3Fpage%3D1%26sent%3D%2531%2526x',
   'a page with a query');
$n->follow->submit({ national_code => $code, password => 'wrong password' });
is($n->status, 422, 'behind a wrong password');
$n->submit({ national_code => $code, password => $password });
is($n->path, '/desk/letters?page=1&sent=%31%26x', 'comes with it');

$n = fresh('/desk/letters?s=' . 'x' x 600);
is($n->path, '/login?next=%2Fdesk%2Fletters', 'an endless one is left out');

for my $case ([ '/desk/tickets?page=1', '/desk/tickets?page=1' ],
              [ '//evil.example/', '/desk' ],
              [ '/\\evil.example', '/desk' ], [ 'https://evil.example', '/desk' ])
{
    my ($next, $to) = @$case;
    my $n = $p->browser;

    $p->db->do(q{UPDATE codes SET created_at = created_at - interval '1 day'});
    $n->get('/login?next=' . Mojo::Util::url_escape($next));
    $n->get($n->dom->at('a[href*="/login/code"]')->attr('href'));
    $n->submit({ national_code => $code })->expect(303, 'by code');
    $n->follow->submit({ mobile => $person->{mobile} })
      ->expect(303, 'the code is sent');
    $n->follow->submit({ code => $p->sms_code($person->{mobile}) })
      ->expect(303, 'and right');
    is($n->path, $to, "next=$next, by code: to $to");

    # the form itself, whatever the link was

    $n = $p->browser;
    $n->get('/login/code');
    $p->db->do(q{UPDATE codes SET created_at = created_at - interval '1 day'});
    $n->post('/login/code', { national_code => $code, next => $next });
    $n->follow->submit({ mobile => $person->{mobile} })
      ->follow->submit({ code => $p->sms_code($person->{mobile}) });
    is($n->path, $to, "next=$next, in the form: to $to");
}


# Wrong ones have to wait; a browser that is known waits on its own account.

my @waits;
for (1 .. 7) {
    my $n = fresh('/login')->submit({ national_code => $stranger,
                                      password => 'wrong' });
    push @waits, $n->status;
}
is($waits[-1], 429, 'many wrong ones have to wait') or diag "@waits";
$n = fresh('/login')->submit({ national_code => $stranger,
                               password => 'wrong' });
like(summary($n), qr/باید [۰-۹]+ ثانیه صبر کنید/, 'the page says how long');

for (1 .. 12) {
    fresh('/login')->submit({ national_code => $code, password => 'wrong' });
}
is(fresh('/login')->submit({ national_code => $code, password => $password })
   ->status, 429, 'a stranger is slowed down');
is($b->get('/login')->submit({ national_code => $code,
                               password => $password })->status, 303,
   'the owner\'s browser is not');

$p->db->do("UPDATE tries SET failures = 100, blocked_until = NULL
             WHERE key = ?", undef, $stranger);
$n = fresh('/login')->submit({ national_code => $stranger,
                               password => 'wrong' });
is($n->status, 429, 'a hundred wrong ones');
is(summary($n), msg('login_code_only'), 'ask for a log-in by code');
$p->db->do('DELETE FROM tries');


# By code.

my %walk;

sub walk {
    my ($name, $who, $digits) = @_;
    my $n = fresh('/login/code');
    my @seen;
    my $note = sub {
        my $body = $n->tx->res->text;

        $body =~ s/(name="csrf" value=")[^"]*/$1/g;
        $body =~ s/[۰-۹]{4}•••[۰-۹]{4}/MASK/g;
        $body =~ s/\Q$who\E//g;
        $body =~ s/ساعت [۰-۹]+:[۰-۹]+/TIME/g;
        push @seen, join "\n", $n->status, (map {
            "$_: " . ($n->header($_) =~ s/(\w+)=[\w-]{20,}/$1=/gr)
        } grep { !/^(?:Date|Connection)$/ }
          sort @{ $n->tx->res->headers->names }), $body;
        $walk{"$name length"} .= ' ' . length $n->body;
    };

    $n->submit({ national_code => $who });
    $note->();
    $n->follow;
    $note->();
    ($walk{"$name mask"}) = $n->body =~ /((?:\xdb[\xb0-\xb9]){4}(?:\xe2\x80\xa2){3}
                                          (?:\xdb[\xb0-\xb9]){4})/x;
    $n->submit({ mobile => $digits });
    $note->();
    $n->follow;
    $note->();
    $n->submit({ code => '000000' });
    $note->();
    $n->submit({}, 'form[action$="resend"]');
    $note->();
    $walk{$name} = \@seen;
    return $n;
}

walk(known => $code, substr $mobile, 4, 3);
my $sent = $p->sms_code($mobile);
ok($sent, 'a code is sent to who completes the number');
walk(unknown => $stranger, '123');
is($p->value('SELECT count(*) FROM decoy_messages'), 1,
   'the one of an unknown code goes to nobody');
is_deeply($walk{unknown}, $walk{known}, 'both see the same pages, '
          . 'with the same headers');
is($walk{'unknown length'}, $walk{'known length'}, 'and the same lengths');
my $mask = $walk{'unknown mask'};
ok($mask, 'an unknown one has a mask') && do {
    my $n = fresh('/login/code')->submit({ national_code => $stranger });
    ok(index($n->follow->body, $mask) >= 0, 'a stable one');
};

# the whole number, and wrong ones

$p->db->do("UPDATE codes SET created_at = created_at - interval '1 hour'");

for my $case ([ 'the whole number' => $mobile, 1 ],
              [ '+98' => '+98' . substr($mobile, 1), 1 ],
              [ 'Persian hidden digits' => fa(substr $mobile, 4, 3), 1 ],
              [ 'wrong hidden digits' => substr($mobile, 4, 3) ^ "\1\0\0", 0 ],
              [ 'another number' => mobile(), 0 ])
{
    my ($name, $typed, $right) = @$case;
    my $n = fresh('/login/code')->submit({ national_code => $code })->follow;
    my $before = $p->value("SELECT count(*) FROM messages
                             WHERE template = 'code'");

    $n->submit({ mobile => $typed });
    is($n->status, 303, "$name: goes on");
    is($p->value("SELECT count(*) FROM messages WHERE template = 'code'")
       - $before, $right, "$name: " . ($right ? 'a code' : 'no code'));
}

for my $typed ('12', '1234', 'abc', '09') {
    my $n = fresh('/login/code')->submit({ national_code => $code })->follow;
    $n->submit({ mobile => $typed });
    is($n->error('mobile'), 'خطا: ' . msg('mobile_incomplete'),
       "$typed: is not enough");
}

is(fresh('/login/code/mobile')->path, '/login/code',
   'the second step alone is refused');
is(fresh('/login/code/verify')->path, '/login/code?gone=1',
   'the third step alone too');

# fixation: the cookie of before is worth nothing afterwards; codes go out a
# while behind their requests, and none of before shall come now

wait_until(20, sub {
    !$p->value("SELECT count(*) FROM messages
                 WHERE state IN ('queued', 'sending')");
});
$p->db->do("DELETE FROM codes");
$n = $p->browser;
$n->get('/login');
my $planted = 'A' x 43;
$n->get('/login', { Cookie => "correspondence=$planted" });
my $seen = $p->last_message($mobile);
$n->login_code($code, $mobile);
is($n->status, 200, 'logged in by code');
my $first = $n->cookie('correspondence');
isnt($first, $planted, 'with a cookie of its own');
$n->get('/login')->submit({ national_code => $code, password => $password });
isnt($n->cookie('correspondence'), $first, 'a new one at every log-in');
is($p->browser->get('/desk', { Cookie => "correspondence=$first" })->status,
   303, 'the old one is dead');


# Recovery.

$n = fresh('/recover');
$n->submit({ national_code => $code, mobile => 'x' });
is($n->error('mobile'), 'خطا: ' . msg('mobile_wrong'), 'recovery: a field');
is(fresh('/recover/password')->path, '/recover?gone=1',
   'recovery: not without a code');

for my $case ([ unknown => $stranger, mobile() ], [ other => $code, mobile() ])
{
    my $n = fresh('/recover');
    $n->submit({ national_code => $case->[1], mobile => $case->[2] });
    is($n->path, '/recover/code', "recovery of $case->[0]: the same");
    $n->follow->submit({ code => '123456' });
    is($n->error('code'), 'خطا: ' . msg('code_wrong', tries_left => 4),
       "recovery of $case->[0]: a wrong code");
}

$seen = $p->last_message($mobile);
$n = fresh('/recover');
$n->submit({ national_code => $code, mobile => $mobile })->follow;
$n->submit({ code => $p->sms_code($mobile, $seen) });
is($n->path, '/recover/password', 'recovery: the code is right');
$n->follow->submit({ new_password => '12345678' });
is($n->error('new_password'), 'خطا: ' . msg('new_password_common'),
   'a common password');
$n->submit({ new_password => $code });
is($n->error('new_password'), 'خطا: ' . msg('new_password_personal'),
   'the national code');
my $new = 'درخت گردو در باغ همسایه';
$p->secret($new);
$n->submit({ new_password => $new });
is($n->path, '/desk?flash=recovered', 'a long Persian one');
is($n->follow->status, 200, 'on the desk');
is($b->get('/desk')->status, 303, 'the other sessions are over');
ok($p->message($mobile, qr/کلمه عبور/, $seen), 'an SMS tells');
is(fresh('/login')->submit({ national_code => $code,
                             password => $password })->status, 422,
   'the old password is no more');
is(fresh('/login')->submit({ national_code => $code, password => $new })
   ->status, 303, 'the new one is taken');
is($n->get('/recover/password')->path, '/recover?gone=1', 'once only');


# A hash of other settings is renewed where the password is at hand.

sub hashes {
    return join ' ', map { $p->value("SELECT password_hash FROM $_->[0]
                                       WHERE $_->[1] = ?", $_->[2]) }
        [ persons => 'national_code', $code ], [ staff => 'username', 'clerk' ];
}

my $clerk = $p->staff('clerk');
my $before = hashes();
is(() = $before =~ /,t=5,/g, 2, 'hashes of five passes');
$p->configure(http => "$rates    correspondence_password_passes 6;\n");
ok($p->reload, 'six passes from now on');

for my $try (1, 2) {
    is(fresh('/login')->submit({ national_code => $code, password => $new })
       ->status, 303, "log-in $try");
    is(fresh('/clerk/login')->submit({
           username => 'clerk', password => $clerk->{password} })
       ->status, 303, "a clerk's, $try");
    is(() = hashes() =~ /,t=6,/g, 2, 'hashes of six');
    isnt(hashes(), $before, 'renewed') if $try == 1;
    is(hashes(), $before, 'once') if $try == 2;
    $before = hashes();
}

is($n->get('/desk')->status, 200, 'no session ended by it');

$p->done;
