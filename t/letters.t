#!/usr/bin/perl

# The letter: form, what it refuses, sending once, the list, one letter.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Mojo::JSON qw(decode_json);
use Portal;

my $p = Portal->new;
my $png = \&Portal::Browser::tiny_png;
my $message = messages();


# Somebody with the level the form asks for.

sub citizen {
    my $b = $p->browser;
    my $who = $b->signup;

    $p->db->do(q{UPDATE persons SET mobile_step = 'yes',
                 registry_step = 'yes', first_name = 'زهرا',
                 last_name = 'کریمی', father_name = 'علی'
                 WHERE national_code = ?}, undef, $who->{national_code});
    return $b;
}


sub messages {
    my %m;

    open my $f, '<:encoding(UTF-8)', "$FindBin::RealBin/../html/messages.txt"
        or die;
    while (<$f>) {
        $m{$1} = $2 if /^(\w+): (.*)$/;
    }
    return \%m;
}


my %letter = (person_kind => 'natural', address => 'تهران، خیابان آزادی',
              subject => 'درخواست انشعاب', body => 'متن');

sub one { [ [ $_[1] // 'letter.png', $png->($_[0]), 'image/png' ] ] }

sub form {
    my ($b, %with) = @_;

    $b->get('/desk/letters/new')->expect(200, 'the form');
    return $b->submit({ %letter, file => one($with{mark}), %with });
}

my $b = citizen();
my $me = $p->value('SELECT id FROM persons WHERE national_code = ?',
                   $b->{person}{national_code});


# The form.

$b->get('/desk/letters/new')->expect(200, 'the form');
ok(!$b->dom->at('[name="captcha"]'), 'no captcha where it is off');
like($b->text, qr/زهرا.*کریمی.*علی/, 'what is known is shown');
is($b->dom->find('input[name="first_name"]')->size, 0, 'and not asked');
like($b->dom->at('[name="submission_key"]')->attr('value'),
     qr/^[0-9a-f]{40}$/, 'a submission key');


# Sent.

my $code = $b->send_letter(%letter, subject => 'درخواست كتاب ۱۲');

like($code, qr/^\d{8}$/, 'a tracking code of eight digits');
is($b->status, 200, 'the list');
like($b->text, qr/\Q@{[ fa($code) ]}\E/, 'shows the tracking code');
like($b->text, qr/09\d\d•••\d{4}|۰۹[۰-۹]{2}•••[۰-۹]{4}/,
     'and the mobile, masked');

my ($row) = $p->sql('SELECT * FROM letters WHERE tracking_code = ?', $code);

is($row->{person_id}, $me, 'stored for the person');
is($row->{subject}, 'درخواست کتاب ۱۲', 'the subject, folded');
is($row->{first_name}, 'زهرا', 'the name as known');
is($row->{file_count}, 1, 'one file');
is($p->value('SELECT count(*) FROM events WHERE letter_id = ?', $row->{id}),
   1, 'one line of the timeline');
is($p->value(q{SELECT count(*) FROM audit WHERE action = 'letter_submitted'
               AND object_id = ?}, $code), 1, 'one line of the audit');

my ($file) = $p->sql('SELECT *, encode(sha256, \'hex\') AS hex FROM files
                      WHERE letter_id = ?', $row->{id});

is($file->{media_type}, 'image/png', 'its type by content');
is($file->{width}, 1, 'its width');
is($file->{name}, 'letter.png', 'its name');

my $sms = $p->message($b->{person}{mobile}, qr/$code/);

ok($sms, 'the code by SMS');


# Once, whatever is pressed.

$b->get('/desk/letters/new');

my $key = $b->dom->at('[name="submission_key"]')->attr('value');
my %same = (%letter, submission_key => $key, subject => 'یک بار');

my @codes = map {
    $b->post('/desk/letters', { %same, file => one('once') });
    is($b->status, 303, "try $_ is taken");
    ($b->path =~ /sent=(\d+)/)[0];
} 1 .. 3;

is($codes[1], $codes[0], 'the same letter');
is($codes[2], $codes[0], 'and again');

$b->post('/desk/letters', { submission_key => $key });
is($b->status, 303, 'the key is looked up before the fields');
like($b->path, qr/sent=$codes[0]$/, 'and gives its letter');

for my $case ([ 'with a file that is refused',
                { %same, file => [[ 'a.png', 'no picture', 'image/png' ]] } ],
              [ 'with no file', { %same } ],
              [ 'with a wrong field', { %same, subject => '',
                                        file => one('once') } ],
              [ 'with another kind', { %same, person_kind => 'x' } ],
              [ 'as a draft that is gone',
                { %same, draft => '00000000-0000-0000-0000-000000000000' } ])
{
    my ($how, $fields) = @$case;

    $b->post('/desk/letters', $fields);
    is($b->status, 303, "$how: not refused");
    like($b->path // '', qr/sent=$codes[0]$/, "$how: its letter");
}

is($p->value('SELECT count(*) FROM drafts WHERE person_id = ?', $me), 0,
   'no draft is left of them');
is($p->value('SELECT count(*) FROM letters WHERE person_id = ?', $me), 2,
   'two letters in all');

# a key that made something else

$b->get('/desk/tickets/new')->submit({ subject => 'کمک', body => 'متن' })
  ->expect(303, 'a ticket');
$b->post('/desk/letters', { %same, file => one('other'), submission_key =>
    $p->value("SELECT key FROM submissions WHERE action = 'ticket'") });
is($b->status, 409, 'a key that made something else');
$b->get('/desk/letters');

# at the same moment, over two connections

my @both = map { $p->browser } 1 .. 2;
$b->get('/desk/letters/new');
my %race = (%letter, subject => 'دو نفر',
            submission_key =>
                $b->dom->at('[name="submission_key"]')->attr('value'),
            csrf => $b->csrf);
my %found;
my $left = 4;

for my $n (1 .. 4) {
    $b->ua->post_p($b->url('/desk/letters'), form => {
        %race, file => Portal::Browser::file_part('a.png', $png->('race'),
                                                  'image/png') })
          ->then(sub { my ($tx) = @_;
                       $found{ $tx->res->headers->location // $tx->res->code }
                           = 1 })
          ->catch(sub { $found{"error: $_[0]"} = 1 })
          ->finally(sub { Mojo::IOLoop->stop if --$left == 0 });
}

Mojo::IOLoop->start;
is(scalar keys %found, 1, 'four at once get one answer')
    or diag(join ' ', keys %found);
is($p->value(q{SELECT count(*) FROM letters WHERE subject = 'دو نفر'}), 1,
   'and make one letter');

# another person's key is another key

my $other = citizen();

$other->get('/desk/letters/new');
$other->post('/desk/letters', { %same, file => one('once') });
is($other->status, 303, 'the key of somebody else');
isnt(($other->path =~ /sent=(\d+)/)[0], $codes[0], 'gives nothing of theirs');


# What is refused.

my %refused = (
    'no address'  => [ { address => ' ' }, address => 'address_required' ],
    'no subject'  => [ { subject => '' }, subject => 'subject_required' ],
    'no file'     => [ { file => undef }, file => 'file_required' ],
    'no kind'     => [ { person_kind => 'x' }, person_kind =>
                       'person_kind_wrong' ],
    'long subject' => [ { subject => 'م' x 121 }, subject =>
                        'subject_too_long' ],
    'long text'    => [ { body => 'م' x 4001 }, body => 'body_too_long' ],
    'a text file'  => [ { file => [ [ 'a.txt', 'hello', 'text/plain' ] ] },
                        file => 'file_type' ],
    'a program in a picture\'s name' =>
        [ { file => [ [ 'a.png', "MZ\x90\0" . "\0" x 200, 'image/png' ] ] },
          file => undef ],
    'a picture that is cut' =>
        [ { file => [ [ 'a.png', substr($png->(), 0, 40), 'image/png' ] ] },
          file => undef ],
    'an empty file' => [ { file => [ [ 'a.png', '', 'image/png' ] ] },
                         file => 'file_empty' ],
);

for my $what (sort keys %refused) {
    my ($with, $field, $name) = @{ $refused{$what} };
    my %f = (%letter, subject => 'رد', file => one($what), %$with);

    delete $f{file} if !defined $f{file};
    $b->get('/desk/letters/new');
    $b->submit(\%f, 'form[enctype]');
    is($b->status, 422, "$what: 422");

    my $said = $b->error($field) // '';
    my $text = $name ? $message->{$name} : '';

    $text =~ s/\{\{.*//;
    ok(length $said, "$what: at its field") or diag $b->text;
    like($said, qr/\Q$text\E/, "$what: as it should") if $name && $text;
    like($b->dom->at('title')->text, qr/^خطا: /, "$what: in the title");
    ok($b->dom->at(qq(#error-summary a[href="#$field"])),
       "$what: in the summary");
}

# all at once: the summary goes down the page, as the fields do

$b->get('/desk/letters/new');
$b->submit({ person_kind => 'legal', address => ' ', subject => '',
             file => [ [ 'a.txt', 'hello', 'text/plain' ] ] },
           'form[enctype]');
is($b->dom->find('#error-summary a')->map(sub { $_->{href} =~ s/^#//r })
          ->join(' '),
   join(' ', grep { $b->dom->at("#error-$_") }
        map { $_->{name} // () }
        $b->dom->find('form[data-upload] :is(input, textarea)')->each),
   'errors stand in the order of their fields');
like($b->dom->at('#error-summary')->to_string, qr/position.*subject.*file/s,
     'eight of them');

is($p->value(q{SELECT count(*) FROM letters WHERE subject = 'رد'}), 0,
   'nothing of it is stored');

# values stay

form($b, address => '', subject => 'می‌ماند <b>', body => "خط ۱\nخط ۲");
is($b->status, 422, 'no address');
is($b->dom->at('[name="subject"]')->attr('value'), 'می‌ماند <b>',
   'the subject stays');
like($b->dom->at('[name="body"]')->text, qr/خط ۱\r?\nخط ۲/, 'and the text');

# a file that passed is not asked for again

is($b->dom->find('[name="kept_file"]')->size, 1, 'the file stays too');
$b->submit({ address => 'یزد' }, 'form[enctype]');
is($b->status, 303, 'and need not be sent again');

my ($kept) = ($b->path // '') =~ /sent=(\d+)/;

is($p->value('SELECT file_count FROM letters WHERE tracking_code = ?', $kept),
   1, 'it is with the letter');
is($p->value(q{SELECT count(*) FROM drafts
               WHERE fields ->> 'subject' LIKE 'می‌ماند%'}), 0,
   'its draft is gone');

# an unticked one goes

form($b, address => '', subject => 'بی فایل');
$b->post('/desk/letters', { %{ Portal::Browser::preset(
    $b->form({ address => '' }, 'form[enctype]')) }, address => 'یزد',
    kept_file => [] });
is($b->status, 422, 'without its tick a file is asked for');
is($b->dom->find('[name="kept_file"]')->size, 0, 'it is gone');

# several, and too many

form($b, file => [ map { @{ one("n$_", "n$_.png") } } 1 .. 5 ]);
is($b->status, 303, 'five files');
($kept) = ($b->path // '') =~ /sent=(\d+)/;
is($p->value('SELECT file_count FROM letters WHERE tracking_code = ?', $kept),
   5, 'are all with it');
form($b, file => [ map { @{ one("n$_", "n$_.png") } } 1 .. 6 ]);
is($b->status, 422, 'six are too many');
ok($b->error('file'), 'as the field says');

# one good, one bad: the good one stays

form($b, file => [ @{ one('good', 'خوب.png') },
                   [ 'bad.png', 'nothing', 'image/png' ] ]);
is($b->status, 422, 'one of two files is bad');
is($b->dom->find('[name="kept_file"]')->size, 1, 'the good one stays');
like($b->text, qr/خوب\.png/, 'by its name');


# Forms that are not from here.

for my $csrf (undef, 'x' x 43) {
    $b->post('/desk/letters', { %letter, csrf => $csrf, file => one(),
                                submission_key => 'k' x 20 });
    is($b->status, 403, 'without the right token');
    like($b->text, qr/این کار انجام نشد.*رونوشت بردارید/,
         'what can be done');
    unlike($b->text, qr/همان فرم را/, 'which is not to send it again');
}

$b->get('/desk/letters/new');
$b->post('/desk/letters', { %letter, file => one() });
is($b->status, 422, 'without a submission key');
$b->post('/desk/letters', { %letter, file => one(),
                            submission_key => 'short' });
is($b->status, 422, 'with a wrong one');


# JSON.

$b->get('/desk/letters/new');
$b->post('/desk/letters', { %letter, subject => '',
                            submission_key => 'j' x 32 },
         { Accept => 'application/json' });
is($b->status, 422, 'JSON: refused');

my $json = $b->tx->res->json;

is($json->{form}{subject}{error}, $message->{subject_required},
   'JSON: the error at its field');
ok((grep { $_->{field} eq 'file' } @{ $json->{errors} }), 'JSON: all errors');

my $list = $b->json('/desk/letters');

is($b->status, 200, 'JSON: the list');
is(ref $list->{letters}, 'ARRAY', 'JSON: rows');
is($list->{letters}[-1]{tracking_code}, $code, 'JSON: the oldest is last');
is($list->{letters}[-1]{status}, 'registered', 'JSON: its status');
like($list->{letters}[0]{created_at}, qr/^\d{4}-\d\d-\d\dT[\d:]+\+03:30$/,
     'JSON: times');
ok(!exists $list->{letters}[0]{id}, 'JSON: nothing internal');


# Pages of the list.

$p->db->do(q{INSERT INTO letters (tracking_code, person_id, created_at,
    person_kind, first_name, last_name, father_name, birth_date,
    national_code, mobile, address, subject)
    SELECT '9' || lpad(n::text, 9, '0'), person_id,
           created_at - n * interval '1 day', person_kind, first_name,
           last_name, father_name, birth_date, national_code, mobile,
           address, 'قدیمی ' || n
      FROM letters, generate_series(1, 30) AS n WHERE tracking_code = ?},
    undef, $code);

my $total = $p->value('SELECT count(*) FROM letters WHERE person_id = ?',
                      $me);

$b->get('/desk/letters');
is($b->dom->find('table.rows tbody tr')->size, 20, 'twenty on a page');
ok($b->dom->at('a[rel="next"]'), 'a next page');
ok(!$b->dom->at('a[rel="prev"]'), 'none before');
$b->get($b->dom->at('a[rel="next"]')->attr('href'));
is($b->dom->find('table.rows tbody tr')->size,
   $total > 40 ? 20 : $total - 20, 'the rest');
ok($b->dom->at('a[rel="prev"]'), 'the way back');
is($b->get('/desk/letters?page=99')->status, 404, 'no such page');
is($b->get('/desk/letters?page=0')->status, 404, 'nor this');
is($b->get('/desk/letters?page=x')->status, 200, 'what is no number is one');


# The desk.

$b->get('/desk')->expect(200, 'the desk');
is($b->dom->find('table.rows tbody tr')->size, 3, 'the newest three');
like($b->text, qr/۳ از ۳/, 'the level');


# One letter.

$b->get("/desk/letters/$code")->expect(200, 'a letter');
like($b->dom->at('h1')->all_text, qr/درخواست کتاب ۱۲/, 'its subject');
like($b->text, qr/ثبت شده/, 'its status');
like($b->text, qr/letter\.png/, 'its file');
ok(!$b->dom->at('form[action$="/followups"]'), 'no follow-up yet');
ok(!$b->dom->at('form[action$="/corrections"]'), 'no correction asked');

is($other->get("/desk/letters/$code")->status, 404, 'not somebody else\'s');
unlike($other->text, qr/درخواست کتاب/, 'and nothing of it is shown');
is($other->get("/desk/letters?sent=$code")->status, 200,
   'sent= of somebody else');
unlike($other->text, qr/\Q@{[ fa($code) ]}\E/, 'says nothing');
is($b->get('/desk/letters/00000000')->status, 404, 'no such letter');

$json = $b->json("/desk/letters/$code");
is($json->{letter}{tracking_code}, $code, 'JSON: the letter');
is($json->{events}[0]{kind}, 'letter_sent', 'JSON: its thread');
is($json->{files}[0]{name}, 'letter.png', 'JSON: its files');

# an answer, read once

$p->db->do(q{UPDATE letters SET new_answers = 1, status = 'answered'
             WHERE tracking_code = ?}, undef, $code);
$p->db->do(q{INSERT INTO events (letter_id, kind, actor, visibility, body)
             SELECT id, 'reply', 'staff', 'citizen', 'پاسخ شما'
               FROM letters WHERE tracking_code = ?}, undef, $code);
$p->db->do(q{INSERT INTO events (letter_id, kind, actor, visibility, body)
             SELECT id, 'note', 'staff', 'internal', 'محرمانه'
               FROM letters WHERE tracking_code = ?}, undef, $code);

$b->get('/desk');
like($b->text, qr/پیام تازه/, 'the desk tells of an answer');
$b->get("/desk/letters/$code");
like($b->text, qr/پاسخ شما/, 'the answer');
like($b->text, qr/تازه/, 'is new');
unlike($b->text, qr/محرمانه/, 'a note is not shown');
unlike($b->json("/desk/letters/$code")->{events}[-1]{body}, qr/محرمانه/,
       'JSON: nor there');
is($p->value('SELECT new_answers FROM letters WHERE tracking_code = ?',
             $code), 0, 'read');
is($p->value(q{SELECT count(*) FROM audit WHERE action = 'answer_read'
               AND object_id = ?}, $code), 1, 'in the audit, once');


# Who may.

my $low = $p->browser;

$low->signup;
is($low->get('/desk/letters/new')->status, 303, 'level 1: no form');
like($low->path, qr{^/desk/identity$}, 'but the way to it');
$low->post('/desk/letters', { %letter, file => one(),
                              submission_key => 'l' x 32 });
is($low->status, 403, 'level 1: nothing is taken');
is($low->get('/desk/letters')->status, 200, 'level 1: an empty list');
like($low->text, qr/هنوز درخواستی ثبت نکرده‌اید/, 'which says so');

my $nobody = $p->browser;

is($nobody->get('/desk/letters')->status, 303, 'nobody: to the log-in');
like($nobody->path, qr{^/login\?}, 'page');
is($nobody->get('/desk/letters', { Accept => 'application/json' })->status,
   401, 'nobody: JSON');


# Companies.

my $legal = legal_id();
my $registration = substr($legal, 3, 6) + 0 || 1;
my %company = (person_kind => 'legal', company_name => 'نام دیگر',
               company_national_id => fa($legal),
               registration_number => "00$registration",
               company_postal_code => postal_code(),
               company_phone => phone(), position => 'مدیرعامل');

$b->get('/desk/letters/new');
$b->submit({ %letter, person_kind => 'legal', file => one() },
           'form[enctype]');
is($b->status, 422, 'a company without its data');
ok($b->error($_), "$_ is missing")
    for grep { $_ ne 'person_kind' && $_ ne 'company_name' } keys %company;

form($b, %company);
is($b->status, 303, 'a company');
($code) = ($b->path // '') =~ /sent=(\d+)/;
($row) = $p->sql('SELECT * FROM letters WHERE tracking_code = ?', $code);
like($row->{company_name}, qr/^شرکت /, 'its name is the registry\'s');
is($row->{company_national_id}, $legal, 'its id in ASCII');
ok($row->{company_checked}, 'checked');
ok(!$row->{position_proven}, 'the position is not proven');

$b->get('/desk/letters/new');

my $link = $b->dom->at('a[href*="?company="]');

ok($link, 'the company is offered again');
$b->get($link->attr('href') =~ s/#.*//r);
is($b->dom->at('[name="company_national_id"]')->attr('value'), $legal,
   'and fills the form');
ok(exists $b->dom->at('#person_kind_legal')->attr->{checked},
   'as a company\'s');

form($b, %company, registration_number => $registration + 1);
is($b->status, 422, 'another registration number');
is($b->error('registration_number') =~ s/^خطا: ?//r,
   $message->{registration_number_mismatch}, 'does not fit');

form($b, %company, company_national_id => wrong_legal_id());
is($b->status, 422, 'a wrong id');

$p->fault(service => 'company', kind => 'no');
form($b, %company, company_national_id => legal_id());
is($b->status, 422, 'no such company');
like($b->error('company_national_id'),
     qr/\Q$message->{company_national_id_unknown}\E/, 'is said');
$p->no_faults;

$p->fault(service => 'company', kind => 'status', status => 500);
form($b, %company, company_national_id => ($legal = legal_id()),
     company_name => 'نام نوشته‌شده');
is($b->status, 303, 'a gateway that is away refuses nobody');
($code) = ($b->path // '') =~ /sent=(\d+)/;
($row) = $p->sql('SELECT * FROM letters WHERE tracking_code = ?', $code);
is($row->{company_name}, 'نام نوشته‌شده', 'the name as written');
ok(!$row->{company_checked}, 'not checked');
$p->no_faults;

$p->done;
