#!/usr/bin/perl

# Another mobile in a session that is not young any more: the password first,
# or whoever finds an open desk has the account with it.  So it is with what
# lets somebody in among the staff.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Mojo::JSON qw(encode_json);

use Portal;

my $p = Portal->new;

open my $in, '<:encoding(UTF-8)', "$FindBin::RealBin/../html/messages.txt"
    or die "messages.txt: $!\n";
my %message = map { /^(\w+): (.*)/ ? ($1 => $2) : () } <$in>;


sub citizen {
    my $b = $p->browser;

    $b->signup;
    return $b;
}


sub change {
    my ($b, %fields) = @_;

    return $b->get('/desk/profile/mobile')->submit(\%fields);
}


sub asked {
    return $p->value(q{SELECT count(*) FROM codes WHERE purpose = 'mobile'});
}


# All sessions become so many seconds older.

sub age {
    my ($seconds) = @_;
    my $redis = "redis-cli -s $p->{instance}{sockets}/redis.sock";

    for my $key (grep { /\S/ } split /\n/, `$redis --scan --pattern 's:*'`) {
        my @session = split ' ', `$redis get $key`;

        next if @session != 4;
        $session[3] -= $seconds;
        system("$redis set $key '@session' KEEPTTL >/dev/null") == 0 or die;
    }
}

my ($b, $bare) = (citizen(), citizen());
my $field = 'input[name="current_password"]';

$b->set_password;
ok(!$b->get('/desk/profile/mobile')->dom->at($field),
   'a young session is asked for nothing more');
age(14 * 60);
ok(!$b->get('/desk/profile/mobile')->dom->at($field), 'nor in 14 minutes');
age(60);
ok($b->get('/desk/profile/mobile')->dom->at($field),
   'after a quarter of an hour it is');
ok(!$bare->get('/desk/profile/mobile')->dom->at($field),
   'but not who has no password');

change($b, mobile => '09120000011');
is($b->status, 422, 'without it');
like($b->error('current_password'), qr/کلمه عبور/, 'the form says so');
is($b->post('/desk/profile/mobile', { mobile => '09120000011' })->status, 422,
   'also when the field is not sent at all');
is(asked(), 0, 'no code is sent');

change($b, mobile => '0912', current_password => 'x');
is($b->status, 422, 'a wrong number');
ok(!$b->error('current_password'), 'takes no try at the password');

for my $n (1 .. 4) {
    change($b, mobile => '09120000011', current_password => "wrong $n");
    is($b->status, 422, "a wrong password, $n");
}

is(asked(), 0, 'nor a code');
like($b->error('current_password'), qr/درست نیست|اشتباه/, 'which is told');
ok(!length($b->dom->at($field)->attr('value') // ''), 'and not sent back');

change($b, mobile => '09120000011',
       current_password => $b->{person}{password});
is($b->path, '/desk/profile/mobile?sent=1', 'the right one');
is(asked(), 1, 'a code goes out');
$b->follow->submit({ code => $p->sms_code('09120000011') });
like($b->path, qr{^/desk/identity\?flash=mobile_changed}, 'and is all it takes');

change($b, mobile => '09120000012', current_password => 'wrong');
is($b->status, 429, 'after five tries there is a wait');

change($bare, mobile => '09120000013');
is($bare->path, '/desk/profile/mobile?sent=1',
   'who has no password changes the mobile as before');


# An administrator --------------------------------------------------------------------

my $admin = $p->browser;
my $who = $p->staff('admin');

$admin->clerk_login($who);

my %colleague = (name => 'همکار', username => 'colleague', role => 'clerk',
                 unit => '');
my $tries = sub { $p->value(q{SELECT count(*) FROM tries
                               WHERE scope = 'staff_confirm'}) };
my $there = sub { $p->value('SELECT count(*) FROM staff WHERE username = ?',
                            $_[0]) };

ok(!$admin->get('/clerk/staff')->dom->at($field), 'just logged in: nothing more');
$admin->submit(\%colleague);
is($admin->status, 303, 'invited');

my $id = $p->value(q{SELECT id FROM staff WHERE username = 'colleague'});

age(15 * 60);
ok($admin->get('/clerk/staff')->dom->at($field),
   'a quarter of an hour later a password is asked');
$admin->submit({ %colleague, username => 'second' });
is($admin->status, 422, 'without it');
like($admin->error('current_password'), qr/کلمه عبور/, 'the form says so');
is($admin->dom->at('#username')->val, 'second', 'and keeps what was written');
$admin->submit({ %colleague, username => 'second',
                 current_password => 'wrong' });
is($admin->status, 422, 'a wrong one');
ok(!length($admin->dom->at($field)->attr('value') // ''), 'is not sent back');
is($there->('second'), 0, 'nobody is invited');
$admin->submit({ %colleague, username => 'Not a name',
                 current_password => 'wrong' });
is($tries->(), 1, 'a form that is wrong besides takes no try');

for my $n (1 .. 7) {
    $admin->get('/clerk/staff')->submit({ %colleague, username => "more$n",
        current_password => $who->{password} });
    is($admin->status, 303, "the right one, $n");
}

is($tries->(), 0, 'its tries are given back');

# A new link and a new role are as good as an invitation.

# So are a substitute, and accounts closed, emptied and opened.

my ($edit, $at) = ("/clerk/staff?edit=$id", "/clerk/staff/$id");
my ($from, $to) = map { $p->value('SELECT id FROM staff WHERE username = ?',
                                  $_) } qw(clerk manager);
my $all = sub { encode_json($p->db->selectall_arrayref(
    q{SELECT 'a', id::text, role, status, name FROM staff
       UNION ALL SELECT 'b', id::text, '', '', '' FROM invitations
       UNION ALL SELECT 'c', absent_id::text, substitute_id::text, '', ''
                   FROM substitutes
       UNION ALL SELECT 'd', id::text, owner_id::text, '', '' FROM letters
       ORDER BY 1, 2})) };

my $sender = citizen();

$sender->identify;
$sender->send_letter;
$p->sql(q{UPDATE letters SET owner_id = ?}, $from);

for my $what (
    [ 'a new link', $edit, "$at/invite", {} ],
    [ 'a role', $edit, '/clerk/staff', { staff_id => $id, %colleague,
                                         role => 'admin' } ],
    [ 'a new link with the form it is asked with', $edit, "$at/invite",
      { %colleague, name => 'نام تازه', role => 'manager' } ],
    [ 'a substitute', "/clerk/staff?edit=$from",
      "/clerk/staff/$from/substitute",
      { substitute => $to, from => '1406/01/05', to => '1406/01/10' } ],
    [ 'work handed over', "/clerk/staff/$from/handover",
      "/clerk/staff/$from/handover", { to => $to } ],
    [ 'an account closed', "/clerk/staff/$from/disable",
      "/clerk/staff/$from/disable", {} ],
    [ 'and opened', "/clerk/staff/$from/disable",
      "/clerk/staff/$from/enable", {} ])
{
    my ($name, $page, $to, $fields) = @$what;
    my $before = $all->();

    ok($admin->get($page)->dom->at($field), "$name: a password is asked");
    is($admin->post($to, $fields)->status, 422, 'without it');
    is($admin->post($to, { %$fields, current_password => 'wrong' })->status,
       422, 'with a wrong one');
    like($admin->error('current_password'), qr/\Q$message{current_password_wrong}/,
         'which is said at its field');
    is(scalar @{ $admin->dom->find('#current_password, #error-current_password') },
       2, 'of which there is one');
    is($all->(), $before, 'nothing happens');
    is($admin->post($to, { %$fields, current_password => $who->{password} })
             ->status, 303, 'with the right one');
    isnt($all->(), $before, 'it does');
}

is($p->value('SELECT role || name FROM staff WHERE id = ?', $id),
   'managerنام تازه', 'nothing of the form was lost');

$admin->post("/clerk/staff/$id/invite", { current_password => "wrong $_" })
    for 1 .. 5;
$admin->post("/clerk/staff/$id/invite",
             { current_password => $who->{password} });
is($admin->status, 429, 'five wrong ones wait, and the right one with them');
like($admin->error('current_password'), qr/باید .* صبر کنید$/,
     'and no other way is named, which staff have not');

my $elsewhere = $p->browser;

ok($elsewhere->clerk_login($who), 'but the log-in does not');

# A cookie that somebody stole: its sessions end, without any password.

my $clerk = $p->browser;

$clerk->clerk_login($p->staff('manager'));
is($clerk->get('/clerk/')->status, 200, 'a colleague at work');
$admin->get("/clerk/staff?edit=$to");
$admin->submit({}, qq(form[action\$="/sessions/end"]));
is($admin->status, 303, 'their sessions end');
like($admin->follow->text, qr/\Q$message{flash_staff_sessions_ended}/,
     'which is said');
is($clerk->get('/clerk/')->status, 303, 'they log in anew');
ok($clerk->clerk_login($p->staff('manager')), 'as before');
is($admin->post('/clerk/staff/999999/sessions/end', {})->status, 404,
   'nobody\'s');

$p->done;
