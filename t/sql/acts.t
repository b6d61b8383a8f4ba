#!/usr/bin/perl

# Every act leaves its line in the audit: who, what, which, from where.  Each
# is done once, as the portal does it, and the lines that it leaves are
# compared, all of them.  An action in sql/functions that no act here leaves
# fails the test.

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

my $many = '{"interval":0,"letters_day":999}';
my ($seen) = (0);
my %left;


# Does an act; the lines it left, one behind the other.  The expected ones may
# be told by what the act gave.  NULL is written "-".
sub leaves {
    my ($what, $act, $expected) = @_;
    my $gave = $act->();
    my @lines;

    for (@{$owner->selectall_arrayref(
        'SELECT id, actor, actor_id, action, object, object_id, address
           FROM audit WHERE id > ? ORDER BY id', undef, $seen)})
    {
        my @line = @$_;

        $seen = shift @line;
        $left{$line[2]} = 1;
        push @lines, join ' ', map { $_ // '-' } @line;
    }

    $expected = $expected->($gave) if ref $expected;
    is join(', ', @lines), $expected, $what;

    return $gave;
}


# The acts of one person, one of the staff, or of nobody: the statement and
# what it takes.
sub person_leaves {
    my ($who, $expected, $name, @params) = @_;

    return leaves($name, sub { $pg->person($db, $who, $name, @params)->[0] },
        sub { "person $who->{id} " . of($expected, $_[0]) . ' 10.0.0.9' });
}


sub staff_leaves {
    my ($who, $expected, $name, @params) = @_;

    return leaves($name, sub { $pg->staff($db, $who, $name, @params)->[0] },
        sub { join ', ', map { "staff $who->{id} $_ 10.0.0.8" }
                         split /, /, of($expected, $_[0]) });
}


sub of { ref $_[0] ? $_[0]->($_[1]) : $_[0] }


sub call_leaves {
    my ($what, $expected, $name, @params) = @_;

    return leaves($what, sub { $pg->call($db, $name, @params)->[0] },
                  $expected);
}


sub bare { return scalar $owner->selectrow_array(@_) }

sub last_details {
    return bare('SELECT details::text FROM audit ORDER BY id DESC LIMIT 1');
}


# Ways in ------------------------------------------------------------------------

my %ali = (national_code => Cluster::national_code(300),
           mobile => '09120000300');

call_leaves('a code asked for', 'nobody - code_asked code signup 10.1.0.1',
            'signup_request', @ali{qw(national_code mobile)}, '1990-03-21',
            'b', '10.1.0.1', 'right', 's', $many);
call_leaves('a wrong one', 'nobody - code_wrong code signup 10.1.0.1',
            'signup_verify', 'b', 'wrong', '{}', '10.1.0.2');
@ali{qw(id epoch)} = @{call_leaves('the right one',
    sub { my $id = $_[0]{person_id};
          "person $id signup person $id 10.1.0.2" },
    'signup_verify', 'b', 'right', '{}', '10.1.0.2')}
    {qw(person_id session_epoch)};
call_leaves('no more codes today',
            'system - code_total_full code - 10.1.0.1', 'code_request',
            'login', @ali{qw(national_code mobile)}, 'b', '10.1.0.1', 'c', 's',
            '{"interval":0,"total_day":1}');
call_leaves('a code to log in', 'nobody - code_asked code login 10.1.0.1',
            'code_request', 'login', @ali{qw(national_code mobile)}, 'b',
            '10.1.0.1', 'right', 's', $many);
call_leaves('another one', 'nobody - code_asked code login 10.1.0.1',
            'code_resend', 'login', 'b', '10.1.0.1', 'right', 's', $many);
call_leaves('logged in by it',
            "person $ali{id} login_code person $ali{id} 10.1.0.2",
            'login_code_verify', 'b', 'right', '{}', '10.1.0.2');

$ali{epoch} = person_leaves(\%ali, "password_set person $ali{id}",
                            'password_set', undef, 'hash')->{session_epoch};
$ali{epoch} = person_leaves(\%ali, "password_changed person $ali{id}",
                            'password_set', 'hash', 'other')->{session_epoch};
call_leaves('a wrong password',
            "nobody - login_failed person $ali{id} 10.1.0.3", 'login_done',
            $ali{national_code}, $ali{id}, undef, 'b', '10.1.0.3');
call_leaves('of nobody', 'nobody - login_failed person - 10.1.0.3',
            'login_done', Cluster::national_code(301), undef, undef, 'b',
            '10.1.0.3');
call_leaves('the right one', "person $ali{id} login person $ali{id} 10.1.0.3",
            'login_done', $ali{national_code}, $ali{id}, 'other', 'b',
            '10.1.0.3');
call_leaves('a code to recover', 'nobody - code_asked code recover 10.1.0.1',
            'code_request', 'recover', @ali{qw(national_code mobile)}, 'b',
            '10.1.0.1', 'right', 's', $many);
call_leaves('which is right', '', 'recover_verify', 'b', 'right', '{}',
            '10.1.0.1');
$ali{epoch} = call_leaves('a new password',
            "person $ali{id} recover person $ali{id} 10.1.0.4",
            'recover_password', 'b', 'third', '10.1.0.4')->{session_epoch};

$ali{epoch} = person_leaves(\%ali, "sessions_ended person $ali{id}",
                            'sessions_end')->{session_epoch};
person_leaves(\%ali, "session_ended person $ali{id}", 'session_ended');
person_leaves(\%ali, "logout person $ali{id}", 'logout');
call_leaves('a refusal', 'nobody - refused route /desk 10.1.0.5',
            'audit_refused', 'nobody', undef, '/desk', '10.1.0.5');

# Identity and the person's own data -----------------------------------------------

person_leaves(\%ali, "birth_date_changed person $ali{id}", 'birth_date_set',
              '1991-03-21');
leaves('the same date again',
       sub { $pg->person($db, \%ali, 'birth_date_set', '1991-03-21') }, '');
person_leaves(\%ali, "birth_date_changed person $ali{id}", 'birth_date_set',
              '1990-03-21');
leaves('Shahkar’s answer', sub { $pg->identity($db, \%ali, 'mobile', 'yes') },
       "person $ali{id} identity_mobile person $ali{id} 10.0.0.1");
leaves('the registry’s, later',
       sub { $pg->identity($db, \%ali, 'registry', 'yes', relay => 1) },
       "system $ali{id} identity_registry person $ali{id} 10.0.0.1");
is bare(q{SELECT details::text FROM audit WHERE action = 'identity_registry'}),
   '{"level": 3, "verdict": "yes"}', 'with what it said';

person_leaves(\%ali, "profile_saved person $ali{id}", 'profile_save', 'تهران',
              '', '');
leaves('a code for a new mobile', sub {
    $pg->person($db, \%ali, 'mobile_request', '09120000333', 'b', '10.1.0.1',
                'right', 's', $many) },
    'nobody - code_asked code mobile 10.1.0.1');
$ali{epoch} = person_leaves(\%ali, "mobile_changed person $ali{id}",
                            'mobile_verify', 'b', 'right', '{}')
                  ->{session_epoch};

# A national code that has an account already.

for my $verdict (qw(no unknown yes)) {
    my $claim;

    $pg->call($db, 'signup_request', $ali{national_code}, '09120000344',
              '1990-03-21', "c$verdict", '10.1.0.6', 'right', 's', $many);
    $claim = $pg->call($db, 'signup_verify', "c$verdict", 'right', '{}',
                       '10.1.0.6')->[0]{claim};
    leaves('a code asked for', sub { },
           'nobody - code_asked code signup 10.1.0.6');
    call_leaves("Shahkar: $verdict", $verdict eq 'yes'
        ? "person $ali{id} claim_yes person $ali{id} 10.1.0.7, "
          . "person $ali{id} signup person $ali{id} 10.1.0.7"
        : "nobody - claim_$verdict person $ali{id} 10.1.0.7",
        'signup_claim', $claim, "c$verdict", $verdict, 'p', 'r', '10.1.0.7');
}

$ali{epoch} = bare('SELECT session_epoch FROM persons WHERE id = ?', undef,
                   $ali{id});
$pg->identity($db, { %ali, mobile => '09120000344' }, 'mobile', 'yes');

# Staff and their ways in ------------------------------------------------------------

my @staff;

$seen = bare('SELECT max(id) FROM audit');
leaves('whom a script makes', sub {
    push @staff, $pg->make_staff($_, unit => $_ eq 'expert' ? 'legal' : undef)
        for qw(clerk expert manager admin) },
    sub { join ', ', map { "owner - staff_ready staff $_->{id} -" } @staff });

my ($clerk, $expert, $manager, $admin) = @staff;
my $first = bare(q{SELECT staff_bootstrap('first', 'نام', 'admin', NULL,
    sha256('a'), 48)});

leaves('the first administrator', sub { },
       "owner - staff_bootstrap staff $first -");
my $epoch = call_leaves('a link’s password',
            "staff $first invitation_password staff $first 10.2.0.1",
            'invitation_password', 'a', 'hash', 'totp', '10.2.0.1')->{epoch};
call_leaves('and its authenticator',
            "staff $first staff_login staff $first 10.2.0.2, "
            . "staff $first invitation_done staff $first 10.2.0.2",
            'invitation_done', 'a', $epoch, 7, 'b', '10.2.0.2');

call_leaves('a wrong password',
            "nobody - staff_login_failed staff $clerk->{id} 10.2.0.3",
            'staff_login_done', 'x', $clerk->{id}, undef, 'b', '10.2.0.3');
is bare(q{SELECT details ->> 'username' FROM audit
           WHERE action = 'staff_login_failed'}), 'x', 'under which name';
call_leaves('wrong digits',
            "nobody - staff_totp_failed staff $clerk->{id} 10.2.0.4",
            'staff_totp_done', $clerk->{id}, 1, undef, 'b', '10.2.0.4', undef);
call_leaves('the right ones',
            "staff $clerk->{id} staff_login staff $clerk->{id} 10.2.0.4",
            'staff_totp_done', $clerk->{id}, 1, 9, 'b', '10.2.0.4', undef);
staff_leaves($clerk, "staff_logout staff $clerk->{id}", 'staff_logout');

# A letter's way ------------------------------------------------------------------------

sub code_of { $_[0]{tracking_code} }

my $t = code_of(person_leaves(\%ali,
    sub { 'letter_submitted letter ' . code_of($_[0]) }, 'letter_submit',
    Cluster::letter_form(limits => $many)));
my ($file) = map { $_->{file_id} }
             @{$pg->call($db, 'letters_files', $ali{id}, $t)};


sub of_letter {
    my ($who, $action, $name, @params) = @_;

    return staff_leaves($who, "$action letter $t", $name, Cluster::key(), $t,
                        @params);
}


call_leaves('a guess at a code', 'nobody - track_failed letter - 10.3.0.1',
            'track', $t, '0000', '10.3.0.1');
leaves('the sender’s look at a file', sub {
    $db->begin_work;
    $pg->call($db, 'person_guard_note', @ali{qw(id epoch)}, 1, '10.3.0.2');
    $pg->call($db, 'file_read', $ali{id}, $file);
    $db->commit },
    "person $ali{id} file_read file $file 10.3.0.2");
staff_leaves($clerk, "letter_viewed letter $t", 'clerk_letter_open', $t);
staff_leaves($clerk, "file_read file $file", 'clerk_file_read', $clerk->{id},
             $file);
of_letter($clerk, 'letter_taken', 'letter_take');
of_letter($clerk, 'letter_registered', 'letter_register', '');
of_letter($clerk, 'letter_noted', 'letter_note', 'یادداشت');
of_letter($clerk, 'correction_asked', 'letter_ask_correction', 'متن', $file);
person_leaves(\%ali, "corrected letter $t", 'letter_correct', Cluster::key(),
              $t, $file, Cluster::file_list('c'));


# Refers it, and gives the referral.
sub refer {
    of_letter($clerk, 'letter_referred', 'letter_refer', '["legal"]', '',
              undef, undef);

    return bare('SELECT max(id) FROM referrals');
}


my $referral = refer();

staff_leaves($expert, "letter_viewed letter $t", 'clerk_referral_open',
             $referral);
staff_leaves($expert, "referral_answered referral $referral",
             'referral_answer', Cluster::key(), $referral, 'نظر', '[]');
$referral = refer();
staff_leaves($expert, "referral_returned referral $referral",
             'referral_return', Cluster::key(), $referral, 'نه');
$referral = refer();
staff_leaves($clerk, "referral_recalled referral $referral",
             'referral_recall', Cluster::key(), $referral, undef);

of_letter($clerk, 'letter_replied', 'letter_reply', 'پاسخ', 1, undef, '[]');
person_leaves(\%ali, "answer_read letter $t", 'letter_seen', $t, undef);
of_letter($clerk, 'letter_closed', 'letter_close', '');
of_letter($clerk, 'letter_reopened', 'letter_reopen');
of_letter($clerk, 'letter_replied', 'letter_reply', 'پاسخ', 1, undef, '[]');
person_leaves(\%ali, "followup letter $t", 'letter_followup', Cluster::key(),
              $t, 'پیرو', '[]');

my @legal = Cluster::legal_form();
$legal[12] = undef;                    # its gateway gave no answer
my $legal = $pg->person($db, \%ali, 'letter_submit', @legal)
               ->[0]{tracking_code};
$owner->do(q{UPDATE companies SET check_next_at = now()});
my $asked = $pg->call($db, 'company_claim', 9, 60)->[0];

$seen = bare('SELECT max(id) FROM audit');
call_leaves('a company’s answer',
    "system - company_checked letter $legal -, "
    . "system - company_checked company $asked->{company_id} -",
    'company_result', @$asked{qw(company_id national_id name
                                 registration_number)},
    'yes', undef, 'p', 'r', undef, undef);
staff_leaves($clerk, "position_proven letter $legal", 'letter_prove_position',
             Cluster::key(), $legal);

# Tickets and messages -----------------------------------------------------------------

my $ticket = person_leaves(\%ali,
    sub { "ticket_created ticket $_[0]{ticket_number}" }, 'ticket_create',
    Cluster::key(), 'موضوع', 'متن', '[]')->{ticket_number};

person_leaves(\%ali, "ticket_message ticket $ticket", 'ticket_message',
              Cluster::key(), $ticket, 'متن', '[]');
staff_leaves($clerk, "ticket_viewed ticket $ticket", 'clerk_ticket_open',
             $ticket);
staff_leaves($clerk, "ticket_replied ticket $ticket", 'ticket_reply',
             Cluster::key(), $ticket, 'جواب', '[]');
staff_leaves($clerk, "ticket_closed ticket $ticket", 'ticket_close', $ticket);

my $message = bare(q{UPDATE messages SET state = 'failed'
    WHERE id = (SELECT max(id) FROM messages WHERE priority > 0)
    RETURNING id});

staff_leaves($clerk, "message_resent message $message", 'message_resend',
             Cluster::key(), $message);
staff_leaves($admin, 'messages_resent messages -', 'messages_resend',
             Cluster::key(), 'failed', undef, undef, 10);

# Administration ---------------------------------------------------------------------

staff_leaves($admin, 'unit_saved unit press', 'unit_save', Cluster::key(),
             undef, 'press', 'روابط', undef, 1);
staff_leaves($admin, 'book_saved book secret', 'book_save', Cluster::key(),
             undef, 'secret', 'محرمانه', 1);
my $canned = staff_leaves($manager,
    sub { "canned_saved canned $_[0]{canned_id}" }, 'canned_save',
    Cluster::key(), undef, 'ع', 'سلام', undef, 1)->{canned_id};

# A change says what stood there before, and nothing of what stayed.

is last_details(), '{"body": "سلام", "unit": null, "title": "ع", '
   . '"active": true}', 'where nothing was, nothing is told';
staff_leaves($manager, "canned_saved canned $canned", 'canned_save',
             Cluster::key(), $canned, 'ع', 'درود', undef, 1);
is last_details(), '{"body": "درود", "unit": null, "title": "ع", '
   . '"active": true, "body_before": "سلام"}',
   'a text that is replaced is not lost';
staff_leaves($admin, 'unit_saved unit media', 'unit_save', Cluster::key(),
             bare(q{SELECT id FROM units WHERE code = 'press'}), 'media',
             'رسانه', 5, 1);
is last_details(), '{"code": "media", "name": "رسانه", "active": true, '
   . '"due_days": 5, "code_before": "press", "name_before": "روابط", '
   . '"due_days_before": null}', 'a unit under another code is found again';
staff_leaves($admin, 'book_saved book closed', 'book_save', Cluster::key(),
             bare(q{SELECT id FROM books WHERE code = 'secret'}), 'closed',
             'بسته', 0);
is last_details(), '{"code": "closed", "name": "بسته", "active": false, '
   . '"code_before": "secret", "name_before": "محرمانه", '
   . '"active_before": true}', 'and so is a book';

my $new = staff_leaves($admin, sub { "staff_invited staff $_[0]{staff_id}" },
    'staff_invite', 'new', 'تازه', 'clerk', undef, 'n', 48)->{staff_id};
my ($today) = bare('SELECT today()');

staff_leaves($admin, "staff_reinvited staff $new", 'staff_reinvite', $new,
             'm', 48);
staff_leaves($admin, "staff_saved staff $new", 'staff_save', $new, 'تازه',
             'manager', undef);
is last_details(), '{"name": "تازه", "role": "manager", "unit": null, '
   . '"role_before": "clerk"}', 'what somebody was, and is';
staff_leaves($admin, "staff_saved staff $new", 'staff_save', $new, 'دیگر',
             'manager', undef);
is last_details(), '{"name": "دیگر", "role": "manager", "unit": null, '
   . '"name_before": "تازه"}', 'and was called';
staff_leaves($admin, "staff_confirm_failed staff $admin->{id}",
             'staff_password_wrong');
staff_leaves($admin, "staff_sessions_ended staff $new", 'staff_sessions_end',
             $new);
staff_leaves($admin, "staff_disabled staff $new", 'staff_disable', $new);
staff_leaves($admin, "staff_enabled staff $new", 'staff_enable', $new);
staff_leaves($manager, "substitute_set staff $clerk->{id}", 'substitute_set',
             $clerk->{id}, $manager->{id}, $today, $today);
staff_leaves($manager, "substitute_ended staff $clerk->{id}",
             'substitute_end', $clerk->{id});
staff_leaves($manager,
             "handed_over letter $t, handed_over staff $clerk->{id}",
             'staff_handover', $clerk->{id}, $manager->{id});
staff_leaves($admin, "calendar_set day $today", 'calendar_set', $today,
             'holiday', 'تعطیل');
staff_leaves($admin, "calendar_set day $today", 'calendar_set', $today,
             'none', undef);
is last_details(), '{"kind": "none", "title": "", "kind_before": "holiday", '
   . '"title_before": "تعطیل"}', 'what a day was that is none any more';
staff_leaves($admin, 'setting_set setting due_days', 'setting_set',
             'due_days', 12);
is last_details(), '{"value": 12, "value_before": 10}', 'what held before';
staff_leaves($admin, 'read search -', 'staff_read', 'search',
             '{"text":"متن"}');

# Nothing is left out ---------------------------------------------------------------------

# Which argument of each is the action.
my %at = (audit_add => 3, audit_person => 0, audit_staff => 0,
          letter_acted => 3, person_signed_in => 2);
my %ends = (claim_ => [qw(no unknown yes)], identity_ => [qw(mobile registry)],
            referral_ => [qw(answered returned recalled)]);
my $calls = 0;
my (%action, @unread);


# The arguments of a call; $text begins behind its bracket.
sub arguments {
    my ($text) = @_;
    my ($depth, @args) = (0, '');

    for ($text =~ /('(?:[^']|'')*'|[^'])/gs) {
        last if $_ eq ')' && $depth == 0;
        $depth += ($_ eq '(') - ($_ eq ')');
        if ($_ eq ',' && $depth == 0) { push @args, ''; next }
        $args[-1] .= $_;
    }

    return @args;
}


for my $path (glob "$Cluster::TOP/sql/functions/*.sql") {
    open my $in, '<:encoding(UTF-8)', $path or die "$path: $!";
    my $text = do { local $/; <$in> };

    while ($text =~ /(?<!FUNCTION[ ])\b(audit_add|audit_person|audit_staff
                     |letter_acted|person_signed_in)\(/gx)
    {
        my $arg = (arguments(substr $text, pos $text))[$at{$1}] // '';
        my @names = $arg =~ /'([a-z_]+)'/g;

        $calls++;
        push @unread, "$1($arg)"
            if !@names && $arg !~ /^\s*p_(?:action|audit|how)$/;
        $action{$_} = 1
            for map { my $name = $_;
                      $ends{$name} ? map { "$name$_" } @{$ends{$name}} : $name }
                @names;
    }
}

cmp_ok $calls, '>', 60, 'calls were found';
is join(', ', @unread), '', 'each says its action';
is join(', ', grep { !$left{$_} } sort keys %action), '',
   'no action in sql/functions without its act here';
is join(', ', grep { !$action{$_} } sort keys %left), '',
   'nor any line that nobody writes';

# who reads the audit reads it in words

my %word;

open my $texts, '<:encoding(UTF-8)', "$FindBin::Bin/../../html/messages.txt"
    or die $!;
/^action_(\w+):/ and $word{$1} = 1 while <$texts>;
close $texts;

is join(', ', grep { !$word{$_} } sort keys %action), '',
   'each action has its words';
is join(', ', grep { !$action{$_} } sort keys %word), '',
   'and no words are of an action that nobody writes';

done_testing;
