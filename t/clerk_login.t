#!/usr/bin/perl

# Clerks log in with password and authenticator; a citizen's session is worth
# nothing there, and half a log-in opens nothing.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;

my $p = Portal->new;
my $who = $p->staff('clerk');

sub message {
    my ($name) = @_;
    my ($line) = grep { /^\Q$name\E:/ } messages();

    return $line =~ s/^\S+:\s+//r;
}

my @messages;

sub messages {
    return @messages if @messages;
    open my $in, '<:encoding(UTF-8)', "$FindBin::RealBin/../html/messages.txt"
        or die "messages.txt: $!\n";
    chomp(@messages = <$in>);
    return @messages;
}

sub summary { $_[0]->dom->at('#error-summary')->all_text =~ s/\s+/ /gr }

# Nobody, and a citizen.

my $b = $p->browser;

for my $path ('/clerk/', '/clerk/letters/123456', '/clerk/referrals/1',
              '/clerk/tickets', '/clerk/tickets/1', '/clerk/messages')
{
    is($b->get($path)->status, 303, "$path: nobody");
    like($b->path, qr{^/clerk/login}, 'goes to the log-in');
    is($b->get($path, { Accept => 'application/json' })->status, 401,
       'as data: 401');
}

my $citizen = $p->browser;
$citizen->signup;
is($citizen->get('/clerk/')->status, 303, 'a citizen is nobody here');
is($citizen->get('/clerk/login/totp')->status, 303, 'and has no code to type');

# The password.

is($b->get('/clerk/login')->status, 200, 'the log-in page');
is($b->submit({ username => '', password => '' })->status, 422, 'empty');
is($b->error('username'), 'خطا: ' . message('username_required'), 'user name');
is($b->error('password'), 'خطا: ' . message('password_required'), 'password');

$b->get('/clerk/login');
is($b->submit({ username => 'clerk', password => 'wrong' })->status, 422,
   'a wrong password');
like(summary($b), qr/\Q@{[ message('staff_login_wrong') ]}\E/, 'says so');
$b->get('/clerk/login');
is($b->submit({ username => 'nobody', password => 'wrong' })->status, 422,
   'a wrong user name');
like(summary($b), qr/\Q@{[ message('staff_login_wrong') ]}\E/,
     'says the same');
is($b->post('/clerk/login', { username => 'clerk', csrf => 'x',
                              password => $who->{password} })->status, 403,
   'a wrong csrf');

# Half a session.

$b->get('/clerk/login');
is($b->submit({ username => uc $who->{username},
                password => $who->{password} })->status, 303,
   'the right password, the name in capitals');
is($b->path, '/clerk/login/totp', 'to the code');
is($b->get('/clerk/')->status, 303, 'half a session opens no inbox');
is($b->get('/clerk/messages')->status, 303, 'nor messages');
is($b->post('/clerk/logout', {})->status, 303, 'nor is it one to end');

$b->get('/clerk/login');
$b->submit({ username => 'clerk', password => $who->{password} })->follow;
is($b->status, 200, 'the page of the code');
is($b->submit({ code => '' })->status, 422, 'no code');
is($b->error('code'), 'خطا: ' . message('totp_required'), 'says so');

my $code = $p->totp($who);
my $wrong = $code eq '123456' ? '654321' : '123456';

is($b->submit({ code => $wrong })->status, 422, 'a wrong code');
is($b->error('code'), 'خطا: ' . message('totp_wrong'), 'says so');
unlike($b->body, qr/value="$wrong"/, 'what was typed does not come back');

my $half = $b->cookie('correspondence-clerk');
my $fresh = $p->totp($who);

is($b->submit({ code => fa($fresh) })->status, 303, 'in Persian digits');
is($b->path, '/clerk/', 'the inbox');
isnt($b->cookie('correspondence-clerk'), $half, 'a new token');
is($b->follow->status, 200, 'opens');
like($b->text, qr/مریم دبیری/, 'with the name');

# The same code again.

my $other = $p->browser;
$other->get('/clerk/login');
$other->submit({ username => 'clerk', password => $who->{password} })
      ->follow;
is($other->submit({ code => $fresh })->status, 422,
   'a code is good for once');
is($other->error('code'), 'خطا: ' . message('totp_wrong'), 'says so');

# A clerk is no citizen.

is($b->get('/desk')->status, 303, 'a clerk is no citizen');

# Logging out; the session of a disabled clerk.

my $csrf = $b->get('/clerk/')->csrf;
is($b->post('/clerk/logout', { csrf => undef })->status, 403, 'no csrf');
is($b->post('/clerk/logout', { csrf => $csrf })->status, 303, 'out');
is($b->header('Clear-Site-Data'), '"cache", "storage"',
   'and what the browser kept is cleared');
is($b->path, '/clerk/login?flash=logged_out', 'to the log-in');
is($b->get('/clerk/')->status, 303, 'the session is over');

$b = $p->browser->clerk_login('clerk');
is($b->get('/clerk/')->status, 200, 'in again');
$p->db->do('UPDATE staff SET epoch = epoch + 1 WHERE username = ?', undef,
           'clerk');
is($b->get('/clerk/')->status, 303, 'an ended epoch acts at once');

# Guessing is slowed.

my $guess = $p->browser;
my $status;

for (1 .. 12) {
    $guess->get('/clerk/login');
    $status = $guess->submit({ username => 'manager', password => "no $_" })
                    ->status;
    last if $status == 429;
}

is($status, 429, 'guesses are slowed');
like(summary($guess), qr/[۰-۹]/, 'with the time to wait');

# So are guesses at the authenticator, behind a right password and behind a
# link that somebody has read: the sixth waits.

sub right_code_waits {
    my ($b, $secret, $where) = @_;
    my @status;

    for (1 .. 5) {
        my $right = $secret->();
        push @status, $b->submit({ code => $right eq '111111' ? '222222'
                                           : '111111' })->status;
    }

    is("@status", '422 422 422 422 422', "$where: five wrong codes");

    # the first wait is of two seconds

    $p->db->do(q{UPDATE tries SET blocked_until = blocked_until
                 + interval '1 minute' WHERE scope = 'totp'});
    is($b->submit({ code => $secret->() })->status, 429,
       "$where: and not even the right one");
    like($b->error('code'), qr/[۰-۹]/, "$where: with the time to wait");
}

my $expert = $p->staff('expert');
my $guesser = $p->browser;

$guesser->get('/clerk/login');
$guesser->submit({ username => 'expert', password => $expert->{password} })
        ->follow;
right_code_waits($guesser, sub { $p->totp($expert) }, 'a log-in');
is($guesser->get('/clerk/')->status, 303, 'a log-in: and opens nothing');

my $admin = $p->browser->clerk_login('admin');

$admin->get('/clerk/staff');
$admin->submit({ name => 'نو آمده', username => 'newcomer', role => 'clerk',
                 unit => '' })->expect(303, 'an invitation')->follow;

my $invited = $p->browser;
my $password = Staff::readable_password();

$p->secret($password);
$invited->get($admin->dom->at('.flash .mono')->text)
        ->submit({ new_password => $password })
        ->expect(303, 'a password')->follow;

my $key = $invited->dom->at('.card .mono')->text =~ s/\s//gr;

$p->secret($key);
right_code_waits($invited, sub { Staff::totp($key) }, 'an invitation');
is($p->value('SELECT status FROM staff WHERE username = ?', 'newcomer'),
   'invited', 'an invitation: and is not done');

# What it left in the audit; nothing in the logs is checked by the harness.

my %actions = map { $_->{action} => $_->{n} } $p->sql(
    q{SELECT action, count(*) AS n FROM audit WHERE actor = 'staff'
       GROUP BY action});

ok($actions{staff_login}, 'log-ins are in the audit') or diag(explain(\%actions));
ok($actions{staff_logout}, 'log-outs too');

$p->done;
