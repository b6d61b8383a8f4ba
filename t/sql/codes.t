#!/usr/bin/perl

# One-time codes and passwords: one winner, tries that survive everything,
# waits that lock no owner out, strangers who learn nothing.

use strict;
use warnings;
use utf8;

use FindBin;
use lib $FindBin::Bin;
use Test::More;

use Cluster;

my $pg = Cluster->new;
my $db = $pg->db;
my $owner = $pg->owner;

my $limits = '{"interval":0}';       # no pace between codes, unless tested


sub ask {
    my ($purpose, $who, %with) = @_;

    return $pg->call($db, 'code_request', $purpose,
        $who->{national_code}, $with{mobile} // $who->{mobile},
        $with{browser} // 'browser', $with{address} // '10.0.0.1',
        $with{code} // 'right', 'secret', $with{limits} // $limits)->[0];
}


sub verify {
    my ($purpose, $code, $browser) = @_;

    return $pg->call($db, $purpose eq 'login' ? 'login_code_verify'
                                              : 'recover_verify',
                     $browser // 'browser', $code, '{}', '10.0.0.1')->[0];
}


# The caps look back in time.
sub forget {
    $owner->do('TRUNCATE codes CASCADE');
    $owner->do('TRUNCATE tries, code_totals');
}


my $ali = $pg->make_person($db, level => 3);
my $nobody = { national_code => Cluster::national_code(999_999_99),
               mobile => '09139999999' };

# Numbers may be given again, behind a restore: no session that outlived it has
# the epoch of whoever has the number now.
my $other = $pg->make_person($db);
my @staff = map { $owner->selectrow_array(
    'SELECT staff_create_ready(?, ?, ?, NULL, ?, ?::bytea)', undef,
    "number$_", 'نام', 'clerk', 'hash', 'totp') } 1 .. 2;

isnt $ali->{epoch}, $other->{epoch}, 'epochs of people begin anywhere';
is scalar @{ $owner->selectcol_arrayref('SELECT DISTINCT epoch FROM staff
    WHERE id = ANY (?)', undef, \@staff) }, 2, 'and those of clerks';

# Race ---------------------------------------------------------------------------

forget;
ask(login => $ali);
my @verdicts = $pg->parallel(50, sub {
    my ($dbh) = @_;
    $pg->{statements} = undef;
    my $v = $pg->call($dbh, 'login_code_verify', 'browser', 'right',
                      '{}', '10.0.0.1')->[0];
    "$v->{verdict} " . ($v->{person_id} // '');
});
is scalar(grep { $_ eq "ok $ali->{id}" } @verdicts), 1,
   '50 submits of the right code: one winner';
is scalar(grep { $_ eq 'expired ' } @verdicts), 49, 'and 49 losers';

forget;
ask(login => $ali);
@verdicts = $pg->parallel(40, sub {
    my ($dbh, $i) = @_;
    $pg->{statements} = undef;
    $pg->call($dbh, 'login_code_verify', 'browser', "guess-$i", '{}',
              '10.0.0.1')->[0]{verdict};
});
is scalar(grep { $_ eq 'wrong' } @verdicts), 5, '40 guesses at once: five';
is verify(login => 'right')->{verdict}, 'expired', 'and then it is closed';

# Tries ----------------------------------------------------------------------------

forget;
ask(login => $ali);
is verify(login => "wrong$_")->{tries_left}, 5 - $_, "guess $_" for 1 .. 5;
is verify(login => 'right')->{verdict}, 'expired', 'after five it is over';

forget;
ask(login => $ali, code => 'old');
ask(login => $ali, code => 'new');
is verify(login => 'old')->{verdict}, 'wrong', 'a new code kills the old one';
is verify(login => 'new')->{verdict}, 'ok', 'and works';

forget;
ask(login => $ali);
is verify(recover => 'right')->{verdict}, 'expired', 'bound to its purpose';
is verify(login => 'right', 'other')->{verdict}, 'expired', 'to its browser';
is verify(login => 'right')->{verdict}, 'ok', 'where it belongs';

forget;
ask(login => $ali, limits => '{"life":0}');
is verify(login => 'right')->{verdict}, 'expired', 'too old';

# What is kept -----------------------------------------------------------------------

my ($message) = $owner->selectrow_hashref(
    q{SELECT * FROM messages WHERE template = 'code' ORDER BY id DESC LIMIT 1});
is $message->{params}, '{}', 'no code in the parameters';
is $message->{secret}, 'secret', 'but encrypted beside them';

# Unknown national codes -----------------------------------------------------------

forget;
my $known = ask(login => $ali);
my $unknown = ask(login => $nobody, browser => 'b2');
my $false = ask(login => $ali, mobile => '09120000001', browser => 'b3');
delete $_->{expires_at} for $known, $unknown, $false;
is_deeply $unknown, $known, 'an unknown code gets the same answer';
is_deeply $false, $known, 'a wrong mobile too';
is verify(login => 'right', 'b2')->{verdict}, 'wrong',
   'nobody can confirm a code that nobody got';
is $pg->call($db, 'login_try', $nobody->{national_code}, 'b', '1')
      ->[0]{verdict}, 'try', 'password: an unknown code may be tried';

my $sent = sub { $owner->selectrow_array(
    'SELECT count(*) FROM messages WHERE mobile = ?', undef, $_[0]) };
is $sent->($nobody->{mobile}), 0, 'no SMS to a mobile without account';
is $sent->('09120000001'), 0, 'nor to a wrong one';

forget;
my (@real, @decoy);
for my $n (1 .. 9) {
    push @real, ask(login => $ali, browser => "s$n")->{verdict};
    push @decoy, ask(login => $nobody, browser => "s$n")->{verdict};
}
is "@real", 'sent sent sent sent sent sent wait wait wait',
   'six codes an hour to one mobile';
is "@decoy", "@real", 'the caps do not tell either';

my $shown = sub {
    $pg->call($db, 'login_code_mobile', $_[0])->[0]{mobile} };
is $shown->($ali->{national_code}), $ali->{mobile}, 'a mobile to be masked';
my @false = map { $shown->(Cluster::national_code(999_000_00 + $_)) } 1 .. 300;
is scalar(grep { !/^09(?:[13]\d|9[0-3])\d{7}\z/ } @false), 0,
   'a false one has the form of one';
my %seen = map { $_ => 1 } @false;
is scalar(keys %seen), 300, 'each has another';
is $shown->(Cluster::national_code(999_000_01)), $false[0], 'always the same';

# What was typed comes by each key file -----------------------------------------------

forget;
ask(login => $ali, code => 'k' x 32);
is verify(login => 'x' x 64)->{verdict}, 'wrong', 'by no key';
is verify(login => 'x' x 64)->{tries_left}, 3, 'several are one try';
is verify(login => 'x' x 32 . 'k' x 32)->{verdict}, 'ok', 'by an old one';

# Waits and caps --------------------------------------------------------------------

forget;
is ask(login => $ali, limits => '{}')->{resend}, 60, 'first: a minute';
my $wait = ask(login => $ali, limits => '{}');
is $wait->{verdict}, 'wait', 'at once: wait';
cmp_ok $wait->{wait}, '>', 57, 'an honest number of seconds';
cmp_ok $wait->{wait}, '<=', 60, 'not more';
$owner->do(q{UPDATE codes SET created_at = created_at - interval '61 s'});
is ask(login => $ali, limits => '{}')->{resend}, 120, 'then two';

forget;
my $n = 0;
for (1 .. 70) {
    $n++ if ask(login => { national_code => Cluster::national_code(5000 + $_),
                           mobile => sprintf('0917%07d', $_) },
                browser => "a$_")->{verdict} eq 'sent';
}
is $n, 60, 'sixty an hour from one address';
forget;
ask(login => $ali, browser => 'x1', limits => '{"total_day":1}');
is ask(login => $ali, browser => 'x2', limits => '{"total_day":1}')
       ->{verdict}, 'full', 'a day’s total';

my @sends;
forget;
@sends = $pg->parallel(30, sub {
    my ($dbh, $i) = @_;
    $pg->{statements} = undef;
    $pg->call($dbh, 'code_request', 'login', $ali->{national_code},
              $ali->{mobile}, "par$i", "10.9.0.$i", 'c', 's', '{}')
        ->[0]{verdict};
});
is scalar(grep { $_ eq 'sent' } @sends), 6, '30 at once: still six';

# A stranger locks nobody out -------------------------------------------------------

forget;
$owner->do('DELETE FROM person_browsers');
ask(login => $ali, browser => 'home');
is verify(login => 'right', 'home')->{verdict}, 'ok', 'the owner at home';

for my $b (1 .. 6) {
    ask(login => $ali, browser => "evil$b", code => 'unknowable');
    verify(login => "guess$_", "evil$b") for 1 .. 5;
}
is ask(login => $ali, browser => 'evil7')->{verdict}, 'wait',
   'a stranger who guesses has to wait';
is ask(login => $ali, browser => 'home', code => 'fresh')->{verdict}, 'sent',
   'the owner’s browser does not';
is verify(login => 'fresh', 'home')->{verdict}, 'ok', 'and gets in';

# Another mobile: every log-in by password makes one more known browser.

forget;
my $victim = '09121112233';


sub change {
    my ($browser, $mobile, $address) = @_;

    return $pg->person($db, $ali, 'mobile_request', $mobile // $victim,
                       $browser, $address // '10.0.0.1', 'right', 'secret',
                       $limits)->[0]{verdict};
}


$owner->do('INSERT INTO person_browsers (person_id, browser) VALUES (?, ?)',
           undef, $ali->{id}, "jar$_") for 1 .. 10;
is join(' ', map { change("jar$_") } 1 .. 10),
   'sent sent sent sent sent sent wait wait wait wait',
   'ten browsers of one account: six codes to a foreign mobile';
$pg->person($db, $ali, 'mobile_verify', "jar$_", 'guess', '{}') for 1 .. 6;
is $owner->selectrow_array('SELECT failures FROM tries WHERE key = ?', undef,
                           "$ali->{national_code}:$victim"), 6,
   'and guesses are counted over all of them';
is ask(login => $ali, browser => 'jar1', code => 'own')->{verdict}, 'sent',
   'the owner’s mobile has its own allowance in such a browser';
is verify(login => 'own', 'jar1')->{verdict}, 'ok', 'and a log-in';

forget;
$n = grep { change('jar1', sprintf('0915%07d', $_), "10.4.0.$_") eq 'sent' }
     1 .. 25;
is $n, 20, 'a day’s codes of one person, over all mobiles';

forget;
ask(login => $ali, mobile => sprintf('0916%07d', $_), browser => "evil$_",
    address => "10.5.0.$_") for 1 .. 25;
is change('jar1'), 'sent', 'a stranger’s do not count against the owner’s';

forget;
$n = grep { ask(login => $ali, browser => "jar$_")->{verdict} eq 'sent' }
     map { ($_) x 3 } 1 .. 10;
is $n, 20, 'nor do ten browsers make more of the owner’s mobile';
is ask(login => $ali, browser => 'away')->{verdict}, 'sent',
   'where a new browser still has its allowance';

# Passwords ---------------------------------------------------------------------------

forget;
$owner->do('UPDATE persons SET password_hash = ? WHERE id = ?', undef, 'h',
           $ali->{id});


sub try {
    my ($who, $browser) = @_;

    return $pg->call($db, 'login_try', $who->{national_code}, $browser,
                     '10.0.0.1')->[0];
}


my @waits;
for my $who ($ali, $nobody) {
    my @w;
    for (1 .. 8) {
        push @w, try($who, 'evil')->{wait};
        $owner->do(q{UPDATE tries SET blocked_until = NULL}) if $w[-1];
    }
    push @waits, "@w";
}
like $waits[0], qr/^0 0 0 0 0 2 0 [34]$/, 'five free, then 2, 4 … seconds';
is $waits[1], $waits[0], 'the same for an unknown code';

is try($ali, 'home')->{verdict}, 'try', 'the owner’s browser is not slowed';

my @tried = $pg->parallel(30, sub {
    my ($dbh) = @_;
    $pg->{statements} = undef;
    $pg->call($dbh, 'login_try', Cluster::national_code(77), 'e', '1')
        ->[0]{verdict};
});
is scalar(grep { $_ eq 'try' } @tried), 5, '30 at once: five tries';

$owner->do(q{UPDATE tries SET failures = 100, blocked_until = NULL
              WHERE scope = 'password'});
is try($ali, 'evil')->{verdict}, 'code_only', 'after a hundred: by code only';
ask(login => $ali, browser => 'new');
is verify(login => 'right', 'new')->{verdict}, 'ok', 'by code';
is try($ali, 'evil')->{verdict}, 'try', 'which gives the tries back';

my $t = try($ali, 'home');
$owner->do('UPDATE persons SET password_hash = ? WHERE id = ?', undef,
           'changed', $ali->{id});
ok !$pg->call($db, 'login_done', $ali->{national_code}, $ali->{id}, 'h',
              'home', '1')->[0]{ok}, 'a password changed meanwhile: not in';

# Recovery -----------------------------------------------------------------------------

forget;
my ($epoch) = $owner->selectrow_array(
    'SELECT session_epoch FROM persons WHERE id = ?', undef, $ali->{id});
is @{$pg->call($db, 'recover_granted', 'r')}, 0, 'nothing granted';
is $pg->call($db, 'recover_password', 'r', 'new', '1')->[0]{verdict},
   'expired', 'no password without a code';
ask(recover => $ali, browser => 'r');
is verify(recover => 'right', 'r')->{verdict}, 'ok', 'the code';
is @{$pg->call($db, 'recover_granted', 'r')}, 1, 'granted';
is @{$pg->call($db, 'recover_granted', 'q')}, 0, 'to this browser only';

my @set = $pg->parallel(20, sub {
    my ($dbh, $i) = @_;
    $pg->{statements} = undef;
    $pg->call($dbh, 'recover_password', 'r', "new$i", '1')->[0]{verdict};
});
is scalar(grep { $_ eq 'ok' } @set), 1, 'one password, once';
is $owner->selectrow_array('SELECT session_epoch FROM persons WHERE id = ?',
                           undef, $ali->{id}), $epoch + 1, 'sessions end';
is $owner->selectrow_array(q{SELECT count(*) FROM messages
       WHERE template = 'password_changed' AND person_id = ?}, undef,
       $ali->{id}), 1, 'the owner is told';

# What a code lets one do ends.

my $grant = $pg->make_person($db, level => 3);
my $chosen = sub { $owner->selectrow_array(
    'SELECT password_hash FROM persons WHERE id = ?', undef, $grant->{id}) };

forget;
ask(recover => $grant, browser => 'slow');
is verify(recover => 'right', 'slow')->{verdict}, 'ok', 'a password may be set';
$owner->do(q{UPDATE codes SET grant_until = grant_until - interval '10 min'});
is @{$pg->call($db, 'recover_granted', 'slow')}, 0, 'not ten minutes later';
is $pg->call($db, 'recover_password', 'slow', 'late', '1')->[0]{verdict},
   'expired', 'by no way';
is $chosen->(), undef, 'and none is set';

# A code went to a mobile that is not the account's any more.

sub moves {
    my ($who) = @_;

    $who->{mobile} = sprintf '0918%07d', ++$n;
    $owner->do('UPDATE persons SET mobile = ? WHERE id = ?', undef,
               $who->{mobile}, $who->{id});
}

forget;
ask(login => $grant, browser => 'old');
moves($grant);
my $in = verify(login => 'right', 'old');
is $in->{verdict}, 'expired', 'a code of the old mobile: no log-in';
is $in->{person_id}, undef, 'to nobody';

for my $when ('before', 'behind') {
    forget;
    ask(recover => $grant, browser => $when);
    moves($grant) if $when eq 'before';
    verify(recover => 'right', $when);
    moves($grant) if $when eq 'behind';
    is $pg->call($db, 'recover_password', $when, 'theirs', '1')->[0]{verdict},
       'expired', "no recovery, moved $when the code was typed";
    is $chosen->(), undef, 'and no password';
}

# The count starts anew after a day without a failure, and not before.

sub failures {
    my ($scope) = @_;

    return scalar $owner->selectrow_array(
        'SELECT failures FROM tries WHERE scope = ?', undef, $scope);
}

forget;
try($nobody, 'evil') for 1 .. 5;
for my $case ([ 1 => 6 ], [ 23 => 7 ], [ 25 => 1 ]) {
    my ($hours, $count) = @$case;

    $owner->do('UPDATE tries SET blocked_until = NULL,
                last_at = last_at - ? * interval \'1 hour\'', undef, $hours);
    try($nobody, 'evil');
    is failures('password'), $count, "after $hours hours: failure $count";
}

# The current password, when it is changed: guessed at by who sits down at a
# browser that was left open.

my $open = $pg->make_person($db);

$owner->do('UPDATE persons SET password_hash = ? WHERE id = ?', undef, 'h',
           $open->{id});
my @current = map { $pg->person($db, $open, 'password_current', 'home')->[0] }
              1 .. 6;
is join(' ', map { "$_->{wait} $_->{password_hash}" } @current[0 .. 4]),
   join(' ', ('0 h') x 5), 'five tries at the current password';
cmp_ok $current[5]{wait}, '>', 0, 'then a wait';
is $current[5]{password_hash}, undef, 'and nothing to compare with';

# Clerks -----------------------------------------------------------------------------------

my $clerk = $pg->make_staff('clerk', username => 'sara');
my @got;
push @got, $pg->call($db, 'staff_login_try', 'SARA', 'cb', '1')->[0]{wait}
    for 1 .. 6;
is "@got[0 .. 4]", '0 0 0 0 0', 'a clerk’s five tries';
cmp_ok $got[5], '>', 0, 'then waits';

my @totp = map { $pg->call($db, 'staff_totp_try', $clerk->{id}, 1, '1')->[0] }
           1 .. 6;
is join(' ', map { $_->{verdict} } @totp), 'try try try try try wait',
   'five codes of the authenticator, then waits';
cmp_ok $totp[5]{wait}, '>', 0, 'of some seconds';
is $totp[5]{totp_secret}, undef, 'and no secret to compare with';

my @steps = $pg->parallel(30, sub {
    my ($dbh) = @_;
    $pg->{statements} = undef;
    $pg->call($dbh, 'staff_totp_done', $clerk->{id}, 1, 58_000_000, 'cb',
              '1', undef)->[0]{ok} ? 'in' : 'out';
});
is scalar(grep { $_ eq 'in' } @steps), 1, 'one TOTP step lets one in';
ok !$pg->call($db, 'staff_totp_done', $clerk->{id}, 1, 57_999_999, 'cb', '1',
              'no')->[0]{ok}, 'nor does an earlier one';
ok $pg->call($db, 'staff_totp_done', $clerk->{id}, 1, 58_000_001, 'cb', '1',
             undef)->[0]{ok}, 'the next one does';

my $sealed = sub {
    $owner->selectrow_array('SELECT totp_secret FROM staff WHERE id = ?',
                            undef, $clerk->{id}) };
my $before = $sealed->();
isnt $before, 'no', 'a secret is not replaced by who is not let in';
$pg->call($db, 'staff_totp_done', $clerk->{id}, 1, 58_000_002, 'cb', '1',
          'anew');
is $sealed->(), 'anew', 'but by who is';
$pg->call($db, 'staff_totp_done', $clerk->{id}, 1, 58_000_003, 'cb', '1',
          undef);
is $sealed->(), 'anew', 'and stays, where it need not be';

done_testing;
