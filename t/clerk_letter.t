#!/usr/bin/perl

# The secretariat's work on letters: number, reply, referral, correction,
# note, end; what each refuses; what the citizen sees of it and what not.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Mojo::JSON qw(encode_json);
use Mojo::Promise;
use Portal;

my $p = Portal->new(workers => 2);
my %message;

open my $in, '<:encoding(UTF-8)', "$FindBin::RealBin/../html/messages.txt"
    or die "messages.txt: $!\n";
/^(\w+):\s+(.*)$/ and $message{$1} = $2 while <$in>;

# Two clerks, experts of three units, a manager.

$p->{staff} = Staff::make_all($p->instance,
    [ clerk  => 'سارا همکار',  'secretariat', 'clerk2' ],
    [ expert => 'نیما حقوقی',  'legal',       'expert2' ],
    [ expert => 'لیلا مالی',   'finance',     'expert3' ]);
$p->secret($_->{password}) for @{ $p->{staff} };

my %unit = map { $_->{code} => $_->{id} } $p->sql('SELECT code, id FROM units');
my ($clerk, $clerk2, $expert, $expert2, $expert3, $manager) =
    map { $p->browser->clerk_login($_) }
    qw(clerk clerk2 expert expert2 expert3 manager);

my $citizen = $p->browser;
my $who = $citizen->signup;

$p->db->do(q{UPDATE persons SET mobile_step = 'yes', registry_step = 'yes',
             first_name = 'زهرا', last_name = 'کریمی', father_name = 'علی'
             WHERE national_code = ?}, undef, $who->{national_code});

my $secret = 'متن درونی دبیرخانه';       # must never reach the citizen

sub at     { "/clerk/letters/$_[0]" }
sub letter { $_[0]->json(at($_[1]))->{letter} }
sub row    { ($p->sql('SELECT * FROM letters WHERE tracking_code = ?', $_[0]))[0] }
sub key    { join '', map { ('a' .. 'z')[rand 26] } 1 .. 24 }

sub summary {
    my $box = $_[0]->dom->at('#error-summary') // return '';

    return $box->all_text =~ s/\s+/ /gr;
}

# A refused action: status and the message in the summary.

sub refused {
    my ($b, $status, $name, $what) = @_;

    is($b->status, $status, "$what: refused");
    like(summary($b), qr/\Q$message{$name}\E/, "$what: says why");
}

sub done {
    my ($b, $flash, $what) = @_;

    is($b->status, 303, $what) or diag(summary($b));
    $b->follow;

    my ($said) = split /\{\{/, $message{"flash_$flash"};

    like($b->flash, qr/\Q$said\E/, "$what: says so");
}


# A letter arrives; nobody's yet.

my $code = $citizen->send_letter(subject => 'درخواست انشعاب');
$p->message($who->{mobile}, qr/$code/);

is($clerk->get(at($code))->status, 200, 'the letter');
like($clerk->text, qr/درخواست انشعاب.*کریمی/s, 'with its sender');
ok($clerk->dom->at('.viewer img[src^="/clerk/files/"]'), 'the scan beside it');
is($clerk->get($clerk->dom->at('.viewer img')->attr('src'))->status, 200,
   'which is shown');
$clerk->get(at($code));
ok($clerk->dom->at('.viewer + p > a[href^="/clerk/files/"]'),
   'and opens by itself, without the tools that need a script');
ok(!$clerk->dom->at('[role="toolbar"] [style]'), 'no inline style');
is($clerk->get(at('99999999'))->status, 404, 'no such letter');
is($clerk->get(at('x'))->status, 404, 'no such code');
is($expert->get(at($code))->status, 404, 'an expert does not see it');
is($clerk->post(at($code) . '/nothing', {})->status, 404, 'no such action');
is($citizen->get(at($code))->status, 303, 'a citizen is nobody here');

my $json = $clerk->json(at($code));

is($json->{letter}{tracking_code}, $code, 'as data');
ok($json->{letter}{can_take} && $json->{letter}{can_register}, 'with flags');
is($p->value(q{SELECT count(*) FROM audit WHERE action = 'letter_viewed'
               AND object_id = ?}, $code), 3, 'each view is in the audit');


# Two clerks see each other.

$clerk2->get(at($code));
like($clerk2->flash, qr/مریم دبیری/, 'the second sees the first');
$clerk->get(at($code));
like($clerk->flash, qr/سارا همکار/, 'the first sees the second');


# csrf, roles.

is($clerk->post(at($code) . '/take', { csrf => undef,
       submission_key => key() })->status, 403, 'no csrf');
is($expert->post(at($code) . '/take', { submission_key => key() })->status,
   403, 'an expert takes nothing');
is($expert->post(at($code) . '/note', { submission_key => key(),
       note_body => 'x' })->status, 404, 'nor notes on what is not theirs');


# Take.

$clerk->get(at($code));
done($clerk->submit({}, 'form[action$="/take"]'), 'taken', 'taking');
ok(letter($clerk, $code)->{is_mine}, 'it is mine');
refused($clerk2->post(at($code) . '/take', { submission_key => key() }), 409,
        'letter_taken', 'the second clerk');
ok($clerk2->dom->at('.masthead .quick'), 'the page knows who it is for');
ok(!letter($clerk2, $code)->{can_reply}, 'who may read but not reply');
refused($clerk2->post(at($code) . '/reply', { submission_key => key(),
        body => 'نه', final => 1 }), 409, 'letter_taken', 'a reply of theirs');


# Register.

my $seen = $p->last_message($who->{mobile});

refused($clerk->post(at($code) . '/register', { submission_key => key(),
        book => 'nobook' }), 422, 'register_book_unknown', 'a wrong book');
$clerk->get(at($code));

my $first_key = $clerk->dom->at('form[action$="/register"] '
                                . '[name=submission_key]')->val;

done($clerk->submit({ book => $clerk->dom->at('#book option')->val },
                    'form[action$="/register"]'), 'registered', 'registering');

my $number = row($code)->{register_number};

is($number, 1, 'the first number of the year');
like($clerk->flash, qr/@{[ fa(1) ]}/, 'said at once');
like($p->message($who->{mobile}, qr/شماره/, $seen)->{text}, qr/$code.*\b1\b/s,
     'the citizen is told by SMS');
is($citizen->get("/desk/letters/$code")->status, 200, 'and in the thread:');
like($citizen->text, qr/\Q$message{kind_registered}\E/, 'registered');
is($clerk->post(at($code) . '/register', { submission_key => $first_key,
       book => '' })->status, 303, 'the same form again');
is($p->value('SELECT count(*) FROM events WHERE kind = ?', 'registered'), 1,
   'registers nothing twice');


# A note.

refused($clerk->post(at($code) . '/note', { submission_key => key(),
        note_body => " \n" }), 422, 'body_required', 'an empty note');
ok($clerk->dom->at('#error-summary a[href="#note_body"]'),
   'the summary leads to the field');
$clerk->get(at($code));
done($clerk->submit({ note_body => $secret }), 'noted', 'a note');
like($clerk->dom->find('.thread .internal')->last->all_text,
     qr/\Q$secret\E/, 'plainly apart');


# An interim reply; what came meanwhile.

$clerk->get(at($code));

# 57 characters that are not of GSM 7-bit: 70 go into one part

like($clerk->dom->at('form[action$="/reply"] .inset')->all_text,
     qr/\(۱ بخش\)\s*یک پاسخ برای درخواست با کد رهگیری $code ثبت شده است\./,
     'the SMS is shown before, with its parts');

my $old = $clerk->dom->at('form[action$="/reply"] [name=version]')->val;

refused($clerk->post(at($code) . '/reply', { submission_key => key(),
        version => $old, body => '', final => 1 }), 422, 'body_required',
        'an empty reply');
is($clerk->post(at($code) . '/reply', { submission_key => key(),
       body => 'ا' x 8001, final => 1 })->status, 422,
   'a reply of more than 8000 characters');
like(summary($clerk), qr/۸۰۰۰|۸٬۰۰۰/, 'says how many there may be');
$p->browser->clerk_login('manager')->post(at($code) . '/note', {
    submission_key => key(), note_body => 'از سوی مدیر' });
is($clerk->json(at($code) . "/changed?version=$old")->{changed}, 1,
   'a page that stays open can ask');
is($clerk->json(at($code) . '/changed?version=' . row($code)->{version})
         ->{changed}, 0, 'nothing since');
is($expert->get(at($code) . "/changed?version=$old")->status, 404,
   'but who does not see the letter');
refused($clerk->post(at($code) . '/reply', { submission_key => key(),
        version => $old, body => 'متنی که می‌ماند', final => 1,
        file => [[ 'a.png', Portal::Browser::tiny_png('kept'),
                   'image/png' ]] }), 409, 'letter_changed',
        'a page that is not the newest');
is($clerk->dom->at('#body')->val, 'متنی که می‌ماند', 'what was typed stays');
ok($clerk->dom->at('[name=kept_file]'), 'the file stays');
$seen = $p->last_message($who->{mobile});
done($clerk->submit({ body => 'پاسخ میانی ما', final => 0,
                      kept_file => $clerk->dom->at('[name=kept_file]')->val },
                    'form[action$="/reply"]'), 'replied', 'an interim reply');
like($p->message($who->{mobile}, qr/^یک پاسخ/, $seen)->{text}, qr/$code/,
     'an SMS says so');
is(row($code)->{status}, 'secretariat', 'the letter goes on');
is($p->value(q{SELECT count(*) FROM files WHERE purpose = 'reply'}), 1,
   'with the kept file');
$citizen->get("/desk/letters/$code");
like($citizen->text, qr/پاسخ میانی ما/, 'the citizen reads it');
is($citizen->get($citizen->dom->at('.thread a[href*="/desk/files/"]')
                         ->attr('href'))->status, 200, 'and its file');


# Referrals to two units.

refused($clerk->post(at($code) . '/refer', { submission_key => key(),
        instruction => 'x' }), 422, 'unit_required', 'no unit');
refused($clerk->post(at($code) . '/refer', { submission_key => key(),
        unit => 999999, instruction => 'x' }), 422, 'unit_unknown',
        'no such unit');
refused($clerk->post(at($code) . '/refer', { submission_key => key(),
        unit => $unit{legal}, instruction => 'x', due => 'فردا' }), 422,
        'due_wrong', 'a due date that is none');
is($clerk->dom->at('#instruction')->val, 'x', 'what was typed stays');
ok($clerk->dom->at(qq(#unit [value="$unit{legal}"][checked])),
   'and the unit chosen');
refused($clerk->post(at($code) . '/refer', { submission_key => key(),
        unit => $unit{legal}, instruction => 'x', due => '۱۴۰۰/۰۱/۰۱' }), 422,
        'due_past', 'a due date in the past');

$clerk->get(at($code));
done($clerk->submit({ unit => [ $unit{technical}, $unit{legal} ],
                      instruction => "$secret بررسی", due => fa(3) },
                    'form[action$="/refer"]'), 'referred',
     'two units, three working days');

my @referrals = $p->sql(q{SELECT r.*, u.code, r.due_on
    = add_working_days(today(), 3) AS due FROM referrals AS r
    JOIN units AS u ON u.id = r.unit_id ORDER BY u.code DESC});

is(scalar @referrals, 2, 'are two referrals');
ok($_->{due}, "$_->{code}: due in three working days") for @referrals;
is(row($code)->{status}, 'review', 'under review');
refused($clerk->post(at($code) . '/refer', { submission_key => key(),
        unit => $unit{legal}, instruction => 'x' }), 409, 'referral_exists',
        'the same unit again');
ok(!letter($clerk, $code)->{can_close}, 'with open referrals');
refused($clerk->post(at($code) . '/close', { submission_key => key() }), 409,
        'referral_open', 'closing');

my ($technical, $legal) = @referrals;
my $page = "/clerk/referrals/$technical->{id}";

is($expert3->get(at($code))->status, 404, 'an expert of a third unit');
is($expert3->get($page)->status, 404, 'sees no referral');
is($expert2->get($page)->status, 404, 'nor one of another unit');
is($expert->get('/clerk/referrals/99999')->status, 404, 'none there');
is($expert->get('/clerk/referrals/x')->status, 404, 'nor by this name');
is($expert->get($page)->status, 200, 'the expert of the unit');
like($expert->text, qr/\Q$secret\E/, 'reads the instruction');
is($expert->get($expert->dom->at('.viewer img')->attr('src'))->status, 200,
   'and the scan');
ok($p->value('SELECT seen_at FROM referrals WHERE id = ?', $technical->{id}),
   'which marks it seen');
ok(!$p->value('SELECT seen_at FROM referrals WHERE id = ?', $legal->{id}),
   'this one alone');
is($expert->get(at($code))->status, 200, 'the letter too');
like($expert->dom->at('#tasks')->to_string,
     qr{/referrals/\d+".*action="[^"]*/note"}s,
     'what the expert is asked stands above what else can be done');
unlike($expert->text, qr/ارجاع باز است/,
       'and how many others are asked is not told');
ok(!$expert->dom->at('form[action$="/reply"], form[action$="/refer"], '
                     . 'form[action$="/close"]'), 'nothing of a clerk there');
is($expert->post(at($code) . '/reply', { submission_key => key(),
       body => 'x' })->status, 403, 'no reply by an expert');
$expert->get(at($code));
done($expert->submit({ note_body => 'یادداشت کارشناس' }), 'noted',
     'an expert notes');

refused($expert->post("$page/answer", { submission_key => key(),
        body => '' }), 422, 'body_required', 'an empty answer');
is($expert2->post("$page/answer", { submission_key => key(),
       body => 'x' })->status, 404, 'an answer by another unit');

my $answer_key = key();

done($expert->post("$page/answer", { submission_key => $answer_key,
     body => "$secret نظر", file => [[ 'nazar.png',
     Portal::Browser::tiny_png('nazar'), 'image/png' ]] }),
     'referral_answered', 'the answer');
is($expert->post("$page/answer", { submission_key => $answer_key,
       body => 'x' })->status, 303, 'the same form again');
is($p->value('SELECT count(*) FROM events WHERE kind = ?',
             'referral_answered'), 1, 'is one answer');
refused($expert->post("$page/answer", { submission_key => key(),
        body => 'نظر دیگر' }), 409, 'referral_closed', 'a second answer');
is($expert->dom->at('#written')->val, 'نظر دیگر', 'what was written is there');

$expert2->get(at($code));
unlike($expert2->body, qr/\Q$secret نظر\E/,
       'another unit does not read what this one answered');

$page = "/clerk/referrals/$legal->{id}";
refused($expert2->post("$page/return", { submission_key => key(),
        return_body => '' }), 422, 'return_reason_required',
        'a return without a reason');
$expert2->get($page);
done($expert2->submit({ return_body => 'در حوزهٔ ما نیست' }),
     'referral_returned', 'a return');
is(row($code)->{open_referrals}, 0, 'none is open');

$clerk->get(at($code));
done($clerk->submit({ unit => $unit{finance}, instruction => 'نظر' },
                    'form[action$="/refer"]'), 'referred', 'a third unit');
my $third = $p->value('SELECT max(id) FROM referrals');

is($expert3->get(at($code))->status, 200, 'sees the letter');
is($expert3->post("/clerk/referrals/$third/recall", { submission_key => key() })
           ->status, 403, 'does not recall');
refused($clerk2->post("/clerk/referrals/$third/recall",
        { submission_key => key() }), 409, 'letter_taken',
        'nor another clerk');
$expert3->get("/clerk/referrals/$third");
$clerk->get("/clerk/referrals/$third");
done($clerk->submit({ recall_body => 'اشتباه' }), 'referral_recalled',
     'recalled');
refused($expert3->submit({ body => 'یک ساعت نوشته' },
                         'form[action$="/answer"]'), 409, 'referral_closed',
        'an answer that was being written');
is($expert3->dom->at('#written')->val, 'یک ساعت نوشته', 'is not lost');
unlike($expert3->body, qr/\Q$code\E|<iframe|data-viewer/,
       'beside nothing of the letter');
is($expert3->post(at($code) . '/note', { submission_key => key(),
       note_body => 'نیمی از یک یادداشت' })->status, 404,
   'a note that was being written');
is($expert3->dom->at('#written')->val, 'نیمی از یک یادداشت',
   'is not lost either');
is($expert3->post(at($code) . '/note', { submission_key => key(),
       csrf => 'x', note_body => 'از سایتی دیگر' })->status, 403,
   'what another site sends');
ok(!$expert3->dom->at('#written'), 'is not shown');
is($expert3->get(at($code))->status, 404, 'the unit sees it no more');
is($expert3->get("/clerk/referrals/$third")->status, 404,
   'nor the referral');


# Ask for correction: the clock stops.

my $file = $p->value('SELECT max(f.id::text) FROM files AS f
    JOIN letters AS l ON l.id = f.letter_id AND f.purpose = $$letter$$
    WHERE l.tracking_code = ?', $code);

refused($clerk->post(at($code) . '/ask-correction', { submission_key => key(),
        correction_body => '', file_id => $file }), 422, 'body_required',
        'nothing asked');
is($clerk->dom->at('#file_id option[selected]')->attr('value'), $file,
   'the file stays chosen');
refused($clerk->post(at($code) . '/ask-correction', { submission_key => key(),
        correction_body => 'x', file_id => 'z' x 36 }), 422, 'file_id_wrong',
        'no file');
refused($clerk->post(at($code) . '/ask-correction', { submission_key => key(),
        correction_body => 'x',
        file_id => '11111111-1111-4111-8111-111111111111' }), 422,
        'file_id_wrong', 'a file that is not there');
$seen = $p->last_message($who->{mobile});
$clerk->get(at($code));
done($clerk->submit({ correction_body => 'صفحهٔ دوم خوانا نیست',
     file_id => $clerk->dom->at('#file_id option')->val }),
     'correction_asked', 'asking for correction');
is(row($code)->{status}, 'correction', 'the letter waits');
ok(row($code)->{clock_stopped_on}, 'its clock has stopped');
like($p->message($who->{mobile}, qr/اصلاح/, $seen)->{text}, qr/$code/,
     'an SMS');
like($citizen->get("/desk/letters/$code")->text, qr/صفحهٔ دوم خوانا نیست/,
     'the citizen reads what is wrong');
refused($clerk->post(at($code) . '/close', { submission_key => key() }), 409,
        'letter_correction_open', 'closing while the citizen owes');
$citizen->submit({ file => [[ 'new.png', Portal::Browser::tiny_png('new'),
                              'image/png' ]] },
                 'form[action$="/corrections"]')
        ->expect(303, 'the correction');
ok(!row($code)->{clock_stopped_on}, 'it goes on with the answer');
is(row($code)->{status}, 'review', 'where it stood');
is(scalar @{ $clerk->json(at($code))->{files} }, 2, 'both files are there');
is($clerk->get(at($code))->dom->find('#file_id option')->size, 1,
   'the new one can be asked about');


# Canned replies, filled from the letter.

my ($canned, $empty) = map { $p->value(q{INSERT INTO canned
    (title, body, active, updated_by) VALUES (?, ?, true,
     (SELECT id FROM staff WHERE username = 'manager')) RETURNING id}, @$_) }
    [ 'سلام', "{{person_name}} گرامی، {{ tracking_code }}\n<b>{{register_number}}</b>" ],
    [ 'شرکت', 'نام: {{company_name}}' ];

$clerk->get(at($code));
my $reply_key = $clerk->dom->at('form[action$="/reply"] [name=submission_key]')
                      ->val;
my %typed = (submission_key => $reply_key, body => 'آغاز', final => 1,
             insert => 1,
             version => row($code)->{version});

is($clerk->post(at($code) . '/reply', { %typed, canned_id => $canned })
         ->status, 200, 'a canned reply comes into the form');
is($clerk->dom->at('#body')->val =~ s/\r//gr,
   "آغاز\n\nزهرا کریمی گرامی، " . fa($code) . "\n<b>" . fa(1) . '</b>',
   'behind what was typed, filled, as plain text');
ok($clerk->dom->at('.masthead .quick'), 'the page knows who it is for');
ok(!$clerk->dom->at('#error-summary'), 'with no error');
is(row($code)->{status}, 'review', 'nothing was sent');
refused($clerk->post(at($code) . '/reply', { %typed, canned_id => 999999 }),
        422, 'canned_unknown', 'no such canned reply');
is($clerk->dom->at('#body')->val, 'آغاز', 'what was typed stays');
$clerk->post(at($code) . '/reply', { %typed, body => '',
                                     canned_id => $empty });
like($clerk->dom->at('#body')->val, qr/\{\{company_name\}\}/,
     'a value that is missing is seen');
is($clerk->submit({ final => 1 }, 'form[action$="/reply"]')->status, 422,
   'and not sent');
like(summary($clerk), qr/\{\{company_name\}\}/, 'says where');


# Which of the page's forms stand open.

sub opened {
    map { $_->at('form')->attr('action') =~ m{/([a-z-]+)$} }
        $_[0]->dom->find('details.task[open]')->each;
}


# The final reply, once.

$seen = $p->last_message($who->{mobile});
$clerk->get(at($code));
is_deeply([ opened($clerk) ], [ 'reply' ], 'the reply is open');
$clerk->post(at($code) . '/reply', { %typed, body => '',
                                     canned_id => $canned });
done($clerk->submit({ body => 'پاسخ نهایی ما' }, 'form[action$="/reply"]'),
     'replied', 'the final reply');
is($p->value('SELECT uses FROM canned WHERE id = ?', $canned), 1,
   'counts for the canned one that it came from');
is($clerk->post(at($code) . '/reply', { submission_key => $reply_key,
       version => 1, body => 'پاسخ نهایی ما' })->status, 303,
   'the same form again is the same reply');
is($p->value('SELECT count(*) FROM events WHERE kind = ?', 'reply'), 1,
   'one event');
is(row($code)->{status}, 'answered', 'answered');
is($p->message($who->{mobile}, qr/^یک پاسخ/, $seen)->{text},
   "یک پاسخ برای درخواست با کد رهگیری $code ثبت شده است.",
   'the SMS, word for word');
is(scalar(grep { $_->{text} =~ /^یک پاسخ/ } $p->messages($who->{mobile})), 2,
   'one SMS for each reply');


# Close, reopen.

refused($clerk2->post(at($code) . '/close', { submission_key => key() }), 409,
        'letter_taken', 'closing what a colleague has');
$clerk->get(at($code));
is_deeply([ opened($clerk) ], [ 'close' ], 'what comes next is open');
done($clerk->submit({}, 'form[action$="/close"]'), 'closed', 'closing');
ok(!letter($clerk, $code)->{can_reply}, 'nothing more to do');
refused($clerk->post(at($code) . '/reply', { submission_key => key(),
        body => 'پاسخی دیگر' }), 409, 'letter_closed', 'a reply');
is($clerk->dom->at('#written')->val, 'پاسخی دیگر', 'is not lost');
$clerk->get(at($code));
done($clerk->submit({}, 'form[action$="/reopen"]'), 'reopened', 'reopening');
refused($clerk->post(at($code) . '/reopen', { submission_key => key() }), 409,
        'letter_not_closed', 'once more');
is($expert->post(at($code) . '/reopen', { submission_key => key() })->status,
   403, 'not by an expert');
is($clerk->post(at($code) . '/close', { submission_key => 'short' })->status,
   422, 'a key that is none');


# Nothing internal is the citizen's: page, JSON, SMS, files.

$citizen->get("/desk/letters/$code");
my $seen_page = $citizen->body;
my $data = encode_json($citizen->json("/desk/letters/$code"));

utf8::decode($_) for $seen_page, $data;

for my $text ($secret, 'یادداشت کارشناس', 'در حوزهٔ ما نیست', 'مریم', 'نیما',
              'واحد فنی', 'referral', 'is_internal')
{
    unlike($seen_page, qr/\Q$text\E/, "the citizen's page: no «$text»");
    unlike($data, qr/\Q$text\E/, "the citizen's data: no «$text»");
}

is(scalar(grep { $_->{text} =~ /\Q$secret\E|کارشناس|حوزه/ }
          $p->messages($who->{mobile})), 0, 'nor an SMS');

my $internal = $p->value(q{SELECT id FROM files WHERE purpose = 'referral'});

is($citizen->get("/desk/files/$internal")->status, 404,
   'nor the file of an answer');
is($clerk->get("/clerk/files/$internal")->status, 200, 'which a clerk reads');
is($expert3->get("/clerk/files/$internal")->status, 404,
   'and an expert of another unit does not');


# Messages, and sending one again.

my ($failed) = $p->sql(q{SELECT id FROM messages WHERE template
    = 'letter_answered' ORDER BY id DESC LIMIT 1});

$p->db->do(q{UPDATE messages SET state = 'failed', finished_at = now()
             WHERE id = ?}, undef, $failed->{id});
$p->db->do(q{UPDATE messages SET reason = 'blacklist' WHERE id = ?}, undef,
           $failed->{id});
is($clerk->get('/clerk/messages')->status, 200, 'what failed');
is($p->value(q{SELECT details ->> 'state' FROM audit
                WHERE action = 'read' AND object = 'messages'}), 'failed',
   'a list of messages leaves a line');
like($clerk->text, qr/\Q$message{reason_blacklist}\E blacklist/, 'and why');
$p->db->do(q{UPDATE messages SET reason = 'answer_17' WHERE id = ?}, undef,
           $failed->{id});
like($clerk->get('/clerk/messages')->text, qr/answer_17/,
     'if only in the provider\'s words');
ok($clerk->dom->at(qq(form[action\$="/messages/$failed->{id}/resend"])),
   'can be sent again');
unlike($clerk->body, qr/$who->{mobile}/, 'mobiles are masked');
$seen = $p->last_message($who->{mobile});
$clerk->get(at($code));
done($clerk->submit({}, 'form[action$="/resend"]'), 'message_resent',
     'sent again from the timeline');
like($clerk->tx->req->url->path, qr{/letters/$code$}, 'back at the letter');
ok($p->message($who->{mobile}, qr/^یک پاسخ/, $seen), 'it arrives');
is($clerk->post("/clerk/messages/$failed->{id}/resend",
                { submission_key => key() })->status, 409, 'once only');
like(summary($clerk), qr/\Q$message{message_not_resendable}\E/, 'says so');
is($expert->get('/clerk/messages')->status, 403, 'not for experts');
is($clerk->get("/clerk/messages?state=$_")->status, 200, "state $_")
    for qw(queued sending sent delivered unknown expired nonsense);
is($clerk->post('/clerk/messages/999999/resend', { submission_key => key() })
         ->status, 404, 'no such message');

my $sms = $p->value(q{SELECT max(id) FROM messages WHERE template = 'code'});

is($clerk->post("/clerk/messages/$sms/resend", { submission_key => key() })
         ->status, 409, 'a code is not sent again');


# Tickets.

$citizen->get('/desk/tickets/new');
$citizen->submit({ subject => 'کمک', body => 'پرسش من' })
        ->expect(303, 'a ticket');

my $ticket = $p->value('SELECT number FROM tickets');

is($expert->get('/clerk/tickets')->status, 403, 'not for experts');
is($clerk->get('/clerk/tickets')->status, 200, 'the tickets');
like($clerk->text, qr/کمک/, 'with the new one');
is($clerk->get("/clerk/tickets/$ticket")->status, 200, 'it');
like($clerk->text, qr/پرسش من/, 'with what was asked');
is($clerk->get('/clerk/tickets/999999')->status, 404, 'none there');
refused($clerk->post("/clerk/tickets/$ticket/messages",
        { submission_key => key(), body => '' }), 422, 'body_required',
        'an empty answer');
$seen = $p->last_message($who->{mobile});
$clerk->get("/clerk/tickets/$ticket");
done($clerk->submit({ body => 'پاسخ تیکت', file => [[ 'h.png',
     Portal::Browser::tiny_png('h'), 'image/png' ]] }), 'replied',
     'an answer');
like($p->message($who->{mobile}, qr/تیکت/, $seen)->{text}, qr/$ticket/,
     'an SMS');
like($citizen->get("/desk/tickets/$ticket")->text, qr/پاسخ تیکت/,
     'the citizen reads it');
like($clerk->get('/clerk/tickets?status=answered')->text, qr/کمک/,
     'the other tab');
$clerk->get("/clerk/tickets/$ticket");
done($clerk->submit({}, 'form[action$="/close"]'), 'ticket_closed', 'closing');
refused($clerk->post("/clerk/tickets/$ticket/messages",
        { submission_key => key(), body => 'x' }), 409, 'ticket_closed',
        'an answer to a closed one');
is($clerk->dom->at('#written')->val, 'x', 'is not lost');
refused($citizen->post("/desk/tickets/$ticket/messages",
        { submission_key => key(), body => 'هنوز نه' }), 409, 'ticket_closed',
        'what the citizen was writing');
is($citizen->dom->at('#written')->val, 'هنوز نه', 'is not lost either');


# Programs: each text is body, whatever the pages call it.

sub program {
    my ($b, $path, %field) = @_;

    return $b->post($path, { submission_key => key(), %field });
}

my $plain = $citizen->send_letter(subject => 'از سوی برنامه');
my $its = at($plain);

sub body_of {
    return $p->value(q{SELECT e.body FROM events AS e
        JOIN letters AS l ON l.id = e.letter_id
       WHERE l.tracking_code = ? AND e.kind = ? ORDER BY e.id DESC LIMIT 1},
        $plain, $_[0]);
}

done(program($clerk, "$its/note", body => 'یادداشت برنامه'), 'noted',
     'a note');
is(body_of('note'), 'یادداشت برنامه', 'has its text');
refused(program($clerk, "$its/note", body => ' '), 422, 'body_required',
        'an empty one');
done(program($clerk, "$its/note", body => 'ب', note_body => 'الف'), 'noted',
     'both names');
is(body_of('note'), 'الف', 'the page’s own counts');

for my $how (qw(return recall)) {
    done(program($clerk, "$its/refer", unit => $unit{finance},
                 instruction => 'نظر'), 'referred', "to $how");

    my $id = $p->value('SELECT max(id) FROM referrals');

    done(program($how eq 'return' ? $expert3 : $clerk,
                 "/clerk/referrals/$id/$how", body => "علت $how"),
         $how eq 'return' ? 'referral_returned' : 'referral_recalled', $how);
    is($p->value('SELECT count(*) FROM events WHERE body = ?', "علت $how"), 1,
       'with its text');
}

done(program($clerk, "$its/ask-correction", body => 'صفحهٔ دوم',
     file_id => $p->value(q{SELECT f.id FROM files AS f
        JOIN letters AS l ON l.id = f.letter_id
       WHERE l.tracking_code = ? LIMIT 1}, $plain)), 'correction_asked',
     'asking for correction');
is(body_of('correction_asked'), 'صفحهٔ دوم', 'with its text');
$citizen->get("/desk/letters/$plain");
$citizen->submit({ file => [[ 'new.png', Portal::Browser::tiny_png('plain'),
                              'image/png' ]] }, 'form[action$="/corrections"]')
        ->expect(303, 'corrected');
refused(program($clerk, "$its/close"), 422, 'close_reason_required',
        'who was not answered is owed a reason');
done(program($clerk, "$its/close", body => 'تکراری است'), 'closed', 'closing');
is(body_of('closed'), 'تکراری است', 'with a reason');
done(program($clerk, "$its/reopen"), 'reopened', 'opening again');
done(program($clerk, "$its/reply", body => 'پاسخ', final => 1), 'replied',
     'a final reply');
done(program($clerk, "$its/close"), 'closed', 'closing needs no field then');


# Fifty at once, over two clerks: each letter is registered once, without a
# gap.

my @codes = map { $citizen->send_letter(subject => "همزمان $_",
    files => [[ 'p.png', Portal::Browser::tiny_png("p$_"), 'image/png' ]]) }
    1 .. 25;
my @status;

Mojo::Promise->all(map {
    my $b = $_;

    map { $b->ua->post_p($b->url(at($_) . '/register'), form => {
              csrf => $b->csrf, submission_key => key(), book => '' })
              ->then(sub { push @status, $_[0]->res->code }) } @codes;
} $clerk, $clerk2)->wait;

is(scalar @status, 50, 'fifty answers');
is(scalar(grep { $_ != 303 && $_ != 409 } @status), 0,
   'each is done, or taken by the other clerk')
    or diag("@status");
is(join(' ', map { $_->{register_number} } $p->sql(
       'SELECT register_number FROM letters
         WHERE register_number IS NOT NULL ORDER BY register_number')),
   join(' ', 1 .. 26), 'numbers 1 to 26 without a gap');
is($p->value(q{SELECT count(*) FROM messages
               WHERE template = 'letter_registered'}), 26,
   'one SMS for each letter');

$p->done;
