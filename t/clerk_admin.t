#!/usr/bin/perl

# What managers and administrators look after: staff from the invitation to
# the end of an account, units, books, canned replies, calendar, statistics,
# audit; and who may.

use strict;
use warnings;
use utf8;

use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::RealBin/lib";
use List::Util qw(sum);
use Mojo::JSON qw(decode_json);
use Mojo::Util qw(decode);
use POSIX qw(strftime);
use Time::Local qw(timegm);

use Portal;

my $top = "$FindBin::RealBin/..";
my $p = Portal->new;
my $json = { Accept => 'application/json' };

my ($admin, $manager, $clerk, $expert) = map {
    my $b = $p->browser;
    $b->clerk_login($_);
} qw(admin manager clerk expert);

open my $in, '<:encoding(UTF-8)', "$top/html/messages.txt" or die $!;
my %message = map { /^(\w+): (.*)/ ? ($1 => $2) : () } <$in>;


# Roles ----------------------------------------------------------------------

my %may = (
    '/clerk/canned'     => 'clerk expert manager admin',
    '/clerk/statistics' => 'manager admin',
    map { ("/clerk/$_" => 'admin') }
        qw(units books calendar staff settings audit staff/1/disable
           staff/1/handover),
);
my %by = (admin => $admin, manager => $manager, clerk => $clerk,
          expert => $expert);

for my $path (sort keys %may) {
    for my $role (sort keys %by) {
        my $right = " $may{$path} " =~ / $role / ? 200 : 403;

        is($by{$role}->get($path)->status, $right, "$role: $path");
    }

    my $nobody = $p->browser;

    is($nobody->get($path)->status, 303, "nobody: $path");
    like($nobody->path, qr{^/clerk/login}, 'to the log-in');
}

is($expert->post('/clerk/canned', { title => 'a', body => 'b',
                                    submission_key => 'k' x 20 })->status,
   403, 'an expert writes no canned reply');
is($p->value('SELECT count(*) FROM canned'), 0, 'nothing was saved');

for my $path (qw(units books calendar settings staff staff/1/invite staff/1/disable
                 staff/1/enable staff/1/handover staff/1/substitute
                 staff/1/substitute/end))
{
    is($manager->post("/clerk/$path", { submission_key => 'k' x 20 })
       ->status, 403, "a manager may not post $path");
}

is($admin->post('/clerk/units', { name => 'ن', code => 'n',
                                  submission_key => 'k' x 20,
                                  csrf => undef })->status,
   403, 'no csrf');


# Settings -----------------------------------------------------------------------

$admin->get('/clerk/settings');
is($admin->dom->at('#due_days')->val, fa(10), 'what holds until it is set');
$admin->submit({ due_days => '۷', tickets_day => 0 });
is($admin->status, 422, 'none at all');
like($admin->text, qr/\Q$message{setting_wrong}\E/, 'says what may be');
is($admin->dom->at('#due_days')->val, '۷', 'what was typed stays');
is($p->value('SELECT count(*) FROM settings'), 0, 'nothing is stored');
$admin->submit({ tickets_day => 4 });
is($admin->status, 303, 'saved') or diag $admin->text;
is($p->value('SELECT string_agg(name || value, $$ $$ ORDER BY name)
                FROM settings'), 'due_days7 tickets_day4',
   'those that changed');
is($admin->follow->dom->at('#due_days')->val, fa(7), 'are shown');
is($p->value(q{SELECT count(*) FROM audit WHERE action = 'setting_set'}), 2,
   'and stand in the audit');
is($p->value('SELECT setting_int($$due_days$$)'), 7, 'and hold');
$admin->get('/clerk/settings');
$admin->submit({ due_days => 10, tickets_day => 10 });


# Invitation → password → authenticator → works -------------------------------

$admin->get('/clerk/staff');
$admin->submit({ name => 'نو آمده', username => 'No Good', role => 'clerk' });
is($admin->status, 422, 'a user name with a blank');
is($admin->error('username'), "خطا: $message{username_wrong}", 'at its field');
$admin->submit({ name => 'نو آمده', username => 'newcomer',
                 role => 'expert', unit => '' });
is($admin->error('unit'), "خطا: $message{expert_needs_unit}",
   'an expert without unit');
$admin->submit({ name => 'نو آمده', username => 'admin', role => 'clerk',
                 unit => '' });
is($admin->error('username'), "خطا: $message{username_taken}", 'taken');

my $link = invite($admin, name => 'نو آمده', username => 'newcomer',
                  role => 'clerk', unit => '');
my ($token) = $link =~ m{/clerk/invitations/([\w-]{43})$};

ok($token, 'a link with a token of 256 bits');
$p->secret($token);                  # in no log, though its link is opened
is($p->value('SELECT encode(token_hash, \'hex\') FROM invitations
               ORDER BY id DESC LIMIT 1'), sha256_hex($token),
   'the database has its hash only');
ok(!$admin->get('/clerk/staff')->dom->at('.flash .mono'),
   'the link is shown once');

my $new = $p->browser;

$p->browser->request(PUT => $link, {});
is($p->browser->get('/clerk/invitations/' . 'x' x 43)->status, 410,
   'an unknown link');

# what is refused in its own way has a heading as well

for my $case (
    [ 410, 'a link', sub {
        $p->browser->get('/clerk/invitations/' . 'x' x 43) } ],
    [ 415, 'a form of no kind', sub {
        $admin->request(POST => '/clerk/search',
                        { 'Content-Type' => 'text/plain' }, 'q=x') } ],
    [ 422, 'a day of none', sub {
        $admin->get('/clerk/audit?export=csv&from=1405/13/1') } ],
) {
    my ($status, $what, $ask) = @$case;
    my $b = $ask->();

    is($b->status, $status, "$what: $status");
    like($b->dom->at('h1')->all_text, qr/\w/, "$what: a heading");
    like($b->dom->at('title')->text, qr/\w.*\|/s, "$what: a title");
}

is($new->get($link)->status, 200, 'the link opens');
like($new->text, qr/نو آمده.*newcomer/, 'for whom');
$new->submit({ new_password => '12345678' });
is($new->status, 422, 'a common password');
$new->submit({ new_password => 'newcomer' });
is($new->status, 422, 'the user name as password');

my $password = Staff::readable_password();

$p->secret($password);
$new->submit({ new_password => $password });
is($new->status, 303, 'a password');
is($new->path, '/clerk/totp', 'then the authenticator');
$new->follow;

# Somebody else has the same link: whose password was replaced is out.

my $other = $p->browser;
my $theirs = Staff::readable_password();

$p->secret($theirs);
$other->get($link);
$other->submit({ new_password => $theirs })->expect(303, 'their password');
is($other->follow->status, 200, 'two hold the link');
$p->secret($other->dom->at('.card .mono')->text =~ s/\s//gr);
is($new->submit({ code => '123456' })->status, 410,
   'a code for what another one has replaced');
is($new->get('/clerk/totp')->status, 410, 'nor is theirs shown');
$new->get($link);
$new->submit({ new_password => $password })->expect(303, 'once more');
is($other->submit({ code => '123456' })->status, 410, 'the other one is out');
$new->follow;

my $secret = $new->dom->at('.card .mono')->text =~ s/\s//gr;

$p->secret($secret);
is(length $secret, 32, 'a key of 160 bits');
like($new->dom->at('svg[role=img] path:nth-of-type(2)')->attr('d') // '',
     qr/^M\d/, 'and its QR code');
is($p->value('SELECT status FROM staff WHERE username = ?', 'newcomer'),
   'invited', 'not active yet');
$new->submit({ code => sprintf '%06d', (Staff::totp($secret) + 1) % 1e6 });
is($new->status, 422, 'a wrong code');
is($new->error('code'), "خطا: $message{totp_wrong}", 'is told');
$new->submit({ code => Staff::totp($secret) });
is($new->status, 303, 'the right one') or diag $new->text;
is($new->path =~ s/\?.*//r, '/clerk/', 'opens the inbox');
is($new->follow->status, 200, 'signed in');
like($new->text, qr/نو آمده/, 'as the newcomer');

is($p->browser->get($link)->status, 410, 'the link is used up');
is($new->get('/clerk/totp')->status, 410, 'and so is its second page');
is($p->browser->get('/clerk/totp')->status, 410, 'which is nobody else\'s');
$new->get('/clerk/');

my $newcomer = { username => 'newcomer', password => $password,
                 totp_secret => $secret };
my $again = $p->browser;

ok($again->clerk_login($newcomer), 'password and authenticator work');

# another link ends the older ones

my $id = $p->value('SELECT id FROM staff WHERE username = ?', 'newcomer');

$admin->get("/clerk/staff?edit=$id");
$admin->post($admin->dom->at('button[formaction]')->attr('formaction'), {});
is($admin->status, 303, 'another link');
my $first = $admin->follow->dom->at('.flash .mono')->text;
$admin->get("/clerk/staff?edit=$id");
$admin->post($admin->dom->at('button[formaction]')->attr('formaction'), {});
my $second = $admin->follow->dom->at('.flash .mono')->text;
is($p->browser->get($first)->status, 410, 'the older link ended');
is($p->browser->get($second)->status, 200, 'the newer one opens');
is($new->get('/clerk/')->status, 200, 'until then all is as it was');


# Role, unit, substitute ---------------------------------------------------------

my $unit = $p->value("SELECT id FROM units WHERE code = 'technical'");

$admin->get("/clerk/staff?edit=$id");
is($admin->dom->at('#name')->val, 'نو آمده', 'the form knows them');
$admin->submit({ name => 'نو آمدهٔ ما', role => 'expert', unit => $unit });
is($admin->status, 303, 'another role and unit');
is(join(' ', map { $_ // '' } $p->db->selectrow_array(
       'SELECT name, role, unit_id FROM staff WHERE id = ?', undef, $id)),
   "نو آمدهٔ ما expert $unit", 'saved');
is($new->get('/clerk/tickets')->status, 403, 'from the next request on');
$admin->get("/clerk/staff?edit=$id");
$admin->submit({ name => 'نو آمده', role => 'clerk', unit => '' });

my $me = $p->value("SELECT id FROM staff WHERE username = 'admin'");

$admin->get("/clerk/staff?edit=$me");
$admin->submit({ name => 'امیر', role => 'clerk' });
is($admin->status, 409, 'the last administrator stays one');
is($admin->get('/clerk/staff?edit=99999')->status, 404, 'no such colleague');

my $clerk_id = $p->value("SELECT id FROM staff WHERE username = 'clerk'");
my ($today, $later, $month, $next_year) = map { jalali($_) } 0, 5, 30, 370;

$admin->get("/clerk/staff?edit=$clerk_id");
is($admin->dom->at('#substitute option')->attr('value'), '',
   'nobody is chosen silently');
$admin->submit({ substitute => '', from => $today, to => $later });
is($admin->error('substitute'), "خطا: $message{substitute_required}",
   'no substitute chosen');
$admin->submit({ substitute => $id, from => $today, to => '1405/13/01' });
is($admin->status, 422, 'a date that is none');
is($admin->error('to'), "خطا: $message{date_wrong}", 'at its field');
is($admin->dom->at('#substitute option[selected]')->attr('value'), $id,
   'whom one chose stays chosen');
$admin->submit({ substitute => $id, from => $later, to => $today });
is($admin->error('to'), "خطا: $message{from_after_to}", 'the wrong way round');
$admin->submit({ substitute => $id, from => $today, to => $next_year });
is($admin->error('to'), "خطا: $message{substitute_too_long}", 'too long');
$admin->submit({ substitute => $id, from => fa($today), to => $later });
is($admin->status, 303, 'a substitute') or diag $admin->text;
like($admin->follow->text, qr/جانشین: نو آمده/, 'stands in the list');
$admin->submit({ substitute => $me, from => $month, to => $month });
like($admin->follow->text, qr{جانشین: نو آمده / امیر راهبر},
     'and so does who is to follow');
$admin->submit({}, 'form[action$="/substitute/end"]');
is($admin->status, 303, 'ended');
is($p->value('SELECT count(*) FROM substitutes WHERE ended_at IS NULL'), 0,
   'nobody stands in');


# The end of an account: its work first -----------------------------------------

my $citizen = $p->browser;

$citizen->signup;
$citizen->identify;
my $code = $citizen->send_letter(subject => 'برای واگذاری');

$new->get("/clerk/letters/$code");
$new->submit({}, 'form[action$="/take"]');
is($p->value('SELECT owner_id FROM letters WHERE tracking_code = ?', $code),
   $id, 'the newcomer has a letter');

$admin->get("/clerk/staff/$id/disable");
is($admin->status, 303, 'an account with work');
is($admin->path, "/clerk/staff/$id/handover", 'must hand it over');
is($admin->follow->status, 200, 'the page');
is($admin->post("/clerk/staff/$id/disable", {})->status, 409,
   'and not around it');
is($new->get('/clerk/')->status, 200, 'which changed nothing');
$admin->get("/clerk/staff/$id/handover");
ok(!$admin->dom->find('#to option')->grep(sub {
       ($_->attr('value') // '') eq $p->value(
           "SELECT id FROM staff WHERE username = 'expert'") })->size,
   'an expert is not offered');
$admin->submit({ to => '' });
is($admin->error('to'), "خطا: $message{handover_to_required}", 'to nobody');
$admin->submit({ to => $clerk_id });
is($admin->status, 303, 'to the clerk');
is($p->value('SELECT owner_id FROM letters WHERE tracking_code = ?', $code),
   $clerk_id, 'who has the letter now');
is($admin->follow->status, 200, 'then the question');
like($admin->flash, qr/\Q$message{flash_handed_over}/, 'and what was done');
$admin->submit({}, 'form[action$="/disable"]');
is($admin->status, 303, 'closed');
$admin->get('/clerk/staff');
like($admin->dom->at(qq([href\$="/staff/$id/disable"]))->all_text,
     qr/^باز کردن حساب/, 'which can be opened again');
like($admin->dom->at(qq([href\$="/staff/$clerk_id/disable"]))->all_text,
     qr/^بستن حساب/, 'others can be closed');
is($new->get('/clerk/')->status, 303, 'its session is over at once');
is($new->get('/clerk/', $json)->status, 401, 'as JSON too');
is($again->get('/clerk/')->status, 303, 'and the other one');
is($p->browser->get($second)->status, 410, 'and its link');

$new->get('/clerk/login');
$new->submit({ username => 'newcomer', password => $password });
is($new->status, 422, 'no log-in');
$admin->get("/clerk/staff/$id/disable");
$admin->submit({}, 'form[action$="/enable"]');
is($admin->status, 303, 'opened again');
is($again->get('/clerk/')->status, 303, 'old sessions stay dead');
ok($p->browser->clerk_login($newcomer), 'a new one begins');
is($admin->post("/clerk/staff/$me/disable", {})->status, 409, 'not oneself');
is($admin->get('/clerk/staff/99999/disable')->status, 404, 'nobody');
is($admin->get('/clerk/staff/99999/handover')->status, 404, 'nobody at all');


# Units and books ------------------------------------------------------------------

$admin->get('/clerk/units');
ok($admin->dom->at('[name="active"][checked]'), 'a new unit is active');
$admin->submit({ name => 'بایگانی', code => 'Archive!', due_days => '',
                 active => '' });
is($admin->error('code'), "خطا: $message{unit_code_wrong}", 'a bad code');
ok(!$admin->dom->at('[name="active"][checked]'),
   'the tick that was taken away stays away');
$admin->submit({ name => 'بایگانی', code => 'archive', due_days => '900' });
is($admin->error('due_days'), "خطا: $message{due_days_wrong}",
   'too many days');
$admin->submit({ name => 'امور مالی', code => 'archive', due_days => '' });
is($admin->error('name'), "خطا: $message{name_taken}", 'a name that is taken');

my %archive = (name => '=1+1', code => 'archive', due_days => fa('7'),
               active => 1, submission_key => 'archive' x 3);

is($admin->post('/clerk/units', \%archive)->status, 303, 'a unit');
is($admin->post('/clerk/units', \%archive)->status, 303, 'sent twice');
is($p->value("SELECT string_agg(name || due_days, ' ') FROM units
               WHERE code = 'archive'"), '=1+17', 'is one unit');
is($admin->post('/clerk/units', { %archive, unit_id => $unit,
       code => 'technical', submission_key => 'b' x 20, active => '',
       name => 'واحد فنی' })->status, 409,
   'a unit with staff is not put aside');
is($admin->get('/clerk/units?edit=99999')->status, 404, 'no such unit');

$admin->get('/clerk/books');
ok($admin->dom->at('[name="active"][checked]'), 'a new book is active');
$admin->submit({ name => '', code => 'secret', active => '' });
ok(!$admin->dom->at('[name="active"][checked]'), 'unless it is unticked');
$admin->get('/clerk/books');
$admin->submit({ name => 'محرمانه', code => 'secret' });
is($admin->status, 303, 'a book');
my $book = $p->value("SELECT id FROM books WHERE code = 'secret'");
$admin->get("/clerk/books?edit=$book");
is($admin->dom->at('#name')->val, 'محرمانه', 'to be changed');
$admin->post('/clerk/books', { book_id => $book, name => 'محرمانه',
                               code => 'secret',
                               submission_key => 'c' x 20 });
is($p->value('SELECT active FROM books WHERE id = ?', $book), 0,
   'put aside');


# Canned replies -------------------------------------------------------------------

$manager->get('/clerk/canned');
ok($manager->dom->at('[name="active"][checked]'), 'a new reply is active');
$manager->submit({ title => 'سلام', body => 'با سلام {{name}}',
                   active => '' });
is($manager->status, 422, 'an unknown placeholder');
ok(!$manager->dom->at('[name="active"][checked]'), 'unless it is unticked');
is($manager->error('body'), "خطا: $message{canned_placeholder}", 'is told');
is($manager->dom->at('#body')->val, 'با سلام {{name}}', 'and kept');
$manager->submit({ title => 'سلام', body => 'کد {{tracking_code}' });
is($manager->status, 422, 'braces that do not close');
$manager->submit({ title => '', body => 'متن' });
is($manager->error('title'), "خطا: $message{title_required}", 'no title');
$manager->submit({ title => 'سلام',
                   body => 'با سلام {{person_name}}، {{subject}}' });
is($manager->status, 303, 'a right one');
like($manager->follow->text, qr/با سلام \{\{person_name\}\}/, 'in the list');
like($manager->text, qr/کد رهگیری \{\{tracking_code\}\}/,
     'the page says which there are');

my $canned = $p->value('SELECT id FROM canned');

$manager->get("/clerk/canned?edit=$canned");
$manager->submit({ title => 'درود', body => 'متن' });
is($p->value('SELECT title || body FROM canned'), 'درودمتن', 'changed');

my %twice = (title => 'دوبار', body => 'متن', submission_key => 'd' x 20,
             active => 1);

$manager->post('/clerk/canned', \%twice) for 1, 2;
is($p->value("SELECT count(*) FROM canned WHERE title = 'دوبار'"), 1,
   'sent twice, saved once');
ok(!$clerk->get('/clerk/canned')->dom->at('textarea'), 'a clerk only reads');


# The calendar moves due dates --------------------------------------------------------

my %holidays = map { $_->{day} => 1 }
    $p->sql("SELECT day FROM calendar_days WHERE kind = 'holiday'");
my $due = $p->value('SELECT due_on FROM letters WHERE tracking_code = ?',
                    $code);
my $before = prior_workday($due);

$admin->get('/clerk/calendar');
like($admin->dom->at('h1')->text, qr/تقویم کاری ۱[۴۵]/, 'this year');
$admin->submit({ day => '1405/12/31', day_kind => 'holiday', title => '' });
is($admin->error('day'), "خطا: $message{day_wrong}", 'no such day');
$admin->submit({ day => fa(jalali_of($before)), day_kind => 'holiday',
                 title => 'تعطیل آزمایشی' });
is($admin->status, 303, 'a holiday') or diag $admin->text;
like($admin->follow->text, qr/تعطیل آزمایشی/, 'in the list of its year');
ok(due_is(next_workday($due)), 'the due date moves by a working day');
ok($admin->dom->at('tr:has(time[datetime="' . $before
                   . '"]) details:not([open]) p'),
   'what taking it out does is said before');
$admin->submit({}, 'tr:has(time[datetime="' . $before . '"]) form');
is($admin->status, 303, 'the holiday is removed') or diag $admin->text;
is($p->value('SELECT count(*) FROM calendar_days WHERE day = ?', $before), 0,
   'it is gone');
ok(due_is($due), 'and back');
is($admin->get('/clerk/calendar?year=1404')->dom->at('h1')->text,
   'تقویم کاری ۱۴۰۴', 'another year');


# Statistics against a count by hand ---------------------------------------------------
#
# 1405/06/01 is Sunday, 2026-08-23; Thursday 27 and Friday 28 are free.
#        created           answered    closed      due          days: answer, close
my @letters = (
    [ '2026-08-23 10:00', '08-24',    '08-25',    '2026-08-25' ],     # 1  2
    [ '2026-08-23 11:00', '08-26',    '08-29',    '2026-08-25' ],     # 3  4 late
    [ '2026-08-26 10:00', '08-29',    undef,      '2026-08-29' ],     # 1
    [ '2026-08-30 10:00', '09-01',    '09-01',    '2026-09-01' ],     # 2  2
    [ '2026-08-30 10:00', undef,      undef,      '2026-08-31' ],     # overdue
    [ '2026-08-23 00:10', undef,      undef,      '2400-01-01' ],     # first minutes
    [ '2026-08-22 23:50', undef,      '08-25',    '2026-08-30' ],     # the day before
    [ '2026-09-02 00:10', '09-02',    '09-02',    '2026-09-05' ],     # the day after
);
my $n = 0;
my $true = Mojo::JSON->true;

for my $l (@letters) {
    my ($answered, $closed) = map { $_ && "2026-$_ 12:00+03:30" }
                              @$l[1, 2];

    $n++;
    $p->sql(q{INSERT INTO letters OVERRIDING SYSTEM VALUE
        SELECT (jsonb_populate_record(l, jsonb_build_object(
            'id', l.id + 1000 + ?::int, 'tracking_code', 'hand' || ?::int,
            'created_at', ?::text, 'first_answer_at', ?::text,
            'answered_at', ?::text, 'closed_at', ?::text,
            'due_on', ?::text, 'owner_id', NULL))).*
          FROM letters AS l WHERE l.tracking_code = ?}, $n, $n,
        "$l->[0]+03:30", $answered, $answered, $closed, $l->[3], $code);
}

for my $r ([ 1, '08-24', '08-26', '2026-08-25', 'answered' ],     # 2, late
           [ 2, '08-24', '08-30', '2026-08-31', 'answered' ],     # 4
           [ 3, '08-26', undef, '2026-08-29', undef ],            # overdue
           [ 4, '08-30', '08-31', '2026-09-05', 'returned' ])
{
    $p->sql(q{INSERT INTO referrals (letter_id, letter_at, unit_id, created_by,
                  created_at, due_on, closed_at, outcome)
              SELECT l.id, l.created_at, u.id, ?, ?, ?, ?, ? FROM letters AS l, units AS u
               WHERE l.tracking_code = 'hand' || ?::int
                 AND u.code = 'archive'}, $me, "2026-$r->[1] 09:00+03:30",
            $r->[3], $r->[2] && "2026-$r->[2] 09:00+03:30", $r->[4], $r->[0]);
}

my $range = 'from=1405/06/01&to=' . Mojo::Util::url_escape(
    Mojo::Util::encode('UTF-8', fa('1405/06/10')));
my $s = $manager->json("/clerk/statistics?$range");

is_deeply($s->{totals}, {
    received => 6, answered => 4, closed => 3, open => 3, overdue => 1,
    in_time => 3, late => 1, first_answer_days => 1.5,
    first_answer_days_90 => 2.7, close_days => 2, close_days_90 => 3.6,
    has_answers => $true, has_closed => $true,
}, 'the totals') or diag explain $s->{totals};
is($s->{from_day} . ' ' . $s->{to_day}, '2026-08-23 2026-09-01', 'the range');
is(join(' ', map { "$_->{received}/$_->{answered}" } @{ $s->{per_day} }),
   '3/0 0/1 0/0 1/1 0/0 0/0 0/1 2/0 0/0 0/1', 'each day');
is(sum(map { $_->{count} } @{ $s->{ages} }),
   $p->value('SELECT count(*) FROM letters WHERE closed_at IS NULL'),
   'ages: every open letter once');

my ($archive) = grep { $_->{unit_name} eq '=1+1' } @{ $s->{by_unit} };

is_deeply($archive, { unit_name => '=1+1', referred => 4, open => 1,
    overdue => 1, answered => 2, returned => 1, late => 1,
    seen_days => undef, first_answer_days => 3, close_days => 3.8 },
    'a unit') or diag explain $archive;

my @bars = @{ $s->{bars} };

is(scalar @bars, 10, 'a bar a day');
is("$bars[0]{x} $bars[9]{x}", '900 0', 'the oldest at the right');
is("$bars[0]{received_y} $bars[0]{received_h}", '0 200', 'the highest bar');
is($bars[3]{answered_h}, 66, 'the others in proportion');
is($manager->get("/clerk/statistics?$range")->dom->find(
       'figure svg rect.bar-two')->grep(sub { $_->attr('height') eq '66' })
   ->size, 4, 'drawn');
is(scalar @{ $manager->json('/clerk/statistics?from=1397/01/01')->{bars} },
   $manager->tx->res->json->{per_day} ? sprintf('%d',
   POSIX::ceil(@{ $manager->tx->res->json->{per_day} }
               / $manager->tx->res->json->{plot_days})) : -1,
   'years in bars of several days');
cmp_ok(scalar @{ $manager->tx->res->json->{bars} }, '<=', 180, 'not too many');
is($manager->get('/clerk/statistics?from=1405/06/31&to=1405/06/01')->status,
   422, 'the wrong way round');
is($manager->get('/clerk/statistics?from=x')->status, 422, 'no date');
is($manager->get('/clerk/statistics?from=1380/01/01')->status, 422,
   'more than ten years');

my $csv = csv("/clerk/statistics?$range&csv=units");

like($csv, qr/^\x{feff}واحد,/, 'CSV with a mark and a head');
like($csv, qr/^(?:"'=1\+1"|'=1\+1),4,1,1,2,1,1,,3,3\.8\r$/m,
     'the same numbers; a formula is text');
is($manager->header('Content-Type'), 'text/csv; charset=utf-8', 'its type');
like($manager->header('Content-Disposition'), qr/^attachment;.*units-2026/,
     'a download');
like(csv("/clerk/statistics?$range&csv=days"),
     qr{\n1405/06/04,2026-08-26,1,1\r\n}, 'days, in both calendars');
like(csv("/clerk/statistics?$range&csv=totals"),
     qr/\n6,4,3,3,1,3,1,1\.5,2\.7,2,3\.6\r\n/, 'totals');
is($manager->get("/clerk/statistics?$range&csv=passwords")->status, 404,
   'no such table');


# The audit shows all that ------------------------------------------------------------

my $a = $admin->json('/clerk/audit?who=admin');
my %seen = map { $_->{action} => 1 } @{ $a->{lines} },
           @{ $admin->json('/clerk/audit' . '?who=admin&page='
              . $a->{lines}[-1]{line_id})->{lines} };

ok($seen{$_}, "the audit has $_")
    for qw(staff_invited staff_reinvited staff_saved substitute_set
           substitute_ended handed_over staff_disabled staff_enabled
           unit_saved book_saved calendar_set read);
is($p->value(q{SELECT count(*) FROM audit WHERE action = 'read'
               AND object = 'statistics' AND details->>'csv' = 'units'}), 1,
   'who took numbers away is written down');
is_deeply([ grep { $_->{actor_name} ne 'امیر راهبر' } @{ $a->{lines} } ], [],
   'the filter by user name');

# page after page gives each line once

my ($path, %lines) = ('/clerk/audit');
my $pages = 0;
my $last = $p->value('SELECT max(id) FROM audit');

while ($path && $pages++ < 50) {
    my $page = $admin->json($path);

    $lines{$_->{line_id}}++ for @{ $page->{lines} };
    $path = $page->{pager}{next_url}
          ? "/clerk$page->{pager}{next_url}" : undef;
}

is(join(' ', grep { $lines{$_} != 1 } keys %lines), '', 'no line twice');
is(scalar(grep { $_ <= $last } keys %lines),
   $p->value('SELECT count(*) FROM audit WHERE id <= ?', $last), 'none left out');

is($admin->get('/clerk/audit?from=1405/99/99')->status, 422, 'no date');
is(scalar @{ $admin->json('/clerk/audit?object_id=' . $code
             . '&action=letter_taken')->{lines} }, 1, 'about one letter');
is(scalar @{ $admin->json('/clerk/audit?action=nothing')->{lines} }, 0,
   'nothing');
is($admin->get('/clerk/audit')->status, 200, 'the page');
is($admin->dom->at('#action option[value=letter_replied]')->text,
   $message{action_letter_replied}, 'actions are chosen by their words');
$admin->get('/clerk/audit?action=setting_set');
is($admin->dom->find('#action option[selected]')->map(attr => 'value')
         ->join(' '), 'setting_set', 'the chosen one stays');
is($admin->dom->find('td[data-label="چه کرد"] .mono')->map('text')->uniq
         ->join(' '), 'setting_set', 'and is what is shown');
is($admin->get('/clerk/audit?action=%3Cb%3Enothing')
         ->dom->at('#action option[selected]')->text, '<b>nothing',
   'one that there is not stands as it is');

my @jsonl = map { decode_json($_) } split /\n/,
    $admin->get('/clerk/audit?export=jsonl&action=staff_invited')->body;

is(scalar @jsonl, 1, 'an export as JSON lines');
is($jsonl[0]{details}{username}, 'newcomer', 'with its details');
like(csv_of($admin, '/clerk/audit?export=csv&action=staff_invited'),
     qr/,staff_invited,staff,$id,127\.0\.0\.1,"\{""role""/, 'and as CSV');
is($p->value(q{SELECT count(*) FROM audit WHERE action = 'read'
               AND object = 'audit' AND details->>'export' = 'csv'}), 1,
   'the export stands in the audit itself');


# A thousand letters go to a colleague in one transaction, and these are more.

$p->sql(q{INSERT INTO letters (id, tracking_code, person_id, person_kind,
        first_name, last_name, father_name, birth_date, national_code, mobile,
        address, subject, owner_id) OVERRIDING SYSTEM VALUE
    SELECT 10000 + n, 'many' || n, l.person_id, 'natural', '', '', '', l.birth_date,
           l.national_code, l.mobile, '', 'x', ?
      FROM letters AS l, generate_series(1, 1100) AS n
     WHERE l.tracking_code = ?}, $id, $code);
$admin->get("/clerk/staff/$id/handover");
$admin->submit({ to => $clerk_id });
is($admin->status, 303, 'eleven hundred letters are handed over');
is($p->value('SELECT count(*) FROM letters WHERE owner_id = ?', $id), 0,
   'all of them');


# The proof ------------------------------------------------------------------------------

ok(wait_until(20, sub { $p->value('SELECT count(*) FROM audit_pending') == 0 }),
   'the sealer has chained it all');

my ($status, $said) = verify();

is($status, 0, 'audit-verify') or diag $said;
like($said, qr/^whole: \d+ lines, head (\d+) ([0-9a-f]{64})$/, 'whole');
my ($seq, $head) = $said =~ /head (\d+) (\w+)/;
is((verify($seq, $head))[0], 0, 'a head that was published');
($status, $said) = verify($seq, '00' x 32);
is($status, 1, 'another one');
like($said, qr/^broken: head_differs at link $seq/, 'is told');

my $victim = $p->value('SELECT audit_id FROM audit_chain WHERE seq = 5');

$p->sql('ALTER TABLE audit DISABLE TRIGGER audit_append_only');
$p->sql("UPDATE audit SET address = '10.9.9.9' WHERE id = ?", $victim);
($status, $said) = verify();
is($status, 1, 'a line that was changed');
like($said, qr/^broken: line_changed at link 5, audit line $victim\b/,
     'the first broken link is named');
is((verify('x'))[0], 2, 'a wrong call');

# The page finds it with the sealer's next round; one begins every day.

ok(wait_until(30, sub {
    $admin->get('/clerk/audit')->text =~ /زنجیره درست است/ }),
   'the page has what the sealer proved before');
ok(!$admin->dom->at('.problem'), 'nothing was wrong');
$p->allow(qr/the audit's chain is broken at link 5/);
$p->sql(q{UPDATE audit_checks SET began_at = '2020-01-01',
                                  whole_at = '2020-01-02'});
ok(wait_until(40, sub { $admin->get('/clerk/audit')->dom->at('.problem') }),
   'then it says that it is broken');
like($admin->dom->at('.problem')->all_text,
     qr/حلقهٔ ۵ .*\Q$message{broken_reason_line_changed}\E/s, 'where and how');
unlike($admin->text, qr/زنجیره درست است/, 'and no more that it is whole');

$p->done;


sub invite {
    my ($b, %who) = @_;

    $b->get('/clerk/staff');
    $b->submit(\%who)->expect(303, 'invitation')->follow;
    return $b->dom->at('.flash .mono')->text;
}


# Days from today in Tehran, as people type them.

sub jalali { jalali_of(day(time + 12600 + 86400 * $_[0])) }

sub jalali_of {
    my ($day) = @_;

    return $p->value(q{SELECT format('%s/%s/%s', year, month, day_of_month)
                         FROM jalali_days WHERE day = ?}, $day);
}


# The letter's date follows the calendar at once, but in the background.
sub due_is {
    my ($day) = @_;

    return wait_until(5, sub {
        $p->value('SELECT due_on FROM letters WHERE tracking_code = ?',
                  $code) eq $day;
    });
}


# Working days by the calendar of POSIX: Thursday and Friday are free, and what
# the calendar was made with.

sub day { strftime('%Y-%m-%d', gmtime $_[0]) }

sub free {
    my ($y, $m, $d) = split /-/, $_[0];

    return 1 if $holidays{$_[0]};
    return (gmtime timegm(0, 0, 12, $d, $m - 1, $y))[6] =~ /[45]/;
}

sub step {
    my ($day, $by) = @_;
    my ($y, $m, $d) = split /-/, $day;

    do {
        $day = day(timegm(0, 0, 12, $d, $m - 1, $y) + 86400 * $by);
        ($y, $m, $d) = split /-/, $day;
    } while (free($day));

    return $day;
}

sub next_workday  { step($_[0], 1) }
sub prior_workday { step($_[0], -1) }


sub csv { csv_of($manager, @_) }

sub csv_of {
    my ($b, $path) = @_;

    return decode('UTF-8', $b->get($path)->body);
}


sub verify {
    my $i = $p->instance;
    my $said = `@{[ join ' ', map { quotemeta } "$top/sql/audit-verify", '-d',
        "host=$i->{sockets} dbname=correspondence user=postgres", @_ ]} 2>&1`;

    return ($? >> 8, $said);
}
