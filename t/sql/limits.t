#!/usr/bin/perl

# Where a citizen's act ends: at their own things, at the letter that it is
# about, at what a day allows; and nobody else's things go with it.

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
my $sara = $pg->make_person($db, level => 3);
my $clerk = $pg->make_staff('clerk');


sub bare { return scalar $owner->selectrow_array(@_) }


# What a person's write died of, or "nothing".
sub dies {
    my ($who, $name, @params) = @_;

    return $pg->refused($db, sub { $pg->person($db, $who, $name, @params) });
}


sub on_letter {
    my ($t, $name, @params) = @_;

    return $pg->refused($db, sub {
        $pg->staff($db, $clerk, $name, Cluster::key(), $t, @params) });
}


# The names of the files that a condition is true of.
sub names {
    my ($where, @params) = @_;

    return join ' ', @{$owner->selectcol_arrayref(
        "SELECT name FROM files WHERE $where ORDER BY name", undef, @params)};
}


# Drafts and their files ---------------------------------------------------------


sub draft {
    my ($who, @files) = @_;

    return $pg->person($db, $who, 'draft_save', undef,
        '{"person_kind":"natural","subject":"س","address":"تهران"}',
        Cluster::file_list(@files), undef)->[0]{draft};
}


sub id_of { bare('SELECT id FROM files WHERE name = ?', undef, "$_[0].jpg") }


my $sent = $pg->send_letter($db, $ali, files => Cluster::file_list('l'));
my $hers = draft($sara, 's');
my $kept = draft($ali, 'k');
my $draft = draft($ali, 'a', 'b', 'c');

$pg->person($db, $ali, 'draft_save', $draft, '{"subject":"س"}', undef,
            sprintf '["%s","%s"]', id_of('a'), id_of('b'));
is names('true'), 'a.jpg b.jpg k.jpg l.jpg s.jpg',
   'a draft saved without one of its files loses that one';
$pg->person($db, $ali, 'draft_save', $draft,
    '{"person_kind":"natural","subject":"س","address":"تهران"}', undef, undef);
is names('draft_id = ?', $draft), 'a.jpg b.jpg', 'saved without a word: none';

my $t = $pg->person($db, $ali, 'letter_submit', Cluster::key(), $draft,
                    (undef) x 12, '{}', sprintf('["%s"]', id_of('b')))
           ->[0]{tracking_code};

is names('letter_id = (SELECT id FROM letters WHERE tracking_code = ?)', $t),
   'b.jpg', 'sent with those that stay';
is names('true'), 'b.jpg k.jpg l.jpg s.jpg', 'nobody else’s is gone';

$draft = draft($ali, 'n');
is dies($ali, 'letter_submit', Cluster::key(), $draft, (undef) x 12, '{}',
        '[]'), 'CR422 file:file_required', 'none stays: no letter';
is names('draft_id = ?', $draft), 'n.jpg', 'and the draft is what it was';
is dies($ali, 'letter_submit', Cluster::letter_form(files => '[]')),
   'CR422 file:file_required', 'nor one without a file';

draft($sara, "x$_") for 1 .. 9;
is bare('SELECT count(*) FROM drafts WHERE person_id = ?', undef,
        $sara->{id}), 10, 'ten drafts';
my $newest = draft($sara, 'x10');
is bare('SELECT count(*) FROM drafts WHERE person_id = ?', undef,
        $sara->{id}), 10, 'an eleventh: ten';
is bare('SELECT count(*) FROM drafts WHERE id = ?', undef, $hers), 0,
   'the oldest is gone';
is bare('SELECT count(*) FROM drafts WHERE id = ?', undef, $newest), 1,
   'not the newest';
is bare('SELECT count(*) FROM drafts WHERE person_id = ?', undef,
        $ali->{id}), 2, 'nor another’s';

# A day ---------------------------------------------------------------------------

my $two = '{"letters_day":2}';

$owner->do(q{UPDATE letters SET created_at = created_at - interval '1 day'});
is dies($ali, 'letter_submit', Cluster::letter_form(limits => $two)),
   'nothing', 'what was sent yesterday does not count';
is dies($ali, 'letter_submit', Cluster::letter_form(limits => $two)),
   'nothing', 'the second of today';
is dies($ali, 'letter_submit', Cluster::letter_form(limits => $two)),
   'CR429 too_often', 'a third';
is dies($sara, 'letter_submit', Cluster::letter_form(limits => $two)),
   'nothing', 'another person’s first';

my @ticket = ('موضوع', 'متن', '[]');

is dies($ali, 'ticket_create', Cluster::key(), @ticket), 'nothing',
   "ticket $_" for 1 .. 10;
is dies($ali, 'ticket_create', Cluster::key(), @ticket), 'CR429 too_often',
   'not an eleventh';
is dies($sara, 'ticket_create', Cluster::key(), @ticket), 'nothing',
   'another person’s';

my ($one, $other) = map { bare("SELECT $_(number) FROM tickets
    WHERE person_id = $ali->{id}") } qw(min max);
my @message = ('متن', '[]');

$pg->staff($db, $clerk, 'ticket_reply', Cluster::key(), $one, @message)
    for 1 .. 3;
is scalar(grep { dies($ali, 'ticket_message', Cluster::key(), $one, @message)
                 eq 'nothing' } 1 .. 25), 19,
   'twenty messages of theirs in a ticket, with the first';
is dies($ali, 'ticket_message', Cluster::key(), $other, @message), 'nothing',
   'in another one again';
is $pg->refused($db, sub {
       $pg->staff($db, $clerk, 'ticket_reply', Cluster::key(), $one,
                  @message) }), 'nothing', 'and the clerk answers';
$pg->staff($db, $clerk, 'ticket_close', $one);
is $pg->refused($db, sub {
       $pg->staff($db, $clerk, 'ticket_reply', Cluster::key(), $one,
                  @message) }), 'CR409 ticket_closed', 'not a closed one';

# Follow-ups: five a day of one letter.

my ($first, $second) = map { $pg->send_letter($db, $ali) } 1 .. 2;
on_letter($_, 'letter_reply', 'پاسخ', 1, undef, '[]') for $first, $second;


sub follow {
    my ($t) = @_;
    my $died = dies($ali, 'letter_followup', Cluster::key(), $t, 'پیرو', '[]');

    on_letter($t, 'letter_reply', 'پاسخ', 1, undef, '[]') if $died eq 'nothing';
    return $died;
}


is dies($ali, 'letter_followup', Cluster::key(), $first, ' ', '[]'),
   'CR422 body:body_required', 'a follow-up without a word';
is scalar(grep { follow($first) eq 'nothing' } 1 .. 7), 5, 'five follow-ups';
is follow($first), 'CR429 too_often', 'no more today';
is follow($second), 'nothing', 'to another letter again';

# Guesses at tracking codes, from one address.

my @guessed = map { $pg->call($db, 'track', 70000000 + $_, '0000', '10.8.0.1')
                       ->[0]{verdict} } 1 .. 12;
is join(' ', @guessed[0, 9, 10, 11]), 'unknown unknown wait wait',
   'ten of one address';
is $pg->call($db, 'track', 70000099, '0000', '10.8.0.2')->[0]{verdict},
   'unknown', 'of another again';

# What was read --------------------------------------------------------------------


sub unread { bare('SELECT new_answers FROM letters WHERE tracking_code = ?',
                  undef, $_[0]) }


sub last_event { bare('SELECT max(id) FROM events WHERE letter_id = (SELECT id
                       FROM letters WHERE tracking_code = ?)', undef, $_[0]) }


sub seen { $pg->person($db, $ali, 'letter_seen', @_)->[0]{ok} }


my $shown = last_event($second);
on_letter($first, 'letter_note', 'یادداشت');
on_letter($second, 'letter_note', 'یادداشت');
is seen($second, $shown), 1, 'a note is no answer that the page did not show';
is unread($second), 0, 'all is read';
$shown = last_event($second);
on_letter($second, 'letter_reply', 'باز', 1, undef, '[]');
is seen($second, $shown), 0, 'an answer that the page did not show';
is unread($second), 1, 'stays unread';
is seen($second, last_event($second)), 1, 'until it is shown';
is unread($second), 0, 'then it is read';
cmp_ok unread($first), '>', 0, 'those of other letters are not';
on_letter($first, 'letter_reply', 'باز', 1, undef, '[]');
is seen($second, $shown = last_event($second)), 1,
   'an answer to another letter hides nothing here';

is dies($ali, 'letter_followup', Cluster::key(), $second, 'پیرو', '[]'),
   'nothing', 'their own word came after what was shown';
is seen($second, $shown), 1, 'which is nothing to be read';

# A correction is of its own letter ---------------------------------------------------

my ($mine, $also) = map { $pg->send_letter($db, $ali,
    files => Cluster::file_list(@$_)) } ['e', 'f', 'g'], ['h', 'i'];

is on_letter($mine, 'letter_ask_correction', 'متن', id_of('h')),
   'CR422 file_id:file_id_wrong', 'a file of another letter is not asked for';
is on_letter($mine, 'letter_ask_correction', 'متن', id_of('e')), 'nothing',
   'one of this letter is';
is on_letter($mine, 'letter_ask_correction', 'متن', id_of('f')), 'nothing',
   'and another one';
is on_letter($also, 'letter_ask_correction', 'متن', undef), 'nothing',
   'any of another letter';
is on_letter($mine, 'letter_ask_correction', 'متن', undef), 'nothing',
   'and any of this one, too';


sub correct {
    my ($t, $file, $new) = @_;

    return dies($ali, 'letter_correct', Cluster::key(), $t, $file,
                Cluster::file_list($new));
}


my $wrong = 'CR422 file_id:file_id_wrong';

is correct($also, id_of('e'), 'y'), $wrong,
   'what another letter was asked for answers nothing here';
is correct($mine, id_of('h'), 'y'), $wrong, 'nor the other way round';
is correct($mine, id_of('e'), 'E'), 'nothing', 'its own does';
is correct($mine, id_of('e'), 'y'), $wrong, 'once';
is names('replaced_by IS NOT NULL'), 'e.jpg', 'one file is replaced';
is correct($mine, id_of('f'), 'F'), 'nothing', 'the second one';
on_letter($mine, 'letter_reply', 'متن', 0, undef, Cluster::file_list('R'));
is correct($mine, id_of('R'), 'y'), $wrong, 'a file of an answer is not theirs';
is correct($mine, id_of('e'), 'y'), $wrong, 'nor is one that was replaced';
is correct($mine, id_of('E'), 'G'), 'nothing', 'the one that replaced it is';
is correct($mine, id_of('g'), 'y'), 'CR409 correction_refused',
   'then nothing more is owed';
is on_letter($mine, 'letter_ask_correction', 'متن', id_of('e')), $wrong,
   'a replaced file is not asked for';
is on_letter($mine, 'letter_ask_correction', 'متن', id_of('R')), $wrong,
   'nor one of an answer';
is on_letter($mine, 'letter_ask_correction', 'متن', undef), 'nothing',
   'what was answered can be asked for again';
is on_letter($mine, 'letter_reply', 'تمام', 1, undef, '[]'), 'nothing',
   'a final answer';
is bare('SELECT count(*) FROM corrections WHERE answered_at IS NULL'), 1,
   'ends what this letter owes, and no other';
is on_letter($mine, 'letter_ask_correction', 'متن', id_of('g')),
   'CR409 conflict', 'an answered letter owes nothing';

# The person's own data -----------------------------------------------------------------

$pg->person($db, $sara, 'profile_save', 'شیراز', '07132345678', 's@example.ir');
$pg->person($db, $ali, 'profile_save', 'تهران', '', '');
is join(' ', $owner->selectrow_array('SELECT address, phone, email
       FROM persons WHERE id = ?', undef, $sara->{id})),
   'شیراز 07132345678 s@example.ir', 'a profile is one person’s';


sub epoch { bare('SELECT session_epoch FROM persons WHERE id = ?', undef,
                 $_[0]{id}) }


# Each ends all sessions of the person, and nobody else's.
for my $end (
    [ 'all sessions ended', sub { $pg->person($db, $ali, 'sessions_end') } ],
    [ 'a password set', sub { $pg->person($db, $ali, 'password_set', undef,
                                          'h1') } ],
    [ 'a password changed', sub { $pg->person($db, $ali, 'password_set', 'h1',
                                              'h2') } ],
    [ 'another mobile', sub {
        $owner->do('INSERT INTO identity_tasks (person_id, step, next_at)
                    VALUES (?, ?, now())', undef, $_->{id}, 'mobile')
            for $ali, $sara;
        $pg->person($db, $ali, 'mobile_request', '09129990001', 'm', '10.8.1.1',
                    'c', 's', '{}');
        $pg->person($db, $ali, 'mobile_verify', 'm', 'c', '{}') } ])
{
    my ($what, $do) = @$end;
    my @were = map { epoch($_) } $ali, $sara;
    my $gave = $do->()->[0]{session_epoch};

    is join(' ', map { epoch($_) } $ali, $sara),
       join(' ', $were[0] + 1, $were[1]), $what;
    is $gave, $were[0] + 1, 'and the session that goes on is told';
    $ali->{epoch} = $gave;
}

$ali->{level} = 1;
is dies($ali, 'password_set', 'h1', 'h3'), 'CR409 conflict',
   'a password that was checked against an older one';
is join(' ', @{$owner->selectcol_arrayref(
       'SELECT person_id FROM identity_tasks')}), $sara->{id},
   'the old mobile is asked about no more, another person’s is';

my @waits = map { $pg->person($db, $ali, 'password_current', 'm')
                      ->[0]{password_hash} // 'wait' } 1 .. 6;
is "@waits", 'h2 h2 h2 h2 h2 wait', 'five tries at the current password';

# Whoever knows it changes it to and fro: each costs the body an SMS.

my $fro = $pg->make_person($db);

$fro->{epoch} = $pg->person($db, $fro, 'password_set', undef, 'h0')
                   ->[0]{session_epoch};

my @changes = map {
    my $hash = $pg->person($db, $fro, 'password_current', 'm')
                   ->[0]{password_hash};

    $fro->{epoch} = $pg->person($db, $fro, 'password_set', $hash, "h$_")
                       ->[0]{session_epoch} if defined $hash;
    $hash // 'wait';
} 1 .. 6;
is "@changes", 'h0 h1 h2 h3 h4 wait', 'a change is a try as well';
is bare(q{SELECT count(*) FROM messages WHERE person_id = ?
              AND template = 'password_changed'}, undef, $fro->{id}), 5,
   'and a message no more often';

# Identity: an answer is about what was asked -----------------------------------------


sub answer {
    my ($who, %as) = @_;

    return $pg->call($db, 'identity_result', $who->{id},
        $as{step} // 'mobile', $as{code} // $who->{national_code},
        $as{mobile} // $who->{mobile}, $as{birth} // '1990-03-21', 'yes',
        undef, 'p', 'r', (undef) x 3, 0, '1')->[0];
}


my $new = $pg->make_person($db);

is $pg->person($db, $new, 'identity_ask', 'registry', 5, (undef) x 3)
      ->[0]{verdict}, 'first', 'the mobile comes first';
is answer($new, mobile => '09120000009')->{step_state}, 'stale',
   'another mobile';
is answer($new, code => Cluster::national_code(5))->{step_state}, 'stale',
   'another national code';
is answer($new, step => 'registry', birth => '1990-03-22')->{step_state},
   'stale', 'another birth date';
$owner->do(q{UPDATE persons SET status = 'blocked' WHERE id = ?}, undef,
           $new->{id});
is answer($new)->{step_state}, 'stale', 'an account that was blocked';
is bare('SELECT level FROM persons WHERE id = ?', undef, $new->{id}), 1,
   'none of them proves anything';
$owner->do(q{UPDATE persons SET status = 'active' WHERE id = ?}, undef,
           $new->{id});
$owner->do('INSERT INTO identity_tasks (person_id, step, next_at)
            VALUES (?, ?, now())', undef, $new->{id}, 'registry');
is answer($new)->{level}, 2, 'what was asked does';
is bare('SELECT count(*) FROM identity_tasks WHERE person_id = ?', undef,
        $new->{id}), 1, 'and the other step waits still';
$owner->do(q{INSERT INTO identity_tasks (person_id, step, next_at)
             VALUES (?, 'mobile', now() + interval '1 hour')}, undef,
           $new->{id});
is join(' ', map { $_->{step} } grep { $_->{person_id} == $new->{id} }
        @{$pg->call($db, 'identity_claim', 9, 60)}), 'registry',
   'the step whose time has come, and no other of that person';
is dies($sara, 'birth_date_set', '1991-01-01'), 'CR409 identity_done',
   'a birth date that the registry confirmed stays';

# While Shahkar is silent nobody knows whose the mobile is: the registry, which
# tells names, waits for it.

sub claimed {
    my ($who) = @_;

    $owner->do('UPDATE identity_tasks SET next_at = now()
                 WHERE person_id = ?', undef, $who->{id});
    return join ' ', map { $_->{step} }
        grep { $_->{person_id} == $who->{id} }
        @{$pg->call($db, 'identity_claim', 9, 60)};
}

sub registry_step {
    return bare('SELECT registry_step FROM persons WHERE id = ?', undef,
                $_[0]{id});
}

for my $then (qw(yes no another)) {
    my $who = $pg->make_person($db);

    $pg->identity($db, $who, 'mobile', 'unknown');

    is $pg->person($db, $who, 'identity_ask', 'registry', 5, (undef) x 3)
          ->[0]{verdict}, 'asked', "$then: a question that waits";
    is registry_step($who), 'pending', 'as the page says';
    is claimed($who), 'mobile', 'only the mobile is asked about';

    if ($then eq 'another') {
        $pg->person($db, $who, 'mobile_request', '09129990002', 'm2',
                    '10.8.1.2', 'c', 's', '{}');
        $pg->person($db, $who, 'mobile_verify', 'm2', 'c', '{}');
    } else {
        $pg->identity($db, $who, 'mobile', $then);
    }

    is claimed($who), $then eq 'yes' ? 'registry' : '',
       $then eq 'yes' ? 'then the registry' : 'nobody is';
    is registry_step($who), $then eq 'yes' ? 'pending' : 'open',
       'and the page says so';
}

# who was proven once is the same person with another mobile

my $moved = $pg->make_person($db);

$pg->identity($db, $moved, 'mobile', 'yes');
$pg->identity($db, $moved, 'registry', 'unknown');
$pg->person($db, $moved, 'mobile_request', '09129990003', 'm3', '10.8.1.3',
            'c', 's', '{}');
$pg->person($db, $moved, 'mobile_verify', 'm3', 'c', '{}');
is claimed($moved), 'registry', 'a question of an owner goes on';

# A company's answer is about that company ----------------------------------------------


sub for_company {
    my ($who, $id) = @_;
    my @form = Cluster::legal_form();

    @form[7, 12, 14] = ($id, undef, '{"letters_day":999}');
    return $pg->person($db, $who, 'letter_submit', @form)->[0]{tracking_code};
}


$ali->{level} = 3;
$pg->identity($db, { %$ali, mobile => '09129990001' }, 'mobile', 'yes');
my @of = (for_company($ali, '10380284790'), for_company($ali, '10101234567'),
          for_company($sara, '10380284790'));
my @firms = @{$owner->selectcol_arrayref('SELECT id FROM companies ORDER BY id')};

$pg->call($db, 'company_result', $firms[0], '10380284790', 'شرکت نمونه',
          '12345', 'yes', undef, 'p', 'r', 'نام ثبت', undef);
is join(' ', map { bare('SELECT company_checked FROM letters
       WHERE tracking_code = ?', undef, $_) } @of), '1 0 0',
   'letters of one company of one person';
is join(' ', @{$owner->selectcol_arrayref(
       'SELECT check_state FROM companies ORDER BY id')}),
   'yes pending pending', 'the others are asked about still';
is bare(q{SELECT count(*) FROM companies WHERE name = 'نام ثبت'}), 1,
   'and keep their names';

# Who is blocked gets in by no way --------------------------------------------------------


sub asks {
    my ($purpose) = @_;

    return $pg->call($db, 'code_request', $purpose, $sara->{national_code},
        $sara->{mobile}, "at $purpose", '10.8.2.1', 'c', 's',
        '{"interval":0}')->[0]{verdict};
}


sub enters {
    my ($national_code) = @_;

    return join ' ',
        ($pg->call($db, 'login_try', $sara->{national_code}, 'p', '1')
             ->[0]{password_hash} // '-'),
        ($pg->call($db, 'login_done', $national_code // $sara->{national_code},
                   $sara->{id}, 'hash', 'p', '1')->[0]{id} // '-'),
        ($pg->call($db, 'login_code_verify', 'at login', 'c', '{}', '1')
             ->[0]{person_id} // '-'),
        $pg->call($db, 'recover_verify', 'at recover', 'c', '{}', '1')
            ->[0]{verdict},
        ($pg->call($db, 'recover_password', 'at recover', 'hash', '1')
             ->[0]{person_id} // '-');
}


my $id = $sara->{id};

$owner->do(q{UPDATE persons SET password_hash = 'hash' WHERE id = ?}, undef,
           $id);
asks($_) for qw(login recover);
is enters($ali->{national_code}), "hash - $id ok $id",
   'a password is of one national code';
asks($_) for qw(login recover);
is enters(), "hash $id $id ok $id", 'the ways in';
asks($_) for qw(login recover);
$owner->do(q{UPDATE persons SET status = 'blocked' WHERE id = ?}, undef, $id);
is enters(), '- - - ok -', 'none for who is blocked with a code in hand';
my $messages = bare('SELECT count(*) FROM messages');
is join(' ', map { asks($_) } qw(login recover)), 'sent sent',
   'who is told nothing when they ask for another';
is bare('SELECT count(*) FROM messages'), $messages, 'and sent none';
is enters(), '- - - wrong -', 'which is no code then';

# One that was asked for before the mobile became another's.

$owner->do(q{UPDATE persons SET status = 'active' WHERE id = ?}, undef, $id);
asks($_) for qw(login recover);
$owner->do(q{UPDATE persons SET mobile = '09129990002' WHERE id = ?}, undef,
           $id);
is enters(), "hash $id - ok -", 'a code to a mobile that was given up';

done_testing;
