#!/usr/bin/perl

# Corrections and follow-ups: what a citizen adds to a letter.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;

my $p = Portal->new;

sub png { [ $_[1] // 'a.png', Portal::Browser::tiny_png($_[0]),
            'image/png' ] }


sub citizen {
    my $b = $p->browser;
    my $who = $b->signup;

    $p->db->do(q{UPDATE persons SET mobile_step = 'yes',
                 registry_step = 'yes', first_name = 'زهرا',
                 last_name = 'کریمی', father_name = 'علی'
                 WHERE national_code = ?}, undef, $who->{national_code});
    return $b;
}


# A clerk's act, by the functions that the clerk's pages call.

sub clerk {
    my ($call, @values) = @_;
    my $db = $p->db;

    $p->staff('clerk');
    $db->begin_work;
    $db->selectrow_array(q{SELECT guard_staff(id, epoch, '', '127.0.0.1')
                           FROM staff WHERE username = 'clerk'});
    $db->selectrow_array("SELECT $call", undef, @values);
    $db->commit;
}

sub state {
    return $p->value('SELECT status FROM letters WHERE tracking_code = ?',
                     $_[0]);
}

sub key { 'k' . join '', map { int rand 10 } 1 .. 30 }

my ($b, $other) = (citizen(), citizen());
my $code = $b->send_letter(files => [ png(1, 'یک.png'), png(2, 'دو.png') ]);
my @files = map { $_->{id} } $p->sql(
    'SELECT f.id FROM files AS f JOIN letters AS l ON l.id = f.letter_id
      WHERE l.tracking_code = ? ORDER BY f.position', $code);
my $path = "/desk/letters/$code";


# A correction nobody asked for.

$b->get($path);
$b->post("$path/corrections", { submission_key => key(),
                                file_id => $files[0], file => [ png(3) ] });
is($b->status, 409, 'nothing was asked');


# Of one file.

clerk('letter_ask_correction(?, ?, ?, ?)', key(), $code, 'عکس خوانا نیست',
      $files[0]);
is(state($code), 'correction', 'a correction is asked');
$b->get($path)->expect(200, 'the letter');
like($b->text, qr/عکس خوانا نیست/, 'what is wrong');
like($b->text, qr/به‌جای یک\.png/, 'with which file');
like($b->text, qr/نیازمند اصلاح/, 'the status');

$b->submit({ file_id => $files[0] }, 'form[action$="/corrections"]');
is($b->status, 422, 'without a file');
ok($b->error('file'), 'at its field');
$b->get($path);
$b->submit({ file => [ [ 'a.png', 'no picture', 'image/png' ] ] },
           'form[action$="/corrections"]');
is($b->status, 422, 'with a bad one');
$b->get($path);
ok(!$b->dom->at('form[action$="/corrections"] [type="file"][multiple]'),
   'the field takes one file');
$b->submit({ file => [ png(4), png(5) ] }, 'form[action$="/corrections"]');
is($b->status, 422, 'with two');
is($b->dom->find('[name="kept_file"]')->size, 2, 'which both stay');
$b->get($path);
$b->submit({ file => [ png(6) ], file_id => $files[1] },
           'form[action$="/corrections"]');
is($b->status, 422, 'of a file that was not asked for');
$b->submit({ file => [ png(6) ], file_id => 'x' },
           'form[action$="/corrections"]');
is($b->status, 422, 'of no file');
is(state($code), 'correction', 'nothing was taken');

my $key = key();

$other->get('/desk');
$other->post("$path/corrections", { submission_key => $key, file => [ png() ],
                                    file_id => $files[0] });
is($other->status, 404, 'by somebody else');

$b->get($path);

my %form = (submission_key => $key, file_id => $files[0],
            file => [ png(7, 'تازه.png') ]);

$b->post("$path/corrections", { %form });
is($b->status, 303, 'corrected');
like($b->path, qr/flash=correction_sent/, 'and said so');
$b->follow;
like($b->text, qr/تازه\.png/, 'the new file is shown');
like($b->flash, qr/فایل اصلاح‌شده رسید/, 'with thanks');
isnt(state($code), 'correction', 'the letter goes on');
is($p->value('SELECT count(*) FROM files WHERE id = ? AND replaced_by IS NOT
              NULL', $files[0]), 1, 'the old one is replaced');
$b->post("$path/corrections", { %form });
is($b->status, 303, 'once more is the same');
is($p->value('SELECT count(*) FROM files AS f JOIN letters AS l
              ON l.id = f.letter_id WHERE l.tracking_code = ?', $code), 3,
   'and no other file');


# Of any: the citizen says which.

clerk('letter_ask_correction(?, ?, ?, ?)', key(), $code, 'یکی تار است',
      undef);
$b->get($path);
is($b->dom->find('input[name="file_id"][type="radio"]')->size, 2,
   'which of the two');
$b->submit({ file => [ png(8, 'هشت.png') ] },
           'form[action$="/corrections"]');
is($b->status, 422, 'none chosen');
ok($b->error('file_id'), 'at its field');
is($b->dom->find('[name="kept_file"]')->size, 1, 'its file stays');
$b->submit({ file_id => $files[1], file => [ [ 'a.png', 'bad',
                                               'image/png' ] ] },
           'form[action$="/corrections"]');
is($b->status, 422, 'one chosen, a bad file');
is($b->dom->find('[name="kept_file"]')->size, 1, 'the good one stays');
is($b->dom->at('input[name="file_id"][checked]')->attr('value'), $files[1],
   'and which of the two');
$b->submit({}, 'form[action$="/corrections"]');
is($b->status, 303, 'nothing is asked for again');
is($p->value('SELECT n.name FROM files AS n JOIN files AS f
              ON f.replaced_by = n.id WHERE f.id = ?', $files[1]), 'هشت.png',
   'the file that was kept');


# Of any, when there is only one.

my $single = $b->send_letter(files => [ png(12, 'تنها.png') ]);

clerk('letter_ask_correction(?, ?, ?, ?)', key(), $single, 'تار است', undef);
$b->get("/desk/letters/$single");
like($b->text, qr/به‌جای تنها\.png/, 'the only file is meant');
$b->submit({ file => [ png(13), png(14) ] }, 'form[action$="/corrections"]');

my ($first) = map { $_->attr('value') }
              $b->dom->find('[name="kept_file"]')->each;

$b->submit({ file => [ png(15, 'نو.png') ], kept_file => $first },
           'form[action$="/corrections"]');
is($b->status, 303, 'and replaced');
is($p->value('SELECT n.name FROM files AS n JOIN files AS f
              ON f.replaced_by = n.id JOIN letters AS l ON l.id = f.letter_id
              WHERE l.tracking_code = ?', $single), 'نو.png',
   'by the file chosen last, not the one kept');


# Follow-ups.

$b->get($path);
ok(!$b->dom->at('form[action$="/followups"]'), 'not before an answer');
$b->post("$path/followups", { submission_key => key(), body => 'پیرو' });
is($b->status, 409, 'nor taken');
is($b->dom->at('#written')->val, 'پیرو', 'what was written is not lost');

my ($book) = $p->value('SELECT code FROM books ORDER BY id LIMIT 1');

clerk('letter_register(?, ?, ?)', key(), $code, $book);
clerk('letter_reply(?, ?, ?, true, NULL, ?)', key(), $code, 'پاسخ نهایی',
      '[]');
is(state($code), 'answered', 'answered');

$b->get('/desk');
ok($b->dom->at('nav .badge'), 'the menu counts it');
$b->get($path);
ok(!$b->dom->at('nav .badge'), 'until it is read');
like($b->text, qr/پاسخ نهایی/, 'the answer');
$b->submit({ body => ' ', file => [ png(9, 'پیوست.png'),
                                    png(10, 'دیگر.png') ] },
           'form[action$="/followups"]');
is($b->status, 422, 'without a text');
ok($b->error('body'), 'at its field');
is($b->dom->find('[name="kept_file"]')->size, 2, 'its files stay');
ok($b->dom->at('details[open] form[action$="/followups"]'),
   'and its form is open');
$b->get($path);
$b->submit({ body => 'متن', file => [ [ 'a.png', 'bad', 'image/png' ] ] },
           'form[action$="/followups"]');
is($b->status, 422, 'with a bad file');
ok($b->dom->at('details[open] form[action$="/followups"]'),
   'its form is open as well');
$b->get($path);
$b->submit({ body => ' ', file => [ png(9, 'پیوست.png'),
                                    png(10, 'دیگر.png') ] },
           'form[action$="/followups"]');

my @kept = map { $_->attr('value') }
           $b->dom->find('[name="kept_file"]')->each;

$b->submit({ body => 'متن پیرو', kept_file => $kept[1] },
           'form[action$="/followups"]');
is($b->status, 303, 'then taken');
is($p->value(q{SELECT string_agg(name, ' ') FROM files
               WHERE purpose = 'followup'}), 'دیگر.png',
   'with the file whose tick is there');
is(state($code), 'secretariat', 'the letter needs an answer again');
$b->follow;
like($b->text, qr/متن پیرو.*دیگر\.png/s, 'both are in the thread');

# a kept file is one person's

clerk('letter_reply(?, ?, ?, true, NULL, ?)', key(), $code, 'باز پاسخ',
      '[]');
my $hers = $other->send_letter(files => [ png(11) ]);

clerk('letter_register(?, ?, ?)', key(), $hers, $book);
clerk('letter_reply(?, ?, ?, true, NULL, ?)', key(), $hers, 'پاسخ', '[]');
$other->get("/desk/letters/$hers");
$other->post("/desk/letters/$hers/followups", {
    submission_key => key(), body => 'پیرو', kept_file => $kept[0] });
is($other->status, 303, 'a follow-up');
is($p->value(q{SELECT count(*) FROM files AS f JOIN letters AS l
               ON l.id = f.letter_id WHERE f.purpose = 'followup'
               AND l.tracking_code = ?}, $hers), 0,
   'without the file that somebody else kept');

# twice

$key = key();
$b->get($path);
$b->post("$path/followups", { submission_key => $key, body => 'یک بار' })
    for 1 .. 2;
is($b->status, 303, 'twice');
is($p->value(q{SELECT count(*) FROM events WHERE body = 'یک بار'}), 1,
   'is once');

# JSON, and others

is($other->post("$path/followups", { submission_key => key(), body => 'x' })
         ->status, 404, 'by somebody else');
$b->get($path);
$b->post("$path/followups", { submission_key => key(), body => '' },
         { Accept => 'application/json' });
is($b->status, 422, 'JSON');
ok($b->tx->res->json->{form}{body}{error}, 'JSON: the error');
$b->post("$path/followups", { csrf => 'x', submission_key => key(),
                              body => 'y' });
is($b->status, 403, 'without the token');

# so many a day, of each letter

my $limit = $p->value(q{SELECT count(*) FROM events AS e
    JOIN letters AS l ON l.id = e.letter_id
    WHERE e.kind = 'followup' AND l.tracking_code = ?}, $code) + 1;

$p->db->do(q{INSERT INTO settings (name, value)
             VALUES ('followups_day', ?)}, undef, $limit);

sub follow_up {
    my ($b, $code) = @_;

    clerk('letter_reply(?, ?, ?, true, NULL, ?)', key(), $code, 'پاسخ', '[]');
    $b->get("/desk/letters/$code");
    return $b->post("/desk/letters/$code/followups",
                    { submission_key => key(), body => 'باز هم' })->status;
}

is(follow_up($b, $code), 303, 'the last one of the day');
is(follow_up($b, $code), 429, 'one more');
ok($b->header('Retry-After') > 60, 'and when again');
is(follow_up($other, $hers), 303, 'another letter has its own');
is($p->value(q{SELECT count(*) FROM events AS e
               JOIN letters AS l ON l.id = e.letter_id
               WHERE e.kind = 'followup' AND l.tracking_code = ?}, $code),
   $limit, 'it is not taken');

$p->done;
