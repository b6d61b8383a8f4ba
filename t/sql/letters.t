#!/usr/bin/perl

# A letter's life on the citizen's side: tracking codes, submission keys,
# drafts, correction, follow-up, tickets, files, identity that waits.

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


# ISO/IEC 7064 MOD 11,10, written from the standard's hybrid recursion and
# not from the SQL: a code with its check digit ends in 1.
sub holds {
    my ($p, $last) = (10, undef);

    for my $digit (split //, $_[0]) {
        $last = ($p + $digit) % 10;
        $p = ($last || 10) * 2 % 11;
    }

    return $last == 1;
}


# Tracking codes -----------------------------------------------------------------

ok holds('07945'), 'the standard’s own example: 0794 has the check digit 5';

my @codes = map { $_->[0] } @{$owner->selectall_arrayref(
    'SELECT tracking_candidate(8 + n % 5) FROM generate_series(1, 3000) AS n')};
is scalar(grep { !holds($_) } @codes), 0, '3000 codes hold their check digit';
is scalar(grep { /^0/ } @codes), 0, 'none begins with zero';
my %first;
$first{substr $_, 0, 1}++ for @codes;
is keys %first, 9, 'every other first digit occurs';
cmp_ok +(sort { $a <=> $b } values %first)[0], '>', 230, 'about as often';

my $lengths = $owner->selectall_arrayref(
    'SELECT n, tracking_length(n, 8) FROM unnest(ARRAY[1, 900000, 900001,
     9900000, 9900001, 99900000, 99900001]::bigint[]) AS n');
is_deeply [map { $_->[1] } @$lengths], [8, 8, 9, 9, 10, 10, 11],
   'one digit more when a tenth of a length is used';
is $owner->selectrow_array('SELECT tracking_length(1, 6)'), 6,
   'the shortest length is a directive';

my $ali = $pg->make_person($db, level => 3);

# Nine hundred codes are a tenth of five digits: force collisions.
$owner->do(q{INSERT INTO letters (tracking_code, person_id, person_kind,
    first_name, last_name, father_name, birth_date, national_code, mobile,
    address, subject)
    SELECT d || check_digit_11_10(d), ?, 'natural', '', '', '', '1990-01-01',
           '0000000000', '09120000000', '', 's'
      FROM generate_series(1000, 9999) AS g, LATERAL (SELECT g::text AS d) AS t
     WHERE g % 10 <> 7}, undef, $ali->{id});
my $tight = eval { $pg->send_letter($db, $ali,
                                    limits => '{"tracking_digits":5,"letters_day":99999}') };
like $tight, qr/^\d{3}7\d$/, 'a free code is found among taken ones';
$owner->do('DELETE FROM letters WHERE subject = ?', undef, 's');

# Submission keys ------------------------------------------------------------------

my $more = '{"letters_day":99999}';
my @form = Cluster::letter_form(key => 'the-same-key', limits => $more);
my @got = $pg->parallel(30, sub {
    my ($dbh) = @_;
    $pg->{statements} = undef;
    my $r = $pg->person($dbh, $ali, 'letter_submit', @form)->[0];
    "$r->{tracking_code} " . ($r->{repeated} ? 'again' : 'first');
});
is scalar(grep { /first$/ } @got), 1, 'one form sent 30 times: one letter';
my %code = map { /^(\d+)/ => 1 } @got;
is keys %code, 1, 'and one tracking code for all';
is $owner->selectrow_array(q{SELECT count(*) FROM messages
       WHERE letter_id = (SELECT id FROM letters WHERE tracking_code = ?)},
       undef, keys %code), 1, 'one SMS';
is $pg->refused($db, sub {
       $pg->person($db, $ali, 'ticket_create', 'the-same-key', 's', 'b',
                   '[]') }),
   'CR409 submission_key_used', 'a key makes one kind of thing';
is $pg->refused($db, sub {
       $pg->person($db, $ali, 'letter_submit',
                   Cluster::letter_form(key => 'short')) }),
   'CR422 submission_key:submission_key_invalid', 'no key, no letter';

my $sara = $pg->make_person($db, level => 3);
my $hers = $pg->person($db, $sara, 'letter_submit', @form)->[0];
ok !$hers->{repeated}, 'another person’s key is another key';

is $pg->refused($db, sub {
       $pg->send_letter($db, $sara, limits => '{"letters_day":1}') }),
   'CR429 too_often', 'a day’s limit';

# The database alone decides who may -------------------------------------------------

is $pg->refused($db, sub {
       $pg->call($db, 'letter_submit', Cluster::letter_form()) }),
   'CR401 session_ended', 'no write without a guard';
my $low = $pg->make_person($db, level => 2);
is $pg->refused($db, sub { $pg->send_letter($db, $low) }),
   'CR403 identity_needed', 'no letter below level 3';

# Drafts ----------------------------------------------------------------------------

my $draft = $pg->person($db, $ali, 'draft_save', undef,
    '{"person_kind":"natural","subject":"موضوع پیش‌نویس","address":"تهران",
      "body":"متن","national_code":"1","level":"9"}',
    Cluster::file_list('d', 'e'), undef)->[0]{draft};
my $kept = $pg->call($db, 'drafts_show', $ali->{id}, $draft)->[0];
is $kept->{subject}, 'موضوع پیش‌نویس', 'a draft';
my ($fields) = $owner->selectrow_array(
    'SELECT fields::text FROM drafts WHERE id = ?', undef, $draft);
unlike $fields, qr/level|national_code/, 'only the form’s own fields';
is @{$pg->call($db, 'drafts_show', $sara->{id}, $draft)}, 0, 'not another’s';
my $files = $pg->call($db, 'drafts_files', $ali->{id}, $draft);
is @$files, 2, 'its files';
is @{$pg->call($db, 'files_show', $sara->{id}, $files->[0]{file_id})}, 0,
   'not another’s';
$pg->person($db, $ali, 'draft_save', $draft, '{"subject":"دو"}',
            Cluster::file_list('f'), "[\"$files->[1]{file_id}\"]");
is join(' ', map { $_->{name} }
        @{$pg->call($db, 'drafts_files', $ali->{id}, $draft)}),
   'e.jpg f.jpg', 'an unticked file goes, a new one comes';
$pg->person($db, $ali, 'draft_save', $draft,
    '{"person_kind":"natural","subject":"سه","address":"تهران"}', undef,
    undef);
my @draft_form = ('draft-key-1', $draft, (undef) x 12, $more, undef);
is $pg->refused($db, sub {
       $pg->person($db, $sara, 'letter_submit', 'draft-key-2', $draft,
                   (undef) x 12, $more, undef) }),
   'CR404 draft_gone', 'nobody sends another’s draft';
my $from = $pg->person($db, $ali, 'letter_submit', @draft_form)->[0];
my $shown = $pg->call($db, 'letters_show', $ali->{id},
                      $from->{tracking_code})->[0];
is $shown->{subject}, 'سه', 'sent from the draft';
is @{$pg->call($db, 'letters_files', $ali->{id}, $from->{tracking_code})}, 2,
   'with its files';
is @{$pg->call($db, 'drafts_show', $ali->{id}, $draft)}, 0, 'the draft is gone';
ok $pg->person($db, $ali, 'letter_submit', @draft_form)->[0]{repeated},
   'sent again: the same letter';

# Correction -----------------------------------------------------------------------

my $clerk = $pg->make_staff('clerk');
my $t = $pg->send_letter($db, $ali, limits => $more,
                         files => Cluster::file_list('p', 'q'));
my ($p, $q) = map { $_->{file_id} }
    @{$pg->call($db, 'letters_files', $ali->{id}, $t)};

is $pg->refused($db, sub {
       $pg->person($db, $ali, 'letter_correct', Cluster::key(), $t, $p,
                   Cluster::file_list('z')) }),
   'CR409 correction_refused', 'nothing was asked';

$pg->staff($db, $clerk, 'letter_ask_correction', Cluster::key(), $t,
           'صفحهٔ دو خوانا نیست', $p);
is $pg->refused($db, sub {
       $pg->staff($db, $clerk, 'letter_ask_correction', Cluster::key(), $t,
                  'باز هم', $p) }),
   'CR409 letter_correction_open', 'asked once';
is $pg->call($db, 'letters_show', $ali->{id}, $t)->[0]{status}, 'correction',
   'the status says so';
is $pg->call($db, 'letters_correction', $ali->{id}, $t)->[0]{file_name},
   'p.jpg', 'and which file';
is $pg->refused($db, sub {
       $pg->staff($db, $clerk, 'letter_close', Cluster::key(), $t, 'x') }),
   'CR409 letter_correction_open', 'it does not close';

# Four working days later.
my ($due) = $owner->selectrow_array(
    'SELECT due_on FROM letters WHERE tracking_code = ?', undef, $t);
$owner->do('UPDATE letters SET clock_stopped_on = add_working_days(today(), -4)
             WHERE tracking_code = ?', undef, $t);

is $pg->refused($db, sub {
       $pg->person($db, $ali, 'letter_correct', Cluster::key(), $t, $q,
                   Cluster::file_list('z')) }),
   'CR422 file_id:file_id_wrong', 'only the file that was asked for';
is $pg->refused($db, sub {
       $pg->person($db, $ali, 'letter_correct', Cluster::key(), $t, $p,
                   Cluster::file_list('y', 'z')) }),
   'CR422 file:file_required', 'one file';
is $pg->refused($db, sub {
       $pg->person($db, $sara, 'letter_correct', Cluster::key(), $t, $p,
                   Cluster::file_list('z')) }),
   'CR404 not_found', 'not by another';
$pg->person($db, $ali, 'letter_correct', Cluster::key(), $t, $p,
            Cluster::file_list('z'));
is $pg->call($db, 'letters_show', $ali->{id}, $t)->[0]{status},
   'secretariat', 'the letter goes on';
is join(' ', map { $_->{name} }
        @{$pg->call($db, 'letters_files', $ali->{id}, $t)}),
   'q.jpg z.jpg', 'the file is replaced';
is $owner->selectrow_array('SELECT due_on FROM letters
       WHERE tracking_code = ?', undef, $t),
   $owner->selectrow_array('SELECT add_working_days(?::date, 4)', undef, $due),
   'the clock stood still meanwhile';

# Follow-up ------------------------------------------------------------------------

is $pg->refused($db, sub {
       $pg->person($db, $ali, 'letter_followup', Cluster::key(), $t, 'پیرو',
                   '[]') }),
   'CR409 followup_refused', 'no follow-up before the answer';
$pg->staff($db, $clerk, 'letter_reply', Cluster::key(), $t, 'پاسخ', 1, undef,
           '[]');
$pg->staff($db, $clerk, 'letter_close', Cluster::key(), $t, 'x');
my $key = Cluster::key();
$pg->person($db, $ali, 'letter_followup', $key, $t, 'پیرو',
            Cluster::file_list('n'));
ok $pg->person($db, $ali, 'letter_followup', $key, $t, 'پیرو',
               '[]')->[0]{repeated}, 'once';
$shown = $pg->call($db, 'clerk_letter_show', $clerk->{id}, $t)->[0];
ok !$shown->{is_closed}, 'a follow-up wakes the letter';
is $shown->{owner_name}, $pg->call($db, 'staff_show', $clerk->{id})
                            ->[0]{name}, 'with the clerk who had it';
is $shown->{status}, 'registered', 'unanswered again';

# Tracking ---------------------------------------------------------------------------

my $last4 = substr $ali->{mobile}, -4;
my $found = $pg->call($db, 'track', $t, $last4, '10.7.0.1')->[0];
is_deeply [sort keys %$found],
   [qw(created_at status updated_at verdict wait)], 'tracking: only the state';
is $found->{status}, 'registered', 'which is';

# Who knows one code does not get the guesses of the address back by it.

my $address = sub { scalar $owner->selectrow_array(
    q{SELECT failures FROM tries WHERE scope = 'track' AND key = '10.7.0.1'}) };

$pg->call($db, 'track', 10_000_000 + $_, '0000', '10.7.0.1') for 1 .. 7;
is $address->(), 7, 'guesses of an address';
is $pg->call($db, 'track', $t, $last4, '10.7.0.1')->[0]{verdict}, 'ok',
   'then one it knows';
is $address->(), 7, 'counts for itself alone';

my @tracks = map { $pg->call($db, 'track', $t, 9000 + $_,
                             "10.7.1.$_")->[0]{verdict} } 1 .. 8;
is "@tracks", 'unknown unknown unknown unknown unknown wait wait wait',
   'guessing the digits of one code, from anywhere, is slowed';

# Files ------------------------------------------------------------------------------

my $sha = '61' x 32;
is $pg->call($db, 'file_removal_begin', $sha)->[0]{ok}, 0,
   'a file with a row stays';
my $free = '7b' x 32;
is_deeply [map { $_->{sha256} } @{$pg->call($db, 'files_unreferenced',
               "[\"$sha\",\"$free\"]")}], [$free], 'orphans';
is $pg->call($db, 'file_removal_begin', $free)->[0]{ok}, 1, 'may go';
is $pg->refused($db, sub {
       $pg->send_letter($db, $ali, limits => $more,
                        files => Cluster::file_list('{')) }),
   'CR503 file_busy', 'no row for a file that is being removed';
$pg->call($db, 'file_removal_end', $free);
ok $pg->send_letter($db, $ali, limits => $more,
                    files => Cluster::file_list('{')), 'afterwards again';

my $known = $pg->call($db, 'store_known')->[0];
like $known->{id}, qr/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
   'the database has an id';
is $known->{marked}, 0, 'no store bears it yet';
is $known->{files}, 1, 'there are files';
is $pg->call($db, 'store_marked')->[0]{ok}, 1, 'now one does';
is $pg->call($db, 'store_marked')->[0]{ok}, 0, 'once';
is_deeply $pg->call($db, 'store_known')->[0], { %$known, marked => 1 },
   'which stays known';
ok !eval { $db->do('UPDATE installation SET id = gen_random_uuid()') },
   'an id that the portal cannot change';

# Tickets ----------------------------------------------------------------------------

my @ticket = (Cluster::key(), 'موضوع', 'متن', Cluster::file_list('t'));
my $ticket = $pg->person($db, $ali, 'ticket_create', @ticket)->[0];
is $pg->person($db, $ali, 'ticket_create', @ticket)->[0]{ticket_number},
   $ticket->{ticket_number}, 'one ticket';
my $number = $ticket->{ticket_number};
is @{$pg->call($db, 'tickets_show', $sara->{id}, $number)}, 0, 'not another’s';
is $pg->refused($db, sub {
       $pg->person($db, $sara, 'ticket_message', Cluster::key(), $number,
                   'x', '[]') }), 'CR404 not_found', 'nor to be answered';
my ($file) = map { $_->{file_id} }
    @{$pg->call($db, 'tickets_message_files', $ali->{id}, $number)};
is @{$pg->call($db, 'files_show', $ali->{id}, $file)}, 1, 'its file is mine';
is @{$pg->call($db, 'files_show', $sara->{id}, $file)}, 0, 'not hers';
is @{$pg->call($db, 'clerk_files_show', $clerk->{id}, $file)}, 1, 'a clerk’s';
$pg->staff($db, $clerk, 'ticket_reply', Cluster::key(), $number, 'جواب', '[]');
is $pg->call($db, 'desk_tickets', $ali->{id})->[0]{open_tickets}, 1, 'news';
$pg->person($db, $ali, 'ticket_seen', $number);
is $pg->call($db, 'desk_tickets', $ali->{id})->[0]{open_tickets}, 0, 'read';
$pg->person($db, $ali, 'ticket_message', Cluster::key(), $number, 'باز', '[]');
is $pg->call($db, 'clerk_tickets', 'open', undef, 10)->[0]{ticket_number},
   $number, 'open again';
$pg->staff($db, $clerk, 'ticket_close', $number);
is $pg->refused($db, sub {
       $pg->person($db, $ali, 'ticket_message', Cluster::key(), $number,
                   'x', '[]') }), 'CR409 ticket_closed', 'closed';

# Identity that waits ------------------------------------------------------------------

my $new = $pg->make_person($db);
$pg->person($db, $new, 'identity_ask', 'mobile', 5,
    undef, undef, undef);
is $pg->identity($db, $new, 'mobile', 'unknown')->{step_state}, 'pending',
   'unknown: pending';
is @{$pg->call($db, 'identity_claim', 10, 60)}, 0, 'not at once';
is $pg->person($db, $new, 'identity_ask', 'mobile', 5,
    undef, undef, undef)->[0]{verdict}, 'asked', 'nor by the person';
$owner->do('UPDATE identity_tasks SET next_at = now()');
$owner->do(q{UPDATE persons SET status = 'blocked' WHERE id = ?}, undef,
           $new->{id});
is @{$pg->call($db, 'identity_claim', 10, 60)}, 0, 'nor for one who is blocked';
$owner->do(q{UPDATE persons SET status = 'active' WHERE id = ?}, undef,
           $new->{id});
my @tasks = $pg->parallel(10, sub {
    my ($dbh) = @_;
    $pg->{statements} = undef;
    scalar @{$pg->call($dbh, 'identity_claim', 10, 60)};
});
is eval { my $sum = 0; $sum += $_ for @tasks; $sum }, 1,
   'ten relays: one asks again';
is $pg->identity($db, $new, 'mobile', 'yes', relay => 1)->{level}, 2, 'yes';
is $owner->selectrow_array(q{SELECT count(*) FROM messages
       WHERE person_id = ? AND template = 'identity_done'}, undef,
       $new->{id}), 1, 'and the person is told';
is $owner->selectrow_array('SELECT count(*) FROM identity_tasks'), 0,
   'no task is left';
$pg->identity($db, $new, 'mobile', 'unknown');
is $pg->call($db, 'person_guard', @$new{qw(id epoch)})->[0]{level}, 2,
   'a later unknown takes nothing away';
$pg->identity($db, $new, 'registry', 'no', reason => 'mismatch') for 1 .. 3;
is $pg->person($db, $new, 'identity_ask', 'registry', 3,
    undef, undef, undef)->[0]{verdict},
   'wait', 'three answers a day';
is $pg->person($db, $new, 'birth_date_set', '1991-01-01')->[0]{ok}, 1,
   'the birth date can be corrected';

# The registry's yes is for the birth date it was asked for.
is $pg->identity($db, $new, 'registry', 'yes')->{step_state}, 'stale',
   'a yes for the birth date of before';
is $pg->call($db, 'person_guard', @$new{qw(id epoch)})->[0]{level}, 2,
   'raises nobody';
is $owner->selectrow_array('SELECT registry_step FROM persons WHERE id = ?',
                           undef, $new->{id}), 'open', 'nor is the step done';

for my $step (qw(yes skipped)) {
    my $sure = $pg->make_person($db, level => 3);

    $owner->do('UPDATE persons SET registry_step = ? WHERE id = ?', undef,
               $step, $sure->{id});
    is $pg->refused($db, sub {
           $pg->person($db, $sure, 'birth_date_set', '1991-01-01') }),
       'CR409 identity_done', "no other birth date once it is $step";
    is $owner->selectrow_array('SELECT birth_date FROM persons WHERE id = ?',
                               undef, $sure->{id}), '1990-03-21', 'it stays';
}

# Many questions at once are one, with a birth date of their own each as well.
for my $with ('nothing', 'a birth date') {
    my $many = $pg->make_person($db);
    my $step = $with eq 'nothing' ? 'mobile' : 'registry';

    $pg->identity($db, $many, 'mobile', 'yes') if $step eq 'registry';

    my @asked = $pg->parallel(10, sub {
        my ($dbh, $i) = @_;
        my $verdict;

        $pg->{statements} = undef;
        $dbh->begin_work;
        $pg->call($dbh, 'person_guard_write', @$many{qw(id epoch)}, 1,
                  '10.0.0.9');
        $pg->call($dbh, 'birth_date_set', "1991-01-0$i")
            if $step eq 'registry' && $i;
        $verdict = $pg->call($dbh, 'identity_ask', $step, 5,
                             undef, undef, undef)->[0]{verdict};
        $dbh->commit;
        $verdict;
    });

    is join(' ', sort @asked), 'ask' . ' asked' x 9,
       "ten questions with $with at once: one is asked";
    is $owner->selectrow_array(q{SELECT count(*) FROM identity_tasks
           WHERE person_id = ? AND next_at < now() + interval '1 minute'},
           undef, $many->{id}), 1, 'and asked again if no answer comes';
}

# A company whose gateway is silent ---------------------------------------------------

sub legal_letter {
    my (%as) = @_;
    my @legal = Cluster::legal_form();

    @legal[6, 7, 8, 12] = ($as{name} // 'شرکت نمونه', $as{id} // '10380284790',
                           $as{number} // '12345', $as{checked});
    $legal[1] = $as{draft};
    $legal[14] = $more;
    return $pg->person($db, $ali, 'letter_submit', @legal)->[0]{tracking_code};
}

sub of_letter {
    my ($column, $code) = @_;

    return $owner->selectrow_array("SELECT $column FROM letters
        WHERE tracking_code = ?", undef, $code);
}

sub claimed {
    $owner->do(q{UPDATE companies SET check_next_at = now()
                  WHERE check_state = 'pending'});
    return @{$pg->call($db, 'company_claim', 9, 60)};
}

sub answered {
    my ($t, $verdict, @told) = @_;

    return $pg->call($db, 'company_result', $t->{company_id},
        $t->{national_id}, $t->{name}, $t->{registration_number}, $verdict,
        $verdict eq 'yes' ? undef : 'timeout', 'z', 'r', $told[0],
        $told[1])->[0]{state};
}

my $firm = legal_letter(name => 'بانک مرکزی');
my $other = legal_letter(name => 'بانک مرکزی', number => '99999');
my $again = legal_letter(name => 'بانک مرکزی', number => '0012345');
is @{$pg->call($db, 'company_claim', 9, 60)}, 0, 'asked again, not at once';
my ($task) = claimed();
is $task->{national_id}, '10380284790', 'but later';
is answered($task, 'unknown'), 'pending', 'still silent';
ok !of_letter('company_checked', $firm), 'nothing is proven';
my $words = of_letter('search', $firm);
is answered($task, 'yes', 'شرکت نمونه', '12345'), 'yes', 'it answers';
ok of_letter('company_checked', $firm), 'the letter that went before';
is of_letter('company_name', $firm), 'شرکت نمونه', 'has the registry’s name';
is of_letter('version', $firm), 2, 'it has changed';
isnt of_letter('search', $firm), $words, 'and is found by that name';
ok of_letter('company_checked', $again), 'zeros in front say nothing';
ok !of_letter('company_checked', $other), 'another number is not that company’s';
is of_letter('company_name', $other), 'بانک مرکزی', 'nor its name';
is $owner->selectrow_array(q{SELECT details ->> 'typed' FROM audit
       WHERE action = 'company_checked' AND object = 'letter'
         AND object_id = ?}, undef, $firm), 'بانک مرکزی',
   'the audit keeps what was typed';
is claimed(), 0, 'it is asked no more';

my $later = legal_letter(name => 'نام دیگر');
($task) = claimed();
ok $task, 'silent again: asked again, though it was a yes once';
legal_letter(name => 'نام دیگر', checked => 1);
is answered($task, 'yes'), 'yes', 'a yes for a later letter loses no question';
ok of_letter('company_checked', $later), 'the name that was asked';

my $first = legal_letter(id => '10101234567', name => 'یکم');
my $second = legal_letter(id => '10101234567', name => 'دوم');
($task) = claimed();
is answered($task, 'yes'), 'yes', 'a gateway that tells no name';
ok of_letter('company_checked', $second), 'has compared the one it was asked';
ok !of_letter('company_checked', $first), 'and no other';

legal_letter(id => '10101234568', number => '7');
($task) = claimed();
is answered($task, 'yes', 'دیگری', '8'), 'no', 'another number told: a no';

my $moved = legal_letter(id => '10101234569', number => '7');
($task) = claimed();
legal_letter(id => '10101234569', number => '8');
is answered($task, 'yes', 'شرکت', '7'), 'stale', 'asked for another number';
ok !of_letter('company_checked', $moved), 'proves nothing';
is claimed(), 1, 'and is asked again';

is $owner->selectrow_array(q{SELECT count(*) FROM identity_evidence
       WHERE step = 'company' AND company_national_id = '10101234569'
         AND registration_number = '7' AND verdict = 'yes' AND reason IS NULL
         AND provider = 'z' AND provider_ref = 'r'}), 1,
   'the evidence is kept, with the number it is for';

# What a gateway said while the form was filled in, behind the letter in one
# transaction, which is sent again when its answer was lost.

my @told = Cluster::legal_form();

$told[7] = '10101234570';

for (1 .. 2) {
    $db->begin_work;
    $pg->call($db, 'person_guard_write', $ali->{id}, $ali->{epoch} // 1, 1, '1');
    $pg->call($db, 'letter_submit', @told);
    $pg->call($db, 'company_evidence', $told[7], '12345', 'yes', undef, 'zohal',
              'ref-1');
    $db->commit;
}

is $owner->selectrow_array(q{SELECT count(*) FROM identity_evidence
       WHERE company_national_id = ?}, undef, $told[7]), 1,
   'the evidence of a letter that comes twice is there once';

# a proven position holds for the company as it was shown to the clerk

my $prover = $pg->make_staff('clerk');
my $judged = legal_letter();
$pg->staff($db, $prover, 'letter_prove_position', Cluster::key(), $judged);
ok of_letter('position_proven', $judged), 'a position is proven';
ok of_letter('position_proven', legal_letter()), 'for the next letter as well';
my $typed = legal_letter(name => 'نامی که کسی ندیده');
ok !of_letter('position_proven', $typed), 'not under another name';
ok !of_letter('position_proven', legal_letter(number => '999')),
   'nor with another number';
$pg->staff($db, $prover, 'letter_prove_position', Cluster::key(),
           legal_letter(name => 'نامی که کسی ندیده', id => '10101234569'));
ok !of_letter('position_proven', legal_letter(id => '10101234569',
                                              checked => 1)),
   'nor, from a name that was only typed, under the one a gateway knows';

# a checked draft, sent with another company typed over it

my $drafted = $pg->person($db, $ali, 'draft_save', undef,
    '{"checked":true,"company_checked":true,"company_national_id":"10380284790"}',
    Cluster::file_list('d'), undef)->[0]{draft};
ok !of_letter('company_checked', legal_letter(draft => $drafted,
       id => '10101234561')), 'a draft’s yes is its own company’s';

# A new mobile -------------------------------------------------------------------------

$owner->do('TRUNCATE codes CASCADE');
is $pg->refused($db, sub {
       $pg->person($db, $ali, 'mobile_request', $ali->{mobile}, 'b', '1',
                   'c', 's', '{}') }),
   'CR422 mobile:mobile_unchanged', 'the same mobile';
$pg->person($db, $ali, 'mobile_request', '09129876543', 'b', '1', 'c', 's',
            '{}');
is $pg->person($db, $sara, 'mobile_verify', 'b', 'c', '{}')->[0]{verdict},
   'expired', 'a code for another person';
is join(' ', $owner->selectrow_array('SELECT mobile, session_epoch
                                        FROM persons WHERE id = ?', undef,
                                     $sara->{id})),
   "$sara->{mobile} $sara->{epoch}", 'changes nothing of theirs';
$owner->do('TRUNCATE codes CASCADE');
$pg->person($db, $ali, 'mobile_request', '09129876543', 'b', '1', 'c', 's',
            '{}');
my $changed = $pg->person($db, $ali, 'mobile_verify', 'b', 'c', '{}')->[0];
is $changed->{verdict}, 'ok', 'a new mobile';
$ali->{epoch} = $changed->{session_epoch};
is $pg->call($db, 'person_guard', $ali->{id}, $ali->{epoch})->[0]{level}, 1,
   'back at level 1';
is $owner->selectrow_array(q{SELECT count(*) FROM messages
       WHERE template = 'mobile_changed' AND mobile = ?}, undef,
       $ali->{mobile}), 1, 'the old number is told';
$ali->{mobile} = '09129876543';
is $pg->identity($db, $ali, 'mobile', 'yes')->{level}, 3,
   'the new one proven: level 3 again, the person is the same';

done_testing;
