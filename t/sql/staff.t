#!/usr/bin/perl

# What the staff may do and on what: the role that each act needs, accounts
# that come and go, substitutes, and that an act on one letter, referral or
# ticket leaves the others as they are.

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
my ($c1, $c2) = map { $pg->make_staff('clerk') } 1 .. 2;
my $e1 = $pg->make_staff('expert', unit => 'legal');
my $e2 = $pg->make_staff('expert', unit => 'finance');
my $manager = $pg->make_staff('manager');
my $admin = $pg->make_staff('admin');
my ($today) = $owner->selectrow_array('SELECT today()');
my $refused = 'CR403 role_refused';


sub bare { return scalar $owner->selectrow_array(@_) }


sub letter { $pg->send_letter($db, $ali, limits => '{"letters_day":999}') }


sub state_of {
    my ($column, $t) = @_;

    return bare("SELECT $column FROM letters WHERE tracking_code = ?", undef,
                $t);
}


# What an act of the staff died of, or "nothing".
sub dies {
    my ($who, $name, @params) = @_;

    return $pg->refused($db, sub { $pg->staff($db, $who, $name, @params) });
}


# The same, with a form's key.
sub acts {
    my ($who, $name, @params) = @_;

    return dies($who, $name, Cluster::key(), @params);
}


# Roles -----------------------------------------------------------------------

# Whoever has the role is refused for another reason: nothing is filled in.

my %needs = (
    'clerk,manager,admin' => [qw(letter_take letter_register letter_reply
        letter_refer letter_ask_correction letter_close letter_reopen
        letter_prove_position reply_draft_save referral_recall ticket_reply
        ticket_close ticket_open message_resend)],
    'manager,admin' => [qw(canned_save staff_handover messages_resend)],
    'admin' => [qw(unit_save book_save staff_invite staff_reinvite staff_save
        staff_disable staff_enable staff_sessions_end calendar_set setting_set)],
);
my %role_of;

for my $roles (sort keys %needs) {
    for my $name (@{$needs{$roles}}) {
        my $statement = $name eq 'ticket_open' ? 'clerk_ticket_open' : $name;
        my ($last) = sort { $b <=> $a } $pg->statement($statement) =~ /\$(\d+)/g;
        my @refused = map { $_->{role} } grep {
            dies($_, $statement, (undef) x $last) eq $refused }
            $c1, $e1, $manager, $admin;
        my @let = grep { $roles !~ /\b$_\b/ } qw(clerk expert manager admin);

        is "@refused", "@let", "$name: $roles";
        $role_of{$name} = $roles;
    }
}

# Saving has a part of its own, which the portal may call as well.

for ([ unit_save => q{unit_save(NULL::bigint, 'x', 'y', NULL::int, true)},
       $manager ],
     [ book_save => q{book_save(NULL::bigint, 'x', 'y', true)}, $manager ],
     [ canned_save => q{canned_save(NULL::bigint, 'x', 'y', NULL::bigint,
                                    true)}, $c1 ])
{
    my ($name, $call, $who) = @$_;

    is $pg->refused($db, sub {
           $db->begin_work;
           $pg->call($db, 'staff_guard_write', $who->{id}, 1, '', '1');
           my $done = eval { $db->do("SELECT $call"); 1 };
           my ($error, $state) = ($@, $db->state);
           $db->rollback;
           $db->{private_state} = $state;
           die $error if !$done;
       }), $refused, "$name without its form";
}

# No function asks for a role and is not above.

my @silent;

for my $path (glob "$Cluster::TOP/sql/functions/*.sql") {
    open my $in, '<:encoding(UTF-8)', $path or die "$path: $!";
    my $text = do { local $/; <$in> };

    for (split /^(?=CREATE OR REPLACE FUNCTION )/m, $text) {
        my ($name) = /^CREATE OR REPLACE FUNCTION (\w+)/ or next;
        my ($roles) = /\bme_staff\('([\w,]+)'\)/ or next;

        push @silent, "$name: $roles"
            if ($role_of{$name} // '') ne $roles && $name ne 'letter_act';
    }
}

is "@silent", '', 'every function that asks for a role is asked here';

# Experts: one letter is not the other ----------------------------------------------

my ($t, $hidden) = map { letter() } 1 .. 2;
acts($c1, 'letter_refer', $t, '["legal"]', '', undef, undef);
my $file = bare('SELECT f.id FROM files AS f JOIN letters AS l
    ON l.id = f.letter_id WHERE l.tracking_code = ?', undef, $hidden);

is dies($e1, 'clerk_letter_open', $t), 'nothing', 'what was referred';
is dies($e1, 'clerk_letter_open', $hidden), 'CR404 not_found',
   'and not another letter';
is acts($e1, 'letter_note', $hidden, 'متن'), 'CR404 not_found', 'nor a note';
is dies($e1, 'letter_expect', Cluster::key(), $hidden, 1), 'CR404 not_found',
   'nor whether it changed';
is @{$pg->call($db, $_, $e1->{id}, $hidden, $_ =~ /changed/ ? 0 : ())}, 0,
   "nor by $_" for qw(clerk_letter_show clerk_letter_changed);
is @{$pg->call($db, 'clerk_files_show', $e1->{id}, $file)}, 0, 'nor its file';

# Who stands in for an expert, until they are back.

$pg->staff($db, $manager, 'substitute_set', $e1->{id}, $e2->{id}, $today,
           $today);
is dies($e2, 'clerk_letter_open', $t), 'nothing', 'a substitute';
is dies($c1, 'substitute_end', $e1->{id}), $refused,
   'whom no other clerk sends back';
is dies($e1, 'substitute_end', $e1->{id}), 'nothing', 'the expert is back';
is dies($e2, 'clerk_letter_open', $t), 'CR404 not_found', 'no more';
is @{$pg->call($db, 'clerk_inbox', $e2->{id}, $_, (undef) x 5, 9)}, 0,
   "nor in «$_»" for qw(unit all open late mine new);

# What an expert has is their unit's, and in no tab of those who hold letters,
# though nobody holds it.

$owner->do('UPDATE letters SET owner_id = NULL WHERE tracking_code = ?',
           undef, $t);
is join(' ', map { scalar @{$pg->call($db, 'clerk_inbox', $e1->{id}, $_,
                                      (undef) x 5, 9)} } qw(unit all new mine)),
   '1 1 0 0', 'a unit’s letter';
is join(' ', map { $_->{tab} } @{$pg->call($db, 'clerk_tabs', $e1->{id}, 9)}),
   'unit late', 'the tabs of an expert';

# A letter is seen by its unit when an expert opens it.

my $at_legal = $pg->make_staff('clerk', unit => 'legal');
$t = letter();
acts($c1, 'letter_refer', $t, '["legal"]', '', undef, undef);
$pg->staff($db, $at_legal, 'clerk_letter_open', $t);
is bare('SELECT seen_by FROM referrals ORDER BY id DESC LIMIT 1'), undef,
   'a clerk of the unit has not seen it for them';
$pg->staff($db, $e1, 'clerk_letter_open', $t);
is bare('SELECT seen_by FROM referrals ORDER BY id DESC LIMIT 1'), $e1->{id},
   'an expert has';

# Referrals: one ends, the others go on --------------------------------------------------

$t = letter();
my ($d1) = bare('SELECT today() - 1');
is acts($c1, 'letter_refer', $t, '["legal"]', '', $d1, undef),
   'CR422 due:due_past', 'not for yesterday';
acts($c1, 'letter_refer', $t, '["legal","finance"]', '', undef, undef);
my @open = map { bare(q{SELECT r.id FROM referrals AS r
    JOIN units AS u ON u.id = r.unit_id JOIN letters AS l ON l.id = r.letter_id
    WHERE u.code = ? AND l.tracking_code = ?}, undef, $_, $t) }
    qw(legal finance);
is acts($e1, 'referral_answer', $open[0], 'نظر', '[]'), 'nothing', 'answered';
is join(' ', map { bare('SELECT outcome FROM referrals WHERE id = ?', undef,
                        $_) // 'open' } @open), 'answered open',
   'the other unit’s is open';
is state_of('open_referrals', $t), 1, 'and counted';
is bare('SELECT count(*) FROM letters WHERE open_referrals <> (
    SELECT count(*) FROM referrals AS r WHERE r.letter_id = letters.id
       AND r.outcome IS NULL)'), 0, 'as those of all letters are';
is acts($c1, 'referral_recall', $open[0], 'x'), 'CR409 referral_closed',
   'what was answered is not recalled';
is bare('SELECT outcome FROM referrals WHERE id = ?', undef, $open[0]),
   'answered', 'and stays an answer';

# Nor has anybody seen what was recalled before.

acts($c1, 'letter_refer', $t, '["legal"]', '', undef, undef);
my $recalled = bare('SELECT max(id) FROM referrals');
acts($c1, 'referral_recall', $recalled, 'x');
is dies($e1, 'clerk_letter_open', $t), 'nothing',
   'the unit opens what it has answered';
is bare('SELECT seen_by FROM referrals WHERE id = ?', undef, $recalled), undef,
   'and has not seen what was recalled';

# Letters: what is closed, whose it is, which key ------------------------------------------

$t = letter();
is acts($c1, 'letter_reopen', $t), 'CR409 letter_not_closed',
   'an open letter is not opened again';
acts($c1, 'letter_close', $t, 'x');
is acts($c2, 'letter_take', $t), 'CR409 letter_closed',
   'a closed one is not taken';

$t = letter();
acts($c1, 'letter_take', $t);
$pg->staff($db, $manager, 'substitute_set', $c1->{id}, $c2->{id}, $today,
           $today);
is acts($c2, 'letter_take', $t), 'nothing', 'a substitute takes it';
is state_of('owner_id', $t), $c2->{id}, 'and has it';
is acts($c1, 'letter_take', $t), 'CR409 letter_taken',
   'not the other way round';


# How many letters are somebody's, listed and counted.
sub mine {
    my ($who) = @_;
    my ($counted) = grep { $_->{tab} eq 'mine' }
                    @{$pg->call($db, 'clerk_tabs', $who->{id}, 99)};

    return $counted->{count} . ' ' . @{$pg->call($db, 'clerk_inbox',
        $who->{id}, 'mine', (undef) x 5, 99)};
}


my $held = bare('SELECT count(*) FROM letters WHERE owner_id = ?
                    AND closed_at IS NULL', undef, $c1->{id});
cmp_ok $held, '>', 0, 'of the letters that somebody has';
is mine($c2), join(' ', ($held + 1) x 2), 'a substitute sees all';
$pg->staff($db, $manager, 'substitute_end', $c1->{id});
is mine($c2), '1 1', 'until they are back';
$owner->do('INSERT INTO substitutes (absent_id, substitute_id, from_on, to_on,
                created_by) VALUES (?, ?, today() + 1, today() + 9, ?),
                (?, ?, today() - 9, today() - 1, ?)', undef,
           ($c1->{id}, $c2->{id}, $manager->{id}) x 2);
is mine($c2), '1 1', 'before they are away, and after';
$owner->do('UPDATE substitutes SET ended_at = now() WHERE ended_at IS NULL');

my $gone = $pg->make_staff('clerk');
$t = letter();
acts($gone, 'letter_take', $t);
$owner->do(q{UPDATE staff SET status = 'disabled' WHERE id = ?}, undef,
           $gone->{id});
is acts($c2, 'letter_take', $t), 'nothing', 'nor is one lost that nobody has';

# A follow-up to a letter of whom an expert was made.

my $made = $pg->make_staff('clerk');
$t = letter();
acts($made, 'letter_reply', $t, 'پاسخ', 1, undef, '[]');
acts($made, 'letter_close', $t, '');
is dies($admin, 'staff_save', $made->{id}, 'نام', 'expert',
        bare(q{SELECT id FROM units WHERE code = 'legal'})), 'nothing',
   'a clerk becomes an expert';
$pg->person($db, $ali, 'letter_followup', Cluster::key(), $t, 'پیرو', '[]');
is state_of('owner_id', $t), undef, 'a follow-up is nobody’s then';

# Numbers: a key for one letter, a book that is used.

my ($one, $two) = map { letter() } 1 .. 2;
my $key = Cluster::key();
is dies($c1, 'letter_register', $key, $one, 'main'), 'nothing', 'registered';
is dies($c1, 'letter_register', $key, $one, 'main'), 'nothing',
   'by the same form again';
is dies($c1, 'letter_register', $key, $two, 'main'),
   'CR409 submission_key_used', 'no other letter by this form';
$owner->do(q{INSERT INTO books (code, name, active)
             VALUES ('old', 'قدیم', false)});
is acts($c1, 'letter_register', $two, 'old'),
   'CR422 book:register_book_unknown', 'not in a book that is closed';
is state_of('register_number', $two), undef, 'and it has no number';
is acts($c1, 'letter_register', $two, ''), 'nothing', 'the only one is meant';

# The version that a form was made from.

$t = letter();
$key = Cluster::key();
my $version = state_of('version', $t);
$pg->staff($db, $c1, 'letter_note', $key, $t, 'متن');
is dies($c1, 'letter_expect', Cluster::key(), $t, $version),
   'CR409 letter_changed', 'changed since';
is dies($c1, 'letter_expect', $key, $t, $version), 'nothing',
   'not by this very form';
is dies($c2, 'letter_expect', $key, $t, $version), 'CR409 letter_changed',
   'which is another’s with another clerk';

# What is written and not sent.

my $other = letter();


sub drafts {
    return join ' ', map { $_ // '-' } map { my $who = $_;
        map { $pg->call($db, 'clerk_letter_show', $who->{id}, $_)
                  ->[0]{draft_body} } $t, $other } $c1, $c2;
}


sub draft_all {
    for my $who ($c1, $c2) {
        $pg->staff($db, $who, 'reply_draft_save', $_, 'متن') for $t, $other;
    }
}


draft_all();
is drafts(), 'متن متن متن متن', 'two letters, two clerks';
$pg->staff($db, $c1, 'reply_draft_save', $t, '');
is drafts(), '- متن متن متن', 'one thrown away';
draft_all();
acts($c1, 'letter_reply', $t, 'پاسخ', 0, undef, '[]');
is drafts(), '- متن متن متن', 'one sent';

# A final answer to one letter ends no other's correction.

acts($c1, 'letter_ask_correction', $_, 'متن', undef) for $t, $other;
acts($c1, 'letter_reply', $t, 'تمام', 1, undef, '[]');
is join(' ', map { state_of('open_corrections', $_) } $t, $other), '0 1',
   'what another letter owes';
is bare('SELECT count(*) FROM corrections WHERE answered_at IS NULL'), 1,
   'is owed still';

# A company's position ------------------------------------------------------------------

is acts($c1, 'letter_prove_position', $t), 'CR409 conflict',
   'nobody has a position in their own name';


sub of_company {
    my ($id) = @_;
    my @form = Cluster::legal_form();

    $form[7] = $id;
    return $pg->person($db, $ali, 'letter_submit', @form)->[0]{tracking_code};
}


my ($proven, $unproven) = map { of_company($_) } qw(10380284790 10101234567);
acts($c1, 'letter_prove_position', $proven);
is join(' ', map { state_of('position_proven', $_) }
        $proven, $unproven, of_company('10101234567')), '1 0 0',
   'a position is proven in one company';

# Tickets and letters that are handed over --------------------------------------------------

my ($leaver, $heir) = map { $pg->make_staff('clerk') } 1 .. 2;
my @tickets = map { $pg->person($db, $ali, 'ticket_create', Cluster::key(),
                                'موضوع', 'متن', '[]')->[0]{ticket_number} }
              1 .. 3;
my @who = ($leaver, $leaver, $c1);

acts($who[$_], 'ticket_reply', $tickets[$_], 'جواب', '[]') for 0 .. 2;
dies($leaver, 'ticket_close', $tickets[1]);
is dies($admin, 'staff_disable', $leaver->{id}), 'CR409 staff_has_work',
   'who has a ticket hands it over';
is dies($manager, 'staff_handover', $leaver->{id}, $e1->{id}),
   'CR422 to:staff_unknown', 'not to an expert';
is dies($manager, 'staff_handover', $leaver->{id}, $leaver->{id}),
   'CR422 to:substitute_same', 'nor to themselves';
is dies($manager, 'staff_handover', $leaver->{id}, $heir->{id}), 'nothing',
   'but to a colleague';
is join(' ', map { bare('SELECT owner_id FROM tickets WHERE number = ?', undef,
                        $_) } @tickets), "$heir->{id} $leaver->{id} $c1->{id}",
   'the open one of theirs, no closed one, nobody else’s';

# Substitutes ------------------------------------------------------------------------------

sub substitutes {
    return join ' ', @{$owner->selectcol_arrayref(
        'SELECT substitute_id FROM substitutes WHERE ended_at IS NULL
          ORDER BY absent_id')};
}


sub stands_in { dies($manager, 'substitute_set', @_) }


is stands_in($c1->{id}, $c1->{id}, $today, $today),
   'CR422 substitute:substitute_same', 'nobody stands in for themselves';
is stands_in($c1->{id}, $gone->{id}, $today, $today),
   'CR422 substitute:staff_unknown', 'nor who has left';
is stands_in($c1->{id}, $c2->{id}, $d1, $d1), 'CR422 to:from_after_to',
   'nor for days that are over';
is stands_in($c1->{id}, $c2->{id}, $today, $d1), 'CR422 to:from_after_to',
   'or go backwards';
is stands_in($gone->{id}, $c2->{id}, $today, $today),
   'CR422 substitute:staff_unknown', 'nor for who has left';


sub day { bare('SELECT today() + ?::int', undef, $_[0]) }


is stands_in($c1->{id}, $c2->{id}, $today, day(366)),
   'CR422 to:substitute_too_long', 'nor for good';
is stands_in($c1->{id}, $c2->{id}, $today, day(365)), 'nothing',
   'but for a leap year';
is stands_in($c1->{id}, $leaver->{id}, $today, $today), 'nothing', 'two have';
is stands_in($c2->{id}, $heir->{id}, $today, $today), 'nothing', 'a substitute';
is substitutes(), "$leaver->{id} $heir->{id}", 'each their own';
stands_in($c1->{id}, $manager->{id}, $today, $today);
is substitutes(), "$manager->{id} $heir->{id}", 'another one for the one';
$pg->staff($db, $c1, 'substitute_end', $c1->{id});
is substitutes(), $heir->{id}, 'and back, the other is away still';

# The page shows all of them, and until when there is one.

stands_in($c1->{id}, $_->[0]{id}, day($_->[1]), day($_->[2]))
    for [ $heir, 30, 40 ], [ $leaver, 0, 2 ], [ $manager, 3, 9 ],
        [ $leaver, 10, 12 ];
is join(' ', map { "$_->{substitute_name} $_->{substitute_until}" }
        grep { $_->{staff_id} == $c1->{id} }
             @{$pg->call($db, 'staff_list', $admin->{id})}),
   join(' / ', map { bare('SELECT name FROM staff WHERE id = ?', undef,
                          $_->{id}) } $leaver, $manager, $heir) . ' ' . day(40),
   'whoever may act in somebody’s name is seen, today’s first';
$pg->staff($db, $c1, 'substitute_end', $c1->{id});
stands_in($leaver->{id}, $c1->{id}, $today, $today);
stands_in($c1->{id}, $leaver->{id}, $today, $today);

# Accounts that are closed and opened ---------------------------------------------------------

$owner->do('INSERT INTO staff_browsers (staff_id, browser) VALUES (?, ?)',
           undef, $_->{id}, 'known') for $leaver, $heir;
my $invited = $pg->staff($db, $admin, 'staff_invite', 'fresh', 'تازه', 'clerk',
                         undef, 'f' x 43, 48)->[0]{staff_id};
$pg->call($db, 'staff_totp_done', $leaver->{id}, 1, 40, 'known', '1', undef);
$pg->staff($db, $admin, 'staff_reinvite', $leaver->{id}, 'l' x 43, 48);
is dies($admin, 'staff_disable', $leaver->{id}), 'nothing', 'closed';
is substitutes(), $heir->{id}, 'stands in for nobody, and nobody for them';
is join(' ', @{$owner->selectcol_arrayref(
       'SELECT staff_id FROM staff_browsers')}), $heir->{id},
   'their browsers are forgotten';
is join(' ', map { scalar @{$pg->call($db, 'invitation_show', $_ x 43)} }
        'l', 'f'), '0 1', 'their link is dead, another’s is not';
is dies($admin, 'staff_reinvite', $leaver->{id}, 'm' x 43, 48),
   'CR404 staff_unknown', 'no other one is made';
is $pg->call($db, 'invitation_password', 'l' x 43, 'new', 'totp', '1')
      ->[0]{verdict}, 'expired', 'nor does it set a password';


sub status_of { bare('SELECT status FROM staff WHERE id = ?', undef, $_[0]) }


dies($admin, 'staff_enable', $leaver->{id});
is status_of($leaver->{id}), 'active', 'opened';
is @{$pg->call($db, 'invitation_show', 'l' x 43)}, 0, 'their link stays dead';
dies($admin, 'staff_enable', $invited);
is status_of($invited), 'invited', 'who was invited only stays so';

# A link in wrong hands: closing the account takes what was chosen there.

$pg->call($db, 'invitation_password', 'f' x 43, 'stolen', 'totp', '1');
dies($admin, 'staff_enable', $invited);
is status_of($invited), 'invited', 'with a password, but no code of it';
dies($admin, $_, $invited) for qw(staff_disable staff_enable);
is status_of($invited), 'invited', 'and closed and opened, too';
is $pg->call($db, 'staff_login_try', 'fresh', 'b', '1')->[0]{password_hash},
   undef, 'that password opens nothing';


sub secrets_of {
    return bare('SELECT num_nonnulls(password_hash, totp_secret) FROM staff
                  WHERE id = ?', undef, $_[0]);
}


is secrets_of($invited), 0, 'and is not kept';

# An account that was at work stays active when its link sets a password.

my ($robbed, $at_work, $unsure) = map { $pg->make_staff('clerk') } 1 .. 3;

for ([ $robbed, 'r' ], [ $at_work, 'w' ], [ $unsure, 'u' ]) {
    my ($who, $link) = ($_->[0]{id}, $_->[1] x 43);

    $pg->call($db, 'staff_totp_done', $who, 1, 60, 'b', '1', undef);
    $pg->staff($db, $admin, 'staff_reinvite', $who, $link, 48);
    $pg->call($db, 'invitation_password', $link, 'stolen', 'totp', '1')
        if $link !~ /w/;
}

$pg->call($db, 'invitation_done', 'u' x 43, 2, 61, 'b', '1');
$owner->do('UPDATE invitations SET expires_at = now() WHERE staff_id = ?',
           undef, $robbed->{id});
for my $who ($robbed, $at_work, $unsure) {
    dies($admin, $_, $who->{id}) for qw(staff_disable staff_enable);
}
is status_of($robbed->{id}) . ' ' . secrets_of($robbed->{id}), 'invited 0',
   'what an old link set and nobody confirmed goes';
is status_of($_->{id}) . ' ' . secrets_of($_->{id}), 'active 2',
   'what has let somebody in stays' for $at_work, $unsure;
is dies($admin, 'staff_reinvite', $robbed->{id}, 'q' x 43, 48), 'nothing',
   'a new link';
my $epoch = $pg->call($db, 'invitation_password', 'q' x 43, 'mine', 'totp',
                      '1')->[0]{epoch};
$pg->call($db, 'invitation_done', 'q' x 43, $epoch, 62, 'b', '1');
is status_of($robbed->{id}), 'active', 'opens the account again';

# A place in the house.

$owner->do(q{INSERT INTO units (code, name, active)
             VALUES ('shut', 'بسته', false)});
my $shut = bare(q{SELECT id FROM units WHERE code = 'shut'});

is dies($admin, 'staff_save', $heir->{id}, 'نام', 'expert', undef),
   'CR422 unit:expert_needs_unit', 'an expert is of a unit';
is dies($admin, 'staff_save', $heir->{id}, 'نام', 'clerk', $shut),
   'CR422 unit:unit_unknown', 'nobody is of one that is closed';
$pg->make_staff('clerk', unit => 'press');
is acts($admin, 'unit_save', bare(q{SELECT id FROM units WHERE code = 'press'}),
        'press', 'روابط', undef, 0),
   'CR409 unit_in_use', 'one that somebody is of is not closed';

my $away = $pg->make_staff('clerk', unit => 'press');
my $press = bare(q{SELECT id FROM units WHERE code = 'press'});

dies($admin, 'staff_disable', $away->{id});
$owner->do('UPDATE units SET active = false WHERE id = ?', undef, $press);
is dies($admin, 'staff_enable', $away->{id}), 'CR409 staff_unit_closed',
   'nobody comes back to a unit that was closed meanwhile';
is status_of($away->{id}), 'disabled', 'they stay away';
$owner->do('UPDATE units SET active = true WHERE id = ?', undef, $press);
is dies($admin, 'staff_enable', $away->{id}), 'nothing', 'to an open one';

# One administrator stays, and one that is closed does not count.

my $second = $pg->make_staff('admin');
is dies($admin, 'staff_disable', $second->{id}), 'nothing', 'one of two';
is dies($admin, 'staff_save', $admin->{id}, 'نام', 'manager', undef),
   'CR409 staff_last_admin', 'the other one stays';

# Ways in -------------------------------------------------------------------------------------

my $in = $pg->make_staff('clerk', username => 'sara');


sub way_in {
    my (%with) = @_;
    my ($id, $epoch) = ($in->{id}, $with{epoch} // 1);

    return join ' ', map { $_ ? 1 : 0 }
        $pg->call($db, 'staff_login_try', 'sara', 'b', '1')
           ->[0]{password_hash},
        $pg->call($db, 'staff_login_done', $with{name} // 'sara', $id,
                  $with{hash} // 'hash', 'b', '1')->[0]{ok},
        $pg->call($db, 'staff_totp_try', $id, $epoch, '1')->[0]{totp_secret},
        $pg->call($db, 'staff_totp_done', $id, $epoch, $with{step} // 50, 'b',
                  '1', undef)->[0]{ok};
}


sub open_links {
    return join ' ', map { scalar @{$pg->call($db, 'invitation_show', $_)} } @_;
}


my @links = map { $_ x 43 } 's', 't';

$pg->staff($db, $admin, 'staff_reinvite', ($in, $heir)[$_]{id}, $links[$_], 48)
    for 0, 1;
is way_in(epoch => 2), '1 1 0 0', 'digits for another session’s password';
is way_in(name => 'nima', step => 0), '1 0 1 0', 'another name';
is way_in(hash => 'older', step => 0), '1 0 1 0', 'another password';
$owner->do(q{UPDATE staff SET status = 'disabled' WHERE id = ?}, undef,
           $in->{id});
is way_in(), '0 0 0 0', 'an account that is closed';
$owner->do(q{UPDATE staff SET status = 'active' WHERE id = ?}, undef,
           $in->{id});
$owner->do('TRUNCATE tries');
is open_links(@links), '1 1', 'no link ends before its owner is in';
is way_in(), '1 1 1 1', 'all right';
is open_links(@links), '0 1', 'who can log in needs no link, another may';

for ([ staff => staff_login_renew => $in->{id} ],
     [ persons => login_renew => $ali->{id} ])
{
    my ($table, $name, $id) = @$_;

    $owner->do("UPDATE $table SET password_hash = 'now' WHERE id = ?", undef,
               $id);
    ok !$pg->call($db, $name, $id, 'before', 'new')->[0]{renewed},
       "$name: not over a password that was changed";
    ok $pg->call($db, $name, $id, 'now', 'new')->[0]{renewed}, 'but its own';
}

done_testing;
