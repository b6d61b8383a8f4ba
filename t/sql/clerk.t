#!/usr/bin/perl

# The secretariat's rules: numbers without gaps, who may do what, referrals,
# closing, substitutes, handing over, the calendar's deadlines.

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

my $ali = $pg->make_person($db, level => 3);
my $many = '{"letters_day":99999}';
my ($c1, $c2) = map { $pg->make_staff('clerk') } 1 .. 2;
my $e1 = $pg->make_staff('expert', unit => 'legal');
my $e2 = $pg->make_staff('expert', unit => 'finance');
my $manager = $pg->make_staff('manager');
my $admin = $pg->make_staff('admin');


sub letter { $pg->send_letter($db, $ali, limits => $many, @_) }


sub state_of {
    my ($column, $t) = @_;

    return scalar $owner->selectrow_array(
        "SELECT $column FROM letters WHERE tracking_code = ?", undef, $t);
}


# Fifty clerks at once -------------------------------------------------------------

my @letters = map { letter() } 1 .. 50;
my @clerks = map { $pg->make_staff('clerk') } 1 .. 50;

my @numbers = $pg->parallel(50, sub {
    my ($dbh, $i) = @_;
    $pg->{statements} = undef;
    # Every fifth one changes its mind: a rollback leaves no gap.
    if ($i % 5 == 0) {
        $dbh->begin_work;
        $pg->call($dbh, 'staff_guard_write', $clerks[$i]{id}, 1, '', '1');
        $pg->call($dbh, 'letter_register', "key-$i-first", $letters[$i],
                  'main');
        $dbh->rollback;
    }
    $pg->staff($dbh, $clerks[$i], 'letter_register', "key-$i-second",
               $letters[$i], 'main')->[0]{register_number};
});
is join(' ', sort { $a <=> $b } @numbers), join(' ', 1 .. 50),
   '50 clerks at once, some in two minds: 1 to 50, no gap, none twice';

my $t = letter();
@numbers = $pg->parallel(50, sub {
    my ($dbh, $i) = @_;
    $pg->{statements} = undef;
    my $r = $pg->staff($dbh, $clerks[$i], 'letter_register', "one-$i-letter",
                       $t, 'main')->[0];
    $r->{register_number} . ($r->{repeated} ? '' : ' new');
});
is scalar(grep { $_ eq '51 new' } @numbers), 1, '50 clerks, one letter: once';
is scalar(grep { $_ eq '51' } @numbers), 49, 'all get the same number';
is $owner->selectrow_array(q{SELECT count(*) FROM messages AS m
       JOIN letters AS l ON l.id = m.letter_id
      WHERE l.tracking_code = ? AND m.template = 'letter_registered'}, undef,
      $t), 1, 'the citizen is told once';

$owner->do(q{INSERT INTO books (code, name) VALUES ('secret', 'دوم')});
is $pg->staff($db, $c1, 'letter_register', Cluster::key(), letter(), 'secret')
      ->[0]{register_number}, 1, 'another book counts for itself';
is $pg->refused($db, sub {
       $pg->staff($db, $c1, 'letter_register', Cluster::key(), letter(), '') }),
   'CR422 book:register_book_unknown', 'two books: one has to be named';

# With whom it is --------------------------------------------------------------------

$t = letter();
$pg->staff($db, $c1, 'letter_take', Cluster::key(), $t);
for my $act (['letter_reply', 'متن', 1, undef, '[]'], ['letter_register', 'main'],
             ['letter_refer', '["legal"]', '', undef, undef],
             ['letter_ask_correction', 'متن', undef],
             ['letter_close', 'متن'],
             ['letter_take'])
{
    my ($name, @rest) = @$act;
    is $pg->refused($db, sub {
           $pg->staff($db, $c2, $name, Cluster::key(), $t, @rest) }),
       'CR409 letter_taken', "$name: not by someone it is not with";
    is $pg->refused($db, sub {
           $pg->staff($db, $e1, $name, Cluster::key(), $t, @rest) }),
       'CR403 role_refused', "$name: not by an expert";
}
is $pg->staff($db, $c2, 'letter_note', Cluster::key(), $t, 'یادداشت')
      ->[0]{repeated}, 0, 'a note by anyone who sees it';
$pg->staff($db, $manager, 'letter_take', Cluster::key(), $t);
is state_of('owner_id', $t), $manager->{id}, 'a manager takes it over';

# Referrals ---------------------------------------------------------------------------

$t = letter();
my $code = $t;
is $pg->refused($db, sub { $pg->staff($db, $e1, 'clerk_letter_open', $t) }),
   'CR404 not_found', 'an expert does not see what was not referred';
is @{$pg->call($db, 'clerk_letter_show', $e1->{id}, $t)}, 0, 'nor read it';
is @{$pg->call($db, 'clerk_inbox', $e1->{id}, 'all', (undef) x 5, 100)}, 0,
   'nor find it in a list';
is @{$pg->call($db, 'clerk_search', $e1->{id}, $t, undef, 10, (undef) x 4)}, 0,
   'nor by searching';
my ($file) = map { $_->{file_id} } @{$pg->call($db, 'clerk_letter_files', $t)};
is @{$pg->call($db, 'clerk_files_show', $e1->{id}, $file)}, 0, 'nor its file';
is $pg->refused($db, sub {
       $pg->staff($db, $e1, 'letter_note', Cluster::key(), $t, 'x') }),
   'CR404 not_found', 'nor write a note on it';

$pg->staff($db, $c1, 'letter_refer', Cluster::key(), $t,
           '["legal","finance"]', 'نظر بدهید', undef, undef);
is state_of('status', $t), 'review', 'under review';
is state_of('open_referrals', $t), 2, 'two referrals';
is $pg->refused($db, sub {
       $pg->staff($db, $c1, 'letter_refer', Cluster::key(), $t, '["legal"]',
                  '', undef, undef) }),
   'CR409 referral_exists', 'not twice to one unit';
is $pg->refused($db, sub {
       $pg->staff($db, $c1, 'letter_refer', Cluster::key(), $t, '["nounit"]',
                  '', undef, undef) }),
   'CR422 unit:unit_unknown', 'not to no unit';
is $pg->refused($db, sub {
       $pg->staff($db, $c1, 'letter_refer', Cluster::key(), $t, '[]', '',
                  undef, undef) }),
   'CR422 unit:unit_required', 'not to none';
is $pg->refused($db, sub {
       $pg->staff($db, $c1, 'letter_close', Cluster::key(), $t, 'x') }),
   'CR409 referral_open', 'does not close with an open referral';

my $tab = $pg->call($db, 'clerk_inbox', $e1->{id}, 'unit', (undef) x 5, 10);
is $tab->[0]{tracking_code}, $t, 'in the unit’s tab';
$pg->staff($db, $e1, 'clerk_letter_open', $t);
my $refs = $pg->call($db, 'clerk_letter_referrals', $t, $c1->{id});
is join(' ', map { "$_->{state}" } @$refs), 'waiting seen',
   'seen by the one unit (in the order of codes)';
is @{$pg->call($db, 'clerk_letter_referrals', $t, $e1->{id})}, 1,
   'an expert sees their own referral';
my ($to_finance, $to_legal) = map { $_->{referral_id} } @$refs;

is $pg->refused($db, sub {
       $pg->staff($db, $e2, 'clerk_referral_open', $to_legal) }),
   'CR404 not_found', 'another unit’s referral is not there';
is $pg->staff($db, $e1, 'clerk_referral_open', $to_legal)->[0]{tracking_code},
   $t, 'one’s own is';
my $thread = sub {
    my ($who) = @_;
    return join ' ', map { $_->{body} . ($_->{unit_name} ? '+' : '') }
           grep { $_->{kind} eq 'note' }
           @{ $pg->call($db, 'clerk_letter_events', $t, $who->{id}) };
};
$pg->staff($db, $_->[0], 'letter_note', Cluster::key(), $t, $_->[1])
    for [ $c1, 'clerk' ], [ $e1, 'legal' ], [ $e2, 'finance' ];
is $thread->($c1), 'clerk legal+ finance+', 'a clerk reads all notes';
is $thread->($e1), 'clerk legal+', 'a unit the clerks’ and its own';
is $thread->($e2), 'clerk finance+', 'not another unit’s';
ok $pg->call($db, 'clerk_referral_show', $to_legal, $e1->{id})
       ->[0]{can_answer}, 'to be answered';
ok !$pg->call($db, 'clerk_referral_show', $to_legal, $c1->{id})
       ->[0]{can_answer}, 'not by the clerk who sent it';
is $pg->refused($db, sub {
       $pg->staff($db, $e2, 'referral_answer', Cluster::key(), $to_legal,
                  'x', '[]') }),
   'CR404 not_found', 'not answered by another unit';
my $key = Cluster::key();
$pg->staff($db, $e1, 'referral_answer', $key, $to_legal, 'قانونی است',
           Cluster::file_list('m'));
is $pg->staff($db, $e1, 'referral_answer', $key, $to_legal, 'قانونی است',
              '[]')->[0]{repeated}, 1, 'once';
is $pg->refused($db, sub {
       $pg->staff($db, $e1, 'referral_answer', Cluster::key(), $to_legal,
                  'x', '[]') }),
   'CR409 referral_closed', 'not twice';
is $pg->refused($db, sub {
       $pg->staff($db, $e2, 'referral_return', Cluster::key(), $to_finance,
                  '') }),
   'CR422 body:body_required', 'a return has a reason';
is $pg->refused($db, sub {
       $pg->staff($db, $c2, 'referral_recall', Cluster::key(), $to_finance,
                  '') }),
   'CR409 letter_taken', 'not recalled by another clerk';
$pg->staff($db, $c1, 'referral_recall', Cluster::key(), $to_finance, '');
is state_of('open_referrals', $t), 0, 'none open';
is @{$pg->call($db, 'clerk_letter_show', $e2->{id}, $t)}, 0,
   'what was recalled is not seen any more';
is @{$pg->call($db, 'clerk_letter_show', $e1->{id}, $t)}, 1,
   'what was answered is';
my $seen = join ' ', map { $_->{kind} }
    @{$pg->call($db, 'letters_events', $ali->{id}, $t)};
is $seen, 'letter_sent review', 'the citizen sees that it is under review';
is @{$pg->call($db, 'letters_event_files', $ali->{id}, $t)}, 0,
   'not the unit’s file';
my ($internal) = $owner->selectrow_array(
    q{SELECT id FROM files WHERE purpose = 'referral'});
is @{$pg->call($db, 'files_show', $ali->{id}, $internal)}, 0,
   'even by its address';

# Nor for an expert of another unit that has the letter too: by no way.

sub expert_gets {
    my ($who, $id) = @_;

    return join ' ',
        scalar @{$pg->call($db, 'clerk_files_show', $who->{id}, $id)},
        scalar @{$pg->staff($db, $who, 'clerk_file_read', $who->{id}, $id)},
        scalar grep { $_->{file_id} eq $id }
            @{$pg->call($db, 'clerk_letter_event_files', $t, $who->{id})};
}

$pg->staff($db, $c1, 'letter_refer', Cluster::key(), $t, '["finance"]', '',
           undef, undef);
is @{$pg->call($db, 'clerk_letter_show', $e2->{id}, $t)}, 1,
   'another unit has the letter';
is expert_gets($e2, $internal), '0 0 0', 'not the first one’s file';
is expert_gets($e1, $internal), '1 1 1', 'whose own expert has it';
is expert_gets($c1, $internal), '1 1 1', 'and the clerk';
is join(' ', map { scalar @{$pg->call($db, 'clerk_files_show', $_->{id},
                                      $file)} } $e1, $e2), '1 1',
   'the sender’s file is for both';

my ($others) = map { $_->{referral_id} } grep { $_->{state} eq 'waiting' }
    @{$pg->call($db, 'clerk_letter_referrals', $t, $c1->{id})};
$pg->staff($db, $c1, 'referral_recall', Cluster::key(), $others, '');

# A return takes it from the unit as well; referred once more it is back.
$pg->staff($db, $c1, 'letter_refer', Cluster::key(), $t, '["finance"]', '',
           undef, undef);
my ($again) = map { $_->{referral_id} } grep { $_->{state} eq 'waiting' }
    @{$pg->call($db, 'clerk_letter_referrals', $t, $c1->{id})};
is @{$pg->call($db, 'clerk_letter_show', $e2->{id}, $t)}, 1,
   'referred again, seen again';
$pg->staff($db, $e2, 'referral_return', Cluster::key(), $again, 'از ما نیست');
for my $sees (['clerk_letter_show', $e2->{id}, $t],
              ['clerk_letter_changed', $e2->{id}, $t, 0],
              ['clerk_inbox', $e2->{id}, 'all', (undef) x 5, 100],
              ['clerk_search', $e2->{id}, $t, undef, 10, (undef) x 4],
              ['clerk_search', $e2->{id}, 'درخواست', undef, 10, (undef) x 4],
              ['clerk_referral_show', $again, $e2->{id}],
              ['clerk_files_show', $e2->{id}, $file])
{
    is @{$pg->call($db, @$sees)}, 0, "returned: no more for $sees->[0]";
}
is @{$pg->staff($db, $e2, 'clerk_file_read', $e2->{id}, $file)}, 0,
   'returned: nor its file read';
is $pg->refused($db, sub { $pg->staff($db, $e2, 'clerk_letter_open', $t) }),
   'CR404 not_found', 'returned: nor opened';
is $pg->refused($db, sub {
       $pg->staff($db, $e2, 'clerk_referral_open', $again) }),
   'CR404 not_found', 'nor its referral';
is $pg->refused($db, sub {
       $pg->staff($db, $e2, 'letter_note', Cluster::key(), $t, 'x') }),
   'CR404 not_found', 'nor a note';
is @{$pg->call($db, 'clerk_letter_show', $e1->{id}, $t)}, 1,
   'the unit that answered sees it still';

# Who stands in for an expert of another unit works for that unit, and their
# own; a day later for their own only.
my ($d0) = $owner->selectrow_array('SELECT today()');
$pg->staff($db, $manager, 'substitute_set', $e1->{id}, $e2->{id}, $d0, $d0);
is @{$pg->call($db, 'clerk_letter_show', $e2->{id}, $t)}, 1,
   'a substitute sees what the absent expert saw';
$pg->staff($db, $c1, 'letter_refer', Cluster::key(), $t, '["legal"]', '',
           undef, undef);
my ($for_legal) = map { $_->{referral_id} } grep { $_->{can_answer} }
    @{$pg->call($db, 'clerk_letter_referrals', $t, $e2->{id})};
is $pg->call($db, 'clerk_inbox', $e2->{id}, 'unit', (undef) x 5, 100)
      ->[0]{tracking_code}, $t, 'finds it in the unit’s tab';
$pg->staff($db, $e2, 'clerk_letter_open', $t);
is join(' ', $owner->selectrow_array(
       'SELECT seen_by FROM referrals WHERE id = ?', undef, $for_legal),
       $owner->selectrow_array(q{SELECT for_id FROM events
           WHERE referral_id = ? AND kind = 'referral_seen'}, undef,
           $for_legal)),
   "$e2->{id} $e1->{id}", 'has seen it for them';
$pg->staff($db, $e2, 'referral_answer', Cluster::key(), $for_legal, 'خیر',
           '[]');
is $owner->selectrow_array('SELECT closed_for FROM referrals WHERE id = ?',
                           undef, $for_legal),
   $e1->{id}, 'and answers in their name';
$owner->do(q{UPDATE substitutes SET from_on = from_on - 2, to_on = to_on - 2});
is @{$pg->call($db, 'clerk_letter_show', $e2->{id}, $t)}, 0,
   'when the days are over, no more';

# A letter without a final reply is not closed without a word.
is $pg->refused($db, sub {
       $pg->staff($db, $c1, 'letter_close', Cluster::key(), $t, ' ') }),
   'CR422 close_body:close_reason_required', 'closing needs a reason';
is state_of('closed_at', $t), undef, 'and is not done';
$pg->staff($db, $c1, 'letter_close', Cluster::key(), $t, 'تکراری است');
is state_of('status', $t), 'answered', 'with one the sender has an answer';
is state_of('new_answers', $t), 1, 'a new one';
is state_of('answered_at', $t), undef, 'which no statistics call a reply';
is $pg->call($db, 'letters_events', $ali->{id}, $t)->[-1]{body},
   'تکراری است', 'they read why';
is $owner->selectrow_array(q{SELECT count(*) FROM messages AS m
       JOIN letters AS l ON l.id = m.letter_id
      WHERE l.tracking_code = ? AND m.template = 'letter_closed'}, undef, $t),
   1, 'and are told';
is $pg->refused($db, sub {
       $pg->staff($db, $c1, 'letter_reply', Cluster::key(), $t, 'x', 1, undef,
                  '[]') }),
   'CR409 letter_closed', 'closed is closed';
$pg->staff($db, $c2, 'letter_reopen', Cluster::key(), $t);
is state_of('owner_id', $t), $c2->{id}, 'with whoever reopened it';
is state_of('status', $t), 'registered', 'the sender sees it go on';
is state_of('due_on > today() AND closed_at IS NULL', $t), 1,
   'with a deadline';
$pg->staff($db, $c2, 'letter_reply', Cluster::key(), $t, 'تمام', 1, undef,
           '[]');
$pg->staff($db, $c2, 'letter_close', Cluster::key(), $t, '');
is $owner->selectrow_array(q{SELECT string_agg(m.template, ' ' ORDER BY m.id)
       FROM messages AS m JOIN letters AS l ON l.id = m.letter_id
      WHERE l.tracking_code = ? AND m.template <> 'letter_sent'}, undef, $t),
   'letter_closed letter_reopened letter_answered',
   'closing after a reply needs no reason and tells nothing more';

# Answer and close at the same time as a referral: one of them waits.

for my $round (1 .. 5) {
    $t = letter();
    $pg->staff($db, $c1, 'letter_take', Cluster::key(), $t);
    my @race = $pg->parallel(2, sub {
        my ($dbh, $i) = @_;
        $pg->{statements} = undef;
        $pg->refused($dbh, sub { $i
            ? $pg->staff($dbh, $c1, 'letter_close', "close-$round-race", $t,
                         'تمام')
            : $pg->staff($dbh, $c1, 'letter_refer', "refer-$round-race", $t,
                         '["legal"]', '', undef, undef) });
    });
    my $both = state_of('closed_at IS NOT NULL AND open_referrals > 0', $t);
    ok !$both, "refer and close at once, $round: @race";
}

# What is written and not sent -----------------------------------------------------------

$t = letter();


sub draft { $pg->call($db, 'clerk_letter_show', $_[0]{id}, $t)->[0]{draft_body} }


ok $pg->staff($db, $c1, 'reply_draft_save', $t, 'با سلا')->[0]{saved_at},
   'a draft is kept';
$pg->staff($db, $c1, 'reply_draft_save', $t, 'با سلام');
$pg->staff($db, $c2, 'reply_draft_save', $t, 'نوشتهٔ دیگری');
is draft($c1), 'با سلام', 'the last one';
is draft($c2), 'نوشتهٔ دیگری', 'each clerk has their own';
is state_of('owner_id', $t), undef, 'the letter is nobody’s still';
is $pg->staff($db, $c2, 'reply_draft_save', $t, '  ')->[0]{saved_at}, undef,
   'an empty one';
is draft($c2), undef, 'is none';
is $pg->refused($db, sub {
       $pg->staff($db, $e1, 'reply_draft_save', $t, 'x') }),
   'CR403 role_refused', 'experts reply to nobody';
is $pg->refused($db, sub {
       $pg->staff($db, $c1, 'reply_draft_save', '99', 'x') }),
   'CR404 not_found', 'no such letter';
$pg->staff($db, $c1, 'letter_reply', Cluster::key(), $t, 'با سلام و احترام',
           0, undef, '[]');
is draft($c1), undef, 'what was sent is no draft any more';

# Substitutes ---------------------------------------------------------------------------

$t = letter();
$pg->staff($db, $c1, 'letter_take', Cluster::key(), $t);
my ($today) = $owner->selectrow_array('SELECT today()');
is $pg->refused($db, sub {
       $pg->staff($db, $c2, 'substitute_set', $c1->{id}, $c2->{id}, $today,
                  $today) }),
   'CR403 role_refused', 'nobody makes themselves a substitute';
is $pg->refused($db, sub {
       $pg->staff($db, $manager, 'substitute_set', $c1->{id}, $e1->{id},
                  $today, $today) }),
   'CR422 substitute:staff_unknown', 'an expert cannot stand in for a clerk';
my @at_once = $pg->parallel(6, sub {
    my ($dbh) = @_;
    $pg->{statements} = undef;
    $pg->staff($dbh, $manager, 'substitute_set', $c1->{id}, $c2->{id}, $today,
               $today);
    'set';
});
is "@at_once " . $owner->selectrow_array(
    'SELECT count(*) FROM substitutes WHERE absent_id = ? AND ended_at IS NULL',
    undef, $c1->{id}), 'set set set set set set 1',
   'six managers at once: one stands in';
$pg->staff($db, $manager, 'substitute_set', $c1->{id}, $c2->{id}, $today,
           $today);
my $mine = $pg->call($db, 'clerk_inbox', $c2->{id}, 'mine', (undef) x 5, 200);
ok scalar(grep { $_->{tracking_code} eq $t } @$mine), 'in the substitute’s tab';
ok $pg->call($db, 'clerk_letter_show', $c2->{id}, $t)->[0]{can_reply}, 'may';
$pg->staff($db, $c2, 'letter_reply', Cluster::key(), $t, 'به جای او', 1, undef,
           '[]');
my ($event) = grep { $_->{kind} eq 'reply' }
    @{$pg->call($db, 'clerk_letter_events', $t, $c2->{id})};
isnt $event->{for_name}, undef, 'the record says for whom';
is $owner->selectrow_array(q{SELECT for_id FROM audit
       WHERE action = 'letter_replied' ORDER BY id DESC LIMIT 1}),
   $c1->{id}, 'the audit too';
$pg->staff($db, $c1, 'substitute_end', $c1->{id});
ok !$pg->call($db, 'clerk_letter_show', $c2->{id}, $t)->[0]{can_reply},
   'back at work: no more';

# What the pages show is one thing, what is taken another.

sub acts {
    my ($who, $name, @rest) = @_;

    return $pg->refused($db, sub {
        $pg->staff($db, $who, $name, Cluster::key(), $t, @rest) });
}

is acts($c2, 'letter_reply', 'متن', 0, undef, '[]'), 'CR409 letter_taken',
   'back at work: no reply in their name';
is acts($c2, 'letter_take'), 'CR409 letter_taken', 'nor is it taken';

for my $case ([ 'not yet', 1, 2 ], [ 'no more', -2, -1 ]) {
    my ($what, @days) = @$case;

    $owner->do('DELETE FROM substitutes');
    $owner->do('INSERT INTO substitutes (absent_id, substitute_id, from_on,
                    to_on, created_by)
                VALUES (?, ?, today() + ?::int, today() + ?::int, ?)', undef,
               $c1->{id}, $c2->{id}, @days, $manager->{id});
    is acts($c2, 'letter_reply', 'متن', 0, undef, '[]'), 'CR409 letter_taken',
       "$what: no reply in their name";
    is acts($c2, 'letter_take'), 'CR409 letter_taken', 'nor is it taken';
}

$owner->do('UPDATE substitutes SET from_on = today(), to_on = today()');
is acts($c2, 'letter_reply', 'متن', 0, undef, '[]'), 'nothing',
   'in its days it is';

# Staff -----------------------------------------------------------------------------------

is $pg->refused($db, sub { $pg->staff($db, $c2, 'staff_disable', $c1->{id}) }),
   'CR403 role_refused', 'only an administrator';
is $pg->refused($db, sub { $pg->staff($db, $admin, 'staff_disable', $c1->{id}) }),
   'CR409 staff_has_work', 'a leaver hands over first';
is $pg->refused($db, sub {
       $pg->staff($db, $admin, 'staff_disable', $admin->{id}) }),
   'CR409 staff_self', 'not oneself';
is $pg->refused($db, sub {
       $pg->staff($db, $admin, 'staff_save', $admin->{id}, 'x', 'clerk',
                  undef) }),
   'CR409 staff_last_admin', 'one administrator stays';
my $closed = letter();
$pg->staff($db, $c1, 'letter_take', Cluster::key(), $closed);
$pg->staff($db, $c1, 'letter_reply', Cluster::key(), $closed, 'پاسخ', 1, undef,
           '[]');
$pg->staff($db, $c1, 'letter_close', Cluster::key(), $closed, undef);
my $moved = $pg->staff($db, $manager, 'staff_handover', $c1->{id}, $c2->{id});
cmp_ok $moved->[0]{letters_moved}, '>', 0, 'handed over';
is $owner->selectrow_array(q{SELECT count(DISTINCT object_id) FROM audit
       WHERE action = 'handed_over' AND object = 'letter'
         AND details = jsonb_build_object('from', ?::bigint, 'to', ?::bigint)},
       undef, $c1->{id}, $c2->{id}), $moved->[0]{letters_moved},
   'with a line for each letter';
$pg->staff($db, $admin, 'staff_disable', $c1->{id});
is @{$pg->call($db, 'staff_guard', $c1->{id}, 1)}, 0, 'the session is over';
is $pg->refused($db, sub {
       $pg->staff($db, $c1, 'letter_note', Cluster::key(), $t, 'x') }),
   'CR401 session_ended', 'at the next write';
# What the leaver had closed comes back as a new letter.
is $owner->selectrow_array('SELECT owner_id FROM letters
                             WHERE tracking_code = ?', undef, $closed),
   $c1->{id}, 'a closed letter is not handed over';
$pg->person($db, $ali, 'letter_followup', Cluster::key(), $closed, 'پیرو',
            '[]');
is state_of('owner_id', $closed), undef, 'a follow-up makes it nobody’s';
ok scalar(grep { $_->{tracking_code} eq $closed }
          @{$pg->call($db, 'clerk_inbox', $c2->{id}, 'new', (undef) x 5, 200)}),
   'and it is among the new ones';

$pg->staff($db, $admin, 'staff_enable', $c1->{id});
is @{$pg->call($db, 'staff_guard', $c1->{id}, 1)}, 0, 'and stays over';

$pg->staff($db, $admin, 'staff_save', $e1->{id}, 'نام', 'expert',
    $owner->selectrow_array(q{SELECT id FROM units WHERE code = 'finance'}));
is @{$pg->call($db, 'clerk_letter_show', $e1->{id}, $code)}, 0,
   'moved to another unit: the very next page is that unit’s';

# An invitation, from link to log-in.
my $token = 'a' x 43;
my $invited = $pg->staff($db, $admin, 'staff_invite', 'newclerk', 'تازه',
                         'clerk', undef, $token, 48)->[0];
is $pg->refused($db, sub {
       $pg->staff($db, $admin, 'staff_invite', 'newclerk', 'تازه', 'clerk',
                  undef, 'other', 48) }),
   'CR422 username:username_taken', 'a user name is one person’s';
is $pg->call($db, 'invitation_show', $token)->[0]{username}, 'newclerk',
   'the link';
is @{$pg->call($db, 'invitation_show', 'b' x 43)}, 0, 'another is not one';
is $owner->selectrow_array('SELECT encode(token_hash, ?) FROM invitations
       ORDER BY id DESC LIMIT 1', undef, 'hex'),
   do { require Digest::SHA; Digest::SHA::sha256_hex($token) },
   'kept as a hash';
is $pg->call($db, 'invitation_done', $token, 1, 5, 'b', '1')->[0]{ok}, 0,
   'not without password and authenticator';
my $overtaken = $pg->call($db, 'invitation_password', $token, 'theirs', 's',
                          '1')->[0]{epoch};
my $password = $pg->call($db, 'invitation_password', $token, 'hash', 'secret',
                         '1')->[0];
my $epoch = $password->{epoch};
is $password->{verdict}, 'ok', 'a password';
is join(' ', map { $_ // '-' } @{$pg->call($db, 'invitation_totp', $token,
       $overtaken, 0)->[0]}{qw(verdict totp_secret)}), 'expired -',
   'whom another holder of the link has overtaken sees no secret of theirs';
is $pg->call($db, 'invitation_done', $token, $overtaken, 5, 'b', '1')
      ->[0]{ok}, 0, 'nor gets in';
is $pg->call($db, 'staff_login_try', 'newclerk', 'b', '1')
      ->[0]{password_hash}, undef, 'not active before the authenticator';
is $pg->call($db, 'invitation_totp', $token, $epoch, 1)->[0]{verdict}, 'try',
   'a code';

# Between its first page and its last the link may end, or be guessed on.

my ($id, $until) = $owner->selectrow_array(
    'SELECT id, expires_at FROM invitations ORDER BY id DESC LIMIT 1');

$owner->do('UPDATE invitations SET expires_at = now() WHERE id = ?', undef,
           $id);
is @{$pg->call($db, 'invitation_show', $token)}, 0, 'two days are over';
is $pg->call($db, 'invitation_password', $token, 'late', 's', '1')
      ->[0]{verdict}, 'expired', 'no other password';
my $ended = $pg->call($db, 'invitation_totp', $token, $epoch, 1)->[0];
is $ended->{verdict}, 'expired', 'no page of the code';
is $ended->{totp_secret}, undef, 'nor its secret';
is $pg->call($db, 'invitation_done', $token, $epoch, 49, 'b', '1')->[0]{ok},
   0, 'and no way in';
is $owner->selectrow_array('SELECT status FROM staff WHERE username = ?',
                           undef, 'newclerk'), 'invited', 'not active';
$owner->do('UPDATE invitations SET expires_at = ? WHERE id = ?', undef, $until,
           $id);

my @guesses = map { $pg->call($db, 'invitation_totp', $token, $epoch, 1)->[0] }
              2 .. 6;
is join(' ', map { $_->{verdict} } @guesses), 'try try try try wait',
   'five codes in an invitation, then waits';
cmp_ok $guesses[4]{wait}, '>', 0, 'of some seconds';
is $guesses[4]{totp_secret}, undef, 'and no secret to compare with';
is $pg->call($db, 'invitation_totp', $token, $epoch, 0)->[0]{verdict}, 'try',
   'showing the page is no guess';
my @done = $pg->parallel(10, sub {
    my ($dbh) = @_;
    $pg->{statements} = undef;
    $pg->call($dbh, 'invitation_done', $token, $epoch, 50, 'b', '1')->[0]{ok}
        ? 'ok' : 'no';
});
is scalar(grep { $_ eq 'ok' } @done), 1, 'the link works once';
is $pg->call($db, 'staff_login_try', 'newclerk', 'b', '1')
      ->[0]{password_hash}, 'hash', 'and the account is active';

# Deadlines ----------------------------------------------------------------------------------

# All that deadlines.t does not ask: what is due today, the tab of late ones.
sub calendar {
    my (@change) = @_;

    $pg->staff($db, $admin, 'calendar_set', @change);
    1 while $pg->call($db, 'calendar_follow', 100)->[0]{more};
}


$t = letter();
my $due = state_of('due_on', $t);
is $due, $owner->selectrow_array('SELECT add_working_days(today(), 10)'),
   'ten working days';
my ($before) = $owner->selectrow_array('SELECT add_working_days(?::date, -3)',
                                       undef, $due);
calendar($before, 'holiday', 'تعطیل');
is state_of('due_on', $t), $owner->selectrow_array(
    'SELECT add_working_days(today(), 10)'), 'a new holiday moves it';
isnt state_of('due_on', $t), $due, 'by a day';
calendar($before, 'none', '');
is state_of('due_on', $t), $due, 'and back';
# A unit's deadline as well; what came today does not count today.
my $unit_due = sub {
    return scalar $owner->selectrow_array(
        'SELECT r.due_on FROM referrals AS r
           JOIN letters AS l ON l.id = r.letter_id
          WHERE l.tracking_code = ? AND r.outcome IS NULL', undef, $t);
};
my $working = sub {
    return scalar $owner->selectrow_array('SELECT add_working_days(?, ?)',
                                          undef, @_);
};
my $asked = $working->($d0, 5);
my $next = $working->($d0, 1);
$pg->staff($db, $c2, 'letter_refer', Cluster::key(), $t, '["legal"]', '',
           $asked, undef);
calendar($next, 'holiday', 'تعطیل');
isnt $unit_due->(), $asked, 'a new holiday moves the unit’s';
is $working->($unit_due->(), -1), $asked, 'by a day';
calendar($next, 'none', '');
is $unit_due->(), $asked, 'and back, too';

my $free = !$owner->selectrow_array('SELECT is_working_day(today())');
my ($one, $two) = $free ? ('workday', 'none') : ('holiday', 'none');
calendar($d0, $one, 'امروز');
is join(' ', $unit_due->(), state_of('due_on', $t)), "$asked $due",
   'what today is changes nothing for what came today';
calendar($d0, $two, '');
$owner->do("UPDATE letters SET created_at = created_at - interval '3 days'
             WHERE tracking_code = ?", undef, $t);
$owner->do("UPDATE referrals AS r SET letter_at = l.created_at,
                   created_at = l.created_at
              FROM letters AS l
             WHERE l.id = r.letter_id AND l.tracking_code = ?", undef, $t);
calendar($d0, $one, 'امروز');
is join(' ', $unit_due->(), state_of('due_on', $t)),
   join(' ', map { $working->($_, $free ? -1 : 1) } $asked, $due),
   'but moves what came before';
calendar($d0, $two, '');
is join(' ', $unit_due->(), state_of('due_on', $t)), "$asked $due",
   'and back';

is $pg->refused($db, sub {
       $pg->staff($db, $manager, 'calendar_set', $before, 'holiday', '') }),
   'CR403 role_refused', 'the calendar is the administrator’s';
$owner->do('UPDATE letters SET due_on = today() - 1 WHERE tracking_code = ?',
           undef, $t);
is $pg->call($db, 'clerk_inbox', $c2->{id}, 'late', (undef) x 5, 10)
      ->[0]{tracking_code}, $t, 'late ones surface';
$pg->staff($db, $c2, 'letter_ask_correction', Cluster::key(), $t, 'متن',
           undef);
is @{$pg->call($db, 'clerk_inbox', $c2->{id}, 'late', (undef) x 5, 10)}, 0,
   'not while the citizen owes a correction';

# A final answer before the correction comes: the clock stood until then.
$owner->do(q{UPDATE letters SET due_on = add_working_days(today(), -2),
             clock_stopped_on = add_working_days(today(), -3)
             WHERE tracking_code = ?}, undef, $t);
$pg->staff($db, $c2, 'letter_reply', Cluster::key(), $t, 'فعلاً', 0, undef,
           '[]');
is state_of('due_on = add_working_days(today(), -2)', $t), 1,
   'an interim answer moves no deadline';
$pg->staff($db, $c2, 'letter_reply', Cluster::key(), $t, 'پاسخ', 1, undef,
           '[]');
is state_of('due_on = add_working_days(today(), 1)
             AND clock_stopped_on IS NULL', $t), 1,
   'a final one is not late for the days the citizen took';

# A unit's late ones are counted from its referrals.
sub late_of {
    my ($who) = @_;
    my ($counted) = grep { $_->{tab} eq 'late' }
                    @{$pg->call($db, 'clerk_tabs', $who->{id}, 999)};
    my $listed = $pg->call($db, 'clerk_inbox', $who->{id}, 'late',
                           (undef) x 5, 10);

    return "$counted->{count} " . grep { $_->{tracking_code} eq $t } @$listed;
}

my $e3 = $pg->make_staff('expert', unit => 'legal');

$t = letter();
$pg->staff($db, $c2, 'letter_refer', Cluster::key(), $t, '["finance"]', '',
           undef, undef);
is late_of($e2), '0 0', 'a unit’s letter in time';
$owner->do('UPDATE letters SET due_on = today() - 1 WHERE tracking_code = ?',
           undef, $t);
is late_of($e2), '1 1', 'late';
is late_of($e3), '0 0', 'for no other unit';
$pg->staff($db, $c2, 'letter_ask_correction', Cluster::key(), $t, 'متن',
           undef);
is late_of($e2), '0 0', 'nor while the citizen owes a correction';
$owner->do('UPDATE letters SET clock_stopped_on = NULL
             WHERE tracking_code = ?', undef, $t);
is late_of($e2), '1 1', 'late again';
$pg->staff($db, $c2, 'letter_refer', Cluster::key(), $t, '["legal"]', '',
           undef, undef);
is late_of($e3), '1 1', 'for whom it comes to later, too';
$pg->staff($db, $c2, 'letter_reply', Cluster::key(), $t, 'پاسخ', 1, undef,
           '[]');
is late_of($e2), '0 0', 'not once it is answered';
is $owner->selectrow_array(q{SELECT count(*) FROM referrals AS r
      JOIN letters AS l ON l.id = r.letter_id
     WHERE r.letter_at <> l.created_at OR r.outcome IS NULL
       AND r.late_on IS DISTINCT FROM late_on(l)}), 0,
   'no referral that knows another deadline than its letter';

# Canned replies -------------------------------------------------------------------------------

is $pg->refused($db, sub {
       $pg->staff($db, $manager, 'canned_save', Cluster::key(), undef, 'ع',
                  'سلام {{nam}}', undef, 1) }),
   'CR422 body:canned_placeholder', 'an unknown placeholder';
is $pg->refused($db, sub {
       $pg->staff($db, $manager, 'canned_save', Cluster::key(), undef, 'ع',
                  'سلام {{subject}', undef, 1) }),
   'CR422 body:canned_placeholder', 'braces that do not close';
ok $pg->staff($db, $manager, 'canned_save', Cluster::key(), undef, 'ع',
              'سلام {{ person_name }}، {{subject}}', undef, 1)->[0]{canned_id},
   'known ones';

$t = letter(subject => 'موضوع {{date}} است');
my ($canned) = $owner->selectrow_array('SELECT max(id) FROM canned');
is $pg->call($db, 'clerk_canned_filled', $c2->{id}, $t, $canned)->[0]{body},
   'سلام علی رضایی، موضوع {{date}} است',
   'filled in once, and what is filled in is not looked at again';
is @{$pg->call($db, 'clerk_canned_filled', $e2->{id}, $t, $canned)}, 0,
   'not for experts';
is $pg->refused($db, sub {
       $pg->staff($db, $c2, 'letter_reply', Cluster::key(), $t,
                  'سلام {{company_name}}', 1, undef, '[]') }),
   'CR422 body:canned_empty_value', 'a reply with an empty place is not sent';
my ($version) = state_of('version', $t);
$pg->staff($db, $manager, 'letter_take', Cluster::key(), $t);
is $pg->refused($db, sub {
       $pg->staff($db, $manager, 'letter_expect', Cluster::key(), $t,
                  $version) }),
   'CR409 letter_changed', 'a form made before the letter changed';
is $pg->staff($db, $manager, 'letter_expect', Cluster::key(), $t,
              $version + 1)->[0]{ok}, 1, 'one made after';

# Search ------------------------------------------------------------------------------------------

$t = letter(subject => 'تقاضای كمك هزينه ١٤٠٥ برای كتاب‌ها');
for my $q ($t, 'کمک هزینه', 'هزینه کمک', 'کتاب', '۱۴۰۵ تقاضا', 'رضايي',
           'كتاب‌ها', 'هزی', $ali->{national_code}, $ali->{mobile})
{
    my $rows = $pg->call($db, 'clerk_search', $c2->{id}, $q, undef, 200, (undef) x 4);
    ok scalar(grep { $_->{tracking_code} eq $t } @$rows), "found by «$q»";
}
is @{$pg->call($db, 'clerk_search', $c2->{id}, 'ناموجود', undef, 9, (undef) x 4)}, 0,
   'and not by another word';
is @{$pg->call($db, 'clerk_search', $c2->{id}, $_, undef, 9, (undef) x 4)}, 0,
   "«$_» finds nothing and harms nothing"
    for "' OR 1=1 --", '!!!', '', ':*&|', "\\'";
my ($number, $year) = $owner->selectrow_array('SELECT register_number,
    register_year FROM letters WHERE register_number = 7');
is @{$pg->call($db, 'clerk_search', $c2->{id}, "$number/$year", undef, 9, (undef) x 4)}, 1,
   'by register number and year';

# Pages -------------------------------------------------------------------------------------------

my ($cursor, @all, $rows);
do {
    $rows = $pg->call($db, 'clerk_inbox', $c2->{id}, 'all', undef, undef,
                      undef, undef, $cursor, 7);
    push @all, map { $_->{tracking_code} } @$rows;
    $cursor = $rows->[-1]{cursor} if @$rows;
} while (@$rows == 7);
is "@all", join(' ', map { $_->[0] } @{$owner->selectall_arrayref(
    'SELECT tracking_code FROM letters ORDER BY created_at DESC, id DESC')}),
   'keyset pages show every letter once, newest first';
is @{$pg->call($db, 'clerk_inbox', $c2->{id}, 'all', undef, undef, undef,
               undef, "0'; drop", 5)}, 5, 'a nonsense cursor: the first page';

done_testing;
