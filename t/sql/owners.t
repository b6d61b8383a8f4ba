#!/usr/bin/perl

# What is somebody else's gives no row, in every statement by itself: the pages
# may be right only together, a statement has to be right alone.  And nobody
# acts whose session, level or role is not good any more.

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
my $stranger = $pg->make_person($db, level => 3);
my $clerk = $pg->make_staff('clerk');
my $expert = $pg->make_staff('expert', unit => 'legal');
my $other = $pg->make_staff('expert', unit => 'finance');


sub bare { return scalar $owner->selectrow_array(@_) }


sub rows { return scalar @{$pg->call($db, @_)} }


# A letter with everything a letter may have, a ticket, a draft ------------------

my $legal = $pg->person($db, $ali, 'letter_submit', Cluster::legal_form())
               ->[0]{tracking_code};
my $key = Cluster::key();
my $t = $pg->send_letter($db, $ali, key => $key);


sub on_letter {
    my ($who, $name, @params) = @_;

    $pg->staff($db, $who, $name, Cluster::key(), $t, @params);
}


on_letter($clerk, 'letter_note', 'نهان');
on_letter($clerk, 'letter_refer', '["legal"]', 'نهان', undef, undef);
my $referral = bare('SELECT max(id) FROM referrals');
$pg->staff($db, $expert, 'referral_answer', Cluster::key(), $referral, 'نهان',
           Cluster::file_list('h'));
on_letter($clerk, 'letter_reply', 'پاسخ', 0, undef, Cluster::file_list('r'));
on_letter($clerk, 'letter_ask_correction', 'متن', undef);

my $hidden = bare(q{SELECT id FROM files WHERE purpose = 'referral'});
my $sent = bare(q{SELECT f.id FROM files AS f JOIN letters AS l
    ON l.id = f.letter_id WHERE l.tracking_code = ? AND purpose = 'letter'},
    undef, $t);
my $ticket = $pg->person($db, $ali, 'ticket_create', Cluster::key(), 'موضوع',
                         'متن', Cluster::file_list('t'))->[0]{ticket_number};
$pg->staff($db, $clerk, 'ticket_reply', Cluster::key(), $ticket, 'جواب', '[]');
my $draft = $pg->person($db, $ali, 'draft_save', undef,
    '{"subject":"پیش‌نویس"}', Cluster::file_list('d'), undef)->[0]{draft};
my $of_ticket = bare('SELECT id FROM files WHERE ticket_id IS NOT NULL');
my $of_draft = bare('SELECT id FROM files WHERE draft_id IS NOT NULL');

# What the citizen's statements take behind the person's id.

my %asked = (
    desk_letters => [], letters_list => [ 9, 0 ], letters_sent => [ $t ],
    companies_list => [], letters_show => [ $t ], letters_files => [ $t ],
    letters_events => [ $t ], letters_event_files => [ $t ],
    letters_correction => [ $t ], letters_receipt => [ $t ],
    letters_receipt_files => [ $t ], drafts_show => [ $draft ],
    drafts_files => [ $draft ], drafts_list => [], tickets_list => [ 9, 0 ],
    tickets_show => [ $ticket ], tickets_messages => [ $ticket ],
    tickets_message_files => [ $ticket ], files_show => [ $sent ],
    submission_find => [ $key ],
);

for my $name (sort keys %asked) {
    my $mine = $pg->call($db, $name, $ali->{id}, @{$asked{$name}});

    cmp_ok scalar @$mine, '>', 0, "$name: the owner’s";
    is rows($name, $stranger->{id}, @{$asked{$name}}), 0, 'nobody else’s';
    is scalar(grep { /نهان|h\.jpg/ } map { grep { defined } values %$_ } @$mine),
       0, 'nothing of the body’s own';
}

for my $name (qw(letters_count tickets_count desk_tickets)) {
    my $count = sub { (values %{$pg->call($db, $name, $_[0]{id})->[0]})[0] };

    cmp_ok $count->($ali), '>', 0, "$name: the owner’s";
    is $count->($stranger), 0, 'nobody else’s';
}

# Every statement of these files that is no call of a function.

for my $file (qw(letters tickets)) {
    open my $in, '<:encoding(UTF-8)', "$Cluster::TOP/sql/statements/$file.sql"
        or die "$file: $!";
    my $text = do { local $/; <$in> };
    my @left;

    while ($text =~ /^-- name: (\w+)\n(.*?);\n/msg) {
        my ($name, $statement) = ($1, $2);

        push @left, $name
            if $name !~ /^(?:clerk|verify)_/ && !$asked{$name}
               && $name !~ /^(?:letters_count|tickets_count|desk_tickets)$/
               && $statement !~ /^SELECT (?:[\w, \n]*\bFROM )?\w+\(\$/;
    }

    is "@left", '', "$file.sql: each statement is asked by a stranger";
}

for ([ 'an internal file', $hidden, 0, 0 ], [ 'a letter’s', $sent, 1, 0 ],
     [ 'a ticket’s', $of_ticket, 1, 0 ], [ 'a draft’s', $of_draft, 1, 0 ])
{
    my ($what, $file, @gets) = @$_;

    is join(' ', map { rows('files_show', $_->{id}, $file) } $ali, $stranger),
       "@gets", "$what, of the sender and of a stranger";
}

# A key of the staff is no person's, though they have the same number.

my $same = $pg->make_staff('clerk');
$owner->do('UPDATE submissions SET actor_id = ? WHERE key = ?', undef,
           $same->{id}, $key);
is $pg->staff($db, $same, 'letter_note', $key, $t, 'متن')->[0]{repeated}, 0,
   'a clerk’s form with the key of a person of that number';
my $note = Cluster::key();
$pg->staff($db, $same, 'letter_note', $note, $t, 'متن');
is rows('submission_find', $same->{id}, $note), 0, 'nor the other way round';

# What a stranger does changes nothing --------------------------------------------


sub all_of {
    return join "\n", map { @{$owner->selectcol_arrayref(
        "SELECT r::text FROM $_ AS r ORDER BY 1")} }
        qw(letters events files drafts tickets ticket_messages corrections);
}


my $before = all_of();

for ([ letter_seen => $t, undef ], [ ticket_seen => $ticket ],
     [ draft_remove => $draft ])
{
    my ($name, @params) = @$_;

    $pg->person($db, $stranger, $name, @params);
    is all_of(), $before, "$name: nothing has changed";
}

for ([ letter_followup => Cluster::key(), $t, 'متن', '[]' ],
     [ letter_correct => Cluster::key(), $t, $sent, Cluster::file_list('z') ],
     [ ticket_message => Cluster::key(), $ticket, 'متن', '[]' ],
     [ draft_save => $draft, '{}', undef, undef ],
     [ letter_submit => Cluster::key(), $draft, (undef) x 12, '{}', undef ])
{
    my ($name, @params) = @$_;

    like $pg->refused($db, sub { $pg->person($db, $stranger, $name, @params) }),
         qr/^CR404 (?:not_found|draft_gone)$/, "$name: is not there";
    is all_of(), $before, 'nothing has changed';
}

# Experts of a unit that was not asked -------------------------------------------

for ([ clerk_letter_show => undef, $t ],
     [ clerk_letter_changed => undef, $t, 0 ],
     [ clerk_referral_show => $referral, undef ],
     [ clerk_files_show => undef, $sent ], [ clerk_files_show => undef, $hidden ],
     [ clerk_letter_referrals => $t, undef ],
     [ clerk_letter_event_files => $t, undef ])
{
    my ($name, @params) = @$_;
    my @by = map { my $who = $_;
                   rows($name, map { $_ // $who->{id} } @params) }
             $clerk, $expert, $other;

    cmp_ok $by[$_], '>', 0, "$name: a clerk’s, the unit’s" for 0, 1;
    is $by[2], 0, 'not another unit’s';
}

is rows('clerk_files_show', $_->{id}, $of_ticket), $_ == $clerk ? 1 : 0,
   'a ticket’s file is no expert’s' for $clerk, $expert;
is rows('clerk_files_show', $_->{id}, $of_draft), 0, 'a draft’s is nobody’s'
    for $clerk, $expert;
is rows('clerk_letter_person', $t, $clerk->{id}), 1, 'the sender’s others';
is rows('clerk_letter_person', $t, $expert->{id}), 0, 'not for experts';

# What one unit was asked stands in no page of another that has the letter.

on_letter($clerk, 'letter_refer', '["finance"]', 'از مالی', undef, undef);

my $words = sub {
    my ($name, @params) = @_;

    return scalar grep { /نهان/ } map { grep { defined } values %$_ }
        @{$pg->call($db, $name, @params)};
};

is $words->('clerk_letter_events', $t, $_->{id}), $_ == $other ? 1 : 3,
   'what was written: notes for all, the rest for the unit'
    for $clerk, $expert, $other;
is $words->('clerk_letter_referrals', $t, $other->{id}), 0,
   'another unit’s referral is not listed';
is rows('clerk_referral_show', $referral, $other->{id}), 0, 'nor shown';

# Canned replies of a unit.

for ([ undef, 'همه' ], [ 'legal', 'حقوقی' ]) {
    my ($unit, $title) = @$_;

    $owner->do(q{INSERT INTO canned (title, body, unit_id, active, updated_by)
                 VALUES (?, 'متن', (SELECT id FROM units WHERE code = ?), true,
                         ?)}, undef, $title, $unit, $clerk->{id});
}

my $at_legal = $pg->make_staff('clerk', unit => 'legal');
my $canned = bare(q{SELECT id FROM canned WHERE title = 'حقوقی'});

is join(' ', map { $_->{title} } @{$pg->call($db, 'clerk_canned',
                                             $clerk->{id})}), 'همه',
   'a unit’s canned reply is not offered to others';
is rows('clerk_canned', $at_legal->{id}), 2, 'but to its own';
is join(' ', map { rows('clerk_canned_filled', $_->{id}, $t, $canned) }
        $clerk, $at_legal), '0 1', 'nor filled in';

# Guards -------------------------------------------------------------------------------


# What each guard of a kind says, of a session as it is given.
sub guards {
    my ($kind, $who, %with) = @_;
    my ($id, $epoch) = ($who->{id}, $with{epoch} // $who->{epoch});
    my @said = $with{read} // 1
        ? rows("${kind}_guard", $id, $epoch) : ();

    for my $guard ($kind eq 'person' ? qw(person_guard_write person_guard_note)
                                     : 'staff_guard_write')
    {
        push @said, $pg->refused($db, sub {
            $pg->call($db, $guard, $id, $epoch, $with{needs} // ($kind eq
                      'person' ? 1 : ''), '10.0.0.9') });
    }

    return join ', ', @said;
}


my $ended = 'CR401 session_ended';
my $low = $pg->make_person($db, level => 2);

is guards(person => $ali), '1, nothing, nothing', 'a person';
is guards(person => $ali, epoch => $ali->{epoch} + 1),
   "0, $ended, $ended", 'of a later session';
is guards(person => $ali, epoch => $ali->{epoch} - 1),
   "0, $ended, $ended", 'of an earlier one';
is guards(person => { id => 999, epoch => 1 }), "0, $ended, $ended", 'nobody';
is guards(person => $low, needs => 2, read => 0), 'nothing, nothing',
   'of level 2';
is guards(person => $low, needs => 3, read => 0),
   join(', ', ('CR403 identity_needed') x 2), 'where 3 is needed';

for my $status (qw(blocked displaced)) {
    $owner->do('UPDATE persons SET status = ? WHERE id = ?', undef, $status,
               $low->{id});
    is guards(person => $low), "0, $ended, $ended", "who is $status";
}

is guards(staff => $clerk), '1, nothing', 'a clerk';
is guards(staff => $clerk, epoch => $_), "0, $ended", "of the session $_"
    for 0, 2;
is guards(staff => $clerk, needs => 'clerk,admin', read => 0), 'nothing',
   'where a clerk is needed';
is guards(staff => $clerk, needs => 'manager,admin', read => 0),
   'CR403 role_refused', 'where none is';

for my $status (qw(disabled invited)) {
    $owner->do('UPDATE staff SET status = ? WHERE id = ?', undef, $status,
               $other->{id});
    is guards(staff => $other), "0, $ended", "whose account is $status";
}

done_testing;
