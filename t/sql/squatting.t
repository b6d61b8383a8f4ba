#!/usr/bin/perl

# No one can squat on a national code (PRODUCT 1.1): another mobile's sign-up,
# its refusals and its races.

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
my $n = 500_000;


# Signs up with a mobile of one's own; what the verification says.
sub sign_up {
    my ($code, $mobile, $browser) = @_;

    $pg->call($db, 'signup_request', $code, $mobile, '1990-03-21', $browser,
              "10.2.$browser", 'right', 'secret', '{}');

    return $pg->call($db, 'signup_verify', $browser, 'right', '{}',
                     '10.0.0.1')->[0];
}


sub claim {
    my ($verified, $browser, $verdict) = @_;

    return $pg->call($db, 'signup_claim', $verified->{claim}, $browser,
                     $verdict, 'shahkar', 'ref', '10.0.0.1')->[0];
}


sub told {
    my ($mobile, $template) = @_;

    return $owner->selectrow_array(
        'SELECT count(*) FROM messages WHERE mobile = ? AND template = ?',
        undef, $mobile, $template);
}


sub alive {
    my ($id, $epoch) = @_;

    return scalar @{$pg->call($db, 'person_guard', $id, $epoch)};
}


# A squatter who never passed Shahkar loses all ------------------------------------

my $code = Cluster::national_code($n++);
my $squatter = sign_up($code, '09120000001', 'evil');
is $squatter->{verdict}, 'ok', 'somebody signs up with another’s code';

my $request = $pg->call($db, 'signup_request', $code, '09120000002',
    '1990-03-21', 'home', '10.0.0.2', 'right', 's', '{}')->[0];
is $request->{verdict}, 'sent', 'the owner’s sign-up looks like any other';
is told('09120000001', 'account_contested'), 0, 'nobody is told yet';

my $v = $pg->call($db, 'signup_verify', 'home', 'right', '1', '{}')->[0];
is $v->{verdict}, 'claim', 'the code confirmed: Shahkar is to be asked';
is $v->{person_id}, undef, 'not in yet';
ok alive(@$squatter{qw(person_id session_epoch)}), 'the holder’s session lives';

is claim($v, 'elsewhere', 'yes')->{verdict}, 'expired',
   'a claim belongs to its browser';
my $won = claim($v, 'home', 'yes');
is $won->{verdict}, 'ok', 'Shahkar says yes';
isnt $won->{person_id}, $squatter->{person_id}, 'a new account';
ok !alive(@$squatter{qw(person_id session_epoch)}), 'the squatter’s session is over';
is $pg->call($db, 'person_guard',
             @$won{qw(person_id session_epoch)})->[0]{level}, 2,
   'level 2 by that very answer';
is claim($v, 'home', 'yes')->{verdict}, 'expired', 'a claim works once';
is told('09120000001', 'account_claimed'), 1, 'the loser is told';

is $pg->identity($db, { id => $squatter->{person_id}, national_code => $code,
                        mobile => '09120000001' }, 'mobile', 'yes')
      ->{step_state}, 'stale', 'a late answer does not revive the squatter';

# No and unknown ----------------------------------------------------------------------

for my $verdict (qw(no unknown)) {
    my $c = Cluster::national_code($n++);
    my $holder = sign_up($c, '09121000001', "h$verdict");
    my $claimer = sign_up($c, '09121000002', "c$verdict");
    my $got = claim($claimer, "c$verdict", $verdict);
    is $got->{verdict}, $verdict eq 'no' ? 'refused' : 'later',
       "$verdict: log in, or later";
    is $got->{person_id}, undef, 'not in';
    ok alive(@$holder{qw(person_id session_epoch)}), 'the holder stays';
}

is told('09121000001', 'account_contested'), 2, 'each holder is told once';

$owner->do('TRUNCATE codes CASCADE');
my $c2 = $owner->selectrow_array('SELECT national_code FROM persons
    WHERE mobile = ? ORDER BY id DESC LIMIT 1', undef, '09121000001');
claim(sign_up($c2, '09121000003', 'third'), 'third', 'no');
is told('09121000001', 'account_contested'), 2, 'and once a day at most';

# An owner with a new SIM keeps the letters --------------------------------------------

my $ali = $pg->make_person($db, level => 3);
my $letter = $pg->send_letter($db, $ali);
my $moved = sign_up($ali->{national_code}, '09122000002', 'newphone');
is $moved->{verdict}, 'claim', 'another mobile: a claim';
$won = claim($moved, 'newphone', 'yes');
is $won->{person_id}, $ali->{id}, 'the same account';
ok !alive(@$ali{qw(id epoch)}), 'the old sessions end';
my $me = $pg->call($db, 'person_guard', $ali->{id}, $won->{session_epoch})
            ->[0];
is $me->{level}, 3, 'still level 3';
is @{$pg->call($db, 'letters_show', $ali->{id}, $letter)}, 1, 'letters stay';

# The same mobile again is a log-in ------------------------------------------------------

my $again = sign_up($ali->{national_code}, '09122000002', 'newphone2');
is $again->{verdict}, 'ok', 'the account’s own mobile: signed in';
is $again->{person_id}, $ali->{id}, 'to the same account';
ok !$again->{created}, 'nothing new made';

# Races -------------------------------------------------------------------------------------

my $fresh = Cluster::national_code($n++);
$pg->call($db, 'signup_request', $fresh, sprintf('0913%07d', $_),
          '1990-03-21', "race$_", "10.3.$_", 'right', 's', '{}') for 0 .. 19;
my @made = $pg->parallel(20, sub {
    my ($dbh, $i) = @_;
    $pg->{statements} = undef;
    my $r = $pg->call($dbh, 'signup_verify', "race$i", 'right', '1', '{}')
               ->[0];
    $r->{verdict} . ($r->{created} ? ' created' : '');
});
is scalar(grep { $_ eq 'ok created' } @made), 1,
   '20 sign-ups of one code at once: one account';
is scalar(grep { $_ eq 'claim' } @made), 19, 'the others are claims';

my @claims = map { $_->[0] } @{$owner->selectall_arrayref(
    'SELECT id, browser FROM codes WHERE national_code = ?
        AND grant_until IS NOT NULL', undef, $fresh)};
my %browser = map { @$_ } @{$owner->selectall_arrayref(
    'SELECT id, browser FROM codes WHERE national_code = ?', undef, $fresh)};
my @won = $pg->parallel(scalar @claims, sub {
    my ($dbh, $i) = @_;
    $pg->{statements} = undef;
    $pg->call($dbh, 'signup_claim', $claims[$i], $browser{$claims[$i]},
              'yes', 'shahkar', 'r', '1')->[0]{verdict};
});
is scalar(grep { $_ eq 'ok' } @won), 19,
   'claims that Shahkar confirms, at once: one person, none fails';
is $owner->selectrow_array(q{SELECT count(*) FROM persons
       WHERE national_code = ? AND status = 'active'}, undef, $fresh), 1,
   'one active account';

# The holder passes Shahkar while the claim is asked.
my $race = Cluster::national_code($n++);
my $holder = sign_up($race, '09124000001', 'ha');
my $claimer = sign_up($race, '09124000002', 'cl');
$pg->identity($db, { id => $holder->{person_id}, national_code => $race,
                     mobile => '09124000001' }, 'mobile', 'yes');
$won = claim($claimer, 'cl', 'yes');
is $won->{person_id}, $holder->{person_id},
   'both proven: one person with two SIMs, the account goes on';

# An answer for a mobile that was changed meanwhile.
my $sara = $pg->make_person($db);
$owner->do('UPDATE persons SET mobile = ? WHERE id = ?', undef, '09125000009',
           $sara->{id});
is $pg->identity($db, $sara, 'mobile', 'yes')->{step_state}, 'stale',
   'a yes for another mobile raises nothing';
is $pg->call($db, 'person_guard', @$sara{qw(id epoch)})->[0]{level}, 1, 'level 1';

# A claim is good for two minutes, and gets past no block ---------------------------------

my $late = sign_up($ali->{national_code}, '09126000001', 'late');
$owner->do('UPDATE codes SET grant_until = now() WHERE id = ?', undef,
           $late->{claim});
is claim($late, 'late', 'yes')->{verdict}, 'expired', 'a claim that is too old';

my $soon = sign_up($ali->{national_code}, '09126000002', 'soon');
$owner->do(q{UPDATE persons SET status = 'blocked' WHERE id = ?}, undef,
           $ali->{id});
my $blocked = claim($soon, 'soon', 'yes');
is $blocked->{verdict}, 'refused', 'the account was blocked meanwhile';
is $blocked->{person_id}, undef, 'nobody is in';
$owner->do('TRUNCATE codes CASCADE');
$blocked = sign_up($ali->{national_code}, '09122000002', 'newphone2');
is $blocked->{verdict}, 'refused', 'nor with the account’s own mobile';
is $blocked->{person_id}, undef, 'and its own browser';

# The browsers of before are a stranger's to the new owner.

is join(' ', @{$owner->selectcol_arrayref(
       'SELECT browser FROM person_browsers WHERE person_id = ?', undef,
       $holder->{person_id})}), 'cl', 'the browser of the claim, and no other';

done_testing;
