#!/usr/bin/perl

# The main job in SQL: sign-up, identity, letter, register, reply; what the
# citizen, the clerk and the phone see of it.

use strict;
use warnings;
use utf8;

use FindBin;
use lib $FindBin::Bin;
use Test::More;

use Cluster;

my $pg = Cluster->new;
my $db = $pg->db;

# Sign-up ----------------------------------------------------------------------

my $code = Cluster::national_code(123456);

my $sent = $pg->call($db, 'signup_request', $code, '09121111111',
                     '1990-03-21', 'b1', '10.0.0.1', 'right', 'secret',
                     '{}')->[0];
is $sent->{verdict}, 'sent', 'a code is made';
is $sent->{resend}, 60, 'the next one in a minute';

my $wrong = $pg->call($db, 'signup_verify', 'b1', 'wrong', '{}',
                      '10.0.0.1')->[0];
is $wrong->{verdict}, 'wrong', 'a wrong code';
is $wrong->{tries_left}, 4, 'four tries left';

my $other = $pg->call($db, 'signup_verify', 'b2', 'right', '{}',
                      '10.0.0.1')->[0];
is $other->{verdict}, 'expired', 'the right code in another browser';

my $made = $pg->call($db, 'signup_verify', 'b1', 'right', '{}',
                     '10.0.0.1')->[0];
is $made->{verdict}, 'ok', 'the right code';
ok $made->{created}, 'a new account';

my $again = $pg->call($db, 'signup_verify', 'b1', 'right', '{}',
                      '10.0.0.1')->[0];
is $again->{verdict}, 'expired', 'a code works once';

my $me = { id => $made->{person_id}, epoch => $made->{session_epoch},
           national_code => $code, mobile => '09121111111' };

my $guard = $pg->call($db, 'person_guard', @$me{qw(id epoch)})->[0];
is $guard->{level}, 1, 'level 1';
is $guard->{name}, undef, 'no name before level 3';
ok !$guard->{has_password}, 'no password yet';
is @{$pg->call($db, 'person_guard', $me->{id}, $me->{epoch} + 1)}, 0,
   'another epoch: no session';

# A password -------------------------------------------------------------------

my $epoch = $pg->person($db, $me, 'password_set', undef, '$argon2id$one')
               ->[0]{session_epoch};
is $epoch, $me->{epoch} + 1, 'the first password ends other sessions';
is $pg->refused($db, sub { $pg->person($db, $me, 'password_set', undef, 'x') }),
   'CR401 session_ended', 'the old epoch is over';
$me->{epoch} = $epoch;
is $pg->refused($db, sub { $pg->person($db, $me, 'password_set', undef, 'x') }),
   'CR409 conflict', 'a change needs the password that was';

my $try = $pg->call($db, 'login_try', $code, 'b1', '10.0.0.1')->[0];
is $try->{verdict}, 'try', 'log-in may be tried';
is $try->{password_hash}, '$argon2id$one', 'against the hash';
my $in = $pg->call($db, 'login_done', $code, $try->{id},
                   '$argon2id$one', 'b1', '10.0.0.1')->[0];
ok $in->{ok}, 'in';

# Identity ---------------------------------------------------------------------

is $pg->refused($db, sub {
       $pg->person($db, { %$me, level => 3 }, 'letter_submit',
                   Cluster::letter_form()) }),
   'CR403 identity_needed', 'no letter at level 1';

my $ask = $pg->person($db, $me, 'identity_ask', 'registry', 5,
    undef, undef, undef)->[0];
is $ask->{verdict}, 'first', 'the mobile comes first';
$ask = $pg->person($db, $me, 'identity_ask', 'mobile', 5,
    undef, undef, undef)->[0];
is $ask->{verdict}, 'ask', 'the mobile is asked about';
is $ask->{mobile}, $me->{mobile}, 'this one';

is $pg->identity($db, $me, 'mobile', 'yes')->{level}, 2, 'level 2';
is $pg->identity($db, $me, 'registry', 'yes')->{level}, 3, 'level 3';
$guard = $pg->call($db, 'person_guard', @$me{qw(id epoch)})->[0];
is $guard->{name}, 'علی رضایی', 'the names show';

# The letter -------------------------------------------------------------------

my @form = Cluster::letter_form(key => 'submission-1');
my $letter = $pg->person($db, { %$me, level => 3 }, 'letter_submit',
                         @form)->[0];
like $letter->{tracking_code}, qr/^[1-9][0-9]{7}$/, 'a tracking code';
ok !$letter->{repeated}, 'the first time';

my $twice = $pg->person($db, $me, 'letter_submit', @form)->[0];
is $twice->{tracking_code}, $letter->{tracking_code}, 'sent twice: one letter';
ok $twice->{repeated}, 'and it says so';
is $pg->call($db, 'letters_count', $me->{id})->[0]{letters}, 1, 'one letter';
is $pg->call($db, 'submission_find', $me->{id}, 'submission-1')
      ->[0]{result}, $letter->{tracking_code}, 'found by its key';

my $t = $letter->{tracking_code};
my $none = [@form]; $none->[0] = 'submission-2'; $none->[13] = '[]';
is $pg->refused($db, sub { $pg->person($db, $me, 'letter_submit', @$none) }),
   'CR422 file:file_required', 'no letter without a file';

my $list = $pg->call($db, 'letters_list', $me->{id}, 21, 0);
is @$list, 1, 'on the list';
is $list->[0]{status}, 'registered', 'as registered';

# As a company -----------------------------------------------------------------

my $company = $pg->person($db, $me, 'letter_submit', Cluster::legal_form())
                 ->[0];
my $shown = $pg->call($db, 'letters_show', $me->{id},
                      $company->{tracking_code})->[0];
is $shown->{company_name}, 'شرکت نمونه', 'a company’s letter';
ok !$shown->{position_proven}, 'the position is not proven';
is $pg->call($db, 'companies_list', $me->{id})->[0]{company_national_id},
   '10380284790', 'the company is remembered';

# The clerk --------------------------------------------------------------------

my $clerk = $pg->make_staff('clerk', name => 'منشی');

my $login = $pg->call($db, 'staff_login_try', 'CLERK1', 'cb', '10.0.0.8');
my $tabs = $pg->call($db, 'clerk_tabs', $clerk->{id}, 100);
is join(' ', map { "$_->{tab}:$_->{count}" } @$tabs),
   'new:2 mine:0 unit:0 referred:0 late:0 undelivered:0', 'tabs';
my $inbox = $pg->call($db, 'clerk_inbox', $clerk->{id}, 'new', (undef) x 5,
                      51);
is $inbox->[1]{tracking_code}, $t, 'in the inbox, newest first';
is $inbox->[1]{person_name}, 'علی رضایی', 'by whom';

my $open = $pg->staff($db, $clerk, 'clerk_letter_open', $t);
my $view = $pg->call($db, 'clerk_letter_show', $clerk->{id}, $t)->[0];
ok $view->{can_register} && $view->{can_take} && $view->{can_reply},
   'what may be done';
is $pg->call($db, 'clerk_letter_files', $t)->[0]{media_type}, 'image/jpeg',
   'its file';

my @reg = ('register-1-key', $t, 'main');
my $number = $pg->staff($db, $clerk, 'letter_register', @reg)->[0];
is $number->{register_number}, 1, 'number one';
my ($year) = $db->selectrow_array(
    'SELECT year FROM jalali_days WHERE day = today()');
is $number->{register_year}, $year, 'of this Jalali year';
my $same = $pg->staff($db, $clerk, 'letter_register', 'another-key', $t,
                      'main')->[0];
is $same->{register_number}, 1, 'again: the same number';
ok $same->{repeated}, 'and it says so';
is $pg->refused($db, sub {
       $pg->staff($db, $clerk, 'letter_register', Cluster::key(),
                  $company->{tracking_code}, 'nobook') }),
   'CR422 book:register_book_unknown', 'an unknown book';

$pg->staff($db, $clerk, 'letter_note', Cluster::key(), $t, 'محرمانه');
$pg->staff($db, $clerk, 'letter_reply', Cluster::key(), $t,
           'درخواست شما تأیید شد.', 1, undef, Cluster::file_list('r'));

# What the citizen has of it ---------------------------------------------------

$list = $pg->call($db, 'letters_list', $me->{id}, 21, 0);
is $list->[1]{status}, 'answered', 'answered';
is $list->[1]{new_answers}, 2, 'two new answers';
is $pg->call($db, 'person_guard', @$me{qw(id epoch)})->[0]{unread}, 1,
   'one letter with news';

my $events = $pg->call($db, 'letters_events', $me->{id}, $t);
is join(' ', map { $_->{kind} } @$events), 'letter_sent registered reply',
   'the thread, without the note';
is $events->[1]{register_number}, 1, 'the register number';
is $events->[2]{body}, 'درخواست شما تأیید شد.', 'the reply';
ok $events->[2]{is_unread}, 'new';
is $events->[2]{sms_state}, 'queued', 'its SMS';
is @{$pg->call($db, 'letters_event_files', $me->{id}, $t)}, 1,
   'the file of the reply';

is $pg->person($db, $me, 'letter_seen', $t, $events->[1]{event_id})->[0]{ok},
   0, 'a page that was made before the reply has not shown it';
is $pg->call($db, 'person_guard', @$me{qw(id epoch)})->[0]{unread}, 1,
   'nor is it read';
is $pg->person($db, $me, 'letter_seen', $t, 0)->[0]{ok}, 0,
   'nor by one that showed nothing';
is $pg->person($db, $me, 'letter_seen', $t, $events->[-1]{event_id})
      ->[0]{ok}, 1, 'one that did has';
is $pg->call($db, 'person_guard', @$me{qw(id epoch)})->[0]{unread}, 0, 'read';
ok !$pg->call($db, 'letters_events', $me->{id}, $t)->[2]{is_unread},
   'not new any more';

# Someone else's ----------------------------------------------------------------

my $stranger = $pg->make_person($db, level => 3);

for my $name (qw(letters_show letters_events letters_files letters_sent
                 letters_event_files letters_correction letters_receipt
                 letters_receipt_files))
{
    is @{$pg->call($db, $name, $stranger->{id}, $t)}, 0,
       "$name: nothing for a stranger";
}

my $file = $pg->call($db, 'letters_files', $me->{id}, $t)->[0]{file_id};
is @{$pg->call($db, 'files_show', $me->{id}, $file)}, 1, 'my file';
is @{$pg->call($db, 'files_show', $stranger->{id}, $file)}, 0,
   'not a stranger’s';
is $pg->refused($db, sub {
       $pg->person($db, $stranger, 'letter_followup', Cluster::key(), $t,
                   'متن', '[]') }),
   'CR404 not_found', 'no follow-up to another’s letter';

# The phone ----------------------------------------------------------------------

my $claimed = $pg->call($db, 'messages_claim', 100, 30, 'node', undef);
is $claimed->[0]{template}, 'code', 'codes first';
my ($to_me) = grep { $_->{mobile} eq $me->{mobile}
                     && $_->{template} ne 'code' } @$claimed;
is $to_me->{template}, 'letter_sent', 'then the first message to this mobile';
is scalar(grep { $_->{mobile} eq $me->{mobile} && $_->{template} ne 'code' }
          @$claimed), 1, 'and no other before it';

for my $m (@$claimed) {
    $pg->call($db, 'message_result', $m->{id}, $m->{tries}, 'sent', 'double',
              "p$m->{id}", undef, 150, 'متن', 1);
}

$claimed = $pg->call($db, 'messages_claim', 100, 30, 'node', undef);
is $claimed->[0]{template}, 'letter_sent', 'the company’s letter';

# Audit ----------------------------------------------------------------------------

my $sealed = $pg->call($db, 'audit_seal', 1000)->[0];
cmp_ok $sealed->{sealed}, '>', 10, 'lines sealed';
my $proof = $pg->call($db, 'audit_verify', $sealed->{seq}, $sealed->{head})
               ->[0];
ok $proof->{ok}, 'the chain holds';

done_testing;
